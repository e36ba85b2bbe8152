import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisSentinelClient;

/** Jedis that asks Sentinels who leads, and hears of a new one by {@code +switch-master}. */
final class JedisSentinelProgram {
    public static void main(String[] arguments) {
        var sentinels = Arrays.stream(System.getenv("SENTINELS").split(",")).map(HostAndPort::from);
        var redis = RedisSentinelClient.builder().masterName(System.getenv("SENTINEL_NAME"))
            .sentinels(sentinels.collect(Collectors.toSet())).build();
        var checks = new Checks()
            .add("leader", () -> Checks.that("an address", redis.getCurrentMaster().getPort() > 0))
            .add("strings", () -> Checks.equal(redis.set("k", "v"), "OK"))
            .add("scripts", () -> Checks.equal(redis.eval("return ARGV[1]", List.of(), List.of("a")), "a"));
        if (Checks.failover()) {
            checks.add("failover", () -> Checks.writeThroughFailover(key -> redis.set(key, key), redis::get));
        }
        checks.run();
    }
}
