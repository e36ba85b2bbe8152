// ioredis, through the Service.

import assert from 'node:assert/strict'
import {setTimeout as sleep} from 'node:timers/promises'
import {Redis} from 'ioredis'
import {host, port, run, writeThroughFailover} from './checks.mjs'
import {suite} from './ioredis-suite.mjs'

const connect = () => new Redis({host, port, maxRetriesPerRequest: null, retryStrategy: () => 20}).on('error', () => {})
const redis = connect()

await run({
  ...suite(redis, connect),

  async autoPipelining() {
    const piping = new Redis({host, port, enableAutoPipelining: true})
    assert.equal((await Promise.all(Array.from({length: 500}, () => piping.incr('auto')))).at(-1), 500)
    piping.disconnect()
  },

  // A subscription comes back by itself with the connection.
  async failover() {
    const subscriber = connect()
    const told = new Set()
    subscriber.on('message', (_, message) => told.add(message))
    await subscriber.subscribe('after')
    const seen = await writeThroughFailover((key, value) => redis.set(key, value), (key) => redis.get(key))
    if (seen === false) return false
    for (let turn = 0; turn < 500 && !told.size; turn += 1) {
      await redis.publish('after', String(turn))
      await sleep(20)
    }
    assert.ok(told.size, 'the subscription did not come back')
  },
})
