//! What goes into the machines and what comes out of them: facts in, orders out.
//!
//! Bulk data does not pass through here on the leader's side: the machine says which connection to feed from where, an
//! adapter pumps log bytes to it, and acks come back. Orders are carried out in the order given; those that say so must
//! be complete before the next is begun.
//!
//! # What adapters owe
//!
//! One lock guards the machine. Under it an event is delivered and its orders are begun, in order; what takes long
//! (`Compare`, `Truncate`, `Install`, applying) is answered later by its event. Engine locks are taken inside it, never
//! the other way round. `Lease`, `StepDown`, `Drain` and `Close` are in force when they have been carried out.
//!
//! *A closed connection means: no lease.* Whoever leads delivers `Closed` (and carries out the `Lease` that follows)
//! before it lets go of a socket whose other end is gone, and revokes everything before it exits in order. A process that
//! dies has its sockets closed by the kernel, when none of its threads runs any more.
//!
//! *The watch.* A kernel that closes a socket with unread bytes (acks, say) sends a reset, which proves nothing. So the
//! follower's adapter, once it has seen a `Welcome`, opens a second connection to the same address and sends one `Watch`
//! with the token of the Welcome. The leader's adapter checks the password and that the token names a connection of that
//! member, answers with one byte, then reads and sends nothing on it, and lets go of it when (and only when) it lets go
//! of the connection that it watches. When the watch ends in order, the follower's adapter delivers `Closed { Orderly }` for the *watched*
//! connection, whether or not that has ended before. A watch that breaks, can't be opened, or ends before the byte came
//! means nothing.

use super::history::History;
use super::member::{Config, Durability, Member, Memory, NodeInfo, Stamp};
use super::position::{Epoch, Offset, Position};
use super::time::Time;
use super::wire::Frame;
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// Names one connection for the life of the process; never used twice (trap 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    const OUTGOING: u64 = 1 << 63;

    /// Chosen by the machine, for what it asks to be opened.
    pub const fn outgoing(number: u64) -> Self {
        Self(number | Self::OUTGOING)
    }

    /// Chosen by the adapter, for what it accepted.
    pub const fn incoming(number: u64) -> Self {
        Self(number & !Self::OUTGOING)
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The other side closed it, after all that it sent: by its order or by its death. It has no lease any more.
    Orderly,
    /// Reset, timed out, never opened: proves nothing.
    Broken,
}

#[derive(Clone, Debug)]
pub enum Event {
    /// About every 10 ms.
    Tick,
    /// A connection that was ordered is open.
    Opened {
        connection: ConnectionId,
    },
    /// After this nothing comes from the connection, except that its watch may still end in order. On the leader it is
    /// delivered before the socket is let go, so that the lease is gone before the other side can see the end.
    Closed {
        connection: ConnectionId,
        ending: Ending,
    },
    /// From a peer whose password was right.
    Frame {
        connection: ConnectionId,
        frame: Frame,
    },
    /// The own log moved: its end, how far it is held by appendfsync, how far it is fsynced. Read from the log under the
    /// lock that guards the machine, so that these come in order.
    Log {
        end: Position,
        held: Offset,
        durable: Offset,
    },
    /// Bytes that were ordered to be appended do not fit.
    Rejected,
    /// There is no room on the disk for them.
    NoRoom,
    /// Answers `Compare`: the last position that both logs share, if both still reach it and checksums agree.
    Compared {
        connection: ConnectionId,
        shared: Option<Position>,
    },
    /// Answers `Truncate`: done, or the checksum there is another.
    Truncated {
        done: bool,
    },
    /// Answers `Install`: where the log stands now, or that the old data is still in place.
    Installed {
        position: Option<Position>,
    },
    Registry(RegistryEvent),
    /// An operator or SIGTERM wants another leader.
    Handover(HandoverRequest),
    /// `FAILOVER ABORT`.
    AbortHandover,
    /// Answers `Drain`: nothing is executed any more, and the log ends here.
    Drained {
        end: Offset,
    },
    /// An operator accepts the loss of whatever this node does not hold: lead without being entitled to. Answered by
    /// `Forced`, at once.
    ForceLead,
}

