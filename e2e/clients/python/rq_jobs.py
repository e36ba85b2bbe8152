"""RQ: jobs for a worker process, with results, failures, retries, dependencies and schedules."""

import os
import sys
from datetime import timedelta

import redis
from checks import HOST, PORT, equal, eventually, run
from rq import Queue, Retry, Worker
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq_tasks import double, fail, stumble

connection = redis.Redis(host=HOST, port=PORT)


def work(queue):
    """A worker in a process of its own runs until there is nothing more to do."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        Worker([queue.name], connection=redis.Redis(host=HOST, port=PORT)).work(
            burst=True, with_scheduler=True, logging_level="WARNING"
        )
        os._exit(0)
    _, status = os.waitpid(child, 0)
    equal(status, 0)


def jobs():
    queue = Queue("plain", connection=connection)
    many = queue.enqueue_many([Queue.prepare_data(double, [number]) for number in range(10)])
    work(queue)
    equal([job.return_value() for job in many], [2 * number for number in range(10)])
    equal(len(FinishedJobRegistry(queue=queue)), 10)


def failures():
    queue = Queue("failing", connection=connection)
    job = queue.enqueue(fail)
    work(queue)
    equal(job.get_status(), JobStatus.FAILED)
    assert "never" in job.latest_result().exc_string
    equal(FailedJobRegistry(queue=queue).get_job_ids(), [job.id])


def retries():
    queue = Queue("stumbling", connection=connection)
    job = queue.enqueue(stumble, "stumbles", retry=Retry(max=3))
    work(queue)
    equal(job.return_value(), "done")
    equal(connection.get("stumbles"), b"3")


def dependencies():
    queue = Queue("ordered", connection=connection)
    first = queue.enqueue(double, 1)
    second = queue.enqueue(double, 2, depends_on=first)
    equal(second.get_status(), JobStatus.DEFERRED)
    work(queue)
    equal(eventually("the second", second.return_value), 4)


def schedules():
    queue = Queue("late", connection=connection)
    job = queue.enqueue_in(timedelta(seconds=1), double, 21)
    equal(Job.fetch(job.id, connection=connection).get_status(), JobStatus.SCHEDULED)
    eventually("its turn", lambda: work(queue) or job.return_value() == 42, 30)


run(jobs, failures, retries, dependencies, schedules)
