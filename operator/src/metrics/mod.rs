//! Counters and the small HTTP server that shows them: `/metrics`, `/livez`, `/readyz`.
//!
//! Written by hand, because a scrape needs a request line and a body and nothing else of HTTP.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

/// Longest request head that is read.
const HEAD_MAX: usize = 8192;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// One number that many tasks touch.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct Metrics {
    pub reconciles: Number,
    pub reconcile_failures: Number,
    pub reconcile_microseconds: Number,
    pub applied: Number,
    pub status_writes: Number,
    pub route_writes: Number,
    pub route_failures: Number,
    pub stale_epochs: Number,
    pub zookeeper_sessions: Number,
    pub resources: Number,
    /// 1 in the replica that holds the Lease.
    pub active: Number,
    /// 1 when the program can do its work.
    pub ready: Number,
}

impl Metrics {
    pub fn render(&self) -> String {
        let rows: [(&str, &str, &str, &Number); 11] = [
            ("reconciles_total", "counter", "Reconciliations.", &self.reconciles),
            ("reconcile_failures_total", "counter", "Reconciliations that failed.", &self.reconcile_failures),
            (
                "reconcile_microseconds_total",
                "counter",
                "Time spent reconciling.",
                &self.reconcile_microseconds,
            ),
            (
                "applied_total",
                "counter",
                "Objects sent to the API server because they differed.",
                &self.applied,
            ),
            ("status_writes_total", "counter", "Statuses written because they changed.", &self.status_writes),
            ("route_writes_total", "counter", "Times a leader was published.", &self.route_writes),
            (
                "route_failures_total",
                "counter",
                "Times a leader could not be published.",
                &self.route_failures,
            ),
            (
                "stale_epochs_total",
                "counter",
                "Claims refused because a later epoch was published.",
                &self.stale_epochs,
            ),
            ("zookeeper_sessions", "gauge", "Sessions with ZooKeeper now.", &self.zookeeper_sessions),
            ("resources", "gauge", "Botelliers known.", &self.resources),
            ("active", "gauge", "Whether this replica holds the Lease.", &self.active),
        ];
        let mut text = String::new();
        for (name, kind, help, number) in rows {
            let name = format!("botellier_operator_{name}");
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {}", number.get());
        }
        text
    }

    fn answer(&self, path: &str) -> (&'static str, String) {
        match path {
            "/metrics" => ("200 OK", self.render()),
            "/livez" => ("200 OK", "ok\n".to_owned()),
            "/readyz" if self.ready.get() == 1 => ("200 OK", "ok\n".to_owned()),
            "/readyz" => ("503 Service Unavailable", "not connected to the API server yet\n".to_owned()),
            _ => ("404 Not Found", "try /metrics, /livez or /readyz\n".to_owned()),
        }
    }
}

/// Serves until the task is dropped.
pub async fn serve(metrics: Arc<Metrics>, port: u16) -> std::io::Result<()> {
    // All addresses; a node without IPv6 has only the second kind.
    let listener = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?,
    };
    loop {
        let (stream, _) = listener.accept().await?;
        let metrics = metrics.clone();
        tokio::spawn(async move {
            if let Ok(Err(error)) = tokio::time::timeout(REQUEST_TIMEOUT, exchange(&metrics, stream)).await {
                debug!(%error, "scrape failed");
            }
        });
    }
}

async fn exchange(metrics: &Metrics, mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() > HEAD_MAX || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = String::from_utf8_lossy(&head);
    let path = line.split_whitespace().nth(1).unwrap_or("/");
    let (status, body) = metrics.answer(path.split('?').next().unwrap_or("/"));
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_follows_the_flag() {
        let metrics = Metrics::default();
        assert!(metrics.answer("/readyz").0.starts_with("503"));
        metrics.ready.set(1);
        assert!(metrics.answer("/readyz").0.starts_with("200"));
        assert!(metrics.answer("/livez").0.starts_with("200"));
        assert!(metrics.answer("/other").0.starts_with("404"));
    }

    #[test]
    fn every_number_is_shown_with_its_type() {
        let metrics = Metrics::default();
        metrics.stale_epochs.add(3);
        let text = metrics.render();
        assert!(text.contains(
            "# TYPE botellier_operator_stale_epochs_total counter\nbotellier_operator_stale_epochs_total 3\n"
        ));
    }
}
