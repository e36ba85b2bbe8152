//! The frames that nodes exchange: `len u32 | type u8 | version u8 | epoch u64 | config version u64 | body`, little
//! endian. Pure: bytes in, frames out; whether a frame may be believed is decided by the machines.
//!
//! Everything is bounded before it is allocated. Bulk bodies are at most `BULK_MAX`, so a heartbeat never waits behind
//! more than one of them (trap 22). Each frame carries the version of its own layout: a node stops at one that is newer
//! than it can read (trap 28).

use super::history::History;
use super::member::{Member, Stamp};
use super::position::{Epoch, EpochStart, Offset, Position};
use super::time::Time;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::time::Duration;

mod text;
use text::{get_text, get_text_opt, put_text, put_text_opt};

/// Rises when a node could not follow another any more; layouts of single frames rise on their own.
pub const PROTOCOL: u16 = 1;
pub const BULK_MAX: usize = 256 * 1024;
/// Nothing longer is read: bulk plus its head, and a Hello with a full table of epochs.
pub const FRAME_MAX: usize = BULK_MAX + 1024;
pub const EPOCHS_MAX: usize = 8 * 1024;
const HEAD: usize = 4 + 1 + 1 + 8 + 8;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    pub epoch: Epoch,
    /// Version of the configuration that the sender acts on.
    pub version: u64,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    Hello(Box<Hello>),
    Welcome(Welcome),
    /// Raw log bytes; records may span frames.
    Records {
        start: Offset,
        commit: Offset,
        bytes: Bytes,
    },
    Commit {
        offset: Offset,
    },
    Heartbeat(Heartbeat),
    Ack(Ack),
    CopyBegin {
        position: Position,
        bytes: u64,
    },
    CopyChunk {
        bytes: Bytes,
    },
    CopyEnd,
    /// The leader has stopped, the receiver holds everything up to `end`, and no lease is left: take over now.
    Handover {
        end: Offset,
    },
    Refused(Refused),
    /// Opens the second connection, on which nothing else is ever sent: its end tells of the leader's death even when
    /// the first one ends with a reset because acks lay unread. For adapters only; see `protocol`.
    Watch(Watch),
}

/// The first frame of a follower.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hello {
    pub protocol: u16,
    pub password: Bytes,
    pub cluster: Option<String>,
    pub id: String,
    pub incarnation: String,
    pub zone: Option<String>,
    pub remembered: Stamp,
    pub whole: bool,
    /// The follower can't use its log (checksums disagree): send everything.
    pub copy: bool,
    pub history: History,
}

