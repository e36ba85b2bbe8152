//! A script that runs for too long: the others are told so, and may end it.

use std::time::{Duration, Instant};

use super::{Engine, Progress, Step};
use crate::command::{Flags, Spec};
use crate::resp::{Batch, Failure, Reply, Request};
use crate::session::ClientId;

/// The script or function that runs.
pub(super) struct Current {
    pub since: Instant,
    /// The name of a function; empty for a script.
    pub function: String,
    pub words: Vec<Vec<u8>>,
    /// It wrote: from now on nothing but the command itself fails, and nobody may end it half way.
    pub dirty: bool,
    pub killed: Option<&'static str>,
    /// It is past the limit: others are told that the server is busy.
    pub busy: bool,
    /// The libraries and functions that there are.
    pub counts: (usize, usize),
}

/// Nobody waits longer for a script whose node takes another part.
const YIELD_AFTER: Duration = Duration::from_millis(10);

const BUSY_SCRIPT: Failure =
    Failure::new("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
const BUSY_FUNCTION: Failure =
    Failure::new("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.");

impl Current {
    pub fn refusal(&self) -> Failure {
        if self.function.is_empty() { BUSY_SCRIPT } else { BUSY_FUNCTION }
    }

    pub fn describe(&self) -> Reply {
        let words = self.words.iter().map(Reply::bulk).collect();
        Reply::Map(vec![
            (Reply::bulk("name"), Reply::bulk(&self.function)),
            (Reply::bulk("command"), Reply::Array(words)),
            (Reply::bulk("duration_ms"), Reply::Int(self.since.elapsed().as_millis() as i64)),
        ])
    }
}

impl Engine {
    pub(super) fn is_busy(&self) -> bool {
        self.scripts.current.as_ref().is_some_and(|current| current.busy)
    }

    /// Lua ran for a while: others are served if the script is past its time. Returns why it is to end, if it is.
    pub(super) fn script_goes_on(&mut self) -> Option<&'static str> {
        let limit = Duration::from_millis(self.server.config.busy_reply_threshold);
        let current = self.scripts.current.as_mut()?;
        if current.killed.is_none() && current.since.elapsed() >= YIELD_AFTER && self.desk.is_wanted() {
            current.killed = Some("ERR Script killed: this node takes another part in the store.");
        }
        if !current.busy {
            if current.since.elapsed() < limit {
                return current.killed;
            }
            current.busy = true;
            tracing::warn!(
                "slow script detected: still in execution after {} milliseconds",
                current.since.elapsed().as_millis()
            );
            self.desk.open();
            if let Some(step_aside) = &self.step_aside {
                step_aside();
            }
        }
        for job in self.desk.jobs() {
            job(self);
        }
        self.scripts.current.as_ref()?.killed
    }

    /// The script ended: what was handed in meanwhile is done.
    pub(super) fn script_ended(&mut self) {
        let Some(current) = self.scripts.current.take() else { return };
        if current.busy {
            self.left = self.desk.close();
        }
        if current.dirty && current.killed.is_some() {
            self.tear();
        }
    }

    /// A script was ended half way after it wrote. Half of it must not last, and memory has it already: nothing is
    /// executed any more until the data is made anew from the log, or the process ends.
    fn tear(&mut self) {
        self.torn = true;
        self.keyspace.clear_record();
        self.keyspace.touched.clear();
        self.keyspace.events.clear();
        drop(self.server.pubsub.take_mail());
    }

    /// Whether memory is ahead of the log, by half a script.
    pub fn is_torn(&self) -> bool {
        self.torn
    }

    /// Jobs that were left when a script ended, done when its client was served.
    pub(super) fn do_what_is_left(&mut self) {
        for job in std::mem::take(&mut self.left) {
            job(self);
        }
    }

    /// As [`Engine::execute`] while a script is busy: what it has changed so far is not touched.
    pub(super) fn execute_beside(&mut self, id: ClientId, batch: &Batch, from: usize) -> Progress {
        let Some(mut client) = self.clients.take(id) else { return Progress::Close };
        let mark = self.mark;
        client.last_active = Instant::now();
        let mut progress = Progress::Done;
        for index in from..batch.len() {
            progress = match self.request(&mut client, batch.get(index)) {
                Step::Next if client.closing || client.killed => Progress::Close,
                Step::Next => continue,
                Step::Wait { taken } => Progress::Blocked(index + usize::from(taken)),
                Step::Forward => Progress::Forward(index),
                Step::Close => Progress::Close,
            };
            break;
        }
        self.mark = mark;
        self.clients.put(client);
        progress
    }

    /// Why a command can't run because of a busy script.
    pub(super) fn refused_by_script(&mut self, spec: &Spec, request: Request<'_>) -> Option<Failure> {
        let current = self.scripts.current.as_mut().filter(|current| current.busy)?;
        if !spec.flags.has(Flags::ALLOW_BUSY) {
            return Some(current.refusal());
        }
        if spec.name == "shutdown" {
            if !request.rest(1).any(|word| word.eq_ignore_ascii_case(b"nosave")) {
                return Some(current.refusal());
            }
            current.killed = Some("ERR Script killed by SHUTDOWN NOSAVE.");
        }
        None
    }

    /// `SCRIPT KILL` and `FUNCTION KILL`.
    pub(super) fn script_kill(&mut self, function: bool) -> Result<Reply, Failure> {
        let Some(current) = &mut self.scripts.current else {
            return Err(Failure::new("NOTBUSY No scripts in execution right now."));
        };
        if function == current.function.is_empty() {
            return Err(current.refusal());
        }
        if current.dirty {
            return Err(Failure::new(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait \
                 the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            ));
        }
        current.killed = Some(if function {
            "ERR Script killed by user with FUNCTION KILL."
        } else {
            "ERR Script killed by user with SCRIPT KILL."
        });
        Ok(Reply::OK)
    }
}
