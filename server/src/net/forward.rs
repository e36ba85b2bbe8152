//! Requests that a follower passes on to its leader (`replica-forward-writes`).
//!
//! Each request in flight has a connection of its own, taken from a pool and given back with its reply, so one that
//! blocks holds up nobody else. A client that goes away takes its connection along, and the leader forgets the wait.
//! A connection that breaks after the request was sent leaves open whether it was carried out: the client's connection
//! is closed, it is never told that it failed (trap 16).

use std::io;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::resp::{Protocol, reply_length};

/// Connections that are kept for later.
const IDLE_MAX: usize = 16;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// A request to be passed on, and how its client stands.
pub(super) struct Request {
    pub leader: (String, u16),
    pub password: Option<String>,
    pub db: u32,
    pub protocol: Protocol,
    /// The request as an array of bulk strings.
    pub bytes: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The request was not sent: the client may be told so.
    #[error("the leader can't be reached: {0}")]
    Before(io::Error),
    /// Nobody knows whether it was carried out.
    #[error("the leader was lost: {0}")]
    After(io::Error),
}

/// Connections to the leader.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<Upstream>>);

#[derive(Debug)]
struct Upstream {
    leader: (String, u16),
    password: Option<String>,
    stream: TcpStream,
    db: u32,
    protocol: Protocol,
    buffer: Vec<u8>,
}

impl Pool {
    /// Pass a request on and return its reply as it came.
    pub(super) async fn forward(&self, request: Request) -> Result<Vec<u8>, Failed> {
        let mut upstream = match self.take(&request) {
            Some(upstream) => upstream,
            None => match timeout(CONNECT_TIME_MAX, Upstream::open(&request)).await {
                Ok(opened) => opened.map_err(Failed::Before)?,
                Err(_) => return Err(Failed::Before(io::ErrorKind::TimedOut.into())),
            },
        };
        upstream.prepare(&request).await.map_err(Failed::Before)?;
        upstream.stream.write_all(&request.bytes).await.map_err(Failed::After)?;
        let reply = upstream.reply().await.map_err(Failed::After)?;
        let mut idle = self.0.lock();
        if idle.len() < IDLE_MAX && upstream.buffer.is_empty() {
            idle.push(upstream);
        }
        Ok(reply)
    }

    /// A connection that is still good, best one in the right state.
    fn take(&self, request: &Request) -> Option<Upstream> {
        let mut idle = self.0.lock();
        idle.retain(|upstream| upstream.leads(request) && upstream.alive());
        let fits = |upstream: &Upstream| (upstream.db, upstream.protocol) == (request.db, request.protocol);
        let index = idle.iter().rposition(fits).or(idle.len().checked_sub(1))?;
        Some(idle.swap_remove(index))
    }
}

impl Upstream {
    async fn open(request: &Request) -> io::Result<Self> {
        let (host, port) = &request.leader;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        let mut upstream = Self {
            leader: request.leader.clone(),
            password: request.password.clone(),
            stream,
            db: 0,
            protocol: Protocol::Resp2,
            buffer: Vec::new(),
        };
        if let Some(password) = &request.password {
            upstream.ask(&["AUTH", password]).await?;
        }
        Ok(upstream)
    }

    fn leads(&self, request: &Request) -> bool {
        self.leader == request.leader && self.password == request.password
    }

    /// Nothing came, and it is not closed.
    fn alive(&self) -> bool {
        let nothing = self.stream.try_read(&mut [0]);
        matches!(nothing, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn prepare(&mut self, request: &Request) -> io::Result<()> {
        if self.protocol != request.protocol {
            self.ask(&["HELLO", &request.protocol.version().to_string()]).await?;
            self.protocol = request.protocol;
        }
        if self.db != request.db {
            self.ask(&["SELECT", &request.db.to_string()]).await?;
            self.db = request.db;
        }
        Ok(())
    }

    /// A request of our own, which must be granted.
    async fn ask(&mut self, words: &[&str]) -> io::Result<()> {
        let mut bytes = Vec::new();
        encode(words.iter().map(|word| word.as_bytes()), &mut bytes);
        self.stream.write_all(&bytes).await?;
        let reply = self.reply().await?;
        match reply.strip_prefix(b"-") {
            Some(error) => Err(io::Error::other(String::from_utf8_lossy(error).trim_end().to_owned())),
            None => Ok(()),
        }
    }

    async fn reply(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(length) = reply_length(&self.buffer).map_err(io::Error::other)? {
                let rest = self.buffer.split_off(length);
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// A request as an array of bulk strings.
pub(super) fn encode<'w>(words: impl ExactSizeIterator<Item = &'w [u8]>, bytes: &mut Vec<u8>) {
    let mut number = itoa::Buffer::new();
    bytes.push(b'*');
    bytes.extend_from_slice(number.format(words.len()).as_bytes());
    for word in words {
        bytes.extend_from_slice(b"\r\n$");
        bytes.extend_from_slice(number.format(word.len()).as_bytes());
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(word);
    }
    bytes.extend_from_slice(b"\r\n");
}
