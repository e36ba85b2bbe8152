import static redis.clients.jedis.params.SetParams.setParams;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import redis.clients.jedis.ConnectionPoolConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.StreamEntryID;
import redis.clients.jedis.args.ListDirection;
import redis.clients.jedis.csc.CacheConfig;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.XAutoClaimParams;
import redis.clients.jedis.params.XReadGroupParams;
import redis.clients.jedis.params.XReadParams;
import redis.clients.jedis.params.ZRangeParams;

/** Jedis over RESP3, through the Service, with a cache in the client that the server invalidates. */
final class JedisProgram {
    private static final RedisClient redis = connect();

    static RedisClient connect() {
        var config = DefaultJedisClientConfig.builder().resp3().build();
        // A connection that broke while it lay in the pool is found out before it is used.
        var pool = new ConnectionPoolConfig();
        pool.setTestOnBorrow(true);
        return RedisClient.builder().hostAndPort(Checks.HOST, Checks.PORT).clientConfig(config).poolConfig(pool).build();
    }

    static void strings() {
        Checks.equal(redis.set("k", "v", setParams().ex(100)), "OK");
        Checks.equal(redis.set("k", "w", setParams().nx()), null);
        Checks.equal(redis.incrBy("n", 42), 42L);
        Checks.equal(redis.mget("k", "none"), java.util.Arrays.asList("v", null));
        Checks.equal(redis.setbit("bits", 7, true), false);
        Checks.equal(redis.bitcount("bits"), 1L);
        Checks.equal(redis.pfadd("hll", "a", "b") + redis.pfcount("hll"), 3L);
    }

    static void hashes() {
        Checks.equal(redis.hset("h", Map.of("a", "1", "b", "2")), 2L);
        Checks.equal(redis.hgetAll("h"), Map.of("a", "1", "b", "2"));
        Checks.equal(redis.hincrBy("h", "a", 4), 5L);
        Checks.equal(redis.hexpire("h", 100, "a", "none"), List.of(1L, -2L));
        Checks.equal(redis.httl("h", "a", "b"), List.of(100L, -1L));
    }

    static void lists() {
        Checks.equal(redis.rpush("l", "a", "b", "c"), 3L);
        Checks.equal(redis.lrange("l", 0, -1), List.of("a", "b", "c"));
        Checks.equal(redis.lmove("l", "m", ListDirection.LEFT, ListDirection.RIGHT), "a");
    }

    static void sets() {
        redis.sadd("e", "1", "2", "3");
        redis.sadd("f", "3", "4");
        Checks.equal(redis.sinter("e", "f"), Set.of("3"));
        Checks.equal(redis.smismember("e", "1", "9"), List.of(true, false));
    }

    static void sortedSets() {
        Checks.equal(redis.zadd("z", Map.of("one", 1.0, "two", 2.5)), 2L);
        Checks.equal(redis.zrange("z", ZRangeParams.zrangeByScoreParams(2, 3)), List.of("two"));
        Checks.equal(redis.zincrby("z", 10, "one"), 11.0);
        Checks.equal(redis.zpopmax("z").getElement(), "one");
        redis.geoadd("g", 13.361389, 38.115556, "Palermo");
        Checks.equal(redis.geopos("g", "none").get(0), null);
    }

    static void streams() {
        var first = redis.xadd("x", StreamEntryID.NEW_ENTRY, Map.of("n", "0"));
        redis.xadd("x", StreamEntryID.NEW_ENTRY, Map.of("n", "1"));
        Checks.equal(redis.xgroupCreate("x", "g", new StreamEntryID(0), false), "OK");
        var group = XReadGroupParams.xReadGroupParams().count(1);
        var read = redis.xreadGroup("g", "me", group, Map.of("x", StreamEntryID.XREADGROUP_UNDELIVERED_ENTRY));
        Checks.equal(read.get(0).getValue().get(0).getID(), first);
        Checks.equal(redis.xpending("x", "g").getTotal(), 1L);
        var all = XAutoClaimParams.xAutoClaimParams();
        Checks.equal(redis.xautoclaim("x", "g", "you", 0, new StreamEntryID(0), all).getValue().get(0).getID(), first);
        Checks.equal(redis.xack("x", "g", first), 1L);
        Checks.equal(redis.xinfoStream("x").getLength(), 2L);
    }

