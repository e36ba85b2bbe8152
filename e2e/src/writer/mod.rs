//! The writer: runs in a pod, writes through the Service until it is told to stop, then reads everything back.
//!
//! It is told by lines on its standard input (`fault`: something is being broken now; `stop`, or the end of the
//! input) and answers by lines of JSON on its output: [`Line::Progress`] all the time, [`Line::Report`] at the end.

mod load;
mod readback;

use crate::history::{Gaps, Operation, Outcome, Verdict, check, gaps};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 8;
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// A writer that nobody stops ends by itself.
const RUN_TIME_MAX: Duration = Duration::from_mins(15);
const RESOLVE_TIME_MAX: Duration = Duration::from_secs(30);
/// How many of the lost or wrong writes a report names.
const NAMED_MAX: usize = 10;

pub struct Options {
    address: String,
    /// Stands in every key, so that no two writers meet.
    run: String,
    password: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    Progress { acknowledged: u64 },
    Report(Report),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub writes: u64,
    pub ambiguous: u64,
    pub refused: u64,
    pub lost: usize,
    pub wrong: usize,
    pub gaps: Gaps,
    /// How often each kind of error was met.
    pub errors: BTreeMap<String, u64>,
    /// Some of what is lost or wrong, in words.
    pub examples: Vec<String>,
}

/// What all clients share.
struct Shared {
    address: SocketAddr,
    run: String,
    password: Option<String>,
    began: Instant,
    stopped: AtomicBool,
    acknowledged: AtomicU64,
}

impl Shared {
    fn elapsed_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut address, mut run) = (None, None);
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
            match argument.as_str() {
                "--address" => address = Some(value),
                "--run" => run = Some(value),
                _ => return Err(format!("unknown option {argument}")),
            }
        }
        Ok(Self {
            address: address.ok_or("--address is missing")?,
            run: run.ok_or("--run is missing")?,
            password: std::env::var("REDISCLI_AUTH").ok().filter(|password| !password.is_empty()),
        })
    }
}

pub fn run(options: &Options) -> Result<(), String> {
    let shared = Shared {
        address: resolve(&options.address)?,
        run: options.run.clone(),
        password: options.password.clone(),
        began: Instant::now(),
        stopped: AtomicBool::new(false),
        acknowledged: AtomicU64::new(0),
    };
    let (histories, fault_ms) = write(&shared)?;
    let end_ms = shared.elapsed_ms();
    let report = judge(&shared, &histories, fault_ms, end_ms)?;
    print(&Line::Report(report))
}

/// The Service's address never changes, and name service is not what is tested here: it is asked once.
fn resolve(name: &str) -> Result<SocketAddr, String> {
    let deadline = Instant::now() + RESOLVE_TIME_MAX;
    loop {
        let error = match name.to_socket_addrs().map(|mut addresses| addresses.next()) {
            Ok(Some(address)) => return Ok(address),
            Ok(None) => "no address".to_owned(),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return Err(format!("{name}: {error}"));
        }
        thread::sleep(PROGRESS_EVERY);
    }
}

/// Runs the clients until the input says stop; returns their histories and when the fault was announced.
fn write(shared: &Shared) -> Result<(Vec<load::History>, Option<u64>), String> {
    let (orders, received) = channel();
    // Not scoped: it may still wait for its next line when everything else is over.
    thread::spawn(move || read_orders(&orders));
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || load::run(shared, client))).collect();
        let mut fault_ms = None;
        loop {
            match received.recv_timeout(PROGRESS_EVERY) {
                Ok(Order::Fault) => fault_ms = Some(shared.elapsed_ms()),
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if shared.began.elapsed() > RUN_TIME_MAX => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let acknowledged = shared.acknowledged.load(Ordering::Relaxed);
            if print(&Line::Progress { acknowledged }).is_err() {
                break;
            }
        }
        shared.stopped.store(true, Ordering::Relaxed);
        let histories: Result<Vec<_>, _> = clients.into_iter().map(thread::ScopedJoinHandle::join).collect();
        histories.map(|histories| (histories, fault_ms)).map_err(|_| "a client panicked".to_owned())
    })
}

enum Order {
    Fault,
    Stop,
}

fn read_orders(orders: &Sender<Order>) {
    for line in std::io::stdin().lock().lines() {
        let order = match line.as_deref().map(str::trim) {
            Ok("fault") => Order::Fault,
            Ok("stop") | Err(_) => Order::Stop,
            Ok(_) => continue,
        };
        if orders.send(order).is_err() {
            return;
        }
    }
}

fn judge(
    shared: &Shared,
    histories: &[load::History],
    fault_ms: Option<u64>,
    end_ms: u64,
) -> Result<Report, String> {
    let mut verdict = Verdict::default();
    let mut errors = BTreeMap::new();
    for (client, history) in histories.iter().enumerate() {
        let found = readback::read(shared, client, &history.operations)?;
        verdict.extend(check(client, &history.operations, &found));
        for (error, count) in &history.errors {
            *errors.entry(error.clone()).or_default() += count;
        }
    }
    let operations: Vec<Operation> =
        histories.iter().flat_map(|history| history.operations.iter().copied()).collect();
    let count = |wanted: fn(&Outcome) -> bool| {
        operations.iter().filter(|operation| wanted(&operation.outcome)).count() as u64
    };
    Ok(Report {
        writes: count(|outcome| matches!(outcome, Outcome::Acknowledged(_))),
        ambiguous: count(|outcome| matches!(outcome, Outcome::Ambiguous)),
        refused: count(|outcome| matches!(outcome, Outcome::Refused)),
        lost: verdict.lost.len(),
        wrong: verdict.wrong.len(),
        gaps: gaps(&operations, fault_ms, end_ms),
        errors,
        examples: verdict.lost.into_iter().chain(verdict.wrong).take(NAMED_MAX).collect(),
    })
}

fn print(line: &Line) -> Result<(), String> {
    let text = serde_json::to_string(line).map_err(|error| error.to_string())?;
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}").and_then(|()| output.flush()).map_err(|error| error.to_string())
}
