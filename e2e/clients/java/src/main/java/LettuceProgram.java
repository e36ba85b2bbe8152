import io.lettuce.core.Consumer;
import io.lettuce.core.KeyValue;
import io.lettuce.core.LMoveArgs;
import io.lettuce.core.Range;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScoredValue;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SetArgs;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.XAutoClaimArgs;
import io.lettuce.core.XReadArgs;
import io.lettuce.core.XReadArgs.StreamOffset;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.lettuce.core.support.caching.CacheAccessor;
import io.lettuce.core.support.caching.ClientSideCaching;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Lettuce over RESP3, through the Service: it connects again by itself. */
final class LettuceProgram {
    private static final ClientResources resources =
        ClientResources.builder().reconnectDelay(Delay.constant(Duration.ofMillis(20))).build();
    private static final RedisClient client =
        RedisClient.create(resources, RedisURI.Builder.redis(Checks.HOST, Checks.PORT).withTimeout(Duration.ofSeconds(20)).build());
    private static final StatefulRedisConnection<String, String> connection = client.connect();
    private static final RedisCommands<String, String> redis = connection.sync();

    static void strings() {
        Checks.equal(redis.set("k", "v", SetArgs.Builder.ex(100)), "OK");
        Checks.equal(redis.set("k", "w", SetArgs.Builder.nx()), null);
        Checks.equal(redis.incrby("n", 42), 42L);
        Checks.equal(redis.mget("k", "none"), List.of(KeyValue.just("k", "v"), KeyValue.empty("none")));
    }

    static void bits() {
        Checks.equal(redis.setbit("b", 7, 1), 0L);
        Checks.equal(redis.bitcount("b"), 1L);
        Checks.equal(redis.bitopNot("bn", "b"), 1L);
        Checks.equal(redis.pfadd("hll", "a", "b") + redis.pfcount("hll"), 3L);
    }

    static void hashes() {
        Checks.equal(redis.hset("h", Map.of("a", "1", "b", "2")), 2L);
        Checks.equal(redis.hgetall("h"), Map.of("a", "1", "b", "2"));
        Checks.equal(redis.hexpire("h", 100, "a", "none"), List.of(1L, -2L));
    }

    static void lists() {
        Checks.equal(redis.rpush("l", "a", "b", "c"), 3L);
        Checks.equal(redis.lrange("l", 0, -1), List.of("a", "b", "c"));
        Checks.equal(redis.lmove("l", "m", LMoveArgs.Builder.leftRight()), "a");
    }

    static void sets() {
        redis.sadd("e", "1", "2", "3");
        redis.sadd("f", "3", "4");
        Checks.equal(redis.sinter("e", "f"), Set.of("3"));
        Checks.equal(redis.smismember("e", "1", "9"), List.of(true, false));
    }

    static void sortedSets() {
        Checks.equal(redis.zadd("z", ScoredValue.just(1, "one"), ScoredValue.just(2.5, "two")), 2L);
        Checks.equal(redis.zrangebyscore("z", Range.create(2, 3)), List.of("two"));
        Checks.equal(redis.zincrby("z", 10, "one"), 11.0);
        Checks.equal(redis.zpopmax("z"), ScoredValue.just(11, "one"));
        Checks.equal(redis.geoadd("g", 13.361389, 38.115556, "Palermo"), 1L);
    }

    static void streams() {
        String first = redis.xadd("x", Map.of("n", "0"));
        Checks.equal(redis.xgroupCreate(StreamOffset.from("x", "0"), "g"), "OK");
        var read = redis.xreadgroup(Consumer.from("g", "me"), StreamOffset.lastConsumed("x"));
        Checks.equal(read.get(0).getId(), first);
        Checks.equal(redis.xpending("x", "g").getCount(), 1L);
        var claim = XAutoClaimArgs.Builder.xautoclaim(Consumer.from("g", "you"), 0, "0");
        Checks.equal(redis.xautoclaim("x", claim).getMessages().get(0).getId(), first);
        Checks.equal(redis.xack("x", "g", first), 1L);
    }

    static void pubSub() throws Exception {
        var told = new LinkedBlockingQueue<String>();
        try (var subscriber = client.connectPubSub()) {
            subscriber.addListener(new RedisPubSubAdapter<>() {
                @Override public void message(String channel, String message) { told.add(message); }
                @Override public void message(String pattern, String channel, String message) { told.add(pattern); }
            });
            subscriber.sync().subscribe("news");
            subscriber.sync().psubscribe("n?ws.*");
            Checks.equal(redis.publish("news", "hello"), 1L);
            Checks.equal(told.poll(10, TimeUnit.SECONDS), "hello");
            Checks.equal(redis.publish("news.at", "hello"), 1L);
            Checks.equal(told.poll(10, TimeUnit.SECONDS), "n?ws.*");
        }
    }

