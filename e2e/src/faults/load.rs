//! Clients that work at the same time, and what they were told.
//!
//! Each client finds the leader as any client would: it tries one node after the other, and stays with the one that says
//! it leads until that fails. A reply that does not come in time is ambiguous, and the connection is thrown away.

use super::work::{Answer, Work};
use crate::ground::lock;
use crate::ground::nodes::{NODES, Node};
use crate::history::linear::Operation;
use crate::resp::{Client, Reply};
use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const CLIENTS: usize = 10;
/// For how long the same keys are used.
const GENERATION: Duration = Duration::from_secs(2);
const CONNECT_TIME_MAX: Duration = Duration::from_millis(200);
pub const REPLY_TIME_MAX: Duration = Duration::from_secs(1);
/// So many clients wait less: or all would wait for a leader that is stopped or cut off, and nobody would see how soon
/// another one serves.
const IMPATIENT: usize = 3;
const IMPATIENT_TIME_MAX: Duration = Duration::from_millis(300);
/// A client begins an operation no sooner than this after the one before.
const PACE: Duration = Duration::from_millis(12);
/// After an operation without a reply, so that not too many of them are open.
const PAUSE: Duration = Duration::from_millis(200);

pub struct Load {
    began: Instant,
    stopped: AtomicBool,
    /// Writes that were acknowledged so far.
    writes: AtomicU64,
    told: Mutex<Told>,
}

/// What all clients were told.
#[derive(Default)]
pub struct Told {
    pub history: Vec<Operation>,
    pub ambiguous: u64,
    pub refused: BTreeMap<String, u64>,
    /// Answers that no server should give.
    pub odd: Vec<String>,
}

impl Load {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            stopped: AtomicBool::new(false),
            writes: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }

    /// Nanoseconds since the beginning: the histories' time.
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        lock(&self.told)
    }

    /// One client, until the load is stopped.
    pub fn client(&self, number: usize, seed: u64) {
        let mut rng =
            fastrand::Rng::with_seed(seed ^ (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut told = Told::default();
        let (mut connection, mut turn) = (None, 0u64);
        let patience = if number < IMPATIENT { IMPATIENT_TIME_MAX } else { REPLY_TIME_MAX };
        while !self.stopped.load(Ordering::Relaxed) {
            let began = Instant::now();
            let open = connection.take().or_else(|| find_leader(rng.usize(..NODES), patience).ok());
            if let Some(mut open) = open {
                turn += 1;
                let generation = (self.began.elapsed().as_millis() / GENERATION.as_millis()) as u64;
                let work = Work::draw(&mut rng, generation, &format!("{number}.{turn}"));
                if self.operate(&mut open, number, work, &mut told) {
                    connection = Some(open);
                } else {
                    thread::sleep(PAUSE);
                }
            }
            thread::sleep(PACE.saturating_sub(began.elapsed()));
        }
        let mut all = self.told();
        all.history.append(&mut told.history);
        all.ambiguous += told.ambiguous;
        all.odd.append(&mut told.odd);
        for (code, count) in told.refused {
            *all.refused.entry(code).or_default() += count;
        }
    }

    /// One operation; whether the connection may be used on.
    pub fn operate(&self, connection: &mut Client, client: usize, work: Work, told: &mut Told) -> bool {
        let invoked = self.now();
        let answer = connection.call_all(&work.commands()).map(|replies| work.answer(replies));
        let writes = work.writes();
        let record = |told: &mut Told, returned| {
            told.history.push(Operation { client, invoked, returned, steps: work.steps });
        };
        match answer {
            Ok(Answer::Done(replies)) => {
                record(told, Some((self.now(), replies)));
                self.writes.fetch_add(u64::from(writes), Ordering::Relaxed);
                true
            }
            Ok(Answer::Refused(code)) => {
                *told.refused.entry(code).or_default() += 1;
                false
            }
            Ok(Answer::Odd(text)) => {
                record(told, None);
                told.odd.push(text);
                false
            }
            Err(_) => {
                record(told, None);
                told.ambiguous += 1;
                false
            }
        }
    }
}

/// A connection to a node that says it leads: once deposed, it closes its clients' connections. The first one that is
/// asked is `first`.
pub fn find_leader(first: usize, patience: Duration) -> io::Result<Client> {
    let mut last = io::Error::from(io::ErrorKind::NotConnected);
    for number in (0..NODES).map(|step| (first + step) % NODES) {
        match connect(number, patience) {
            Ok(Some(client)) => return Ok(client),
            Ok(None) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connect(number: usize, patience: Duration) -> io::Result<Option<Client>> {
    let mut client = Client::connect(Node::address(number), CONNECT_TIME_MAX, patience)?;
    match client.call(&["ROLE"])? {
        Reply::Array(items) if items.first() == Some(&Reply::Bulk(Some("master".into()))) => Ok(Some(client)),
        _ => Ok(None),
    }
}
