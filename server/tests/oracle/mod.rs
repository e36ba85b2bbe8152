//! Our engine in this process and Debian's redis-server, asked the same.

#![allow(dead_code)] // each test uses its part

#[path = "../dialogue/wire.rs"]
mod wire;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use botellier_server::config::Config;
use botellier_server::engine::{Engine, Keeping, Progress, Records};
use botellier_server::resp::{Batch, encode};
use botellier_server::session::{ClientId, Out};
use tempfile::TempDir;

pub use wire::{Shape, Value};

/// How long a server may take to listen or to answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Ports that are tried.
const PORTS_MAX: usize = 10;
/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// A connection to a server.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// How much of the buffer was taken.
    taken: usize,
}

impl Connection {
    pub fn open(port: u16) -> std::io::Result<Self> {
        TcpStream::connect(("127.0.0.1", port)).map(Self::new)
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket");
        let mut connection = Self { stream, buffer: Vec::new(), taken: 0 };
        connection.set_patience(PATIENCE);
        connection
    }

    /// How long a reply may take.
    pub fn set_patience(&mut self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).expect("a socket");
    }

    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next reply or message.
    pub fn receive(&mut self) -> std::io::Result<Value> {
        loop {
            let rest = &self.buffer[self.taken..];
            if let Some((value, length)) = wire::decode(rest).map_err(std::io::Error::other)? {
                self.taken += length;
                return Ok(value);
            }
            self.read()?;
        }
    }

    /// Whether the next reply is this very one, which is taken then; whatever else comes is left.
    pub fn takes(&mut self, expected: &[u8]) -> std::io::Result<bool> {
        loop {
            let rest = &self.buffer[self.taken..];
            if rest.starts_with(expected) {
                self.taken += expected.len();
                return Ok(true);
            }
            if !expected.starts_with(rest) {
                return Ok(false);
            }
            self.read()?;
        }
    }

    /// What came without being asked for, as far as it is here already.
    pub fn rest(&mut self) -> std::io::Result<Option<Value>> {
        self.stream.set_nonblocking(true)?;
        let read = self.read();
        self.stream.set_nonblocking(false)?;
        match read {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Err(error),
            _ if self.taken == self.buffer.len() => Ok(None),
            _ => self.receive().map(Some),
        }
    }

    /// Whether the server ends the connection, and says nothing before.
    pub fn ends(&mut self) -> bool {
        self.taken == self.buffer.len()
            && match self.read() {
                Ok(()) => false,
                Err(error) => !is_timeout(&error),
            }
    }

    fn read(&mut self) -> std::io::Result<()> {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK, 0);
        let read = self.stream.read(&mut self.buffer[length..]);
        self.buffer.truncate(length + read.as_ref().map_or(0, |read| *read));
        if read? == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> std::io::Result<Value> {
        self.send(&request(words))?;
        self.receive()
    }
}

/// Whether it is only that nothing came in time.
pub fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// A request as it goes over the wire.
pub fn request<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    wire::encode(words)
}

/// A whole reply.
pub fn reply(bytes: &[u8]) -> Value {
    let (value, length) = wire::decode(bytes).expect("it is encoded well").expect("there is a reply");
    assert_eq!(length, bytes.len(), "one reply");
    value
}

/// A redis-server of its own, with one connection.
pub struct Redis {
    child: Child,
    port: u16,
    main: Connection,
    directory: TempDir,
}

impl Redis {
    /// The reference, or the program that `REDIS_SERVER` names, for comparing commands.
    pub fn start() -> Self {
        Self::with(&["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"])
    }

