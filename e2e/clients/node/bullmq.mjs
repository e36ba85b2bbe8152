// BullMQ: queues on streams, sorted sets and Lua; jobs with a result, delays, retries, priorities, a flow, a schedule.

import assert from 'node:assert/strict'
import {FlowProducer, Queue, QueueEvents, Worker} from 'bullmq'
import {eventually, host, port, run} from './checks.mjs'

const connection = {host, port}
const queue = new Queue('work', {connection})
const events = new QueueEvents('work', {connection})
const done = []
let stumbles = 0
const worker = new Worker(
  'work',
  async (job) => {
    if (job.name === 'stumble' && (stumbles += 1) < 3) throw new Error('not yet')
    if (job.name === 'sum') return Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0)
    done.push(job.name)
    return job.data.number * 2
  },
  {connection, concurrency: 4},
)
await events.waitUntilReady()

await run({
  async jobs() {
    const jobs = await queue.addBulk(Array.from({length: 50}, (_, number) => ({name: 'double', data: {number}})))
    const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 30_000)))
    assert.deepEqual(results, jobs.map((job) => job.data.number * 2))
    assert.equal(await queue.getCompletedCount(), 50)
  },

  async delays() {
    const began = Date.now()
    const job = await queue.add('late', {number: 1}, {delay: 500})
    assert.equal(await job.getState(), 'delayed')
    assert.equal(await job.waitUntilFinished(events, 30_000), 2)
    assert.ok(Date.now() - began >= 500)
  },

  async retries() {
    const job = await queue.add('stumble', {number: 4}, {attempts: 3, backoff: {type: 'fixed', delay: 50}})
    assert.equal(await job.waitUntilFinished(events, 30_000), 8)
    assert.equal(stumbles, 3)
  },

  async priorities() {
    await queue.pause()
    await queue.add('last', {number: 0}, {priority: 10})
    await queue.add('first', {number: 0}, {priority: 1})
    await queue.resume()
    await eventually('both jobs', () => done.includes('last') && done.includes('first'), 30_000)
    assert.ok(done.indexOf('first') < done.indexOf('last'))
  },

  async flows() {
    const flow = new FlowProducer({connection})
    const children = [1, 2, 3].map((number) => ({name: 'part', queueName: 'work', data: {number}}))
    const {job} = await flow.add({name: 'sum', queueName: 'work', children})
    assert.equal(await job.waitUntilFinished(events, 30_000), 12)
    await flow.close()
  },

  async schedules() {
    await queue.upsertJobScheduler('each', {every: 200}, {name: 'tick', data: {number: 0}})
    await eventually('three ticks', () => done.filter((name) => name === 'tick').length >= 3, 30_000)
    assert.equal(await queue.removeJobScheduler('each'), true)
  },

  async cleaning() {
    assert.ok((await queue.clean(0, 1_000, 'completed')).length > 50)
    await worker.close()
    await queue.obliterate({force: true})
    assert.deepEqual(await queue.getJobs(), [])
  },
})
