"""redis-py under asyncio."""

import asyncio
import os

import redis
from checks import HOST, PORT, Writing, equal, failed, passed
from redis.asyncio import Redis


async def types(r):
    equal(await r.set("k", "v", px=100_000), True)
    equal(await r.get("k"), "v")
    equal(await r.hset("h", mapping={"a": 1, "b": 2}), 2)
    equal(await r.hgetall("h"), {"a": "1", "b": "2"})
    equal(await r.rpush("l", "a", "b"), 2)
    equal(await r.lrange("l", 0, -1), ["a", "b"])
    equal(await r.sadd("s", "a", "b"), 2)
    equal(await r.smembers("s"), {"a", "b"})
    equal(await r.zadd("z", {"a": 1, "b": 2}), 2)
    equal(await r.zrange("z", 0, 0, desc=True), ["b"])
    entry = await r.xadd("x", {"f": "v"})
    equal(await r.xrange("x"), [(entry, {"f": "v"})])


async def many_at_once(r):
    equal(sorted(await asyncio.gather(*(r.incr("counter") for _ in range(50)))), list(range(1, 51)))


async def scripts(r):
    equal(await r.register_script("return ARGV[1] .. KEYS[1]")(keys=["k"], args=["a"]), "ak")


async def transactions(r):
    async with r.pipeline(transaction=True) as pipe:
        equal(await pipe.set("t", 1).incr("t").execute(), [True, 2])
    async with r.pipeline(transaction=True) as pipe:
        await pipe.watch("t")
        await r.set("t", 10)
        pipe.multi()
        pipe.incr("t")
        try:
            await pipe.execute()
            raise AssertionError("a watched key had changed")
        except redis.WatchError:
            pass


async def blocking(r):
    waiting = [asyncio.create_task(r.blpop(["q"], timeout=10)) for _ in range(3)]
    await asyncio.sleep(0.1)
    await r.rpush("q", "a", "b", "c")
    equal(sorted(value for _, value in await asyncio.gather(*waiting)), ["a", "b", "c"])


async def pub_sub(r):
    async with r.pubsub() as subscriber:
        await subscriber.subscribe("news")
        equal((await subscriber.get_message(timeout=5))["type"], "subscribe")
        equal(await r.publish("news", "hello"), 1)
        equal((await subscriber.get_message(timeout=5))["data"], "hello")


async def failover(r):
    if not os.environ.get("FAILOVER"):
        return False
    writing = Writing()
    while key := writing.next():
        try:
            if await r.set(key, key):
                writing.wrote(key)
        except (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError):
            await asyncio.sleep(0.01)
    writing.compare(await r.mget(writing.acknowledged))
    return True


async def main():
    failures = 0
    async with Redis(host=HOST, port=PORT, protocol=3, decode_responses=True) as r:
        for check in (types, many_at_once, scripts, transactions, blocking, pub_sub, failover):
            try:
                if await check(r) is not False:
                    passed(check.__name__)
            except Exception as why:  # noqa: BLE001 - whatever it is, the check has failed
                failures += 1
                failed(check.__name__, why)
    return 1 if failures else 0


raise SystemExit(asyncio.run(main()))
