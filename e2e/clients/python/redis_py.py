"""redis-py over RESP3, with a cache in the client that the server invalidates."""

import redis
from checks import HOST, PORT, equal, eventually, run, write_through_failover
from redis.cache import CacheConfig
from suite import Suite

client = redis.Redis(host=HOST, port=PORT, protocol=3, decode_responses=True)


def tracking():
    with redis.Redis(host=HOST, port=PORT, protocol=3, cache_config=CacheConfig(), decode_responses=True) as caching:
        client.set("tracked", "old")
        equal([caching.get("tracked") for _ in range(3)], ["old"] * 3)
        equal(len(caching.get_cache().collection), 1)
        client.set("tracked", "new")
        eventually("an invalidation", lambda: caching.get("tracked") == "new")


def failover():
    return write_through_failover(client, (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError))


run(*Suite(client).all(), tracking, failover)
