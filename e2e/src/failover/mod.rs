//! For how long no write is acknowledged when something fails, of this store and of Redis with Sentinel beside it, in the
//! same run and under the same load, in turns.
//!
//! A gap is the longest time between two acknowledgements of any writer from the moment of the failure until writes are
//! acknowledged steadily again; only then is the failure healed. Acknowledged writes that are gone afterwards are counted,
//! and fail the run if they are this store's.

mod load;
mod side;
mod table;

use crate::ground::keepers::{self, Keepers};
use crate::ground::network::{self, Cut, Direction, EVERYBODY, How, Machine};
use crate::ground::nodes::{NODES, Node, Programs};
use crate::ground::peers::{PEERS, Peers, Tuning};
use crate::ground::wait_for;
use crate::history::longest_stall;
use load::{Load, WRITERS};
use side::{Ours, Side};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use table::Row;

/// Before the failure, and after it was healed.
const CALM: Duration = Duration::from_millis(500);
/// No failure is healed sooner; one that the leader itself need not notice is left alone for longer.
const HELD_MIN: Duration = Duration::from_millis(700);
const HELD_LONG: Duration = Duration::from_secs(5);
/// Longer than Sentinel's default takes.
const HELD_MAX: Duration = Duration::from_mins(4);
const HEALTHY_MAX: Duration = Duration::from_mins(2);
/// How long an ordered end may take.
const FAREWELL_MAX: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    KillLeader,
    StopLeader,
    CutLeader,
    /// From all but clients.
    CutOffLeader,
    KillSynced,
    Handover,
    Terminate,
    /// Whoever decides is gone: ZooKeeper, or all Sentinels.
    Undecided,
}

const FAILURES: [(Failure, &str, &str); 8] = [
    (Failure::KillLeader, "kill-leader", "kill -9 of the leader"),
    (Failure::StopLeader, "stop-leader", "leader stopped (SIGSTOP)"),
    (Failure::CutLeader, "cut-leader", "leader cut off (DROP)"),
    (Failure::CutOffLeader, "cut-leader-from-nodes", "leader cut off, but not from clients"),
    (Failure::KillSynced, "kill-synced", "kill -9 of the synced replica"),
    (Failure::Handover, "handover", "planned handover"),
    (Failure::Terminate, "terminate", "SIGTERM of the leader"),
    (Failure::Undecided, "coordinators", "ZooKeeper (all Sentinels) gone"),
];

pub struct Options {
    programs: Programs,
    /// ZooKeeper's `lib` and `conf`.
    zookeeper: PathBuf,
    folder: PathBuf,
    rounds: usize,
    /// Rounds with Redis and Sentinel.
    peer_rounds: usize,
    tuning: Tuning,
    /// How long ZooKeeper is gone.
    gone: Duration,
    only: Vec<String>,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut server, mut zookeeper, mut folder, mut only) = (None, None, None, Vec::new());
        let (mut rounds, mut peer_rounds, mut tuning, mut gone) = (20, None, Tuning::TIGHT, 60);
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
            let number = || value.parse::<usize>().map_err(|_| format!("{argument} needs a number"));
            match argument.as_str() {
                "--server" => server = Some(PathBuf::from(value)),
                "--zookeeper" => zookeeper = Some(PathBuf::from(value)),
                "--folder" => folder = Some(PathBuf::from(value)),
                "--rounds" => rounds = number()?,
                "--peer-rounds" => peer_rounds = Some(number()?),
                "--gone" => gone = number()?,
                "--sentinel" if value == "tuned" => tuning = Tuning::TIGHT,
                "--sentinel" if value == "default" => tuning = Tuning::DEFAULT,
                "--only" if FAILURES.iter().any(|failure| failure.1 == value) => only.push(value),
                "--only" => {
                    let names: Vec<_> = FAILURES.iter().map(|failure| failure.1).collect();
                    return Err(format!("no failure {value}; there are {}", names.join(", ")));
                }
                _ => return Err(format!("unknown option {argument} {value}")),
            }
        }
        Ok(Self {
            programs: Programs { server: server.ok_or("--server is missing")?, shim: None },
            zookeeper: zookeeper.ok_or("--zookeeper is missing")?,
            folder: folder.ok_or("--folder is missing")?,
            rounds,
            peer_rounds: peer_rounds.unwrap_or(rounds),
            tuning,
            gone: Duration::from_secs(gone as u64),
            only,
        })
    }
}

pub fn run(options: &Options) -> Result<(), String> {
    let (ours, peers) = start(options)?;
    let sides: [(&dyn Side, usize); 2] = [(&ours, options.rounds), (&peers, options.peer_rounds)];
    let mut rows = Vec::new();
    for (failure, name, text) in FAILURES {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == name) {
            continue;
        }
        let first = rows.len();
        rows.extend(sides.map(|(side, _)| Row { failure: text, side: side.name(), ..Row::default() }));
        for round in 0..options.rounds.max(options.peer_rounds) {
            for (index, (side, rounds)) in sides.into_iter().enumerate() {
                // Without those who decide nothing fails: once is enough.
                let rounds = if failure == Failure::Undecided { rounds.min(1) } else { rounds };
                let row = &mut rows[first + index];
                if round >= rounds || row.stuck {
                    continue;
                }
                match measure(side, failure, format!("{name}:{round}"), options.gone, row) {
                    Ok(gap) => println!("{name} {round} {}: {:.1} ms", side.name(), gap as f64 / 1e3),
                    Err(error) => {
                        println!("{name} {round} {}: {error}", side.name());
                        row.stuck = true;
                        side.give_up(error)?;
                    }
                }
            }
        }
    }
    println!("{}", table::markdown(&rows));
    let lost: usize = rows.iter().filter(|row| row.side == ours.name()).map(|row| row.lost).sum();
    if lost == 0 { Ok(()) } else { Err(format!("{lost} acknowledged writes are lost")) }
}

