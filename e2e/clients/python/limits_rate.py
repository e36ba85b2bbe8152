"""limits: rate limiters in Lua, with fixed, moving and sliding windows."""

import threading
import time

from checks import HOST, PORT, equal, run
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

storage = storage_from_string(f"redis://{HOST}:{PORT}")


def of_thirty_at_once(limiter, key):
    """How many of thirty threads are let through."""
    five, passed = parse("5/minute"), []
    threads = [threading.Thread(target=lambda: limiter.hit(five, key) and passed.append(1)) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(passed)


def fixed_window():
    equal(of_thirty_at_once(FixedWindowRateLimiter(storage), "fixed"), 5)


def moving_window():
    limiter = MovingWindowRateLimiter(storage)
    equal(of_thirty_at_once(limiter, "moving"), 5)
    equal(limiter.get_window_stats(parse("5/minute"), "moving").remaining, 0)


def sliding_window():
    equal(of_thirty_at_once(SlidingWindowCounterRateLimiter(storage), "sliding"), 5)


def a_window_ends():
    limiter, two = MovingWindowRateLimiter(storage), parse("2/second")
    equal([limiter.hit(two, "short") for _ in range(3)], [True, True, False])
    time.sleep(1.1)
    equal(limiter.hit(two, "short"), True)


run(fixed_window, moving_window, sliding_window, a_window_ends)
