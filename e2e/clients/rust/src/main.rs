//! redis-rs: the synchronous connection for the types, the asynchronous one for what the server says by itself, and the
//! connection manager through a failover.

mod checks;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use checks::{Outcome, equal, eventually, that};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::caching::CacheConfig;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, AsyncConnectionConfig, Commands, Connection, PushInfo, PushKind, Script, Value};

const WRITING: Duration = Duration::from_secs(6);
const PATIENCE: Duration = Duration::from_secs(30);

fn strings(r: &mut Connection) -> Outcome {
    r.set_ex::<_, _, ()>("k", "v", 100)?;
    equal(r.set_nx::<_, _, bool>("k", "w")?, false)?;
    equal(r.incr::<_, _, i64>("n", 42)?, 42)?;
    equal(r.mget::<_, (String, Option<String>)>(&["k", "none"])?, ("v".into(), None))?;
    equal(
        r.scan_match::<_, String>("[kn]")?.collect::<Result<HashSet<_>, _>>()?,
        ["k".into(), "n".into()].into(),
    )
}

fn bits(r: &mut Connection) -> Outcome {
    equal(r.setbit::<_, bool>("b", 9, true)?, false)?;
    equal(r.bitcount::<_, usize>("b")?, 1)?;
    equal(r.bit_not::<_, _, usize>("bn", "b")?, 2)?;
    equal(r.pfadd::<_, _, usize>("hll", &["a", "b"])? + r.pfcount::<_, usize>("hll")?, 3)
}

fn hashes(r: &mut Connection) -> Outcome {
    r.hset_multiple::<_, _, _, ()>("h", &[("a", 1), ("b", 2)])?;
    equal(r.hgetall::<_, HashMap<String, i64>>("h")?, [("a".into(), 1), ("b".into(), 2)].into())?;
    equal(r.hincr::<_, _, _, i64>("h", "a", 4)?, 5)
}

fn lists(r: &mut Connection) -> Outcome {
    equal(r.rpush::<_, _, usize>("l", &["a", "b", "c"])?, 3)?;
    equal(r.lrange::<_, Vec<String>>("l", 0, -1)?, vec!["a".into(), "b".into(), "c".into()])?;
    equal(r.lmove::<_, _, String>("l", "m", redis::Direction::Left, redis::Direction::Right)?, "a".into())
}

fn sets(r: &mut Connection) -> Outcome {
    r.sadd::<_, _, ()>("e", &[1, 2, 3])?;
    r.sadd::<_, _, ()>("f", &[3, 4])?;
    equal(r.sinter::<_, HashSet<i64>>(&["e", "f"])?, [3].into())
}

fn sorted_sets(r: &mut Connection) -> Outcome {
    r.zadd_multiple::<_, _, _, ()>("z", &[(1.0, "one"), (2.5, "two")])?;
    let all: Vec<(String, f64)> = r.zrange_withscores("z", 0, -1)?;
    equal(all, vec![("one".into(), 1.0), ("two".into(), 2.5)])?;
    equal(r.zincr::<_, _, _, f64>("z", "one", 10)?, 11.0)
}

fn streams(r: &mut Connection) -> Outcome {
    let first: String = r.xadd("x", "*", &[("n", "0")])?;
    r.xadd::<_, _, _, _, ()>("x", "*", &[("n", "1")])?;
    r.xgroup_create::<_, _, _, ()>("x", "g", "0")?;
    let options = StreamReadOptions::default().group("g", "me").count(1);
    let read: StreamReadReply = r.xread_options(&["x"], &[">"], &options)?;
    equal(&read.keys[0].ids[0].id, &first)?;
    let claimed: Value = redis::cmd("XAUTOCLAIM").arg(&["x", "g", "you", "0", "0"]).query(r)?;
    that("the entry is claimed", format!("{claimed:?}").contains(&first))?;
    equal(r.xack::<_, _, _, usize>("x", "g", &[first])?, 1)
}

fn scripts(r: &mut Connection) -> Outcome {
    let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    equal(add.key("script").arg(20).invoke::<i64>(r)?, 20)?;
    equal(add.key("script").arg(22).invoke::<i64>(r)?, 42)?;
    let library = "#!lua name=lib\nredis.register_function('half', function(k, a) return a[1] / 2 end)";
    redis::cmd("FUNCTION").arg(&["LOAD", "REPLACE", library]).exec(r)?;
    equal(redis::cmd("FCALL").arg(&["half", "1", "script", "84"]).query::<i64>(r)?, 42)
}

fn transactions(r: &mut Connection) -> Outcome {
    equal(redis::pipe().atomic().set("t", 1).ignore().incr("t", 1).query::<(i64,)>(r)?, (2,))?;
    let mut other = checks::client()?.get_connection()?;
    let mut tries = 0;
    // Runs again until nobody changed the watched key in between.
    let (value,): (i64,) = redis::transaction(r, &["t"], |r, pipe| {
        tries += 1;
        let seen: i64 = r.get("t")?;
        if tries == 1 {
            other.set::<_, _, ()>("t", 10)?;
        }
        pipe.set("t", seen + 1).ignore().get("t").query(r)
    })?;
    equal((value, tries), (11, 2))
}

