"""redis-py that asks Sentinels who leads."""

import os

import redis
from checks import equal, eventually, run, write_through_failover
from redis.cache import CacheConfig
from redis.sentinel import MasterNotFoundError, Sentinel
from suite import Suite

SENTINELS = [address.rsplit(":", 1) for address in os.environ["SENTINELS"].split(",")]
NAME = os.environ["SENTINEL_NAME"]

sentinel = Sentinel(SENTINELS, sentinel_kwargs={"socket_timeout": 1}, socket_timeout=15, decode_responses=True)
client = sentinel.master_for(NAME)


def masters():
    host, port = sentinel.discover_master(NAME)
    equal(redis.Redis(host=host, port=port, decode_responses=True).role()[0], "master")


def replicas():
    for host, port in sentinel.discover_slaves(NAME):
        equal(redis.Redis(host=host, port=port, decode_responses=True).role()[0], "slave")


def tracking():
    with sentinel.master_for(NAME, protocol=3, cache_config=CacheConfig()) as caching:
        client.set("tracked", "old")
        equal([caching.get("tracked") for _ in range(3)], ["old"] * 3)
        client.set("tracked", "new")
        eventually("an invalidation", lambda: caching.get("tracked") == "new")


def failover():
    errors = (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError, MasterNotFoundError)
    return write_through_failover(client, errors)


run(masters, replicas, *Suite(client).all(), tracking, failover)