fn start(options: &Options) -> Result<(Ours, Peers), String> {
    let (folder, logs) = (&options.folder, options.folder.join("logs"));
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    let nodes = (0..NODES).map(Machine::Node);
    let others = (0..keepers::MEMBERS).map(Machine::Keeper).chain((0..PEERS).map(Machine::Peer));
    network::make(&nodes.chain(others).collect::<Vec<_>>())?;
    let keepers = Keepers::new(folder, &logs, &options.zookeeper)?;
    keepers.start()?;
    let nodes = (0..NODES).map(|number| Node::new(number, &options.programs, folder, &logs, &[]));
    let ours = Ours { nodes: nodes.collect::<Result<_, _>>()?, keepers };
    ours.nodes.iter().try_for_each(|node| node.process.release())?;
    let peers = Peers::new(folder, &logs, options.tuning);
    peers.start()?;
    Ok((ours, peers))
}

/// One round; the gap in microseconds, which is added to the row too.
fn measure(
    side: &dyn Side,
    failure: Failure,
    round: String,
    gone: Duration,
    row: &mut Row,
) -> Result<u64, String> {
    let healthy = || wait_for(&format!("{} to be healthy", side.name()), HEALTHY_MAX, || side.healthy());
    let (leader, synced) = healthy()?;
    let load = Load::new(side, round);
    let gap = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let load = &load;
            scope.spawn(move || load.writer(writer));
        }
        thread::sleep(CALM);
        let outcome = fail(side, failure, (leader, synced), &load, gone);
        thread::sleep(CALM);
        load.stop();
        outcome
    })?;
    let gap = longest_stall(&load.times(), gap.0, gap.1);
    healthy()?;
    row.gaps_us.push(gap);
    row.acknowledged += load.times().len();
    row.lost += load.lost()?;
    Ok(gap)
}

/// Breaks something, waits until writes are acknowledged steadily again, and heals it. From when until when that was.
fn fail(
    side: &dyn Side,
    failure: Failure,
    (leader, synced): (usize, usize),
    load: &Load,
    gone: Duration,
) -> Result<(u64, u64), String> {
    let from = load.now();
    let process = side.process(leader);
    match failure {
        Failure::KillLeader | Failure::KillSynced => {
            let process = if failure == Failure::KillLeader { process } else { side.process(synced) };
            process.kill();
            let to = recovered(load);
            process.release()?;
            Ok((from, to?))
        }
        Failure::StopLeader => {
            process.stop();
            let to = recovered(load);
            process.go_on();
            Ok((from, to?))
        }
        Failure::CutLeader | Failure::CutOffLeader => {
            let cuts = cut(side, leader, failure == Failure::CutLeader)?;
            if failure == Failure::CutOffLeader {
                thread::sleep(HELD_LONG);
            }
            let to = recovered(load);
            cuts.into_iter().try_for_each(Cut::heal)?;
            Ok((from, to?))
        }
        Failure::Handover => {
            // The leader may close all connections before its answer is read.
            if let Err(error) = side.hand_over(leader)
                && !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
            {
                return Err(error.to_string());
            }
            thread::sleep(3 * HELD_MIN);
            Ok((from, recovered(load)?))
        }
        Failure::Terminate => thread::scope(|scope| {
            let ended = scope.spawn(|| process.terminate(FAREWELL_MAX));
            let to = recovered(load);
            let in_order = ended.join().unwrap_or(false);
            process.release()?;
            if in_order { Ok((from, to?)) } else { Err(format!("{} did not end in order", process.name)) }
        }),
        Failure::Undecided => {
            side.coordinators().iter().for_each(crate::ground::process::Process::kill);
            thread::sleep(gone);
            let to = load.now();
            side.coordinators().iter().try_for_each(crate::ground::process::Process::release)?;
            Ok((from, to))
        }
    }
}

/// Drops what goes to and comes from the leader: everything, or all but clients'.
fn cut(side: &dyn Side, leader: usize, everybody: bool) -> Result<Vec<Cut>, String> {
    let machine = side.machine(leader);
    if everybody {
        return Ok(vec![Cut::make(machine, EVERYBODY, Direction::Both, How::Drop)?]);
    }
    let others = (0..NODES).filter(|number| *number != leader).map(|number| side.machine(number));
    let keepers = (0..keepers::MEMBERS).map(Machine::Keeper);
    others
        .chain(keepers)
        .map(|other| Cut::make(machine, &other.address().to_string(), Direction::Both, How::Drop))
        .collect()
}

/// Waits until writes have been acknowledged for a while without a pause; when that was.
fn recovered(load: &Load) -> Result<u64, String> {
    let began = Instant::now();
    let (mut last, mut steady) = (load.count(), Instant::now());
    loop {
        thread::sleep(Duration::from_millis(20));
        let count = load.count();
        if count == last {
            steady = Instant::now();
        }
        last = count;
        if began.elapsed() >= HELD_MIN && steady.elapsed() >= HELD_MIN / 2 {
            return Ok(load.now());
        }
        if began.elapsed() >= HELD_MAX {
            return Err("writes were not acknowledged again".into());
        }
    }
}
