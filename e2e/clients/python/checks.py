"""What the programs in Python share: one line for each check, and what is asked of a client while the leader dies."""

import os
import sys
import time
import traceback

HOST = os.environ["REDIS_HOST"]
PORT = int(os.environ["REDIS_PORT"])
WRITING_SECONDS = 6
PATIENCE_SECONDS = 30


def passed(name):
    print(f"ok {name}", flush=True)


def failed(name, why):
    traceback.print_exc()
    print(f"not ok {name}: {type(why).__name__}: {why}".replace("\n", " "), flush=True)


def run(*checks):
    """Run each function as a check by its name; end the process with what came of it."""
    failures = 0
    for check in checks:
        name = check.__name__
        try:
            if check() is not False:
                passed(name)
        except Exception as why:  # noqa: BLE001 - whatever it is, the check has failed
            failures += 1
            failed(name, why)
    sys.exit(1 if failures else 0)


def equal(got, wanted):
    assert got == wanted, f"{got!r} instead of {wanted!r}"


def eventually(what, condition, seconds=10):
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)
    return value


class Writing:
    """The bookkeeping of a writer through a failover: what was acknowledged, and the longest time without."""

    def __init__(self):
        print("failover", flush=True)
        self.began = self.last = time.monotonic()
        self.turn = 0
        self.acknowledged = []
        self.gap = 0.0

    def next(self):
        """The next key to write, or None when enough was seen."""
        now = time.monotonic()
        assert now - self.last < PATIENCE_SECONDS, f"no write for {PATIENCE_SECONDS} s"
        if now - self.began > WRITING_SECONDS and now - self.last < 1:
            print(f"gap {self.gap * 1000:.0f}", flush=True)
            return None
        self.turn += 1
        return f"failover:{self.turn}"

    def wrote(self, key):
        now = time.monotonic()
        self.gap = max(self.gap, now - self.last)
        self.last = now
        self.acknowledged.append(key)

    def compare(self, values):
        lost = [key for key, value in zip(self.acknowledged, values) if value != key]
        assert not lost, f"{len(lost)} of {len(self.acknowledged)} acknowledged writes are missing, first {lost[0]}"


def write_through_failover(client, errors):
    """A client that is told of the leader by its own means writes on; nothing that was acknowledged is missing."""
    if not os.environ.get("FAILOVER"):
        return False
    writing = Writing()
    while key := writing.next():
        try:
            if client.set(key, key):
                writing.wrote(key)
        except errors:
            time.sleep(0.01)
    writing.compare([client.get(key) for key in writing.acknowledged])
    return True
