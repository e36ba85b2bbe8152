// ioredis that asks Sentinels who leads.

import assert from 'node:assert/strict'
import {Redis} from 'ioredis'
import {addresses, run, writeThroughFailover} from './checks.mjs'
import {suite} from './ioredis-suite.mjs'

const connect = () =>
  new Redis({
    sentinels: addresses(process.env.SENTINELS),
    name: process.env.SENTINEL_NAME,
    sentinelRetryStrategy: () => 20,
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
    reconnectOnError: (error) => error.message.startsWith('READONLY') && 2,
  }).on('error', () => {})
const redis = connect()

await run({
  async leader() {
    assert.equal((await redis.role())[0], 'master')
  },
  ...suite(redis, connect),
  failover: () => writeThroughFailover((key, value) => redis.set(key, value), (key) => redis.get(key)),
})
