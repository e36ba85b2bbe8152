// ioredis, through the Service.

import assert from 'node:assert/strict'
import {setTimeout as sleep} from 'node:timers/promises'
import {Redis} from 'ioredis'
import {eventually, host, port, run, writeThroughFailover} from './checks.mjs'
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

  // The library knows no cache: a connection is told to redirect what becomes invalid to a subscriber.
  async tracking() {
    const [reader, subscriber] = [connect(), new Redis({host, port, protocol: 2})]
    const told = []
    subscriber.on('message', (channel, keys) => told.push([channel, keys]))
    const id = await subscriber.client('ID')
    await subscriber.subscribe('__redis__:invalidate')
    assert.equal(await reader.client('TRACKING', 'ON', 'REDIRECT', id), 'OK')
    assert.equal(await reader.get('tracked'), null)
    await redis.set('tracked', 'new')
    await eventually('an invalidation', () => told.length)
    assert.deepEqual(told, [['__redis__:invalidate', 'tracked']])
    reader.disconnect()
    subscriber.disconnect()
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
