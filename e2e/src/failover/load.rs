//! Writers that write back to back, each key once, so that the time without an acknowledged write is seen finely and what
//! was lost can be counted.

use super::side::Side;
use crate::ground::{lock, wait_for};
use crate::resp::Reply;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const WRITERS: usize = 4;
/// Between two writes of one writer.
const PAUSE: Duration = Duration::from_millis(1);
/// Between two attempts to find a leader; ten times as long once that has failed some times.
const SEARCH: Duration = Duration::from_millis(1);
const SEARCHES: u32 = 30;
/// Keys that are asked for at once at the end.
const BATCH: usize = 200;

pub struct Load<'s> {
    side: &'s dyn Side,
    /// Names the keys: no two rounds have the same.
    round: String,
    began: Instant,
    stopped: AtomicBool,
    count: AtomicU64,
    acknowledged: Mutex<Vec<(u64, String)>>,
}

impl<'s> Load<'s> {
    pub fn new(side: &'s dyn Side, round: String) -> Self {
        Self {
            side,
            round,
            began: Instant::now(),
            stopped: AtomicBool::new(false),
            count: AtomicU64::new(0),
            acknowledged: Mutex::default(),
        }
    }

    /// Microseconds since the load began.
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    /// Writes that were acknowledged so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub fn writer(&self, number: usize) {
        let (mut connection, mut turn, mut acknowledged) = (None, 0usize, Vec::new());
        let mut searches = 0;
        while !self.stopped.load(Ordering::Relaxed) {
            turn += 1;
            let Some(mut open) = connection.take().or_else(|| self.side.find(number + turn).ok()) else {
                searches += 1;
                thread::sleep(if searches < SEARCHES { SEARCH } else { 10 * SEARCH });
                continue;
            };
            searches = 0;
            let key = format!("{}:{number}:{turn}", self.round);
            if matches!(open.call(&["SET", &key, "1"]), Ok(Reply::Status(_))) {
                acknowledged.push((self.now(), key));
                self.count.fetch_add(1, Ordering::Relaxed);
                connection = Some(open);
            }
            thread::sleep(PAUSE);
        }
        lock(&self.acknowledged).append(&mut acknowledged);
    }

    /// When writes were acknowledged, in order.
    pub fn times(&self) -> Vec<u64> {
        let mut times: Vec<u64> = lock(&self.acknowledged).iter().map(|(at, _)| *at).collect();
        times.sort_unstable();
        times
    }

    /// Counts acknowledged writes that are not there, and removes the others.
    pub fn lost(&self) -> Result<usize, String> {
        let acknowledged = lock(&self.acknowledged);
        let mut lost = 0;
        for batch in acknowledged.chunks(BATCH) {
            let keys: Vec<&str> = batch.iter().map(|(_, key)| key.as_str()).collect();
            let ask = |command: &str| {
                let mut words = vec![command];
                words.extend(&keys);
                wait_for("an answer", Duration::from_secs(20), || {
                    match self.side.find(0).ok()?.call(&words) {
                        Ok(Reply::Integer(number)) => Some(number as usize),
                        _ => None,
                    }
                })
            };
            lost += batch.len() - ask("EXISTS")?;
            ask("DEL")?;
        }
        Ok(lost)
    }
}