    /// The same with these settings, and others at their defaults.
    pub fn with(settings: &[&str]) -> Self {
        // Somebody else may take the free port first: then on another one.
        (0..PORTS_MAX).find_map(|_| Self::try_start(settings)).expect("redis-server starts")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn try_start(settings: &[&str]) -> Option<Self> {
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        drop(listener);
        let mut child = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(settings)
            .arg("--dir")
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let start = Instant::now();
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(error) => {
                    if child.try_wait().expect("it was started").is_some() {
                        return None;
                    }
                    assert!(start.elapsed() < PATIENCE, "redis-server does not listen: {error}");
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        };
        let mut redis = Self { child, port, main: Connection::new(stream), directory };
        let identity = format!("process_id:{}\\r", redis.child.id());
        let info = redis.main.ask(&["INFO", "server"]).ok()?;
        show(&info).contains(&identity).then_some(redis)
    }

    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Value {
        self.main.ask(words).expect("redis-server answers")
    }

    /// One more connection.
    pub fn connect(&self) -> Connection {
        Connection::open(self.port).expect("redis-server listens")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our engine, with one client of its own and as many others as connect.
pub struct Ours {
    pub engine: Engine,
    pub records: Records,
    client: ClientId,
}

impl Ours {
    pub fn start() -> Self {
        let config = Config::from_args([] as [&str; 0]).expect("the defaults are valid");
        let journal = Keeping::default();
        let records = journal.records.clone();
        let mut engine = Engine::new(Arc::new(config), Box::new(journal), 1);
        let client = engine.connect("127.0.0.1:1".into(), "127.0.0.1:2".into());
        Self { engine, records, client }
    }

    /// Another engine that has seen nothing but the records of this one.
    pub fn follower(&self) -> Self {
        let mut follower = Self::start();
        follower.replay(&self.records.lock());
        follower
    }

    pub fn replay(&mut self, records: &[(u64, Vec<u8>)]) {
        for (time_ms, payload) in records {
            self.engine.replay(*time_ms, payload, 0).expect("records can be replayed");
        }
    }

    /// One more client.
    pub fn connect(&mut self) -> ClientId {
        self.engine.connect("127.0.0.1:1".into(), "127.0.0.1:2".into())
    }

    /// Run a command of a client that does not wait.
    pub fn run<W: AsRef<[u8]>>(&mut self, client: ClientId, words: &[W]) -> Progress {
        self.engine.execute(client, &Batch::of(words), 0, now())
    }

    /// What a client was told since the last time, each reply or message as it goes over the wire.
    pub fn told(&mut self, client: ClientId) -> Vec<Vec<u8>> {
        let mut outs = Vec::new();
        self.engine.output(client, &mut outs);
        let encoded = |out: &Out| {
            let mut bytes = Vec::new();
            encode(&out.reply, out.protocol, &mut bytes);
            bytes
        };
        outs.iter().map(encoded).collect()
    }

    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Value {
        assert_eq!(self.run(self.client, words), Progress::Done);
        reply(&self.told(self.client).concat())
    }

    /// Replies from now on are those of RESP3.
    pub fn resp3(&mut self) {
        let client = self.engine.clients.get_mut(self.client).expect("it is connected");
        client.protocol = botellier_server::resp::Protocol::Resp3;
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// A value in words, sets and maps in one order.
pub fn show(value: &Value) -> String {
    let lossy = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match value {
        Value::Status(text) => format!("+{}", lossy(text)),
        Value::Error(text) => format!("-{}", lossy(text)),
        Value::Int(number) => format!(":{number}"),
        Value::Bulk(bytes) => format!("\"{}\"", lossy(bytes)),
        Value::Nil => "nil".into(),
        Value::NilArray => "nil[]".into(),
        Value::Null => "null".into(),
        Value::Double(text) => format!(",{text}"),
        Value::Bool(value) => format!("#{value}"),
        Value::Big(text) => format!("({text}"),
        Value::Verbatim(format, text) => format!("={format}:{}", lossy(text)),
        Value::Many(shape, items) => {
            let mut items: Vec<String> = match shape {
                Shape::Map => {
                    items.chunks(2).map(|pair| pair.iter().map(show).collect::<Vec<_>>().join(" ")).collect()
                }
                _ => items.iter().map(show).collect(),
            };
            if matches!(shape, Shape::Map | Shape::Set) {
                items.sort();
            }
            format!("{shape:?}[{}]", items.join(", "))
        }
    }
}
