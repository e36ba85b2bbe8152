//! How long commands took and how they ended, told to [`crate::command::observe::Observed`].
//!
//! The clock is read once for each command: the end of one is the beginning of the next.

use std::time::Instant;

use super::Engine;
use crate::command::{self, Spec, Verdict};
use crate::resp::{Failure, Reply, Request};
use crate::session::Client;

impl Engine {
    /// A handler ran. One that blocks has not run yet: it will when it is served.
    pub(super) fn measure(
        &mut self,
        client: &Client,
        spec: &'static Spec,
        request: Request<'_>,
        verdict: &Result<Verdict, Failure>,
    ) {
        let failure = match verdict {
            Ok(Verdict::Block { .. } | Verdict::BlockUntil { .. } | Verdict::Replicas { .. }) => return,
            Err(failure) | Ok(Verdict::Reply(Reply::Error(failure))) => Some(failure),
            Ok(_) => None,
        };
        let since = self.mark;
        let reply = match verdict {
            Ok(Verdict::Reply(reply)) => Some(reply),
            _ => None,
        };
        let server = &mut self.server;
        server.observed.sized(&server.config, (spec, request), client, reply, self.keyspace.now);
        self.ran(client, spec, request, since, failure);
    }

    /// A command of the engine's own ran, since then; `queued` were its client's replies before.
    pub(super) fn measure_own(
        &mut self,
        client: &Client,
        spec: &'static Spec,
        request: Request<'_>,
        since: Instant,
        queued: usize,
    ) {
        let failure = match client.out.get(queued..).and_then(<[_]>::last) {
            Some(crate::session::Out { reply: Reply::Error(failure), .. }) => Some(failure),
            _ => None,
        };
        self.ran(client, spec, request, since, failure);
    }

    fn ran(
        &mut self,
        client: &Client,
        spec: &'static Spec,
        request: Request<'_>,
        since: Instant,
        failure: Option<&Failure>,
    ) {
        let now = Instant::now();
        self.mark = now;
        let server = &mut self.server;
        let (took, now_ms) = (now - since, self.keyspace.now);
        server.observed.ran(&server.config, (spec, request), client, (took, now_ms), failure.is_some());
        if let Some(failure) = failure {
            server.observed.error(failure);
        }
    }

    /// A request was refused before it ran.
    pub(super) fn refused(&mut self, request: Request<'_>, failure: &Failure) {
        self.server.observed.error(failure);
        let Some(spec) = command::find(request.arg(0)) else { return };
        if spec.subcommands.is_empty() {
            self.server.observed.refused(spec);
        } else if let Some(word) = request.get(1) {
            let mut subcommands = spec.subcommands.iter();
            if let Some(sub) = subcommands.find(|sub| word.eq_ignore_ascii_case(sub.name.as_bytes())) {
                self.server.observed.refused(sub);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Forgetful;
    use super::*;
    use crate::resp::Batch;

    fn engine(args: &[&str]) -> Engine {
        let config = crate::config::Config::from_args(args.iter().copied()).unwrap();
        Engine::new(Arc::new(config), Box::new(Forgetful::default()), 1)
    }

    fn run(engine: &mut Engine, requests: &[&[&str]]) {
        let client = engine.clients.connect("1.2.3.4:5".into(), "here".into());
        client.authenticated = true;
        let id = client.id;
        for request in requests {
            engine.execute(id, &Batch::of(request), 0, 1_000);
        }
    }

    #[test]
    fn calls_failures_and_refusals_are_counted_apart() {
        let mut engine = engine(&[]);
        let requests: [&[&str]; 6] =
            [&["SET", "k", "v"], &["LPUSH", "k", "x"], &["GET"], &["NOPE"], &["CONFIG", "GET"], &["EXEC"]];
        run(&mut engine, &requests);
        let observed = &engine.server.observed;
        let counted: Vec<(&str, u64, u64, u64)> = observed
            .metrics
            .used_commands()
            .iter()
            .map(|(name, totals)| (*name, totals.calls, totals.failed, totals.rejected))
            .collect();
        for expected in [
            ("set", 1, 0, 0),
            ("lpush", 1, 1, 0),
            ("get", 0, 0, 1),
            ("config|get", 0, 0, 1),
            ("exec", 1, 1, 0),
        ] {
            assert!(counted.contains(&expected), "{expected:?} in {counted:?}");
        }
        let errors: Vec<_> = observed.errors().collect();
        assert_eq!(errors, [("ERR", 4), ("WRONGTYPE", 1)]);
    }

    #[test]
    fn queued_commands_count_as_they_run_and_slow_ones_are_remembered() {
        let mut engine = engine(&["--slowlog-log-slower-than", "0"]);
        run(&mut engine, &[&["MULTI"], &["SET", "k", "v"], &["EXEC"]]);
        let observed = &engine.server.observed;
        assert_eq!(observed.metrics.commands_processed(), 3);
        let slow: Vec<String> =
            observed.slow.newest().map(|entry| String::from_utf8_lossy(&entry.words[0]).into()).collect();
        // EXEC is not, as in Redis: what it ran is.
        assert_eq!(slow, ["SET", "MULTI"]);
    }
}