#[derive(Clone, Debug, Hash)]
pub enum RegistryEvent {
    /// The connection is lost; a write under way is undecided and answered so first.
    Lost,
    /// A connection is there again. `Config` and `Nodes` follow, read anew.
    Restored,
    /// `/config` as read, with its version in the registry; `None`: there is none.
    Config(Option<(Config, i32)>),
    Nodes(Vec<NodeInfo>),
    Written {
        attempt: String,
        outcome: WriteOutcome,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteOutcome {
    Won {
        version: i32,
    },
    /// Somebody's write was there before; perhaps an earlier try of this one.
    Lost,
    Undecided,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HandoverRequest {
    /// `None`: the synced replica.
    pub to: Option<String>,
    pub timeout: Duration,
    /// At the timeout hand over all the same. Costs only writes that were not acknowledged.
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoverEnd {
    /// This node stepped down.
    Done,
    NoSuchReplica,
    NotLeader,
    AlreadyRunning,
    /// Nobody could take over now.
    NoRegistry,
    TimedOut,
    Aborted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a connection to a node's replication port; `Opened` or `Closed` follows.
    Connect {
        connection: ConnectionId,
        host: String,
        port: u16,
    },
    /// Compose a Hello from the log as it stands and send it.
    Greet {
        connection: ConnectionId,
        stamp: Stamp,
        whole: bool,
        copy: bool,
        cluster: Option<String>,
    },
    Send {
        connection: ConnectionId,
        frame: Frame,
    },
    /// What was sent before still goes out. No event comes from it afterwards.
    Close {
        connection: ConnectionId,
    },
    /// Find what the own log shares with this one.
    Compare {
        connection: ConnectionId,
        history: History,
    },
    /// Feed the connection with raw log from here, for as long as it is open.
    Stream {
        connection: ConnectionId,
        stamp: Stamp,
        from: Offset,
    },
    /// Feed it a snapshot, then the log from there.
    CopyTo {
        connection: ConnectionId,
        stamp: Stamp,
    },

    /// Keep raw log bytes. Records may span several of these; what is left of one is dropped at the next `Greet`.
    Append {
        bytes: Bytes,
    },
    /// Cut the log back; rebuild what was applied beyond. Answered by `Truncated`.
    Truncate {
        to: Position,
    },
    /// Fsync what is held and report it as durable.
    Sync,
    /// Receive a snapshot beside the data.
    CopyBegin {
        position: Position,
        bytes: u64,
    },
    CopyChunk {
        bytes: Bytes,
    },
    /// Put the received data in the place of the old. Answered by `Installed`.
    Install,
    /// Give up a copy under way.
    CopyAbort,
    /// Apply to the keyspace up to here.
    Apply {
        upto: Offset,
    },

    /// Replies that wait for up to here may leave, while the lease holds.
    Commit {
        offset: Offset,
    },
    /// The lease ends at this time of the own clock; `Time::ZERO`: there is none, `Time::MAX`: none is needed. In force
    /// when the order returns.
    Lease {
        until: Time,
    },
    /// Whether new writes are taken, or refused with -NOREPLICAS.
    Writable(bool),
    /// Lead: apply the whole tail, then execute in this epoch. Nothing may be answered before `base` is committed.
    ///
    /// Replicas show only what is committed: after stepping down nothing is read here before what was applied is.
    Lead {
        epoch: Epoch,
        base: Offset,
    },
    /// Stop leading: when the order returns, the engine appends nothing more. Clients are closed.
    StepDown,
    /// Whom clients and INFO are told to look for.
    Follow {
        leader: Option<Member>,
    },
    /// Execute nothing more; answered by `Drained`.
    Drain,
    Undrain,
    HandoverEnded(HandoverEnd),
    /// What an operator's order to lead came to: the claim under way, or why there is none.
    Forced(Result<Loss, String>),

    /// Write `/config` if its version in the registry is `expected` (`None`: if there is none). Answered by `Written`.
    Write {
        config: Config,
        expected: Option<i32>,
    },
    /// Read `/config` anew, past what the registry's server may lag behind.
    Refresh,
    /// Keep this under `/nodes/<own id>`.
    Announce(Box<NodeInfo>),
    /// Keep this, before anything that is ordered after it: records are not kept by a node that could forget which cluster
    /// they belong to, nor led by one that could forget its configuration.
    ///
    /// On disk are a new cluster, and a configuration by which this node leads and that names other nodes than the one
    /// before. Anything else may come to the disk a little later than to the operating system, unless `appendfsync` is
    /// `always`: whoever names a new pair is of the old one, so that nobody recreates what was before without hearing
    /// of it (rule 8). While this waits for the disk a leader's heartbeats go on.
    Remember(Memory),
    /// For the log of the process.
    Note(Note),
}

/// What is given up when a node leads by order of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The epoch that begins.
    pub epoch: Epoch,
    /// What this node holds; whatever was acknowledged after it is lost.
    pub from: Position,
    /// Whose acknowledgements those were.
    pub by: Vec<Member>,
    /// How far this node knows that there were any; there may be more.
    pub known: Offset,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, from, by, known } = self;
        write!(
            f,
            "OK. Epoch {epoch} begins at offset {}, and what was acknowledged after it is lost",
            from.offset
        )?;
        let by: Vec<&str> = by.iter().map(|member| member.id.as_str()).collect();
        write!(f, " (by {}; ", by.join(" and "))?;
        match known.saturating_sub(from.offset) {
            0 => write!(f, "this node knows of nothing)"),
            bytes => write!(f, "at least {bytes} bytes)"),
        }
    }
}

/// What an operator should read about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    ForeignCluster { ours: Option<String>, theirs: String },
    NotWhole,
    Claiming { epoch: Epoch, why: &'static str },
    ClaimLost { epoch: Epoch },
    Recreating { epoch: Epoch },
    Forming,
    ChangingSynced { from: Option<Member>, to: Option<Member> },
    Refused { by: Member, detail: String },
    RegistryBehind { theirs: Stamp, ours: Stamp },
    LeadsByOrder(Loss),
}

/// What the machines are built with.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Settings {
    pub durability: Durability,
    /// How long a lease lasts.
    pub lease: Duration,
    /// What clocks may disagree by over a lease.
    pub margin: Duration,
    pub heartbeat: Duration,
    /// How long to wait for somebody who has the better claim but has not been heard of.
    pub grace: Duration,
    /// A replica this many bytes behind is level: it may be named synced.
    pub level_bytes: u64,
    /// How often the offset in the announcement is refreshed.
    pub announce: Duration,
}

impl Settings {
    pub fn new(durability: Durability, lease: Duration) -> Self {
        Self {
            durability,
            lease,
            margin: lease / 10,
            heartbeat: lease / 8,
            grace: (lease * 4).max(Duration::from_secs(1)),
            level_bytes: 1 << 20,
            announce: Duration::from_secs(3),
        }
    }
}

/// The own log, as last reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogState {
    pub end: Position,
    pub held: Offset,
    pub durable: Offset,
}
