import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;

/** What the programs in Java share: one line for each check, and what is asked of a client while the leader dies. */
final class Checks {
    static final String HOST = System.getenv("REDIS_HOST");
    static final int PORT = Integer.parseInt(System.getenv("REDIS_PORT"));
    private static final long WRITING_MS = 6_000;
    private static final long PATIENCE_MS = 30_000;

    interface Check {
        void run() throws Exception;
    }

    private final Map<String, Check> checks = new LinkedHashMap<>();

    Checks add(String name, Check check) {
        checks.put(name, check);
        return this;
    }

    /** Run all, say what came of each, and end the process. */
    void run() {
        int failures = 0;
        for (var check : checks.entrySet()) {
            try {
                check.getValue().run();
                System.out.println("ok " + check.getKey());
            } catch (Throwable why) {
                failures++;
                why.printStackTrace();
                System.out.println("not ok " + check.getKey() + ": " + String.valueOf(why).replace('\n', ' '));
            }
        }
        System.out.flush();
        Runtime.getRuntime().halt(failures > 0 ? 1 : 0);
    }

    static void equal(Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) {
            throw new AssertionError(got + " instead of " + wanted);
        }
    }

    static void that(String what, boolean holds) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void eventually(String what, Callable<Boolean> condition) throws Exception {
        for (long until = now() + 10_000; !condition.call(); Thread.sleep(20)) {
            that("waited in vain for " + what, now() < until);
        }
    }

    /** Whether this run has a failover. */
    static boolean failover() {
        return System.getenv("FAILOVER") != null;
    }

    /** Write on while the leader dies; nothing that was acknowledged is missing. */
    static void writeThroughFailover(UnaryOperator<String> set, UnaryOperator<String> get) throws Exception {
        System.out.println("failover");
        List<String> acknowledged = new ArrayList<>();
        long began = now();
        long last = began;
        long gap = 0;
        for (int turn = 1; now() - began < WRITING_MS || now() - last > 1_000; turn++) {
            that("no write for 30 s", now() - last < PATIENCE_MS);
            String key = "failover:" + turn;
            try {
                set.apply(key);
            } catch (RuntimeException refused) {
                Thread.sleep(10);
                continue;
            }
            acknowledged.add(key);
            gap = Math.max(gap, now() - last);
            last = now();
        }
        System.out.println("gap " + gap);
        for (String key : acknowledged) {
            equal(get.apply(key), key);
        }
    }

    private static long now() {
        return System.nanoTime() / 1_000_000;
    }
}
