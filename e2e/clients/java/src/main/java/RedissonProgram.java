import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.redisson.Redisson;
import org.redisson.api.RateType;
import org.redisson.api.RedissonClient;
import org.redisson.config.Config;

/** Redisson: locks and their kin, which are scripts and messages on the server. */
final class RedissonProgram {
    private static final RedissonClient redisson = connect();

    static RedissonClient connect() {
        var config = new Config();
        config.useSingleServer().setAddress("redis://" + Checks.HOST + ":" + Checks.PORT)
            .setConnectionMinimumIdleSize(2).setSubscriptionConnectionMinimumIdleSize(1).setRetryAttempts(50);
        return Redisson.create(config);
    }

    /** Who may not have the lock waits for the message that it is free. */
    static void locks() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        var inside = new AtomicInteger();
        var most = new AtomicInteger();
        var turns = new CountDownLatch(40);
        for (int turn = 0; turn < 40; turn++) {
            threads.submit(() -> {
                var lock = redisson.getLock("lock");
                lock.lock();
                most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                inside.decrementAndGet();
                lock.unlock();
                turns.countDown();
            });
        }
        Checks.that("forty turns", turns.await(30, TimeUnit.SECONDS));
        Checks.equal(most.get(), 1);
        threads.shutdown();
    }

    static void lockedByAnother() throws Exception {
        var lock = redisson.getLock("held");
        lock.lock();
        lock.lock();
        Checks.equal(lock.getHoldCount(), 2);
        Checks.equal(CompletableFuture.supplyAsync(() -> lock.tryLock()).get(), false);
        lock.unlock();
        lock.unlock();
        Checks.equal(lock.isLocked(), false);
    }

    static void leases() throws Exception {
        var lock = redisson.getLock("lease");
        lock.lock(300, TimeUnit.MILLISECONDS);
        Checks.that("free after its time", CompletableFuture.supplyAsync(() -> {
            try {
                return lock.tryLock(10, TimeUnit.SECONDS);
            } catch (InterruptedException interrupted) {
                throw new IllegalStateException(interrupted);
            }
        }).get());
    }

    static void others() throws Exception {
        var fair = redisson.getFairLock("fair");
        fair.lock();
        fair.unlock();
        var both = redisson.getReadWriteLock("both");
        both.readLock().lock();
        Checks.equal(both.writeLock().tryLock(), false);
        both.readLock().unlock();
        var semaphore = redisson.getSemaphore("semaphore");
        semaphore.trySetPermits(2);
        Checks.that("two permits", semaphore.tryAcquire(2) && !semaphore.tryAcquire());
        var latch = redisson.getCountDownLatch("latch");
        latch.trySetCount(1);
        var waiting = CompletableFuture.runAsync(() -> {
            try {
                latch.await();
            } catch (InterruptedException interrupted) {
                throw new IllegalStateException(interrupted);
            }
        });
        latch.countDown();
        waiting.get(10, TimeUnit.SECONDS);
    }

    static void collections() throws Exception {
        var map = redisson.<String, Integer>getMapCache("map");
        map.put("short", 1, 200, TimeUnit.MILLISECONDS);
        map.putAll(Map.of("a", 1, "b", 2));
        Checks.equal(map.get("b"), 2);
        Checks.eventually("an entry's end", () -> map.get("short") == null);
        var queue = redisson.<String>getBlockingQueue("queue");
        var popped = CompletableFuture.supplyAsync(() -> {
            try {
                return queue.poll(10, TimeUnit.SECONDS);
            } catch (InterruptedException interrupted) {
                throw new IllegalStateException(interrupted);
            }
        });
        queue.add("x");
        Checks.equal(popped.get(), "x");
    }

    static void rateLimits() {
        var limiter = redisson.getRateLimiter("rate");
        limiter.trySetRate(RateType.OVERALL, 3, java.time.Duration.ofSeconds(60));
        Checks.that("three a minute", limiter.tryAcquire(3) && !limiter.tryAcquire());
    }

    public static void main(String[] arguments) {
        new Checks()
            .add("locks", RedissonProgram::locks).add("locked_by_another", RedissonProgram::lockedByAnother)
            .add("leases", RedissonProgram::leases).add("others", RedissonProgram::others)
            .add("collections", RedissonProgram::collections).add("rate_limits", RedissonProgram::rateLimits)
            .run();
    }
}
