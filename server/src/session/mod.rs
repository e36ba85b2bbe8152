//! Clients: what the server knows of each connection, and the output that waits for it.
//!
//! Deliberately absent: sockets. A connection's task takes its client's output when it is woken.

mod clients;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

pub use clients::Clients;

use crate::resp::{Batch, Protocol, Reply};

pub type ClientId = u64;

/// A position in the log's stream: a reply may leave once everything before it is committed.
pub type Offset = u64;

/// What a reply waits for that observed committed data only: that this node still leads. No record ends here.
pub const LEASE_ONLY: Offset = 1;

/// One reply or push message of a client, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Out {
    pub reply: Reply,
    /// May leave when the commit offset has reached this; 0 is always.
    pub after: Offset,
    /// In the protocol version that held when it was made (`HELLO` changes it in between).
    pub protocol: Protocol,
}

/// `CLIENT REPLY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// Nothing for this command and the next.
    SkipNext,
    /// Nothing for this command.
    Skip,
}

/// A `MULTI` under way.
#[derive(Debug, Default)]
pub struct Transaction {
    pub queued: Vec<Batch>,
    /// A command could not be queued: `EXEC` will refuse.
    pub aborted: bool,
}

/// A key that a client watches, and whether it was touched since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub db: u32,
    pub key: Arc<[u8]>,
    /// It was there when it was watched, but past its deadline: that it is deleted later is no change.
    pub expired: bool,
}

/// What a blocked client waits for.
#[derive(Debug, Clone)]
pub enum Blocked {
    /// One of these keys to hold a value of the right type; the request is then run again.
    Keys { keys: Vec<Arc<[u8]>>, request: Arc<Batch>, since_ms: u64, timeout: Reply },
    /// `count` replicas (and the local disk if `local`) to have everything up to `offset`.
    Replicas { count: u64, local: bool, offset: Offset, wait_aof: bool },
    /// An order to the node (`SAVE`, `FAILOVER`, ...) to be carried out.
    Order,
    /// The end of a `CLIENT PAUSE`, to run this request.
    Pause,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // independent flags of a connection, as CLIENT LIST shows them
pub struct Client {
    pub id: ClientId,
    pub address: String,
    pub local_address: String,
    pub name: Bytes,
    pub library_name: Bytes,
    pub library_version: Bytes,
    pub db: u32,
    pub protocol: Protocol,
    pub authenticated: bool,
    pub user: String,
    pub created: Instant,
    pub last_active: Instant,
    /// The name of the last command.
    pub command: &'static str,
    pub commands: u64,
    pub net_in: u64,
    pub net_out: u64,
    pub transaction: Option<Transaction>,
    pub watched: Vec<Watched>,
    /// A watched key was touched.
    pub dirty: bool,
    pub channels: Vec<Bytes>,
    pub patterns: Vec<Bytes>,
    pub blocked: Option<Blocked>,
    /// Milliseconds since 1970 at which a blocked client gives up.
    pub deadline: Option<u64>,
    pub reply_mode: ReplyMode,
    pub no_evict: bool,
    pub no_touch: bool,
    /// Close once the output is out.
    pub closing: bool,
    /// Close now, whatever is waiting (`CLIENT KILL`, a lost role).
    pub killed: bool,
    pub out: Vec<Out>,
    /// The newest offset that any reply so far had to wait for; what `WAIT` looks at.
    pub written: Offset,
    /// Told when output was queued by others, or the client was closed or unblocked.
    pub wake: Arc<tokio::sync::Notify>,
}

impl Client {
    pub fn new(id: ClientId, address: String, local_address: String) -> Self {
        let now = Instant::now();
        Self {
            id,
            address,
            local_address,
            name: Bytes::new(),
            library_name: Bytes::new(),
            library_version: Bytes::new(),
            db: 0,
            protocol: Protocol::Resp2,
            authenticated: false,
            user: "default".into(),
            created: now,
            last_active: now,
            command: "NULL",
            commands: 0,
            net_in: 0,
            net_out: 0,
            transaction: None,
            watched: Vec::new(),
            dirty: false,
            channels: Vec::new(),
            patterns: Vec::new(),
            blocked: None,
            deadline: None,
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            closing: false,
            killed: false,
            out: Vec::new(),
            written: 0,
            wake: Arc::default(),
        }
    }

    /// Queue a reply to a command of this client.
    pub fn reply(&mut self, reply: Reply, after: Offset) {
        if reply != Reply::None && self.reply_mode == ReplyMode::On {
            self.out.push(Out { reply, after, protocol: self.protocol });
        }
    }

    /// Queue a message that no command of this client asked for, and wake its connection.
    pub fn push(&mut self, message: Reply, after: Offset) {
        self.out.push(Out { reply: message, after, protocol: self.protocol });
        self.wake.notify_one();
    }

    pub fn kill(&mut self) {
        self.killed = true;
        self.wake.notify_one();
    }

    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }
}
