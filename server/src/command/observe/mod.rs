//! What is counted and remembered of the commands that ran: for `INFO`, `SLOWLOG`, `LATENCY` and the metrics.
//!
//! The engine reports each command here once it has run. Deliberately absent: clocks; the engine brings the times.

mod latency;
mod rates;
mod slowlog;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use latency::{Event, Latency, Sample};
pub use rates::Rates;
pub use slowlog::{SlowEntry, SlowLog, shown};

use super::spec::{Flags, Spec};
use crate::config::Config;
use crate::metrics::{Metrics, Outcome, Recorder};
use crate::resp::{Failure, Reply, Request, length};
use crate::session::Client;

/// More error codes than this are counted as one: codes can be made up by whoever writes scripts.
const CODES_MAX: usize = 128;

pub struct Observed {
    pub metrics: Arc<Metrics>,
    recorder: Recorder,
    pub slow: SlowLog,
    pub large_requests: SlowLog,
    pub large_replies: SlowLog,
    pub latency: Latency,
    pub rates: Rates,
    /// Error replies by their code.
    errors: BTreeMap<String, u64>,
}

impl Observed {
    /// `names` of commands in the order of their ids.
    pub fn new(names: Vec<&'static str>) -> Self {
        let (metrics, recorder) = Metrics::new(names);
        Self {
            metrics,
            recorder,
            slow: SlowLog::default(),
            large_requests: SlowLog::default(),
            large_replies: SlowLog::default(),
            latency: Latency::default(),
            rates: Rates::default(),
            errors: BTreeMap::new(),
        }
    }

    /// A command ran and took so long, at this time (milliseconds since 1970).
    pub fn ran(
        &mut self,
        config: &Config,
        (spec, request): (&Spec, Request<'_>),
        client: &Client,
        (took, now_ms): (Duration, u64),
        failed: bool,
    ) {
        let outcome = if failed { Outcome::Failed } else { Outcome::Done };
        let nanos = took.as_nanos() as u64;
        self.recorder.command(spec.id(), nanos, outcome);
        let slower_than = config.slowlog_log_slower_than;
        if slower_than >= 0 && nanos / 1000 >= slower_than as u64 && !spec.flags.has(Flags::SKIP_SLOWLOG) {
            self.slow.add((spec, request), client, (nanos / 1000, now_ms / 1000), config.slowlog_max_len);
        }
        let event = if spec.flags.has(Flags::FAST) { "fast-command" } else { "command" };
        self.event(config, event, took, now_ms);
    }

    /// Something took so long, which `LATENCY` may be interested in.
    pub fn event(&mut self, config: &Config, name: &'static str, took: Duration, now_ms: u64) {
        let (threshold, millis) = (config.latency_monitor_threshold, took.as_millis() as u64);
        if threshold > 0 && millis >= threshold {
            self.latency.add(name, now_ms / 1000, millis);
        }
    }

    /// A command ran; what it was sent and answers may be large.
    pub fn sized(
        &mut self,
        config: &Config,
        (spec, request): (&Spec, Request<'_>),
        client: &Client,
        reply: Option<&Reply>,
        now_ms: u64,
    ) {
        let over = |limit: i64, bytes: u64| limit >= 0 && bytes >= limit as u64;
        if spec.flags.has(Flags::SKIP_SLOWLOG) {
            return;
        }
        let sent = request.bytes() as u64;
        if over(config.commandlog_request_larger_than, sent) {
            let most = config.commandlog_large_request_max_len;
            self.large_requests.add((spec, request), client, (sent, now_ms / 1000), most);
        }
        if config.commandlog_reply_larger_than >= 0 {
            let answered = reply.map_or(0, |reply| length(reply, client.protocol)) as u64;
            if over(config.commandlog_reply_larger_than, answered) {
                let most = config.commandlog_large_reply_max_len;
                self.large_replies.add((spec, request), client, (answered, now_ms / 1000), most);
            }
        }
    }

    /// A command was refused before it ran.
    pub fn refused(&mut self, spec: &Spec) {
        self.recorder.command(spec.id(), 0, Outcome::Rejected);
    }

    /// An error was answered.
    pub fn error(&mut self, failure: &Failure) {
        let code = failure.code();
        if let Some(count) = self.errors.get_mut(code) {
            *count += 1;
        } else {
            let code = if self.errors.len() < CODES_MAX { code } else { "OTHER" };
            *self.errors.entry(code.to_owned()).or_default() += 1;
        }
    }

    pub fn errors(&self) -> impl Iterator<Item = (&str, u64)> {
        self.errors.iter().map(|(code, count)| (code.as_str(), *count))
    }

    /// The settings changed.
    pub fn configure(&mut self, config: &Config) {
        self.recorder.track_latency(config.latency_tracking);
        self.slow.shorten(config.slowlog_max_len);
        self.large_requests.shorten(config.commandlog_large_request_max_len);
        self.large_replies.shorten(config.commandlog_large_reply_max_len);
    }

    /// `CONFIG RESETSTAT`.
    pub fn reset(&mut self) {
        self.metrics.reset();
        self.recorder.reset();
        self.errors.clear();
    }

    /// Some ten times a second.
    pub fn tick(&mut self, now_ms: u64) {
        let counts = [
            self.metrics.commands_processed(),
            self.metrics.net_input_bytes.get(),
            self.metrics.net_output_bytes.get(),
        ];
        self.rates.sample(now_ms, counts);
    }
}
