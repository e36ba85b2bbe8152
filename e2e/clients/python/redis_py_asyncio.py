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
    equal(await r.setbit("b", 7, 1), 0)
    equal(await r.bitcount("b"), 1)
    equal(await r.pfadd("p", "a", "b") + await r.pfcount("p"), 3)
    equal(await r.geoadd("g", (13.361389, 38.115556, "Palermo")), 1)
    equal(await r.geosearch("g", longitude=13, latitude=38, radius=100, unit="km"), ["Palermo"])
    equal(await r.hexpire("h", 100, "a"), [1])


async def streams(r):
    ids = [await r.xadd("x", {"n": number}) for number in range(3)]
    equal(await r.xrange("x", min=ids[2]), [(ids[2], {"n": "2"})])
    equal(await r.xgroup_create("x", "g", id="0"), True)
    await r.xreadgroup("g", "me", {"x": ">"}, count=2)
    equal(await r.xack("x", "g", ids[0]), 1)
    equal([entry for entry, _ in (await r.xautoclaim("x", "g", "you", 0))[1]], [ids[1]])
    equal((await r.xpending("x", "g"))["consumers"][0]["name"], "you")


async def many_at_once(r):
    equal(sorted(await asyncio.gather(*(r.incr("counter") for _ in range(50)))), list(range(1, 51)))


async def scripts(r):
    equal(await r.register_script("return ARGV[1] .. KEYS[1]")(keys=["k"], args=["a"]), "ak")
    await r.function_load("#!lua name=async\nredis.register_function('twice', function(k, a) return a[1] * 2 end)", replace=True)
    equal(await r.fcall("twice", 0, 21), 42)


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


async def tracking(r):
    """A connection is told to redirect what becomes invalid to a subscriber, which speaks RESP2."""
    two = Redis(host=HOST, port=PORT, protocol=2, decode_responses=True)
    async with two, two.pubsub() as subscriber, r.client() as reader:
        await subscriber.subscribe("__redis__:invalidate")
        equal((await subscriber.get_message(timeout=5))["type"], "subscribe")
        listener = max(int(line["id"]) for line in await r.client_list() if line["sub"] == "1")
        equal(await reader.client_tracking_on(clientid=listener), "OK")
        equal(await reader.get("tracked"), None)
        await r.set("tracked", "new")
        told = await subscriber.get_message(timeout=5)
        equal((told["channel"], told["data"]), ("__redis__:invalidate", ["tracked"]))


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
        for check in (types, streams, many_at_once, scripts, transactions, blocking, pub_sub, tracking, failover):
            try:
                if await check(r) is not False:
                    passed(check.__name__)
            except Exception as why:  # noqa: BLE001 - whatever it is, the check has failed
                failures += 1
                failed(check.__name__, why)
    return 1 if failures else 0


raise SystemExit(asyncio.run(main()))
