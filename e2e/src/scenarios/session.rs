//! A writer in the cluster, steered from here.

use crate::kubectl::wait_for;
use crate::store::Store;
use crate::writer::{Line, Report};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PROGRESS_TIME_MAX: Duration = Duration::from_secs(90);
/// So many acknowledged writes are a writer at work, at some hundreds a second.
const ENOUGH: u64 = 500;

pub struct Session {
    process: Child,
    orders: ChildStdin,
    last: Arc<Mutex<Option<Line>>>,
    reader: JoinHandle<()>,
}

impl Session {
    /// Starts it on a node other than `avoided`, and waits until it writes.
    pub fn start(store: &Store, run: &str, avoided: &str) -> Result<Self, String> {
        // A store may hold what an earlier run of the same scenario wrote.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
        let run = format!("{run}-{}", now.as_millis());
        let address = format!("{}:6379", store.host());
        let arguments = ["botellier-e2e", "write", "--address", &address, "--run", &run];
        let mut command = store.in_cluster(|node| node != avoided, &arguments)?;
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("writer: {error}"))?;
        let (Some(orders), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("writer: no pipes".to_owned());
        };
        let last = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&last);
        let reader = thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let (Ok(line), Ok(mut last)) = (serde_json::from_str(&line), seen.lock()) {
                    *last = Some(line);
                }
            }
        });
        let session = Self { process, orders, last, reader };
        session.wait_writes(ENOUGH)?;
        Ok(session)
    }

    fn acknowledged(&self) -> u64 {
        match self.last.lock().ok().as_deref() {
            Some(Some(Line::Progress { acknowledged })) => *acknowledged,
            _ => 0,
        }
    }

    fn wait_writes(&self, count: u64) -> Result<(), String> {
        wait_for("acknowledged writes", PROGRESS_TIME_MAX, || {
            if self.reader.is_finished() {
                return Err("the writer has ended".to_owned());
            }
            let acknowledged = self.acknowledged();
            if acknowledged >= count { Ok(()) } else { Err(format!("{acknowledged}, not {count}")) }
        })
    }

    /// Waits until the writer has as many new writes acknowledged as shows that it is served.
    pub fn wait_served(&self) -> Result<(), String> {
        self.wait_writes(self.acknowledged() + ENOUGH)
    }

    /// Tells the writer that something is broken now.
    pub fn fault(&mut self) -> Result<(), String> {
        self.order("fault")
    }

    /// Ends the writing and returns what came of it, after everything was read back.
    pub fn stop(mut self) -> Result<Report, String> {
        self.order("stop")?;
        let status = self.process.wait().map_err(|error| format!("writer: {error}"))?;
        self.reader.join().map_err(|_| "the writer's reader panicked".to_owned())?;
        let last = self.last.lock().ok().and_then(|mut last| last.take());
        match last {
            Some(Line::Report(report)) if status.success() => Ok(report),
            _ => Err(format!("the writer ended without a report ({status})")),
        }
    }

    fn order(&mut self, word: &str) -> Result<(), String> {
        writeln!(self.orders, "{word}").map_err(|error| format!("writer: {error}"))
    }
}
