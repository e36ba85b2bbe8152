"""The jobs of rq_jobs.py: a worker imports them by name."""

import redis
from checks import HOST, PORT


def double(number):
    return 2 * number


def stumble(key):
    if redis.Redis(host=HOST, port=PORT).incr(key) < 3:
        raise ValueError("not yet")
    return "done"


def fail():
    raise ValueError("never")
