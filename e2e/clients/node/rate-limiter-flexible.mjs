// rate-limiter-flexible: a rate limiter in Lua.

import assert from 'node:assert/strict'
import {setTimeout as sleep} from 'node:timers/promises'
import {Redis} from 'ioredis'
import limits from 'rate-limiter-flexible'
import {host, port, run} from './checks.mjs'

const storeClient = new Redis({host, port, enableOfflineQueue: false})
await new Promise((ready) => storeClient.once('ready', ready))

await run({
  async limits() {
    const limiter = new limits.RateLimiterRedis({storeClient, points: 5, duration: 1})
    const tries = await Promise.allSettled(Array.from({length: 20}, () => limiter.consume('me')))
    assert.equal(tries.filter((one) => one.status === 'fulfilled').length, 5)
    const refused = tries.find((one) => one.status === 'rejected').reason
    assert.ok(refused.msBeforeNext > 0 && refused.msBeforeNext <= 1_000)
    await sleep(refused.msBeforeNext + 50)
    assert.equal((await limiter.consume('me')).remainingPoints, 4)
  },

  async blocks() {
    const limiter = new limits.RateLimiterRedis({storeClient, points: 1, duration: 1, blockDuration: 10, keyPrefix: 'block'})
    await limiter.consume('me')
    await assert.rejects(limiter.consume('me'), (refused) => refused.msBeforeNext > 5_000)
  },

  async rewards() {
    const limiter = new limits.RateLimiterRedis({storeClient, points: 5, duration: 5, keyPrefix: 'reward'})
    await limiter.consume('me', 3)
    assert.equal((await limiter.reward('me', 2)).consumedPoints, 1)
    assert.equal((await limiter.get('me')).remainingPoints, 4)
    assert.equal(await limiter.delete('me'), true)
  },
})
