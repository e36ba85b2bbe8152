//! Real servers and a real ZooKeeper under faults, while clients work: whatever they were told must be explained by one
//! order of what they asked for.
//!
//! A run prints its seed, what it injected, what clients did and for how long nothing was acknowledged, and fails on any
//! anomaly: a history that no order explains, an answer that no server should give, nodes that differ after healing, a
//! panic, or no progress once faults have healed. A seed decides what is injected and asked for; the processes' and the
//! machine's timing it does not decide.

mod inject;
mod judge;
mod load;
mod plan;
mod work;

use crate::ground::keepers::Keepers;
use crate::ground::network::{self, Machine};
use crate::ground::nodes::{NODES, Node, Programs, pair};
use crate::ground::{keepers, lock, wait_for};
use inject::World;
use load::{CLIENTS, Load};
use plan::{Drawn, Plan};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Within which writes must be acknowledged again after faults have healed.
const PROGRESS_TIME_MAX: Duration = Duration::from_mins(1);
/// So many writes are progress.
const PROGRESS: u64 = 40;

pub struct Options {
    programs: Programs,
    /// ZooKeeper's `lib` and `conf`.
    zookeeper: PathBuf,
    /// For data and logs; made anew.
    folder: PathBuf,
    seconds: u64,
    seed: u64,
    export: Option<PathBuf>,
    only: Vec<String>,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut server, mut shim, mut zookeeper, mut folder, mut export) = (None, None, None, None, None);
        let (mut seconds, mut seed, mut only) = (180, fastrand::u64(..1_000_000_000), Vec::new());
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
            let number = || value.parse().map_err(|_| format!("{argument} needs a number"));
            match argument.as_str() {
                "--server" => server = Some(value.into()),
                "--shim" => shim = Some(value.into()),
                "--zookeeper" => zookeeper = Some(PathBuf::from(value)),
                "--folder" => folder = Some(PathBuf::from(value)),
                "--export" => export = Some(value.into()),
                "--seconds" => seconds = number()?,
                "--seed" => seed = number()?,
                "--only" => only.push(value),
                _ => return Err(format!("unknown option {argument}")),
            }
        }
        Ok(Self {
            programs: Programs { server: server.ok_or("--server is missing")?, shim },
            zookeeper: zookeeper.ok_or("--zookeeper is missing")?,
            folder: folder.ok_or("--folder is missing")?,
            seconds,
            seed,
            export,
            only,
        })
    }
}

/// A part of the run with its faults: from when until when, in the histories' time.
struct Episode {
    faults: Vec<Drawn>,
    from: u64,
    /// When all of them were healed and ZooKeeper, if they had hit it, had a quorum again.
    healed: u64,
    to: u64,
}

struct Run {
    world: World,
    load: Load,
    /// Told as it happens.
    record: Mutex<std::fs::File>,
    /// What went wrong apart from histories.
    wrong: Mutex<Vec<String>>,
    over: AtomicBool,
}

pub fn run(options: &Options) -> Result<(), String> {
    let plan = Plan::new(options.seed, &options.only)?;
    println!("seed {}: {} s of faults", options.seed, options.seconds);
    let run = start(options)?;
    let episodes = thread::scope(|scope| {
        for client in 0..CLIENTS {
            let run = &run;
            scope.spawn(move || run.load.client(client, options.seed));
        }
        let supervisor = scope.spawn(|| run.supervise());
        let episodes = run.episodes(plan, Duration::from_secs(options.seconds));
        run.load.stop();
        let digest = run.settle();
        run.over.store(true, Ordering::Relaxed);
        if supervisor.join().is_err() {
            lock(&run.wrong).push("the supervisor panicked".into());
        }
        lock(&run.wrong).extend(digest.err());
        episodes
    });
    let failed = judge::judge(&run, &episodes, options)?;
    println!("faults: {} passed, {} failed, 0 skipped", u8::from(!failed), u8::from(failed));
    if failed { Err("something is wrong".into()) } else { Ok(()) }
}

/// Those of the nodes that promises depend on are drawn too.
fn settings(seed: u64) -> Vec<String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let fsync = ["everysec", "everysec", "always"][rng.usize(..3)];
    let durability = ["required", "required", "preferred"][rng.usize(..3)];
    ["--appendfsync", fsync, "--durability", durability].map(str::to_owned).into()
}

/// Machines, ZooKeeper, the store; ready when a write is acknowledged.
fn start(options: &Options) -> Result<Run, String> {
    let (folder, logs) = (&options.folder, options.folder.join("logs"));
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    let members = (0..keepers::MEMBERS).map(Machine::Keeper);
    let machines: Vec<Machine> = (0..NODES).map(Machine::Node).chain(members).collect();
    network::make(&machines)?;
    let keepers = Keepers::new(folder, &logs, &options.zookeeper)?;
    keepers.start()?;
    let settings = settings(options.seed);
    println!("settings {}", settings.join(" "));
    let nodes = (0..NODES).map(|number| Node::new(number, &options.programs, folder, &logs, &settings));
    let world = World { nodes: nodes.collect::<Result<_, _>>()?, keepers, troubles: Mutex::default() };
    world.nodes.iter().try_for_each(|node| node.process.release())?;
    wait_for("a leader that takes writes", Duration::from_mins(1), || {
        let (leader, synced, _) = pair(&world.nodes)?;
        let written = world.nodes[leader].order(&["DEBUG", "POPULATE", "20000", "ballast", "100"]).ok()?;
        synced.filter(|_| written == crate::resp::Reply::Status("OK".into()))
    })?;
    let record = std::fs::File::create(logs.join("faults.log")).map_err(|error| error.to_string())?;
    Ok(Run {
        world,
        load: Load::new(),
        record: Mutex::new(record),
        wrong: Mutex::default(),
        over: AtomicBool::new(false),
    })
}

