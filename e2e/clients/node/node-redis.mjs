// node-redis over RESP3, with a cache in the client that the server invalidates.

import assert from 'node:assert/strict'
import {setTimeout as sleep} from 'node:timers/promises'
import {createClient, createClientPool, defineScript, WatchError} from 'redis'
import {eventually, host, port, run, writeThroughFailover} from './checks.mjs'

const add = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
  parseCommand: (parser, key, by) => {
    parser.pushKey(key)
    parser.push(String(by))
  },
  transformReply: (reply) => reply,
})
const connect = (more = {}) =>
  createClient({socket: {host, port, reconnectStrategy: 20}, RESP: 3, scripts: {add}, ...more}).on('error', () => {}).connect()
const redis = await connect()

await run({
  async strings() {
    assert.equal(await redis.set('k', 'v', {expiration: {type: 'EX', value: 100}}), 'OK')
    assert.equal(await redis.set('k', 'w', {condition: 'NX'}), null)
    assert.equal(await redis.incrBy('n', 42), 42)
    assert.deepEqual(await redis.mGet(['k', 'none']), ['v', null])
    const keys = []
    for await (const part of redis.scanIterator({MATCH: '?', COUNT: 1})) keys.push(...part)
    assert.deepEqual(keys.sort(), ['k', 'n'])
  },

  async bits() {
    assert.equal(await redis.setBit('b', 7, 1), 0)
    assert.equal(await redis.bitCount('b'), 1)
    assert.equal(await redis.bitOp('NOT', 'bn', 'b'), 1)
    assert.equal((await redis.pfAdd('hll', ['a', 'b'])) + (await redis.pfCount('hll')), 3)
  },

  async hashes() {
    assert.equal(await redis.hSet('h', {a: '1', b: '2'}), 2)
    assert.deepEqual({...(await redis.hGetAll('h'))}, {a: '1', b: '2'})
    assert.deepEqual(await redis.hExpire('h', ['a', 'none'], 100), [1, -2])
    assert.deepEqual(await redis.hTTL('h', ['a', 'b']), [100, -1])
  },

  async lists() {
    assert.equal(await redis.rPush('l', ['a', 'b', 'c']), 3)
    assert.deepEqual(await redis.lRange('l', 0, -1), ['a', 'b', 'c'])
    assert.equal(await redis.lMove('l', 'm', 'LEFT', 'RIGHT'), 'a')
  },

  async sets() {
    await redis.sAdd('e', ['1', '2'])
    assert.deepEqual((await redis.sMembers('e')).sort(), ['1', '2'])
    assert.equal(await redis.sCard('e'), 2)
  },

  async sortedSets() {
    await redis.zAdd('z', [{score: 1, value: 'one'}, {score: 2.5, value: 'two'}])
    assert.deepEqual(await redis.zRangeWithScores('z', 0, -1), [{value: 'one', score: 1}, {value: 'two', score: 2.5}])
    assert.equal(await redis.zIncrBy('z', 10, 'one'), 11)
    assert.equal(await redis.geoAdd('g', {longitude: 13.361389, latitude: 38.115556, member: 'Palermo'}), 1)
    assert.deepEqual(await redis.geoSearch('g', {longitude: 13, latitude: 38}, {radius: 100, unit: 'km'}), ['Palermo'])
  },

  async streams() {
    const id = await redis.xAdd('x', '*', {n: '0'})
    assert.equal(await redis.xGroupCreate('x', 'g', '0'), 'OK')
    const read = await redis.xReadGroup('g', 'me', {key: 'x', id: '>'})
    assert.ok(JSON.stringify(read).includes(id))
    assert.equal((await redis.xPending('x', 'g')).pending, 1)
    assert.equal((await redis.xAutoClaim('x', 'g', 'you', 0, '0')).messages[0].id, id)
    assert.equal(await redis.xAck('x', 'g', id), 1)
  },

  async scripts() {
    assert.equal(await redis.add('script', 20), 20)
    assert.equal(await redis.add('script', 22), 42)
    const library = "#!lua name=lib\nredis.register_function('half', function(k, a) return a[1] / 2 end)"
    await redis.functionLoad(library, {REPLACE: true})
    assert.equal(await redis.fCall('half', {keys: ['k'], arguments: ['84']}), 42)
  },

  async transactions() {
    assert.deepEqual(await redis.multi().set('t', 1).incr('t').get('t').exec(), ['OK', 2, '2'])
    const pool = await createClientPool({socket: {host, port}, RESP: 3}).connect()
    await assert.rejects(
      pool.execute(async (client) => {
        await client.watch('t')
        await redis.set('t', '10')
        await client.multi().incr('t').exec()
      }),
      WatchError,
    )
    await pool.close()
  },

  async blocking() {
    const waiter = await connect()
    const waiting = waiter.blPop('q', 10)
    waiting.catch(() => {}) // what it says is seen below
    await sleep(50)
    await redis.rPush('q', 'x')
    assert.deepEqual({...(await waiting)}, {key: 'q', element: 'x'})
    const reading = waiter.xRead({key: 'qx', id: '0'}, {BLOCK: 10_000})
    reading.catch(() => {})
    await sleep(50)
    await redis.xAdd('qx', '*', {f: 'x'})
    assert.ok(JSON.stringify(await reading).includes('"x"'))
    waiter.destroy()
  },

  // With RESP3 a connection that subscribes may do everything else, too.
  async pubSub() {
    const told = []
    await redis.subscribe('news', (message, channel) => told.push([channel, message]))
    await redis.sSubscribe('shard', (message, channel) => told.push([channel, message]))
    assert.equal(await redis.publish('news', 'one'), 1)
    assert.equal(await redis.sPublish('shard', 'two'), 1)
    await eventually('two messages', () => told.length === 2)
    assert.deepEqual(told, [['news', 'one'], ['shard', 'two']])
    await redis.unsubscribe('news')
    await redis.sUnsubscribe('shard')
  },

  async tracking() {
    const caching = await connect({clientSideCache: {ttl: 0, maxEntries: 100, evictPolicy: 'LRU'}})
    await redis.set('tracked', 'old')
    for (let turn = 0; turn < 3; turn += 1) assert.equal(await caching.get('tracked'), 'old')
    await redis.set('tracked', 'new')
    await eventually('an invalidation', async () => (await caching.get('tracked')) === 'new')
    caching.destroy()
  },

  failover: () => writeThroughFailover((key, value) => redis.set(key, value), (key) => redis.get(key)),
})
