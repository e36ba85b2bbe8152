//! Our engine in this process and Debian's redis-server, asked the same.

#![allow(dead_code)] // each test uses its part

#[path = "../dialogue/wire.rs"]
mod wire;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use botellier_server::config::Config;
use botellier_server::engine::{Engine, Journal, Progress};
use botellier_server::resp::{Batch, Failure, encode};
use botellier_server::session::{ClientId, Offset};
use tempfile::TempDir;

pub use wire::{Shape, Value};

/// How long a server may take to listen or to answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Ports that are tried.
const PORTS_MAX: usize = 10;

/// A redis-server of its own, with one connection.
pub struct Redis {
    child: Child,
    stream: TcpStream,
    buffer: Vec<u8>,
    _directory: TempDir,
}

impl Redis {
    /// The reference, or the program that `REDIS_SERVER` names.
    pub fn start() -> Self {
        // Somebody else may take the free port first: then on another one.
        (0..PORTS_MAX).find_map(|_| Self::try_start()).expect("redis-server starts")
    }

    fn try_start() -> Option<Self> {
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        drop(listener);
        let mut child = Command::new(program)
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--enable-debug-command",
                "yes",
            ])
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
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut redis = Self { child, stream, buffer: Vec::new(), _directory: directory };
        let identity = format!("process_id:{}\\r", redis.child.id());
        let info = redis.try_ask(&["INFO", "server"]).ok()?;
        show(&info).contains(&identity).then_some(redis)
    }

    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Value {
        self.try_ask(words).expect("redis-server answers")
    }

    fn try_ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> std::io::Result<Value> {
        self.stream.write_all(&wire::encode(words))?;
        let mut chunk = vec![0; 256 * 1024];
        loop {
            if let Some((value, length)) = wire::decode(&self.buffer).map_err(std::io::Error::other)? {
                self.buffer.drain(..length);
                return Ok(value);
            }
            let length = self.stream.read(&mut chunk)?;
            if length == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&chunk[..length]);
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Records as a log would hold them: their times and payloads.
pub type Records = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

/// A journal that keeps its records in memory.
struct Kept(Records, Offset);

impl Journal for Kept {
    fn append(&mut self, time_ms: u64, payload: &[u8]) -> Offset {
        self.0.lock().expect("nobody panicked").push((time_ms, payload.to_vec()));
        self.1 += payload.len() as Offset;
        self.1
    }

    fn end(&self) -> Offset {
        self.1
    }

    fn committed(&self) -> Offset {
        self.1
    }

    fn refusal(&self) -> Option<Failure> {
        None
    }
}

/// Our engine, with one client.
pub struct Ours {
    pub engine: Engine,
    pub records: Records,
    client: ClientId,
}

impl Ours {
    pub fn start() -> Self {
        let config = Config::from_args([] as [&str; 0]).expect("the defaults are valid");
        let records = Records::default();
        let mut engine = Engine::new(Arc::new(config), Box::new(Kept(records.clone(), 0)), 1);
        let client = engine.clients.connect("127.0.0.1:1".into(), "127.0.0.1:2".into()).id;
        Self { engine, records, client }
    }

    /// Another engine that has seen nothing but the records of this one.
    pub fn follower(&self) -> Self {
        let mut follower = Self::start();
        for (time_ms, payload) in self.records.lock().expect("nobody panicked").iter() {
            follower.engine.replay(*time_ms, payload).expect("records can be replayed");
        }
        follower
    }

    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
        let progress = self.engine.execute(self.client, &Batch::of(words), 0, now);
        assert_eq!(progress, Progress::Done);
        let (mut outs, mut bytes) = (Vec::new(), Vec::new());
        self.engine.output(self.client, &mut outs);
        for out in &outs {
            encode(&out.reply, out.protocol, &mut bytes);
        }
        let (value, length) = wire::decode(&bytes).expect("it is encoded well").expect("there is a reply");
        assert_eq!(length, bytes.len(), "one reply");
        value
    }

    /// Replies from now on are those of RESP3.
    pub fn resp3(&mut self) {
        let client = self.engine.clients.get_mut(self.client).expect("it is connected");
        client.protocol = botellier_server::resp::Protocol::Resp3;
    }
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