    static void scripts() {
        String sha = redis.scriptLoad("return redis.call('INCRBY', KEYS[1], ARGV[1])");
        Checks.equal(redis.evalsha(sha, ScriptOutputType.INTEGER, new String[] {"script"}, "42"), 42L);
        Checks.equal(redis.eval("return {1, 'two', {3}}", ScriptOutputType.MULTI), List.of(1L, "two", List.of(3L)));
        try {
            redis.eval("return redis.error_reply('MINE no')", ScriptOutputType.STATUS);
            throw new AssertionError("an error of a script");
        } catch (RedisCommandExecutionException error) {
            Checks.equal(error.getMessage(), "MINE no");
        }
        Checks.equal(redis.functionLoad("#!lua name=lib\nredis.register_function('half', function(k, a) return a[1] / 2 end)", true), "lib");
        Checks.equal(redis.fcall("half", ScriptOutputType.INTEGER, new String[] {"k"}, "84"), 42L);
    }

    static void transactions() {
        redis.multi();
        redis.set("t", "1");
        redis.incr("t");
        Checks.equal(redis.exec().stream().toList(), List.of("OK", 2L));
        try (var another = client.connect()) {
            redis.watch("t");
            another.sync().set("t", "10");
            redis.multi();
            redis.incr("t");
            Checks.that("the transaction was refused", redis.exec().wasDiscarded());
        }
    }

    static void blocking() throws Exception {
        try (var another = client.connect()) {
            var waiting = another.async();
            var popped = waiting.blpop(10, "q");
            var least = waiting.bzpopmin(10, "qz");
            var read = waiting.xread(XReadArgs.Builder.block(10_000), StreamOffset.from("qx", "0"));
            redis.rpush("q", "x");
            Checks.equal(popped.get(10, TimeUnit.SECONDS), KeyValue.just("q", "x"));
            Thread.sleep(50);
            redis.zadd("qz", 1, "x");
            Checks.equal(least.get(10, TimeUnit.SECONDS).getValue(), ScoredValue.just(1, "x"));
            Thread.sleep(50);
            redis.xadd("qx", Map.of("f", "x"));
            Checks.equal(read.get(10, TimeUnit.SECONDS).get(0).getBody(), Map.of("f", "x"));
        }
    }

    static void tracking() throws Exception {
        try (var tracked = client.connect()) {
            var local = new ConcurrentHashMap<String, String>();
            var cache = ClientSideCaching.enable(CacheAccessor.forMap(local), tracked, TrackingArgs.Builder.enabled().noloop());
            redis.set("tracked", "old");
            Checks.equal(cache.get("tracked"), "old");
            Checks.equal(local.get("tracked"), "old");
            redis.set("tracked", "new");
            Checks.eventually("an invalidation", () -> cache.get("tracked").equals("new"));
        }
        try (var watcher = client.connect()) {
            var pushed = new LinkedBlockingQueue<String>();
            watcher.addListener(push -> pushed.add(push.getType()));
            watcher.sync().clientTracking(TrackingArgs.Builder.enabled().bcast().prefixes("user:"));
            redis.set("user:1", "x");
            Checks.equal(pushed.poll(10, TimeUnit.SECONDS), "invalidate");
        }
    }

    static void failover() throws Exception {
        var told = new LinkedBlockingQueue<String>();
        var subscriber = client.connectPubSub();
        subscriber.addListener(new RedisPubSubAdapter<>() {
            @Override public void message(String channel, String message) { told.add(message); }
        });
        subscriber.sync().subscribe("after");
        Checks.writeThroughFailover(key -> redis.set(key, key), redis::get);
        Checks.eventually("the subscription", () -> {
            redis.publish("after", "hello");
            return !told.isEmpty();
        });
    }

    public static void main(String[] arguments) {
        var checks = new Checks()
            .add("strings", LettuceProgram::strings).add("bits", LettuceProgram::bits).add("hashes", LettuceProgram::hashes)
            .add("lists", LettuceProgram::lists).add("sets", LettuceProgram::sets)
            .add("sorted_sets", LettuceProgram::sortedSets).add("streams", LettuceProgram::streams)
            .add("pub_sub", LettuceProgram::pubSub).add("scripts", LettuceProgram::scripts)
            .add("transactions", LettuceProgram::transactions).add("blocking", LettuceProgram::blocking)
            .add("tracking", LettuceProgram::tracking);
        if (Checks.failover()) {
            checks.add("failover", LettuceProgram::failover);
        }
        checks.run();
    }
}
