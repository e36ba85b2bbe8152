//! The numbers as Prometheus' text format 0.0.4.
//!
//! Contract: every name begins with `botellier_`, but for the `process_` ones that tools expect; base units (seconds,
//! bytes); counters end in `_total`; a metric's HELP and TYPE stand once, before its samples.

use super::histogram::{BUCKETS, HistogramTotals, bucket_bound_nanos};
use super::{Metrics, Role};
use std::fmt::{Display, Write as _};
use std::time::UNIX_EPOCH;

/// Text in the making. Writing to a `String` cannot fail, so results are dropped.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if at == 0 { '{' } else { ',' });
            escape(text, &mut self.0);
            self.0.push('"');
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.sample(name, &[], value);
    }

    /// The samples of a histogram; each second bound is enough for a graph.
    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], totals: &HistogramTotals) {
        let mut below = 0;
        for bucket in 0..BUCKETS {
            below += totals.buckets[bucket];
            if bucket % 2 == 0 {
                let bound = seconds(bucket_bound_nanos(bucket)).to_string();
                self.sample(&format!("{name}_bucket"), &[labels, &[("le", &bound)]].concat(), below);
            }
        }
        let count = totals.count();
        self.sample(&format!("{name}_bucket"), &[labels, &[("le", "+Inf")]].concat(), count);
        self.sample(&format!("{name}_sum"), labels, seconds(totals.nanos));
        self.sample(&format!("{name}_count"), labels, count);
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

impl Metrics {
    /// The page of `/metrics`; runs the hooks first.
    pub fn render(&self) -> String {
        self.hooks.lock().iter().for_each(|hook| hook(self));
        let mut page = Page(String::with_capacity(16 << 10));
        self.render_server(&mut page);
        self.render_clients(&mut page);
        self.render_commands(&mut page);
        self.render_keys(&mut page);
        self.render_replication(&mut page);
        self.render_disk(&mut page);
        page.0
    }

    fn render_server(&self, page: &mut Page) {
        let version = env!("CARGO_PKG_VERSION");
        page.head("botellier_info", "gauge", "The server's version.");
        page.sample("botellier_info", &[("version", version)], 1);
        page.single("botellier_uptime_seconds", "gauge", "Time since the start.", self.uptime_s());
        let ready = u8::from(self.health.ready().is_ok());
        page.single("botellier_ready", "gauge", "Whether the server serves its role.", ready);
        let started = self.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        page.single("process_start_time_seconds", "gauge", "Unix time of the start.", started);
        if let Some(bytes) = resident_bytes() {
            page.single("process_resident_memory_bytes", "gauge", "Memory of the process in RAM.", bytes);
        }
        if let Some(used) = cpu_seconds() {
            page.single("process_cpu_seconds_total", "counter", "Processor time used.", used);
        }
    }

    fn render_clients(&self, page: &mut Page) {
        for (name, help, gauge) in [
            ("botellier_connected_clients", "Clients connected.", &self.connected_clients),
            ("botellier_blocked_clients", "Clients waiting in a blocking command.", &self.blocked_clients),
        ] {
            page.single(name, "gauge", help, gauge.get());
        }
        for (name, help, counter) in [
            ("botellier_connections_received_total", "Connections accepted.", &self.connections_received),
            (
                "botellier_connections_rejected_total",
                "Connections over maxclients.",
                &self.connections_rejected,
            ),
            (
                "botellier_query_limit_closed_total",
                "Clients closed for what they sent ahead.",
                &self.query_limit_closed,
            ),
            (
                "botellier_output_limit_closed_total",
                "Clients closed for what they left unread.",
                &self.output_limit_closed,
            ),
            ("botellier_net_input_bytes_total", "Bytes read from clients.", &self.net_input_bytes),
            ("botellier_net_output_bytes_total", "Bytes written to clients.", &self.net_output_bytes),
            (
                "botellier_protocol_errors_total",
                "Connections closed for a broken protocol.",
                &self.protocol_errors,
            ),
            ("botellier_auth_failures_total", "Passwords refused.", &self.auth_failures),
        ] {
            page.single(name, "counter", help, counter.get());
        }
    }

    fn render_commands(&self, page: &mut Page) {
        let used = self.used_commands();
        let mut family = |name: &str, help: &str, value: &dyn Fn(&super::CommandTotals) -> u64| {
            page.head(name, "counter", help);
            for (command, totals) in &used {
                page.sample(name, &[("command", command)], value(totals));
            }
        };
        family("botellier_commands_total", "Commands executed.", &|totals| totals.calls);
        family("botellier_commands_failed_total", "Commands that answered an error.", &|totals| {
            totals.failed
        });
        family("botellier_commands_rejected_total", "Commands refused before they ran.", &|totals| {
            totals.rejected
        });
        let name = "botellier_command_seconds_total";
        page.head(name, "counter", "Time spent in commands.");
        for (command, totals) in &used {
            page.sample(name, &[("command", command)], seconds(totals.nanos));
        }
        let name = "botellier_command_duration_seconds";
        page.head(name, "histogram", "Time of one command's execution.");
        for (command, totals) in used.iter().filter(|(_, totals)| totals.latency.count() > 0) {
            page.histogram(name, &[("command", command)], &totals.latency);
        }
    }

    fn render_keys(&self, page: &mut Page) {
        let keys = self.keys.lock().clone();
        let databases = || keys.iter().enumerate().filter(|(_, (all, _))| *all > 0);
        page.head("botellier_db_keys", "gauge", "Keys of a database.");
        for (database, (all, _)) in databases() {
            page.sample("botellier_db_keys", &[("db", &database.to_string())], all);
        }
        page.head("botellier_db_keys_expiring", "gauge", "Keys of a database that expire.");
        for (database, (_, expiring)) in databases() {
            page.sample("botellier_db_keys_expiring", &[("db", &database.to_string())], expiring);
        }
        for (name, help, counter) in [
            ("botellier_keyspace_hits_total", "Reads that found their key.", &self.keyspace_hits),
            ("botellier_keyspace_misses_total", "Reads that found no key.", &self.keyspace_misses),
            ("botellier_expired_keys_total", "Keys removed because their time was over.", &self.expired_keys),
        ] {
            page.single(name, "counter", help, counter.get());
        }
        let help = "Memory that the data takes, as the server counts it.";
        page.single("botellier_used_memory_bytes", "gauge", help, self.used_memory_bytes.get());
    }

    fn render_replication(&self, page: &mut Page) {
        let role = self.role();
        page.head("botellier_role", "gauge", "1 for the role that the node has.");
        for each in Role::ALL {
            page.sample("botellier_role", &[("role", each.name())], u8::from(each == role));
        }
        for (name, help, gauge) in [
            ("botellier_epoch", "Rises with each change of leader.", &self.epoch),
            ("botellier_config_version", "Version of the roles in ZooKeeper.", &self.config_version),
            ("botellier_synced_present", "Whether the leader has a synced replica.", &self.synced_present),
            (
                "botellier_log_end_offset",
                "End of the log, in bytes since its beginning.",
                &self.log_end_offset,
            ),
            ("botellier_commit_offset", "Offset up to which writes are committed.", &self.commit_offset),
            ("botellier_lag_bytes", "Bytes of log that this follower lacks.", &self.lag_bytes),
        ] {
            page.single(name, "gauge", help, gauge.get());
        }
        let lease = self.lease_ms.get() as f64 / 1e3;
        page.single("botellier_lease_seconds", "gauge", "Time for which the leader may still answer.", lease);
        let followers = self.followers.lock().clone();
        page.head(
            "botellier_follower_lag_bytes",
            "gauge",
            "Bytes of log that a follower has not acknowledged.",
        );
        for (node, lag) in &followers {
            page.sample("botellier_follower_lag_bytes", &[("node", node)], lag.bytes);
        }
        page.head(
            "botellier_follower_silent_seconds",
            "gauge",
            "Time since a follower's last acknowledgement.",
        );
        for (node, lag) in &followers {
            page.sample("botellier_follower_silent_seconds", &[("node", node)], lag.silent_ms as f64 / 1e3);
        }
        for (name, help, counter) in [
            ("botellier_role_changes_total", "Times that the role changed.", &self.role_changes),
            ("botellier_full_copies_total", "Followers that needed the whole data.", &self.full_copies),
            (
                "botellier_partial_resyncs_total",
                "Followers that went on from the log.",
                &self.partial_resyncs,
            ),
        ] {
            page.single(name, "counter", help, counter.get());
        }
        let name = "botellier_commit_wait_seconds";
        page.head(name, "histogram", "Time from a write's execution until its answer may leave.");
        page.histogram(name, &[], &self.commit_wait.totals());
    }

    fn render_disk(&self, page: &mut Page) {
        for (name, help, gauge) in [
            ("botellier_log_bytes", "Size of the log on disk.", &self.log_bytes),
            ("botellier_snapshot_bytes", "Size of the newest snapshot.", &self.snapshot_bytes),
            ("botellier_snapshot_time_seconds", "Unix time of the newest snapshot.", &self.snapshot_time_s),
        ] {
            page.single(name, "gauge", help, gauge.get());
        }
        for (name, help, counter) in [
            ("botellier_log_written_bytes_total", "Bytes written to the log.", &self.log_written_bytes),
            (
                "botellier_snapshot_failures_total",
                "Snapshots that could not be written.",
                &self.snapshot_failures,
            ),
        ] {
            page.single(name, "counter", help, counter.get());
        }
        let name = "botellier_log_fsync_seconds";
        page.head(name, "histogram", "Time of forcing the log to disk.");
        page.histogram(name, &[], &self.log_fsync.totals());
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// User and system time, out of /proc: Linux shows them in hundredths of a second.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process, in parentheses, may hold blanks: count from behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use crate::metrics::{FollowerLag, Metrics, Outcome, Role};
    use std::collections::HashSet;

    #[test]
    fn the_page_holds_what_was_counted() {
        let (metrics, mut recorder) = Metrics::new(vec!["get", "set"]);
        recorder.command(0, 3_000, Outcome::Failed);
        metrics.set_role(Role::Leader);
        metrics.epoch.set(12u64);
        metrics.set_follower("cache-\"1\"", FollowerLag { bytes: 7, silent_ms: 20 });
        metrics.before_scrape(|metrics| metrics.log_bytes.set(99u64));
        metrics.set_keys(vec![(3, 1), (0, 0)]);
        metrics.commit_wait.record(2_000_000);
        let page = metrics.render();
        for line in [
            "botellier_commands_total{command=\"get\"} 1",
            "botellier_commands_failed_total{command=\"get\"} 1",
            "botellier_command_seconds_total{command=\"get\"} 0.000003",
            "botellier_command_duration_seconds_bucket{command=\"get\",le=\"0.000001024\"} 0",
            "botellier_command_duration_seconds_bucket{command=\"get\",le=\"0.000004096\"} 1",
            "botellier_command_duration_seconds_bucket{command=\"get\",le=\"+Inf\"} 1",
            "botellier_role{role=\"leader\"} 1",
            "botellier_role{role=\"replica\"} 0",
            "botellier_epoch 12",
            "botellier_follower_lag_bytes{node=\"cache-\\\"1\\\"\"} 7",
            "botellier_log_bytes 99",
            "botellier_db_keys{db=\"0\"} 3",
            "botellier_commit_wait_seconds_sum 0.002",
            "botellier_commit_wait_seconds_count 1",
            "botellier_ready 0",
        ] {
            assert!(page.lines().any(|known| known == line), "no {line:?} in\n{page}");
        }
        assert!(!page.contains("command=\"set\""), "a command never called takes no room");
    }

    #[test]
    fn the_page_keeps_to_the_text_format() {
        let (metrics, mut recorder) = Metrics::new(vec!["get"]);
        recorder.command(0, 3_000, Outcome::Done);
        let page = metrics.render();
        assert!(page.ends_with('\n'));
        let mut declared = HashSet::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(declared.insert(name.to_owned()), "{name} is declared twice");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
                assert!(
                    declared.contains(name) || family.is_some_and(|name| declared.contains(name)),
                    "{line}"
                );
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
    }
}