impl Hello {
    pub fn member(&self) -> Member {
        Member { id: self.id.clone(), incarnation: self.incarnation.clone() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Watch {
    pub password: Bytes,
    pub id: String,
    pub incarnation: String,
    /// From the Welcome of the first connection.
    pub token: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Welcome {
    pub cluster: String,
    pub plan: Plan,
    pub token: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// Both logs agree up to here; cut the rest, if any, and go on.
    Resume(Position),
    Copy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heartbeat {
    /// By the leader's clock, when the frame was made.
    pub stamp: Time,
    pub commit: Offset,
    /// A node that holds this much in this epoch holds every acknowledged write of the past.
    pub needed: Offset,
    /// How long a lease the leader asks for; zero: none, as it gave its own up or has no answers from the receiver.
    pub lease: Duration,
    /// Wall time when it was sent; filled in by the adapter, as machines know none.
    pub wall_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ack {
    /// Held by the receiver's appendfsync and shared with the leader's log; 0 while that is not known.
    pub held: Offset,
    /// Fsynced, for WAITAOF.
    pub durable: Offset,
    pub whole: bool,
    /// Of the heartbeat that this answers; zero if it answers none.
    pub stamp: Time,
    /// How long the sender promises not to take over, from its receipt of that heartbeat; zero: not at all.
    pub granted: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    pub reason: Reason,
    pub by: Member,
    /// What the refuser's log is worth: two nodes that may both have lost something find out who has more.
    pub whole: bool,
    pub position: Position,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    Password = 1,
    Protocol = 2,
    Cluster = 3,
    /// A log that belongs to no cluster, or to none that is known here.
    Data = 4,
    /// Not the leader, and holding no lease.
    NotLeader = 5,
    /// Just trying to become it.
    Trying = 6,
    /// The frame's epoch was lower than what is known here.
    Epoch = 7,
    Identity = 8,
    Busy = 9,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("frame of {0} bytes, more than {FRAME_MAX}")]
    TooLong(usize),
    #[error("frame type {0} is unknown")]
    UnknownType(u8),
    #[error("frame type {kind} in layout {version}, newer than this node reads")]
    Newer { kind: u8, version: u8 },
    #[error("frame type {0} ends early")]
    Truncated(u8),
    #[error("frame type {kind}: bad {field}")]
    Bad { kind: u8, field: &'static str },
}

impl Body {
    fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => 1,
            Self::Welcome(_) => 2,
            Self::Records { .. } => 3,
            Self::Commit { .. } => 4,
            Self::Heartbeat(_) => 5,
            Self::Ack(_) => 6,
            Self::CopyBegin { .. } => 7,
            Self::CopyChunk { .. } => 8,
            Self::CopyEnd => 9,
            Self::Handover { .. } => 10,
            Self::Refused(_) => 11,
            Self::Watch(_) => 12,
        }
    }
}

const LAYOUT: u8 = 1;

impl Frame {
    pub fn encode(&self, out: &mut BytesMut) {
        let at = out.len();
        put_head(out, 0, self.body.kind(), self.epoch, self.version);
        put_body(&self.body, out);
        let len = (out.len() - at - 4) as u32;
        out[at..at + 4].copy_from_slice(&len.to_le_bytes());
    }

    /// Takes one frame off the front; `None` until it is complete.
    pub fn decode(input: &mut BytesMut) -> Result<Option<Self>, WireError> {
        let Some(head) = input.first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_le_bytes(*head) as usize;
        if len > FRAME_MAX {
            return Err(WireError::TooLong(len));
        }
        if input.len() < 4 + len {
            input.reserve(4 + len - input.len());
            return Ok(None);
        }
        input.advance(4);
        let mut frame = input.split_to(len).freeze();
        if frame.len() < HEAD - 4 {
            return Err(WireError::Truncated(frame.first().copied().unwrap_or(0)));
        }
        let (kind, layout) = (frame.get_u8(), frame.get_u8());
        let (epoch, version) = (frame.get_u64_le(), frame.get_u64_le());
        if !(1..=12).contains(&kind) {
            return Err(WireError::UnknownType(kind));
        }
        if layout > LAYOUT && !crate::mutant::is_planted(28) {
            return Err(WireError::Newer { kind, version: layout });
        }
        let body = Fields { kind, bytes: frame }.body()?;
        Ok(Some(Self { epoch, version, body }))
    }
}

/// The head of a Records frame whose `len` bytes are sent after it without being copied into it.
pub fn records_head(stamp: Stamp, start: Offset, commit: Offset, len: usize) -> BytesMut {
    let mut head = BytesMut::with_capacity(HEAD + 16);
    put_head(&mut head, HEAD - 4 + 16 + len, 3, stamp.epoch, stamp.version);
    head.put_u64_le(start);
    head.put_u64_le(commit);
    head
}

fn put_head(out: &mut BytesMut, len: usize, kind: u8, epoch: Epoch, version: u64) {
    out.put_u32_le(len as u32);
    out.put_u8(kind);
    out.put_u8(LAYOUT);
    out.put_u64_le(epoch);
    out.put_u64_le(version);
}

fn put_position(out: &mut BytesMut, position: Position) {
    out.put_u64_le(position.epoch);
    out.put_u64_le(position.offset);
    out.put_u32_le(position.crc);
}

fn put_body(body: &Body, out: &mut BytesMut) {
    match body {
        Body::Hello(hello) => put_hello(hello, out),
        Body::Welcome(welcome) => {
            put_text(out, &welcome.cluster);
            out.put_u64_le(welcome.token);
            match welcome.plan {
                Plan::Resume(position) => {
                    out.put_u8(1);
                    put_position(out, position);
                }
                Plan::Copy => out.put_u8(2),
            }
        }
        Body::Records { start, commit, bytes } => {
            out.put_u64_le(*start);
            out.put_u64_le(*commit);
            out.put_slice(bytes);
        }
        Body::Commit { offset } => out.put_u64_le(*offset),
        Body::Heartbeat(beat) => {
            out.put_u64_le(beat.stamp.nanos());
            out.put_u64_le(beat.commit);
            out.put_u64_le(beat.needed);
            out.put_u64_le(beat.lease.as_nanos() as u64);
            out.put_u64_le(beat.wall_ms);
        }
        Body::Ack(ack) => {
            out.put_u64_le(ack.held);
            out.put_u64_le(ack.durable);
            out.put_u8(u8::from(ack.whole));
            out.put_u64_le(ack.stamp.nanos());
            out.put_u64_le(ack.granted.as_nanos() as u64);
        }
        Body::CopyBegin { position, bytes } => {
            put_position(out, *position);
            out.put_u64_le(*bytes);
        }
        Body::CopyChunk { bytes } => out.put_slice(bytes),
        Body::CopyEnd => {}
        Body::Handover { end } => out.put_u64_le(*end),
        Body::Refused(refused) => {
            out.put_u8(refused.reason as u8);
            put_text(out, &refused.by.id);
            put_text(out, &refused.by.incarnation);
            out.put_u8(u8::from(refused.whole));
            put_position(out, refused.position);
            put_text(out, &refused.detail);
        }
        Body::Watch(watch) => {
            text::put_bytes(out, &watch.password);
            put_text(out, &watch.id);
            put_text(out, &watch.incarnation);
            out.put_u64_le(watch.token);
        }
    }
}

fn put_hello(hello: &Hello, out: &mut BytesMut) {
    out.put_u16_le(hello.protocol);
    text::put_bytes(out, &hello.password);
    put_text_opt(out, hello.cluster.as_deref());
    put_text(out, &hello.id);
    put_text(out, &hello.incarnation);
    put_text_opt(out, hello.zone.as_deref());
    out.put_u64_le(hello.remembered.epoch);
    out.put_u64_le(hello.remembered.version);
    out.put_u8(u8::from(hello.whole));
    out.put_u8(u8::from(hello.copy));
    out.put_u64_le(hello.history.base);
    put_position(out, hello.history.end);
    // The newest epochs decide where two logs part.
    let skip = hello.history.epochs.len().saturating_sub(EPOCHS_MAX);
    let epochs = &hello.history.epochs[skip..];
    out.put_u32_le(epochs.len() as u32);
    for epoch in epochs {
        out.put_u64_le(epoch.epoch);
        out.put_u64_le(epoch.start);
    }
}

struct Fields {
    kind: u8,
    bytes: Bytes,
}

impl Fields {
    fn body(mut self) -> Result<Body, WireError> {
        let body = match self.kind {
            1 => Body::Hello(Box::new(self.hello()?)),
            2 => Body::Welcome(self.welcome()?),
            3 => {
                let (start, commit) = (self.u64()?, self.u64()?);
                Body::Records { start, commit, bytes: self.rest()? }
            }
            4 => Body::Commit { offset: self.u64()? },
            5 => Body::Heartbeat(Heartbeat {
                stamp: Time::from_nanos(self.u64()?),
                commit: self.u64()?,
                needed: self.u64()?,
                lease: Duration::from_nanos(self.u64()?),
                wall_ms: self.u64()?,
            }),
            6 => Body::Ack(Ack {
                held: self.u64()?,
                durable: self.u64()?,
                whole: self.flag()?,
                stamp: Time::from_nanos(self.u64()?),
                granted: Duration::from_nanos(self.u64()?),
            }),
            7 => Body::CopyBegin { position: self.position()?, bytes: self.u64()? },
            8 => Body::CopyChunk { bytes: self.rest()? },
            9 => Body::CopyEnd,
            10 => Body::Handover { end: self.u64()? },
            11 => {
                let reason = reason(self.u8()?).ok_or(WireError::Bad { kind: self.kind, field: "reason" })?;
                let by = Member { id: self.text()?, incarnation: self.text()? };
                let (whole, position) = (self.flag()?, self.position()?);
                Body::Refused(Refused { reason, by, whole, position, detail: self.text()? })
            }
            _ => {
                let password = self.take()?;
                Body::Watch(Watch {
                    password,
                    id: self.text()?,
                    incarnation: self.text()?,
                    token: self.u64()?,
                })
            }
        };
        // A later layout may append fields; this one has none to spare.
        if self.bytes.is_empty() {
            Ok(body)
        } else {
            Err(WireError::Bad { kind: self.kind, field: "length" })
        }
    }

    fn hello(&mut self) -> Result<Hello, WireError> {
        let protocol = self.u16()?;
        let password = self.take()?;
        let cluster = get_text_opt(&mut self.bytes, self.kind)?;
        let (id, incarnation) = (self.text()?, self.text()?);
        let zone = get_text_opt(&mut self.bytes, self.kind)?;
        let remembered = Stamp { epoch: self.u64()?, version: self.u64()? };
        let (whole, copy) = (self.flag()?, self.flag()?);
        let (base, end) = (self.u64()?, self.position()?);
        let count = self.u32()? as usize;
        if count > EPOCHS_MAX {
            return Err(WireError::Bad { kind: self.kind, field: "epochs" });
        }
        let epochs = (0..count)
            .map(|_| Ok(EpochStart { epoch: self.u64()?, start: self.u64()? }))
            .collect::<Result<Vec<_>, WireError>>()?;
        let history = History { base, end, epochs };
        Ok(Hello { protocol, password, cluster, id, incarnation, zone, remembered, whole, copy, history })
    }

    fn welcome(&mut self) -> Result<Welcome, WireError> {
        let (cluster, token) = (self.text()?, self.u64()?);
        let plan = match self.u8()? {
            1 => Plan::Resume(self.position()?),
            2 => Plan::Copy,
            _ => return Err(WireError::Bad { kind: self.kind, field: "plan" }),
        };
        Ok(Welcome { cluster, plan, token })
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        self.bytes.try_get_u8().map_err(|_| WireError::Truncated(self.kind))
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        self.bytes.try_get_u16_le().map_err(|_| WireError::Truncated(self.kind))
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        self.bytes.try_get_u32_le().map_err(|_| WireError::Truncated(self.kind))
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        self.bytes.try_get_u64_le().map_err(|_| WireError::Truncated(self.kind))
    }

    fn flag(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Bad { kind: self.kind, field: "flag" }),
        }
    }

    fn position(&mut self) -> Result<Position, WireError> {
        Ok(Position { epoch: self.u64()?, offset: self.u64()?, crc: self.u32()? })
    }

    fn text(&mut self) -> Result<String, WireError> {
        get_text(&mut self.bytes, self.kind)
    }

    fn take(&mut self) -> Result<Bytes, WireError> {
        text::get_bytes(&mut self.bytes, self.kind)
    }

    fn rest(&mut self) -> Result<Bytes, WireError> {
        if self.bytes.len() > BULK_MAX {
            return Err(WireError::Bad { kind: self.kind, field: "length" });
        }
        Ok(std::mem::take(&mut self.bytes))
    }
}

fn reason(code: u8) -> Option<Reason> {
    use Reason::{Busy, Cluster, Data, Epoch, Identity, NotLeader, Password, Protocol, Trying};
    [Password, Protocol, Cluster, Data, NotLeader, Trying, Epoch, Identity, Busy]
        .into_iter()
        .find(|reason| *reason as u8 == code)
}

#[cfg(test)]
mod tests;
