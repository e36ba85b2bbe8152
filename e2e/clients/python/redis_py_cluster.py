"""redis-py in Cluster mode: one shard, and its leader holds every slot."""

import os

import redis
from checks import equal, eventually, run, write_through_failover
from redis.cache import CacheConfig
from redis.cluster import ClusterNode, RedisCluster
from suite import Suite

NODES = [address.rsplit(":", 1) for address in os.environ["NODES"].split(",")]

client = RedisCluster(startup_nodes=[ClusterNode(host, int(port)) for host, port in NODES], decode_responses=True)
suite = Suite(client)


def slots():
    (primary,) = client.get_primaries()
    equal(client.get_node_from_key("any").name, primary.name)
    equal(client.cluster_info()["cluster_slots_assigned"], "16384")
    equal(client.keyslot("foo"), 12182)


def sharded_pub_sub():
    subscriber = client.pubsub()
    subscriber.ssubscribe("shard")
    equal(subscriber.get_sharded_message(timeout=5)["type"], "ssubscribe")
    equal(client.spublish("shard", "hello"), 1)
    equal(subscriber.get_sharded_message(timeout=5)["data"], "hello")


def tracking():
    nodes = [ClusterNode(host, int(port)) for host, port in NODES]
    caching = RedisCluster(startup_nodes=nodes, protocol=3, cache_config=CacheConfig(), decode_responses=True)
    client.set("tracked", "old")
    equal([caching.get("tracked") for _ in range(3)], ["old"] * 3)
    client.set("tracked", "new")
    eventually("an invalidation", lambda: caching.get("tracked") == "new")
    caching.close()


def failover():
    return write_through_failover(client, (redis.RedisError, redis.exceptions.SlotNotCoveredError))


# Transactions in Cluster mode are one slot's; those of the suite keep to one.
run(slots, *suite.all(), sharded_pub_sub, tracking, failover)
