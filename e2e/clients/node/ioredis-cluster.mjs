// ioredis in Cluster mode: one shard, and its leader holds every slot.

import assert from 'node:assert/strict'
import {Cluster} from 'ioredis'
import {addresses, run, writeThroughFailover} from './checks.mjs'
import {suite} from './ioredis-suite.mjs'

const connect = () =>
  new Cluster(addresses(process.env.NODES), {
    clusterRetryStrategy: () => 50,
    retryDelayOnFailover: 50,
    retryDelayOnClusterDown: 50,
    maxRedirections: 200,
    redisOptions: {maxRetriesPerRequest: null},
  }).on('error', () => {})
const redis = connect()

await run({
  async slots() {
    assert.equal(await redis.cluster('KEYSLOT', 'foo'), 12182)
    assert.equal(redis.nodes('master').length, 1)
  },
  ...suite(redis, connect),
  failover: () => writeThroughFailover((key, value) => redis.set(key, value), (key) => redis.get(key)),
})
