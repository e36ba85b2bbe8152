"""Celery with the store as broker and as result backend: tasks, retries, groups, chords, and a countdown."""

import subprocess
import sys

from celery import Celery, chord, group
from checks import HOST, PORT, eventually, equal, run

URL = f"redis://{HOST}:{PORT}"
app = Celery("celery_tasks", broker=f"{URL}/0", backend=f"{URL}/0")
app.conf.update(
    result_expires=60,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    broker_transport_options={"visibility_timeout": 60},
)


@app.task
def add(one, other):
    return one + other


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=5)
def stumble(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


def tasks():
    results = [add.delay(number, 1) for number in range(20)]
    equal([result.get(timeout=30) for result in results], list(range(1, 21)))


def retries():
    equal(stumble.delay().get(timeout=30), 2)


def groups():
    equal(group(add.s(number, number) for number in range(5))().get(timeout=30), [0, 2, 4, 6, 8])


def chords():
    equal(chord((add.s(number, 0) for number in range(5)), total.s())().get(timeout=30), 10)


def countdowns():
    equal(add.apply_async((1, 2), countdown=1).get(timeout=30), 3)


def errors():
    result = add.delay(1, "x")
    eventually("an error", result.failed, 30)
    assert isinstance(result.result, TypeError), result.result


def main():
    worker = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--pool", "threads", "--concurrency", "4"]
    # The runner ends it with this program.
    subprocess.Popen([*worker, "--loglevel", "WARNING"], stdout=sys.stderr)
    run(tasks, retries, groups, chords, countdowns, errors)


if __name__ == "__main__":
    main()
