// What the programs in JavaScript share: one line for each check, and what is asked of a client while the leader dies.

import assert from 'node:assert/strict'
import {setTimeout as sleep} from 'node:timers/promises'

export const host = process.env.REDIS_HOST
export const port = Number(process.env.REDIS_PORT)
export const addresses = (list) =>
  list.split(',').map((address) => ({host: address.split(':')[0], port: Number(address.split(':')[1])}))

const writingMs = 6_000
const patienceMs = 30_000

// Run each function as a check by its name; end the process with what came of it.
export async function run(checks) {
  let failures = 0
  for (const [name, check] of Object.entries(checks)) {
    try {
      if ((await check()) !== false) console.log(`ok ${name}`)
    } catch (error) {
      failures += 1
      console.error(error)
      console.log(`not ok ${name}: ${String(error?.message ?? error).replaceAll('\n', ' ')}`)
    }
  }
  process.exit(failures ? 1 : 0)
}

export async function eventually(what, condition, ms = 10_000) {
  for (const until = Date.now() + ms; ; await sleep(20)) {
    const value = await condition()
    if (value) return value
    assert.ok(Date.now() < until, `waited in vain for ${what}`)
  }
}

// Write on while the leader dies; nothing that was acknowledged is missing.
export async function writeThroughFailover(write, read) {
  if (!process.env.FAILOVER) return false
  console.log('failover')
  const began = Date.now()
  const acknowledged = []
  let last = began
  let gap = 0
  for (let turn = 1; Date.now() - began < writingMs || Date.now() - last > 1_000; turn += 1) {
    assert.ok(Date.now() - last < patienceMs, 'no write for 30 s')
    try {
      await write(`failover:${turn}`, String(turn))
      acknowledged.push(turn)
      gap = Math.max(gap, Date.now() - last)
      last = Date.now()
    } catch {
      await sleep(10)
    }
  }
  console.log(`gap ${gap}`)
  const lost = []
  for (const turn of acknowledged) if ((await read(`failover:${turn}`)) !== String(turn)) lost.push(turn)
  assert.equal(lost.length, 0, `${lost.length} of ${acknowledged.length} acknowledged writes are missing`)
}
