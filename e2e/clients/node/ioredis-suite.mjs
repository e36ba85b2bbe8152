// What ioredis is asked to do, whichever way it found its server. All keys of a check share a slot.

import assert from 'node:assert/strict'
import {setTimeout as sleep} from 'node:timers/promises'

// `another` makes a further connection of the same kind.
export const suite = (redis, another) => ({
  async strings() {
    assert.equal(await redis.set('{s}k', 'v', 'EX', 100), 'OK')
    assert.equal(await redis.set('{s}k', 'w', 'NX'), null)
    assert.equal(await redis.incrby('{s}n', 42), 42)
    assert.deepEqual(await redis.mget('{s}k', '{s}none'), ['v', null])
    assert.ok((await redis.pttl('{s}k')) > 90_000)
    assert.deepEqual(await redis.getBuffer('{s}k'), Buffer.from('v'))
  },

  async hashes() {
    assert.equal(await redis.hset('h', {a: 1, b: 2}), 2)
    assert.deepEqual(await redis.hgetall('h'), {a: '1', b: '2'})
    assert.equal(await redis.hincrby('h', 'a', 4), 5)
    const found = []
    for await (const part of redis.hscanStream('h')) found.push(...part)
    assert.deepEqual(found.sort(), ['2', '5', 'a', 'b'])
  },

  async bits() {
    assert.equal(await redis.setbit('{b}a', 7, 1), 0)
    assert.equal(await redis.bitcount('{b}a'), 1)
    assert.equal(await redis.bitop('NOT', '{b}b', '{b}a'), 1)
    assert.deepEqual(await redis.bitfield('{b}c', 'INCRBY', 'u8', 0, 300, 'GET', 'u4', 0), [44, 2])
    assert.equal((await redis.pfadd('{b}h', 'a', 'b')) + (await redis.pfcount('{b}h')), 3)
  },

  async lists() {
    assert.equal(await redis.rpush('{l}a', 'a', 'b', 'c'), 3)
    assert.deepEqual(await redis.lrange('{l}a', 0, -1), ['a', 'b', 'c'])
    assert.equal(await redis.lmove('{l}a', '{l}b', 'LEFT', 'RIGHT'), 'a')
    assert.deepEqual(await redis.lmpop(1, '{l}a', 'RIGHT', 'COUNT', 2), ['{l}a', ['c', 'b']])
  },

  async sets() {
    await redis.sadd('{e}a', 1, 2, 3)
    await redis.sadd('{e}b', 2, 3, 4)
    assert.deepEqual((await redis.sinter('{e}a', '{e}b')).sort(), ['2', '3'])
    assert.equal(await redis.sunionstore('{e}c', '{e}a', '{e}b'), 4)
    assert.deepEqual(await redis.smismember('{e}c', 4, 5), [1, 0])
  },

  async sortedSets() {
    assert.equal(await redis.zadd('z', 1, 'one', 2, 'two', 3, 'three'), 3)
    assert.deepEqual(await redis.zrange('z', '(1', '+inf', 'BYSCORE', 'LIMIT', 0, 1), ['two'])
    assert.equal(Number(await redis.zincrby('z', 10, 'one')), 11)
    assert.equal(await redis.zrevrank('z', 'one'), 0)
    assert.deepEqual((await redis.zpopmin('z')).flat().map(String), ['two', '2'])
    assert.equal(await redis.geoadd('g', 13.361389, 38.115556, 'Palermo'), 1)
    assert.deepEqual(await redis.geosearch('g', 'FROMLONLAT', 13, 38, 'BYRADIUS', 100, 'km'), ['Palermo'])
  },

  async streams() {
    const ids = [await redis.xadd('x', '*', 'n', 0), await redis.xadd('x', '*', 'n', 1)]
    assert.deepEqual(await redis.xrange('x', '-', '+'), [[ids[0], ['n', '0']], [ids[1], ['n', '1']]])
    assert.equal(await redis.xgroup('CREATE', 'x', 'g', '0'), 'OK')
    const read = await redis.xreadgroup('GROUP', 'g', 'me', 'COUNT', 1, 'STREAMS', 'x', '>')
    assert.ok(JSON.stringify(read).includes(ids[0]))
    assert.equal((await redis.xpending('x', 'g'))[0], 1)
    assert.deepEqual((await redis.xautoclaim('x', 'g', 'you', 0, '0'))[1], [[ids[0], ['n', '0']]])
    assert.equal(await redis.xack('x', 'g', ids[0]), 1)
  },

  async pubSub() {
    const subscriber = another()
    const told = []
    subscriber.on('message', (channel, message) => told.push([channel, message]))
    subscriber.on('pmessage', (pattern, channel, message) => told.push([pattern, channel, message]))
    await subscriber.subscribe('news')
    await subscriber.psubscribe('n?ws.*')
    await redis.publish('news', 'one')
    await redis.publish('news.at', 'two')
    while (told.length < 2) await sleep(10)
    assert.deepEqual(told, [['news', 'one'], ['n?ws.*', 'news.at', 'two']])
    subscriber.disconnect()
  },

  async scripts() {
    redis.defineCommand('add', {numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])"})
    assert.equal(await redis.add('script', 20), 20)
    assert.equal(await redis.add('script', 22), 42)
    assert.deepEqual(await redis.eval('return {1, "two", {3}, false}', 1, 'script'), [1, 'two', [3], null])
    await assert.rejects(redis.eval("return redis.error_reply('MINE no')", 1, 'script'), /MINE no/)
    const library = "#!lua name=lib\nredis.register_function('half', function(k, a) return a[1] / 2 end)"
    assert.equal(await redis.function('LOAD', 'REPLACE', library), 'lib')
    assert.equal(await redis.fcall('half', 1, 'script', 84), 42)
  },

  async transactions() {
    const done = await redis.multi().set('{t}a', 1).incr('{t}a').get('{t}a').exec()
    assert.deepEqual(done, [[null, 'OK'], [null, 2], [null, '2']])
    if (redis.isCluster) return
    const watching = another()
    await watching.watch('{t}a')
    await redis.set('{t}a', 10)
    assert.equal(await watching.multi().incr('{t}a').exec(), null)
    watching.disconnect()
  },

  async pipelines() {
    const pipeline = redis.pipeline()
    for (let turn = 0; turn < 1_000; turn += 1) pipeline.incr('{p}n')
    assert.deepEqual((await pipeline.exec()).at(-1), [null, 1_000])
  },

  async blocking() {
    const waiter = another()
    for (const [wait, serve] of [
      [() => waiter.blpop('{q}a', '{q}b', 10), () => redis.rpush('{q}b', 'x')],
      [() => waiter.bzpopmin('{q}z', 10), () => redis.zadd('{q}z', 1, 'x')],
      [() => waiter.blmove('{q}c', '{q}d', 'LEFT', 'RIGHT', 10), () => redis.rpush('{q}c', 'x')],
      [() => waiter.xread('BLOCK', 10_000, 'STREAMS', '{q}x', '0'), () => redis.xadd('{q}x', '*', 'f', 'x')],
    ]) {
      const waiting = wait()
      waiting.catch(() => {}) // what it says is seen below
      await sleep(50)
      await serve()
      assert.ok(JSON.stringify(await waiting).includes('x'))
    }
    waiter.disconnect()
  },
})