fn blocking(r: &mut Connection) -> Outcome {
    for (wait, serve) in [
        (vec!["BLPOP", "q", "10"], vec!["RPUSH", "q", "x"]),
        (vec!["BZPOPMIN", "qz", "10"], vec!["ZADD", "qz", "1", "x"]),
        (vec!["XREAD", "BLOCK", "10000", "STREAMS", "qx", "0"], vec!["XADD", "qx", "*", "f", "x"]),
    ] {
        let mut waiter = checks::client()?.get_connection()?;
        let waiting =
            std::thread::spawn(move || redis::cmd(wait[0]).arg(&wait[1..]).query::<Value>(&mut waiter));
        std::thread::sleep(Duration::from_millis(50));
        redis::cmd(serve[0]).arg(&serve[1..]).exec(r)?;
        that("it was served", waiting.join().expect("the waiter lives")? != Value::Nil)?;
    }
    Ok(())
}

async fn pub_sub() -> Outcome {
    let (sender, mut pushes) = tokio::sync::mpsc::unbounded_channel();
    let config = AsyncConnectionConfig::new().set_push_sender(sender);
    let mut r = checks::client()?.get_multiplexed_async_connection_with_config(&config).await?;
    r.subscribe("news").await?;
    r.psubscribe("n?ws.*").await?;
    // With RESP3 a connection that subscribes may do everything else, too.
    r.publish::<_, _, ()>("news", "one").await?;
    r.publish::<_, _, ()>("news.at", "two").await?;
    let mut told = Vec::new();
    while told.len() < 2 {
        let PushInfo { kind, data } =
            tokio::time::timeout(PATIENCE, pushes.recv()).await?.ok_or("no more pushes")?;
        if matches!(kind, PushKind::Message | PushKind::PMessage) {
            told.extend(data.last().map(redis::from_redis_value_ref::<String>).transpose()?);
        }
    }
    equal(told, vec!["one".into(), "two".into()])
}

async fn tracking() -> Outcome {
    let config = AsyncConnectionConfig::new().set_cache_config(CacheConfig::default());
    let mut caching = checks::client()?.get_multiplexed_async_connection_with_config(&config).await?;
    let mut other = checks::client()?.get_multiplexed_async_connection().await?;
    other.set::<_, _, ()>("tracked", "old").await?;
    for _ in 0..3 {
        equal(caching.get::<_, String>("tracked").await?, "old".into())?;
    }
    equal(caching.get_cache_statistics().map(|seen| seen.hit), Some(2))?;
    other.set::<_, _, ()>("tracked", "new").await?;
    eventually("an invalidation", async || Ok(caching.get::<_, String>("tracked").await? == "new")).await
}

/// Write on while the leader dies; nothing that was acknowledged is missing.
async fn failover() -> Outcome {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(20)
        .set_min_delay(Duration::from_millis(10))
        .set_max_delay(Duration::from_millis(100));
    let mut r = ConnectionManager::new_with_config(checks::client()?, config).await?;
    println!("failover");
    let (began, mut last, mut gap) = (Instant::now(), Instant::now(), Duration::ZERO);
    let mut acknowledged = Vec::new();
    for turn in 0.. {
        if began.elapsed() > WRITING && last.elapsed() < Duration::from_secs(1) {
            break;
        }
        that("a write within 30 s", last.elapsed() < PATIENCE)?;
        let key = format!("failover:{turn}");
        if r.set::<_, _, ()>(&key, &key).await.is_ok() {
            gap = gap.max(last.elapsed());
            last = Instant::now();
            acknowledged.push(key);
        } else {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    println!("gap {}", gap.as_millis());
    for key in acknowledged {
        equal(r.get::<_, Option<String>>(&key).await?, Some(key))?;
    }
    Ok(())
}

#[tokio::main]
async fn main() {
    let mut results = checks::Results::default();
    let mut r = checks::client().and_then(|client| Ok(client.get_connection()?)).expect("a connection");
    let synchronous: [(&str, fn(&mut Connection) -> Outcome); 10] = [
        ("strings", strings),
        ("bits", bits),
        ("hashes", hashes),
        ("lists", lists),
        ("sets", sets),
        ("sorted_sets", sorted_sets),
        ("streams", streams),
        ("scripts", scripts),
        ("transactions", transactions),
        ("blocking", blocking),
    ];
    for (name, check) in synchronous {
        results.add(name, check(&mut r));
    }
    results.add("pub_sub", pub_sub().await);
    results.add("tracking", tracking().await);
    if std::env::var_os("FAILOVER").is_some() {
        results.add("failover", failover().await);
    }
    results.end();
}
