"""What redis-py is asked to do, whichever way it found its server: strings to streams, scripts, transactions."""

import threading

import redis
from checks import equal, eventually


class Suite:
    """The checks that need a client of the synchronous kind, with decoded replies."""

    def __init__(self, client):
        self.client = client

    def strings(self):
        r = self.client
        equal(r.set("{s}k", "v", ex=100), True)
        assert 0 < r.ttl("{s}k") <= 100
        equal(r.set("{s}k", "w", nx=True), None)
        equal(r.set("{s}k", "w", get=True, keepttl=True), "v")
        equal(r.incrby("{s}n", 41) + r.incr("{s}n"), 41 + 42)
        equal(r.incrbyfloat("{s}f", 1.5), 1.5)
        equal(r.append("{s}k", "xyz"), 4)
        equal(r.getrange("{s}k", 1, -1), "xyz")
        equal(r.mset({"{s}a": "1", "{s}b": "2"}), True)
        equal(r.mget("{s}a", "{s}none", "{s}b"), ["1", None, "2"])
        equal(r.getdel("{s}a"), "1")
        equal(r.copy("{s}b", "{s}c"), True)
        equal(sorted(r.scan_iter("{s}*", count=2)), ["{s}b", "{s}c", "{s}f", "{s}k", "{s}n"])
        equal(r.type("{s}k"), "string")
        try:
            r.lpush("{s}k", "x")
            raise AssertionError("a list command on a string")
        except redis.ResponseError as error:
            assert "WRONGTYPE" in str(error), error

    def bits(self):
        r = self.client
        equal([r.setbit("{b}a", bit, 1) for bit in (1, 7, 9)], [0, 0, 0])
        equal(r.bitcount("{b}a"), 3)
        equal(r.bitpos("{b}a", 1), 1)
        r.set("{b}c", b"\x0f")
        equal(r.bitop("AND", "{b}d", "{b}a", "{b}c"), 2)
        equal(r.bitfield("{b}f", "WRAP").set("u8", 0, 255).incrby("u8", 0, 2).execute(), [0, 1])
        equal(r.pfadd("{b}h", *range(100)), 1)
        assert 95 <= r.pfcount("{b}h") <= 105

    def hashes(self):
        r = self.client
        equal(r.hset("h", mapping={"a": 1, "b": 2, "c": 3}), 3)
        equal(r.hgetall("h"), {"a": "1", "b": "2", "c": "3"})
        equal(r.hincrby("h", "a", 9), 10)
        equal(r.hmget("h", ["a", "none"]), ["10", None])
        equal(r.hdel("h", "b"), 1)
        equal(dict(r.hscan_iter("h")), {"a": "10", "c": "3"})
        equal(r.hexpire("h", 100, "a", "none"), [1, -2])
        equal(r.httl("h", "a", "c"), [100, -1])
        equal(r.hrandfield("h", 5, withvalues=False) is not None, True)

    def lists(self):
        r = self.client
        equal(r.rpush("{l}a", *"abcde"), 5)
        equal(r.lrange("{l}a", 1, -2), ["b", "c", "d"])
        equal(r.lmove("{l}a", "{l}b", "LEFT", "RIGHT"), "a")
        equal(r.lpos("{l}a", "d"), 2)
        equal(r.linsert("{l}a", "before", "d", "x"), 5)
        equal(r.lpop("{l}a", 2), ["b", "c"])
        equal(r.lmpop(2, "{l}none", "{l}a", direction="RIGHT", count=2), ["{l}a", ["e", "d"]])

    def sets(self):
        r = self.client
        equal(r.sadd("{e}a", 1, 2, 3) + r.sadd("{e}b", 2, 3, 4), 6)
        equal(r.sinter("{e}a", "{e}b"), {"2", "3"})
        equal(r.sdiffstore("{e}c", ["{e}a", "{e}b"]), 1)
        equal(r.smismember("{e}a", [1, 9]), [1, 0])
        equal(r.sintercard(2, ["{e}a", "{e}b"]), 2)
        equal(sorted(r.sscan_iter("{e}a")), ["1", "2", "3"])
        assert r.spop("{e}c") == "1" and not r.exists("{e}c")

    def sorted_sets(self):
        r = self.client
        equal(r.zadd("{z}a", {"one": 1, "two": 2, "three": 3}), 3)
        equal(r.zadd("{z}a", {"two": 1.5}, gt=True, ch=True), 0)
        equal([tuple(pair) for pair in r.zrange("{z}a", 0, -1, withscores=True)], [("one", 1), ("two", 2), ("three", 3)])
        equal(r.zrange("{z}a", "(1", "+inf", byscore=True, offset=0, num=1), ["two"])
        equal(r.zincrby("{z}a", 10, "one"), 11)
        equal(r.zrevrank("{z}a", "one"), 0)
        equal(r.zunionstore("{z}b", {"{z}a": 2}), 3)
        equal(r.zscore("{z}b", "one"), 22)
        equal([tuple(pair) for pair in r.zpopmin("{z}b", 1)], [("two", 4)])
        equal(r.geoadd("{z}g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")), 2)
        assert abs(r.geodist("{z}g", "Palermo", "Catania", "km") - 166.27) < 0.1
        equal(r.geosearch("{z}g", longitude=15, latitude=37, radius=100, unit="km"), ["Catania"])

    def streams(self):
        r = self.client
        ids = [r.xadd("x", {"n": number}) for number in range(3)]
        equal(r.xlen("x"), 3)
        equal([fields for _, fields in r.xrange("x", min=ids[1])], [{"n": "1"}, {"n": "2"}])
        equal(r.xgroup_create("x", "g", id="0"), True)
        (read,) = items(r.xreadgroup("g", "me", {"x": ">"}, count=2))
        equal([entry for entry, _ in read], ids[:2])
        equal(r.xack("x", "g", ids[0]), 1)
        equal(r.xpending("x", "g")["pending"], 1)
        equal([entry for entry, _ in r.xautoclaim("x", "g", "you", 0)[1]], [ids[1]])
        equal(r.xinfo_groups("x")[0]["lag"], 1)
        equal(r.xtrim("x", maxlen=1, approximate=False), 2)

    def pub_sub(self):
        with self.client.pubsub(ignore_subscribe_messages=False) as subscriber:
            subscriber.subscribe("news")
            subscriber.psubscribe("n?ws.*")
            kinds = [eventually("a subscription", lambda: subscriber.get_message(timeout=1))["type"] for _ in "12"]
            equal(kinds, ["subscribe", "psubscribe"])
            equal(self.client.publish("news", "one"), 1)
            equal(self.client.publish("news.at", "two"), 1)
            told = [eventually("a message", lambda: subscriber.get_message(timeout=1)) for _ in "12"]
            equal([(m["type"], m["data"]) for m in told], [("message", "one"), ("pmessage", "two")])

    def scripts(self):
        r = self.client
        add = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        equal(add(keys=["script"], args=[20]) + add(keys=["script"], args=[22]), 20 + 42)
        equal(r.eval("return {1, 'two', {3}, false}", 0), [1, "two", [3], None])
        equal(r.eval("return cjson.encode({KEYS[1], tonumber(ARGV[1])})", 1, "k", 7), '["k",7]')
        try:
            r.eval("return redis.error_reply('MINE no')", 0)
            raise AssertionError("an error of a script")
        except redis.ResponseError as error:
            equal(str(error), "MINE no")
        r.function_load("#!lua name=lib\nredis.register_function('half', function(k, a) return a[1] / 2 end)", replace=True)
        equal(r.fcall("half", 1, "script", 84), 42)

    def transactions(self):
        r = self.client
        with r.pipeline(transaction=True) as pipe:
            equal(pipe.set("{t}a", 1).incr("{t}a").get("{t}a").execute()[1:], [2, "2"])
        with r.pipeline(transaction=True) as pipe:
            pipe.watch("{t}a")
            value = int(pipe.get("{t}a"))
            r.set("{t}a", 10)
            pipe.multi()
            pipe.set("{t}a", value + 1)
            try:
                pipe.execute()
                raise AssertionError("a watched key had changed")
            except redis.WatchError:
                pass
        equal(r.get("{t}a"), "10")
        equal(r.transaction(lambda pipe: (pipe.get("{t}a"), pipe.multi(), pipe.incr("{t}a")), "{t}a"), [11])

    def blocking(self):
        r = self.client
        for pop, push in [
            (lambda: r.blpop(["{q}a", "{q}b"], timeout=10), lambda: r.rpush("{q}b", "x")),
            (lambda: r.bzpopmin("{q}z", timeout=10), lambda: r.zadd("{q}z", {"x": 1})),
            (lambda: r.blmove("{q}c", "{q}d", 10, "LEFT", "RIGHT"), lambda: r.rpush("{q}c", "x")),
            (lambda: r.xread({"{q}x": "$"}, block=10_000), lambda: r.xadd("{q}x", {"f": "x"})),
        ]:
            got = []
            waiting = threading.Thread(target=lambda: got.append(pop()))
            waiting.start()
            while waiting.is_alive() and not got:
                waiting.join(0.2)
                push()
            waiting.join()
            assert got and got[0], got

    def all(self):
        return [
            self.strings, self.bits, self.hashes, self.lists, self.sets, self.sorted_sets, self.streams,
            self.pub_sub, self.scripts, self.transactions, self.blocking,
        ]


def items(reply):
    """The entries of each stream of a reply, in the shape of either protocol."""
    streams = reply.values() if isinstance(reply, dict) else [entries for _, entries in reply]
    return [entries[0] if entries and isinstance(entries[0], list) else entries for entries in streams]
