"""The programs: how each is started, and which server it needs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    name: str
    language: str
    command: tuple
    # Cluster-aware clients need a server with `cluster-enabled`, which is a mode of its own.
    cluster: bool = False
    failover: bool = False
    # Part of a short run: one client for each language, and two frameworks.
    short: bool = False


def python(file, name=None, **facts):
    return Program(name or file.replace("_", "-"), "python", ("{cache}/python/bin/python", f"{file}.py"), **facts)


def node(name, **facts):
    return Program(name, "node", ("node", f"{name}.mjs"), **facts)


def go(name, **facts):
    return Program(name, "go", (f"{{cache}}/go/{name}",), **facts)


def java(name, main, **facts):
    return Program(name, "java", ("java", "-XX:TieredStopAtLevel=1", "-cp", "{classpath}", main), **facts)


def rust(name, **facts):
    return Program(name, "rust", (f"{{cache}}/rust/debug/botellier-client-{name}",), **facts)


PROGRAMS = [
    python("redis_py", failover=True, short=True),
    python("redis_py_resp2"),
    python("redis_py_asyncio", failover=True),
    python("redis_py_sentinel", failover=True),
    python("redis_py_cluster", failover=True, cluster=True),
    node("ioredis", failover=True, short=True),
    node("ioredis-sentinel", failover=True),
    node("ioredis-cluster", failover=True, cluster=True),
    node("node-redis", failover=True),
    go("go-redis", failover=True, short=True),
    go("go-redis-sentinel", failover=True),
    go("go-redis-cluster", failover=True, cluster=True),
    java("jedis", "JedisProgram", failover=True, short=True),
    java("jedis-sentinel", "JedisSentinelProgram", failover=True),
    java("lettuce", "LettuceProgram", failover=True),
    rust("redis-rs", failover=True, short=True),
    python("rq_jobs", name="rq", short=True),
    python("celery_tasks", name="celery"),
    python("limits_rate", name="limits"),
    node("bullmq", short=True),
    node("rate-limiter-flexible"),
    java("redisson", "RedissonProgram"),
    go("asynq"),
]
