//! What it costs a leader to copy everything to a new replica, beside Redis: operations a second, the slowest operation
//! and memory, before and meanwhile.
//!
//! The leader has its core to itself, under load from another one, where its first replica runs too. The new replica takes
//! what is left there, as it would not disturb anybody on a machine of its own. Our leader begins by taking a snapshot,
//! although it would have one from which its log goes on; Redis forks. Deliberately absent: slow networks and disks.

use super::Outcome;
use super::load::{Load, Seen};
use super::options::Options;
use super::replicated::{self, ZooKeeper};
use super::rows::{self, Row};
use super::server::{Core, Flavour, Server};
use super::table;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// No copy takes longer than this.
const COPY_MAX: Duration = Duration::from_mins(5);
const LOOK: Duration = Duration::from_millis(50);

/// One copy.
struct Copied {
    before: Seen,
    meanwhile: Seen,
    /// Of the leader, in bytes.
    memory: u64,
    memory_most: u64,
}

/// A leader with a replica, and what it takes to start another one.
struct Side {
    leader: Server,
    _replica: Server,
    zookeeper: Option<ZooKeeper>,
}

impl Side {
    fn start(flavour: Flavour, options: &Options) -> Outcome<Self> {
        let (leader, replica, zookeeper) = match flavour {
            Flavour::Ours => {
                let (leader, replica, zookeeper) =
                    replicated::our_pair(options, &["--log-retention-bytes", "1mb"])?;
                (leader, replica, Some(zookeeper))
            }
            Flavour::Redis => {
                let (leader, replica) = replicated::redis_pair(&options.redis, options)?;
                (leader, replica, None)
            }
        };
        rows::fill(Row::Set, &leader, options)?;
        let mut side = Self { leader, _replica: replica, zookeeper };
        if flavour == Flavour::Ours {
            // Until there is one, a new replica would be sent the whole log.
            side.snapshot(Duration::from_mins(2))?;
        }
        Ok(side)
    }

    fn snapshot(&mut self, most: Duration) -> Outcome<()> {
        self.leader.ask(&["BGSAVE"])?;
        let end = Instant::now() + most;
        loop {
            thread::sleep(LOOK);
            let info = self.leader.ask(&["INFO", "persistence"])?;
            if info.contains("rdb_bgsave_in_progress:0") {
                return Ok(());
            }
            if Instant::now() > end {
                return Err("no snapshot came about".into());
            }
        }
    }

    fn join(&self, options: &Options) -> Outcome<Server> {
        if let Some(zookeeper) = &self.zookeeper {
            return replicated::node("c", Core::Rest, zookeeper, options, &[]);
        }
        let follow = replicated::follow(&self.leader);
        Server::start_on(Core::Rest, Flavour::Redis, &options.redis, options, &follow)
    }

    /// Whether the leader counts both replicas as there.
    fn is_whole(&self) -> bool {
        let info = self.leader.ask(&["INFO", "replication"]).unwrap_or_default();
        info.matches("state=online").count() == 2
    }
}

pub fn run(options: &Options) -> Outcome<()> {
    let (mut ours, mut redis) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let mut order = [Flavour::Ours, Flavour::Redis];
        order.rotate_left(round % 2);
        for flavour in order {
            let copied = copy(flavour, options)?;
            eprintln!("{}", line(flavour, &[&copied]));
            if flavour == Flavour::Ours { ours.push(copied) } else { redis.push(copied) }
        }
    }
    println!(
        "{} keys, values of {} bytes, median of {} rounds\n",
        options.keys, options.value_bytes, options.rounds
    );
    println!(
        "| | copied in s | operations a second before | meanwhile | share | slowest before, ms | meanwhile | memory before, MB | most meanwhile | more |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (flavour, copies) in [(Flavour::Ours, &ours), (Flavour::Redis, &redis)] {
        println!("{}", line(flavour, &copies.iter().collect::<Vec<_>>()));
    }
    Ok(())
}

fn line(flavour: Flavour, copies: &[&Copied]) -> String {
    let middle =
        |of: &dyn Fn(&Copied) -> f64| table::middle(copies.iter().map(|copied| of(copied)).collect());
    let rate = |seen: &Seen| seen.operations as f64 / seen.seconds;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    format!(
        "| {} | {:.1} | {:.0} | {:.0} | {:.2} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} % |",
        if flavour == Flavour::Ours { "botellier" } else { "redis-server" },
        middle(&|copied| copied.meanwhile.seconds),
        middle(&|copied| rate(&copied.before)),
        middle(&|copied| rate(&copied.meanwhile)),
        middle(&|copied| rate(&copied.meanwhile) / rate(&copied.before)),
        middle(&|copied| copied.before.slowest.as_secs_f64() * 1e3),
        middle(&|copied| copied.meanwhile.slowest.as_secs_f64() * 1e3),
        middle(&|copied| megabytes(copied.memory)),
        middle(&|copied| megabytes(copied.memory_most)),
        middle(&|copied| 100.0 * (copied.memory_most as f64 / copied.memory as f64 - 1.0)),
    )
}

/// One copy under load: from the start of the new replica until the leader counts it as there.
fn copy(flavour: Flavour, options: &Options) -> Outcome<Copied> {
    let side = Side::start(flavour, options)?;
    let batches = rows::batches(Row::Set, 1, flavour, options);
    let mut load = Load::connect(&side.leader, batches, options.connections)?;
    load.start()?;
    let span = Duration::from_secs_f64(options.seconds);
    load.watch(Instant::now() + span, || false)?;
    let before = load.watch(Instant::now() + 3 * span, || false)?;
    let memory = side.leader.memory()?;
    let (over, most) = (AtomicBool::new(false), AtomicU64::new(memory));
    let (meanwhile, joined) = thread::scope(|scope| {
        let joining = scope.spawn(|| {
            let joined = joined(&side, options, &most).map_err(|error| error.to_string());
            over.store(true, Ordering::Release);
            joined
        });
        let meanwhile = load.watch(Instant::now() + COPY_MAX, || over.load(Ordering::Acquire));
        (meanwhile, joining.join().map_err(|_| "a thread panicked"))
    });
    let _joined = joined??;
    let meanwhile = meanwhile?;
    load.drain()?;
    Ok(Copied { before, meanwhile, memory, memory_most: most.into_inner() })
}

/// The new replica, once the leader counts it as there; meanwhile what the leader's memory comes to at most.
fn joined(side: &Side, options: &Options, most: &AtomicU64) -> Outcome<Server> {
    if side.zookeeper.is_some() {
        // Else the last snapshot would do.
        side.leader.ask(&["BGSAVE"])?;
    }
    let joined = side.join(options)?;
    let end = Instant::now() + COPY_MAX;
    while !side.is_whole() {
        if Instant::now() > end {
            return Err("the new replica did not come up".into());
        }
        most.fetch_max(side.leader.memory()?, Ordering::Relaxed);
        thread::sleep(LOOK);
    }
    Ok(joined)
}
