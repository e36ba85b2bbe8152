//! The HTTP side: `/metrics`, `/livez` and `/readyz` for Prometheus and the kubelet.
//!
//! Contract: HTTP/1.1, GET and HEAD, one request a connection (`Connection: close`). Bounded: 64 connections at a time
//! (one more waits), 8 KiB of request head, 5 seconds for all of it. Never near the path of commands.
//! Deliberately absent: keep-alive, bodies, TLS, compression: two scrapers a minute need none of it.

use super::Metrics;
use crate::config::Config;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

const CONNECTIONS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 8 << 10;
const TIME_MAX: Duration = Duration::from_secs(5);

const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Opens `metrics-port` on the addresses of `bind` and answers in the background, until the runtime ends. Without a
/// port, nothing happens. Call it inside a tokio runtime.
pub fn serve(config: &Config, metrics: &Arc<Metrics>) -> io::Result<()> {
    if config.metrics_port == 0 {
        return Ok(());
    }
    for address in config.listen() {
        for listener in address.open(config.metrics_port, 64)? {
            let listener = TcpListener::from_std(listener)?;
            tokio::spawn(accept(listener, Arc::clone(metrics)));
        }
    }
    Ok(())
}

async fn accept(listener: TcpListener, metrics: Arc<Metrics>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    // Whoever asks too slowly, or leaves, gets no answer: there is nothing to do about it.
                    let _ = timeout(TIME_MAX, answer(stream, &metrics)).await;
                    drop(place);
                });
            }
            // Out of descriptors, or the peer is gone already: wait a little instead of spinning.
            Err(error) => {
                tracing::warn!("metrics: accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    let response = match read_head(&mut stream).await? {
        Head::Request(line) => respond(&line, metrics),
        Head::TooLong => Response::text("431 Request Header Fields Too Large", "request head too long\n"),
        Head::Nothing => return Ok(()),
    };
    stream.write_all(&response.bytes()).await?;
    stream.shutdown().await
}

enum Head {
    /// The request line.
    Request(String),
    TooLong,
    /// The peer left before its request was whole.
    Nothing,
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Head> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
            return Ok(Head::Request(String::from_utf8_lossy(line).into_owned()));
        }
        if head.len() >= HEAD_BYTES_MAX {
            return Ok(Head::TooLong);
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(Head::Nothing);
        }
    }
}

struct Response {
    status: &'static str,
    kind: &'static str,
    body: String,
    head_only: bool,
}

impl Response {
    fn text(status: &'static str, body: impl Into<String>) -> Response {
        Response { status, kind: TEXT, body: body.into(), head_only: false }
    }

    fn bytes(&self) -> Vec<u8> {
        let allow = if self.status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
        let (status, kind, length) = (self.status, self.kind, self.body.len());
        let body = if self.head_only { "" } else { &self.body };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}Connection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

fn respond(request_line: &str, metrics: &Metrics) -> Response {
    let words: Vec<&str> = request_line.split(' ').collect();
    let [method, target, version] = words[..] else {
        return Response::text("400 Bad Request", "bad request line\n");
    };
    if !version.starts_with("HTTP/1.") {
        return Response::text("505 HTTP Version Not Supported", "HTTP/1.1 only\n");
    }
    if !matches!(method, "GET" | "HEAD") {
        return Response::text("405 Method Not Allowed", "GET and HEAD only\n");
    }
    let path = target.split('?').next().unwrap_or_default();
    let mut response = match path {
        "/metrics" => Response { kind: PROMETHEUS, ..Response::text("200 OK", metrics.render()) },
        "/livez" => Response::text("200 OK", "alive\n"),
        "/readyz" => match metrics.health.ready() {
            Ok(()) => Response::text("200 OK", "ready\n"),
            Err(reason) => Response::text("503 Service Unavailable", format!("{reason}\n")),
        },
        _ => Response::text("404 Not Found", "there are /metrics, /livez and /readyz\n"),
    };
    response.head_only = method == "HEAD";
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    async fn server() -> (SocketAddr, Arc<Metrics>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (metrics, _recorder) = Metrics::new(vec!["get"]);
        tokio::spawn(accept(listener, Arc::clone(&metrics)));
        (address, metrics)
    }

    async fn ask(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that has had enough may close while the rest is on its way.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn readiness_follows_health() {
        let (address, metrics) = server().await;
        let request = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
        let starting = ask(address, request).await;
        assert!(
            starting.starts_with("HTTP/1.1 503 ") && starting.ends_with("\r\n\r\nstarting\n"),
            "{starting}"
        );
        metrics.health.set_ready();
        assert!(ask(address, request).await.starts_with("HTTP/1.1 200 OK\r\n"));
        metrics.health.set_unready("no lease");
        assert!(ask(address, request).await.ends_with("\r\n\r\nno lease\n"));
    }

    #[tokio::test]
    async fn metrics_and_liveness() {
        let (address, _metrics) = server().await;
        assert!(ask(address, b"GET /livez HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
        let page = ask(address, b"GET /metrics?x=1 HTTP/1.1\r\n\r\n").await;
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(PROMETHEUS) && head.contains(&format!("Content-Length: {}", body.len())));
        assert!(body.contains("\nbotellier_epoch 0\n"));
        let head = ask(address, b"HEAD /livez HTTP/1.1\r\n\r\n").await;
        assert!(head.contains("Content-Length: 6\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused() {
        let (address, _metrics) = server().await;
        for (request, status) in [
            (&b"POST /metrics HTTP/1.1\r\n\r\n"[..], "405"),
            (b"GET /nope HTTP/1.1\r\n\r\n", "404"),
            (b"nonsense\r\n\r\n", "400"),
            (b"GET / HTTP/2.0\r\n\r\n", "505"),
        ] {
            let answer = ask(address, request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        }
        let long = vec![b'a'; HEAD_BYTES_MAX];
        assert!(ask(address, &long).await.starts_with("HTTP/1.1 431 "));
    }
}
