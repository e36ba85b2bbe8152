//! Connections over real sockets: requests cut anywhere, big values, half-closed and silent peers, limits, and replies
//! that are held until they may leave.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use botellier_server::command::server::{Role, Status};
use botellier_server::config::Config;
use botellier_server::engine::{Engine, Forgetful, Journal};
use botellier_server::net::{Door, Net, Pool, Workers, now_ms, serve};
use botellier_server::replication::gate::Gate;
use botellier_server::resp::Failure;
use botellier_server::session::Offset;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A journal whose records are committed by the test.
struct Slow {
    end: Offset,
    committed: Arc<AtomicU64>,
}

impl Journal for Slow {
    fn append(&mut self, _time_ms: u64, payload: &[u8]) -> Offset {
        self.end += payload.len() as Offset;
        self.end
    }

    fn end(&self) -> Offset {
        self.end
    }

    fn committed(&self) -> Offset {
        self.committed.load(Ordering::SeqCst)
    }

    fn refusal(&self) -> Option<Failure> {
        None
    }
}

struct Server {
    net: Arc<Net>,
    port: u16,
}

impl Server {
    async fn start(args: &[&str]) -> Self {
        Self::with(args, Box::new(Forgetful::default()), Gate::new(u64::MAX)).await
    }

    async fn with(args: &[&str], journal: Box<dyn Journal>, gate: Gate) -> Self {
        let config = Arc::new(Config::from_args(args.iter().copied()).unwrap());
        let engine = Engine::new(config, journal, 1);
        let net = Arc::new(Net {
            metrics: engine.server.observed.metrics.clone(),
            desk: engine.desk.clone(),
            engine: Arc::new(Mutex::new(engine)),
            gate: Arc::new(gate),
            flush: Box::new(|| {}),
            attention: Arc::new(Notify::new()),
            workers: Workers::here(),
            leader: Pool::default(),
        });
        let port = listen(&net, Door::Always).await;
        let ticked = net.clone();
        tokio::spawn(async move {
            loop {
                ticked.engine.lock().tick(now_ms());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        Self { net, port }
    }

    /// A leader whose writes wait until the test commits them.
    async fn leader() -> (Self, Arc<AtomicU64>) {
        let committed = Arc::new(AtomicU64::new(0));
        let journal = Slow { end: 1000, committed: committed.clone() };
        let server = Self::with(&[], Box::new(journal), Gate::new(1000)).await;
        let leader = Status { role: Role::Leader, epoch: 1, ..Status::default() };
        server.net.engine.lock().set_status(leader);
        (server, committed)
    }

    async fn connect(&self) -> Peer {
        Peer(TcpStream::connect(("127.0.0.1", self.port)).await.unwrap())
    }

    async fn until(&self, condition: impl Fn(&Engine) -> bool) {
        let wait = async {
            while !condition(&self.net.engine.lock()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the condition comes true");
    }
}

async fn listen(net: &Arc<Net>, door: Door) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(net.clone(), listener, door));
    port
}

struct Peer(TcpStream);

impl Peer {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let expected = bytes.as_ref();
        let mut got = vec![0; expected.len()];
        let read = tokio::time::timeout(Duration::from_secs(20), self.0.read_exact(&mut got)).await;
        read.expect("a reply comes").unwrap();
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(expected));
    }

    /// Everything up to the end of the connection.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = self.0.read_to_end(&mut rest);
        match tokio::time::timeout(Duration::from_secs(20), read).await.expect("the connection ends") {
            Ok(_) => rest,
            // Closed with something unread.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => rest,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn requests_are_whole_however_they_are_cut() {
    let server = Server::start(&[]).await;
    let mut peer = server.connect().await;
    let bytes = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n";
    for step in 1..10 {
        for piece in bytes.chunks(step) {
            peer.send(piece).await;
            tokio::task::yield_now().await;
        }
        peer.expect("+OK\r\n$4\r\na\r\nb\r\n+PONG\r\n").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_big_value_comes_back_as_it_went() {
    let server = Server::start(&[]).await;
    let (mut reader, mut writer) = server.connect().await.0.into_split();
    let value: Vec<u8> = (0..20_000_000u32).map(|index| (index % 251) as u8).collect();
    let mut request = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", value.len()).into_bytes();
    request.extend_from_slice(&value);
    request.extend_from_slice(b"\r\nGET k\r\nGET k\r\nPING\r\n");
    let sent = tokio::spawn(async move {
        writer.write_all(&request).await.unwrap();
        writer
    });
    let mut expected = b"+OK\r\n".to_vec();
    for _ in 0..2 {
        expected.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
        expected.extend_from_slice(&value);
        expected.extend_from_slice(b"\r\n");
    }
    expected.extend_from_slice(b"+PONG\r\n");
    let mut got = vec![0; expected.len()];
    reader.read_exact(&mut got).await.unwrap();
    assert!(got == expected, "the value came back changed");
    drop(sent.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_that_is_read_late_is_answered_whole() {
    let server = Server::start(&[]).await;
    let mut peer = server.connect().await;
    peer.send(format!("SET k {}\r\n", "x".repeat(10_000))).await;
    peer.expect("+OK\r\n").await;
    // More replies than the sockets hold, and nobody reads until all is sent.
    peer.send("GET k\r\n".repeat(5_000)).await;
    let one = format!("$10000\r\n{}\r\n", "x".repeat(10_000));
    for _ in 0..5_000 {
        peer.expect(&one).await;
    }
}

#[tokio::test]
async fn who_has_sent_all_is_still_answered() {
    let server = Server::start(&[]).await;
    let mut peer = server.connect().await;
    peer.send("PING\r\nECHO hi\r\n*2\r\n$4\r\nECHO").await;
    peer.0.shutdown().await.unwrap();
    assert_eq!(peer.rest().await, b"+PONG\r\n$2\r\nhi\r\n");
    server.until(|engine| engine.clients.is_empty()).await;
}

#[tokio::test]
async fn a_client_that_waits_is_missed_when_it_goes() {
    let server = Server::start(&[]).await;
    let mut peer = server.connect().await;
    peer.send("BLPOP q 0\r\nPING\r\n").await;
    server.until(|engine| engine.clients.iter().any(|client| client.blocked.is_some())).await;
    drop(peer);
    server.until(|engine| engine.clients.is_empty()).await;
}

#[tokio::test]
async fn requests_behind_one_that_waits_are_run_after_it() {
    let server = Server::start(&[]).await;
    let (mut waiting, mut other) = (server.connect().await, server.connect().await);
    waiting.send("BLPOP q 0\r\nPING\r\nBLPOP q 0.01\r\nECHO end\r\n").await;
    server.until(|engine| engine.clients.iter().any(|client| client.blocked.is_some())).await;
    other.send("PING\r\nRPUSH q v\r\n").await;
    other.expect("+PONG\r\n:1\r\n").await;
    waiting.expect("*2\r\n$1\r\nq\r\n$1\r\nv\r\n+PONG\r\n*-1\r\n$3\r\nend\r\n").await;
}

#[tokio::test]
async fn a_killed_client_is_closed_and_its_killer_is_not() {
    let server = Server::start(&[]).await;
    let (mut victim, mut killer) = (server.connect().await, server.connect().await);
    victim.send("CLIENT ID\r\n").await;
    victim.expect(":1\r\n").await;
    killer.send("CLIENT KILL ID 1\r\nPING\r\n").await;
    killer.expect(":1\r\n+PONG\r\n").await;
    assert_eq!(victim.rest().await, b"");
    server.until(|engine| engine.clients.len() == 1).await;
}

#[tokio::test]
async fn one_client_too_many_is_told_so() {
    let server = Server::start(&["--maxclients", "1"]).await;
    let mut first = server.connect().await;
    first.send("PING\r\n").await;
    first.expect("+PONG\r\n").await;
    let mut second = server.connect().await;
    assert_eq!(second.rest().await, b"-ERR max number of clients reached\r\n");
    first.send("CONFIG SET maxclients 2\r\n").await;
    first.expect("+OK\r\n").await;
    let mut third = server.connect().await;
    third.send("PING\r\n").await;
    third.expect("+PONG\r\n").await;
    assert_eq!(server.net.engine.lock().clients.refused, 1);
}

#[tokio::test]
async fn a_silent_client_is_closed_but_not_one_that_waits() {
    let server = Server::start(&["--timeout", "1"]).await;
    let (mut silent, mut waiting) = (server.connect().await, server.connect().await);
    waiting.send("BLPOP q 0\r\n").await;
    silent.send("PING\r\n").await;
    silent.expect("+PONG\r\n").await;
    assert_eq!(silent.rest().await, b"");
    assert_eq!(server.net.engine.lock().clients.len(), 1);
    waiting.send("PING\r\n").await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_at_its_limit() {
    let limit = ["--client-output-buffer-limit", "normal 1mb 0 0"];
    let server = Server::start(&limit).await;
    let mut peer = server.connect().await;
    peer.send(format!("SET k {}\r\n", "x".repeat(60_000))).await;
    peer.expect("+OK\r\n").await;
    // The server may close while this is still being sent.
    let _ = peer.0.write_all("GET k\r\n".repeat(2_000).as_bytes()).await;
    server.until(|engine| engine.clients.is_empty()).await;
}

#[tokio::test]
async fn a_client_over_the_soft_limit_is_closed_after_a_while() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 0 1mb 1"]).await;
    let mut peer = server.connect().await;
    peer.send(format!("SET k {}\r\n", "x".repeat(60_000))).await;
    peer.expect("+OK\r\n").await;
    let _ = peer.0.write_all("GET k\r\n".repeat(500).as_bytes()).await;
    server.until(|engine| engine.clients.is_empty()).await;
}

#[tokio::test]
async fn an_unfinished_request_is_limited() {
    let server = Server::start(&["--client-query-buffer-limit", "1mb"]).await;
    let mut peer = server.connect().await;
    let _ = peer.0.write_all(b"*2\r\n$4\r\nECHO\r\n$3000000\r\n").await;
    let _ = peer.0.write_all(&vec![b'x'; 2_000_000]).await;
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn a_pipeline_may_begin_with_its_password() {
    let server = Server::start(&["--requirepass", "secret"]).await;
    let mut peer = server.connect().await;
    let big = "x".repeat(20_000);
    peer.send(format!("AUTH secret\r\n*2\r\n$4\r\nECHO\r\n${}\r\n{big}\r\n", big.len())).await;
    peer.expect(format!("+OK\r\n${}\r\n{big}\r\n", big.len())).await;
    let mut stranger = server.connect().await;
    stranger.send(format!("AUTH wrong\r\n*2\r\n$4\r\nECHO\r\n${}\r\n{big}\r\n", big.len())).await;
    let said = String::from_utf8(stranger.rest().await).unwrap();
    assert!(said.starts_with("-WRONGPASS ") && said.ends_with("unauthenticated bulk length\r\n"), "{said}");
}

#[tokio::test]
async fn replies_are_held_until_what_they_saw_is_committed() {
    let (server, committed) = Server::leader().await;
    let (mut writer, mut reader) = (server.connect().await, server.connect().await);
    writer.send("GET other\r\n").await;
    writer.expect("$-1\r\n").await;
    writer.send("PING\r\nSET k v\r\nPING\r\n").await;
    writer.expect("+PONG\r\n").await;
    // It goes on reading while replies are held, and others see the write but may not say so yet.
    writer.send("SET k w\r\n").await;
    server.until(|engine| engine.keyspace.changes == 2).await;
    reader.send("GET other\r\nGET k\r\n").await;
    reader.expect("$-1\r\n").await;
    for peer in [&writer, &reader] {
        let nothing = peer.0.try_read(&mut [0]).expect_err("nothing leaves before the commit");
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    }
    committed.store(u64::MAX, Ordering::SeqCst);
    server.net.gate.commit(u64::MAX);
    writer.expect("+OK\r\n+PONG\r\n+OK\r\n").await;
    reader.expect("$1\r\nw\r\n").await;
}

#[tokio::test]
async fn held_replies_of_a_lost_leadership_are_never_sent() {
    let (server, committed) = Server::leader().await;
    let (mut writer, mut waiting) = (server.connect().await, server.connect().await);
    waiting.send("BLPOP q 0\r\n").await;
    writer.send("SET k v\r\n").await;
    server.until(|engine| engine.keyspace.changes == 1).await;
    server.until(|engine| engine.clients.iter().any(|client| client.blocked.is_some())).await;
    {
        let mut engine = server.net.engine.lock();
        server.net.gate.end_term();
        engine.close_clients();
        engine.set_status(Status { role: Role::Replica, epoch: 2, ..Status::default() });
    }
    committed.store(u64::MAX, Ordering::SeqCst);
    server.net.gate.commit(u64::MAX);
    assert_eq!(writer.rest().await, b"");
    let told = String::from_utf8(waiting.rest().await).unwrap();
    assert!(told.starts_with("-UNBLOCKED force unblock from blocking operation"), "{told}");
    server.until(|engine| engine.clients.is_empty()).await;
}

#[tokio::test]
async fn who_comes_by_an_old_route_to_the_leader_is_sent_away() {
    let (server, _) = Server::leader().await;
    let port = listen(&server.net, Door::WhileLeading).await;
    let come = async || Peer(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let mut peer = come().await;
    peer.send("PING\r\n").await;
    peer.expect("+PONG\r\n").await;
    {
        let mut engine = server.net.engine.lock();
        engine.close_clients();
        engine.set_status(Status { role: Role::Synced, epoch: 2, ..Status::default() });
    }
    assert_eq!(peer.rest().await, b"");
    let mut late = come().await;
    let read = tokio::time::timeout(Duration::from_secs(20), late.0.read(&mut [0; 16])).await;
    assert_eq!(read.unwrap().unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    server.until(|engine| engine.clients.is_empty()).await;
    let mut reader = server.connect().await;
    reader.send("PING\r\n").await;
    reader.expect("+PONG\r\n").await;
}

#[tokio::test]
async fn a_follower_passes_writes_on_and_relays_the_replies() {
    let leader = Server::start(&["--requirepass", "secret"]).await;
    let follower = Server::start(&["--masterauth", "secret", "--replica-forward-writes", "yes"]).await;
    let status = Status {
        role: Role::Replica,
        leader_address: Some(("127.0.0.1".into(), leader.port)),
        ..Status::default()
    };
    follower.net.engine.lock().set_status(status.clone());
    let mut peer = follower.connect().await;
    peer.send("GET k\r\nSET k v\r\nPING\r\nSELECT 3\r\nSET k w\r\nLPUSH k x\r\n").await;
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    peer.expect(format!("$-1\r\n+OK\r\n+PONG\r\n+OK\r\n+OK\r\n{wrong}")).await;
    leader
        .until(|engine| engine.keyspace.database(0).len() == 1 && engine.keyspace.database(3).len() == 1)
        .await;
    // One that blocks waits at the leader, and its client can go.
    peer.send("BLPOP q 0\r\nPING\r\n").await;
    leader.until(|engine| engine.clients.iter().any(|client| client.blocked.is_some())).await;
    drop(peer);
    leader.until(|engine| engine.clients.iter().all(|client| client.blocked.is_none())).await;
    // Nothing is sent to a leader that is not there, and a client can be told so.
    let gone = ("127.0.0.1".to_owned(), 1);
    follower.net.engine.lock().set_status(Status { leader_address: Some(gone), ..status });
    let mut peer = follower.connect().await;
    peer.send("SET k v\r\nMULTI\r\nSET k v\r\n").await;
    let refused = "-READONLY You can't write against a read only replica.\r\n";
    peer.expect(format!("{refused}+OK\r\n{refused}")).await;
}