impl Run {
    /// Into the record, with the histories' time and the true wall clock's.
    fn tell(&self, text: &str) {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let ms = self.load.now() / 1_000_000;
        // What can't be recorded is lost; the run goes on.
        let _ = writeln!(lock(&self.record), "{ms:8} ms ({:.3}) {text}", wall.as_secs_f64());
    }

    /// Starts again what ended by itself, as Kubernetes would.
    fn supervise(&self) {
        while !self.over.load(Ordering::Relaxed) {
            let nodes = self.world.nodes.iter().map(|node| &node.process);
            for process in nodes.chain(&self.world.keepers.members) {
                let before = process.endings().len();
                if let Err(error) = process.look() {
                    self.tell(&error);
                }
                for ending in process.endings().iter().skip(before) {
                    self.tell(&format!("{} ended by itself: {ending}", process.name));
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Episodes until the time is over, or until no progress is made.
    fn episodes(&self, mut plan: Plan, time: Duration) -> Vec<Episode> {
        let began = Instant::now();
        let mut episodes = Vec::new();
        while began.elapsed() < time {
            let faults = plan.episode();
            let names: Vec<_> = faults.iter().map(|drawn| drawn.name).collect();
            self.tell(&format!("--- {}", names.join(" + ")));
            let from = self.load.now();
            thread::scope(|scope| {
                for drawn in &faults {
                    scope.spawn(move || {
                        thread::sleep(Duration::from_millis(drawn.after_ms));
                        let outcome = self.world.inject(drawn, &|text| self.tell(&text));
                        self.tell(&format!("{} healed", drawn.name));
                        if let Err(error) = outcome {
                            lock(&self.wrong).push(format!("{}: {error}", drawn.name));
                        }
                    });
                }
            });
            let quorum = self.quorum();
            let healed = self.load.now();
            let progress = quorum.and_then(|()| self.progress());
            // What the last node's return did to writes is over too.
            let whole = progress.and_then(|()| self.whole()).and_then(|()| self.progress());
            episodes.push(Episode { faults, from, healed, to: self.load.now() });
            if let Err(error) = whole {
                self.tell(&error);
                self.tell(&format!("ZooKeeper's members say {:?}", self.world.keepers.say()));
                lock(&self.wrong).push(format!("after {}: {error}", names.join(" + ")));
                break;
            }
        }
        episodes
    }

    /// Waits until ZooKeeper can decide again: its members' start is no part of what is measured.
    fn quorum(&self) -> Result<(), String> {
        wait_for("ZooKeeper's quorum after healing", PROGRESS_TIME_MAX, || {
            self.world.keepers.decide().then_some(())
        })
    }

    /// Waits until writes are acknowledged again.
    fn progress(&self) -> Result<(), String> {
        let goal = self.load.writes() + PROGRESS;
        wait_for("acknowledged writes after healing", PROGRESS_TIME_MAX, || {
            (self.load.writes() >= goal).then_some(())
        })
    }

    /// Waits until all nodes have a part again: the next fault finds a store that is well.
    fn whole(&self) -> Result<(), String> {
        wait_for("ZooKeeper and three nodes with a part each after healing", PROGRESS_TIME_MAX, || {
            if !self.world.keepers.serve() {
                return None;
            }
            let (leader, synced, _) = pair(&self.world.nodes)?;
            let synced = synced?;
            let replica = (0..NODES).find(|number| *number != leader && *number != synced)?;
            let roles = [synced, replica].map(|number| self.world.nodes[number].status());
            matches!(&roles, [Some(synced), Some(replica)] if synced.role == "synced" && replica.role == "replica")
                .then_some(())
        })
    }

    /// Reads all keys on the leader, and compares the nodes.
    fn settle(&self) -> Result<(), String> {
        self.tell("--- the end");
        // Clients that are still at it are waited for.
        wait_for("the clients to end", Duration::from_secs(20), || {
            let before = self.load.writes();
            thread::sleep(Duration::from_millis(1500));
            (self.load.writes() == before).then_some(())
        })?;
        judge::read_all(self)?;
        let mut digests = Vec::new();
        let equal = wait_for("equal digests", PROGRESS_TIME_MAX, || {
            // A digest is of all keys: one after the other, each waited for.
            let digest = |node: &Node| node.long_order(&["DEBUG", "DIGEST"]).ok();
            digests = self.world.nodes.iter().map(digest).collect();
            digests.iter().all(|digest| digest.is_some() && *digest == digests[0]).then_some(())
        });
        equal.map_err(|error| format!("{error}: {digests:?}"))
    }
}
