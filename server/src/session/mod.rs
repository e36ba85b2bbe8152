//! Clients: what the server knows of each connection, and the output that waits for it.
//!
//! Deliberately absent: sockets. A connection's task takes its client's output when it is woken.

mod clients;
mod tracking;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

pub use clients::Clients;
pub use tracking::{Stale, Tracking};

use crate::acl::User;
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
    /// Some queued command writes, or may send something to replicas: `EXEC` needs what they need.
    pub writes: bool,
    pub may_replicate: bool,
    /// Some queued command may take more memory.
    pub needs_memory: bool,
    /// A command could not be queued: `EXEC` will refuse.
    pub aborted: bool,
}

/// What a watched key was when it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Missing,
    There,
    /// There, but past its deadline: that it is deleted later is no change.
    Expired,
}

/// A key that a client watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub db: u32,
    pub key: Arc<[u8]>,
    pub seen: Seen,
}

/// What a blocked client waits for.
#[derive(Debug, Clone)]
pub enum Blocked {
    /// One of these keys to hold a value of the right type; the request is then run again. `turn` is the place
    /// among all that wait.
    Keys {
        keys: Vec<Arc<[u8]>>,
        request: Arc<Batch>,
        turn: u64,
        timeout: Reply,
        /// That a key is gone, or something else, is an end too.
        even_gone: bool,
    },
    /// `count` replicas (and the local disk if `local`) to have everything up to `offset`.
    Replicas { count: u64, local: bool, offset: Offset, wait_aof: bool },
    /// An order to the node (`SAVE`, `FAILOVER`, ...) to be carried out.
    Order,
    /// The end of a `CLIENT PAUSE`, to run this request.
    Pause,
}

/// What only the connection's task knows, as it last said; for `CLIENT LIST` and the output limits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wire {
    pub fd: i32,
    /// Bytes of an unfinished request, and room for more.
    pub query_bytes: usize,
    pub query_room: usize,
    /// Bytes that were encoded but not taken by the socket yet.
    pub unsent_bytes: usize,
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
    /// Who it is, with the rights of now.
    pub user: Arc<User>,
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
    pub channels: BTreeSet<Bytes>,
    pub patterns: BTreeSet<Bytes>,
    pub shards: BTreeSet<Bytes>,
    pub blocked: Option<Blocked>,
    /// Milliseconds since 1970 at which a blocked client gives up.
    pub deadline: Option<u64>,
    pub reply_mode: ReplyMode,
    pub no_evict: bool,
    pub no_touch: bool,
    /// It said `READONLY`: a follower of a cluster may answer its reads.
    pub reads_here: bool,
    /// It follows `-REDIRECT` (`CLIENT CAPA redirect` of Valkey).
    pub redirects: bool,
    /// It sees every command (`MONITOR`).
    pub monitor: bool,
    /// How it tracks keys, if it does.
    pub tracking: Option<Box<Tracking>>,
    /// Close once the output is out.
    pub closing: bool,
    /// Close now, whatever is waiting (`CLIENT KILL`, a lost role).
    pub killed: bool,
    pub out: Vec<Out>,
    /// Messages that a command's own changes cause: they follow its reply, if it does not wait.
    pub late: Vec<Out>,
    /// About the bytes of the messages in `out` that others sent; whoever takes `out` sets it to 0.
    pub pushed_bytes: usize,
    /// Since when more than the soft limit is unread.
    pub over_soft_since: Option<Instant>,
    pub wire: Wire,
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
            user: User::anybody(),
            created: now,
            last_active: now,
            command: "NULL",
            commands: 0,
            net_in: 0,
            net_out: 0,
            transaction: None,
            watched: Vec::new(),
            dirty: false,
            channels: BTreeSet::new(),
            patterns: BTreeSet::new(),
            shards: BTreeSet::new(),
            blocked: None,
            deadline: None,
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            reads_here: false,
            redirects: false,
            monitor: false,
            tracking: None,
            closing: false,
            killed: false,
            out: Vec::new(),
            late: Vec::new(),
            pushed_bytes: 0,
            over_soft_since: None,
            wire: Wire::default(),
            written: 0,
            wake: Arc::default(),
        }
    }

    /// Queue a reply to a command of this client.
    pub fn reply(&mut self, reply: Reply, after: Offset) {
        if reply != Reply::None && self.reply_mode == ReplyMode::On {
            self.out.push(Out { reply, after, protocol: self.protocol });
        }
        self.tell_late(after);
    }

    /// Queue what the command's own changes caused: behind its reply, or at once if it waits.
    pub fn tell_late(&mut self, after: Offset) {
        for mut out in self.late.drain(..) {
            // What it tells of is not in the log before the command ends.
            out.after = out.after.max(after);
            self.out.push(out);
        }
    }

    /// Queue the reply to a command that had to wait, and wake the connection.
    pub fn resume(&mut self, reply: Reply, after: Offset) {
        self.reply(reply, after);
        self.end_command();
        self.wake.notify_one();
    }

    /// A command was answered: `CLIENT REPLY SKIP` and `CLIENT CACHING` are for one command.
    pub fn end_command(&mut self) {
        // Inside of MULTI it is for all commands up to EXEC.
        if let Some(tracking) = &mut self.tracking
            && self.transaction.is_none()
            && !self.command.starts_with("CLIENT")
        {
            tracking.caching = false;
        }
        self.reply_mode = match self.reply_mode {
            ReplyMode::SkipNext => ReplyMode::Skip,
            ReplyMode::Skip => ReplyMode::On,
            mode => mode,
        };
    }

    /// Queue a message that no command of this client asked for, and wake its connection.
    pub fn push(&mut self, message: Reply, after: Offset) {
        self.pushed_bytes += weight(&message);
        self.out.push(Out { reply: message, after, protocol: self.protocol });
        self.wake.notify_one();
    }

    pub fn kill(&mut self) {
        self.killed = true;
        self.wake.notify_one();
    }

    /// Whom messages about keys go to instead: 0 is nobody else, -1 that it does not track.
    pub fn redirection(&self) -> i64 {
        self.tracking.as_ref().map_or(-1, |tracking| tracking.redirect.unwrap_or(0) as i64)
    }

    /// Bytes that a `MULTI` under way keeps.
    pub fn queued_bytes(&self) -> usize {
        let batches = self.transaction.iter().flat_map(|transaction| &transaction.queued);
        batches.map(|batch| batch.get(0).rest(0).map(<[u8]>::len).sum::<usize>() + size_of::<Batch>()).sum()
    }

    /// About the bytes that the server keeps for this client.
    pub fn memory(&self) -> usize {
        let wire = &self.wire;
        let wire = wire.query_bytes + wire.query_room + wire.unsent_bytes;
        size_of::<Self>() + wire + self.queued_bytes() + self.pushed_bytes
    }

    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len() + self.shards.len()
    }
}

/// About how many bytes a message takes.
fn weight(message: &Reply) -> usize {
    let content = match message {
        Reply::Bulk(bytes) => bytes.len(),
        Reply::Array(items) | Reply::Push(items) | Reply::Set(items) => items.iter().map(weight).sum(),
        _ => 0,
    };
    content + size_of::<Reply>()
}