    static void pubSub() throws Exception {
        var told = new LinkedBlockingQueue<String>();
        var subscriber = new JedisPubSub() {
            @Override public void onSubscribe(String channel, int count) { told.add("at " + channel); }
            @Override public void onPSubscribe(String pattern, int count) { told.add("at " + pattern); }
            @Override public void onMessage(String channel, String message) { told.add(message); }
            @Override public void onPMessage(String pattern, String channel, String message) { told.add(pattern); }
        };
        var thread = new Thread(() -> redis.subscribe(subscriber, "news"));
        thread.start();
        Checks.equal(told.poll(10, TimeUnit.SECONDS), "at news");
        subscriber.psubscribe("n?ws.*");
        Checks.equal(told.poll(10, TimeUnit.SECONDS), "at n?ws.*");
        Checks.equal(redis.publish("news.at", "hello"), 1L);
        Checks.equal(told.poll(10, TimeUnit.SECONDS), "n?ws.*");
        subscriber.punsubscribe();
        Checks.equal(redis.publish("news", "hello"), 1L);
        Checks.equal(told.poll(10, TimeUnit.SECONDS), "hello");
        subscriber.unsubscribe();
        thread.join(10_000);
        Checks.that("the subscription has ended", !thread.isAlive());
    }

    static void scripts() {
        String sha = redis.scriptLoad("return redis.call('INCRBY', KEYS[1], ARGV[1])");
        Checks.equal(redis.evalsha(sha, List.of("script"), List.of("42")), 42L);
        Checks.equal(redis.eval("return {1, 'two', {3}}"), List.of(1L, "two", List.of(3L)));
        try {
            redis.eval("return redis.error_reply('MINE no')");
            throw new AssertionError("an error of a script");
        } catch (JedisDataException error) {
            Checks.equal(error.getMessage(), "MINE no");
        }
        redis.functionLoadReplace("#!lua name=lib\nredis.register_function('half', function(k, a) return a[1] / 2 end)");
        Checks.equal(redis.fcall("half", List.of("k"), List.of("84")), 42L);
    }

    static void transactions() {
        try (var transaction = redis.multi()) {
            transaction.set("t", "1");
            transaction.incr("t");
            Checks.equal(transaction.exec(), List.of("OK", 2L));
        }
        try (var transaction = redis.transaction(false)) {
            transaction.watch("t");
            redis.set("t", "10");
            transaction.multi();
            transaction.incr("t");
            Checks.equal(transaction.exec(), null);
        }
    }

    static void blocking() throws Exception {
        var popped = CompletableFuture.supplyAsync(() -> redis.blpop(10, "q"));
        Thread.sleep(100);
        redis.rpush("q", "x");
        Checks.equal(popped.get(), List.of("q", "x"));
        var least = CompletableFuture.supplyAsync(() -> redis.bzpopmin(10, "qz"));
        Thread.sleep(100);
        redis.zadd("qz", 1, "x");
        Checks.equal(least.get().getValue().getElement(), "x");
        var read = CompletableFuture.supplyAsync(
            () -> redis.xread(XReadParams.xReadParams().block(10_000), Map.of("qx", new StreamEntryID(0))));
        Thread.sleep(100);
        redis.xadd("qx", StreamEntryID.NEW_ENTRY, Map.of("f", "x"));
        Checks.equal(read.get().get(0).getValue().get(0).getFields(), Map.of("f", "x"));
    }

    static void tracking() throws Exception {
        var config = DefaultJedisClientConfig.builder().resp3().build();
        var cache = CacheConfig.builder().maxSize(100).build();
        try (var caching = RedisClient.builder().hostAndPort(Checks.HOST, Checks.PORT).clientConfig(config)
                .cacheConfig(cache).build()) {
            redis.set("tracked", "old");
            for (int turn = 0; turn < 3; turn++) {
                Checks.equal(caching.get("tracked"), "old");
            }
            Checks.that("hits", caching.getCache().getStats().getHitCount() == 2);
            redis.set("tracked", "new");
            Checks.eventually("an invalidation", () -> caching.get("tracked").equals("new"));
        }
    }

    public static void main(String[] arguments) {
        var checks = new Checks()
            .add("strings", JedisProgram::strings).add("hashes", JedisProgram::hashes)
            .add("lists", JedisProgram::lists).add("sets", JedisProgram::sets)
            .add("sorted_sets", JedisProgram::sortedSets).add("streams", JedisProgram::streams)
            .add("pub_sub", JedisProgram::pubSub).add("scripts", JedisProgram::scripts)
            .add("transactions", JedisProgram::transactions).add("blocking", JedisProgram::blocking)
            .add("tracking", JedisProgram::tracking);
        if (Checks.failover()) {
            checks.add("failover", () -> Checks.writeThroughFailover(key -> redis.set(key, key), redis::get));
        }
        checks.run();
    }
}
