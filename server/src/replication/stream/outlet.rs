//! What a connection to another node sends next, pure: the sockets' adapter and the simulator ask the same code.
//!
//! Contract: whatever was ordered goes first; a chunk of bulk data goes when there is nothing else to say. Bulk data is cut
//! into chunks of at most [`BULK_MAX`] and read when it is to be sent, so that neither does a heartbeat wait long behind it
//! (trap 22), nor is more of a snapshot in memory than the chunks on their way (trap 25).
//!
//! Deliberately absent: sockets, waiting, and where bulk data comes from.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::Copy;
use crate::replication::gate::Gate;
use crate::replication::log::{ReadError, Sender};
use crate::replication::member::Stamp;
use crate::replication::snapshot::{Raw, SnapshotError};
use crate::replication::wire::{BULK_MAX, Body, Frame, records_head};

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send what was ordered, with one write.
    Orders,
    /// Send one chunk of bulk data.
    Bulk,
    /// Everything is sent that was ordered before the close.
    Close,
    Wait,
}

/// `B` is where bulk data comes from.
#[derive(Debug)]
pub struct Outlet<B> {
    orders: VecDeque<Frame>,
    bulk: Option<B>,
    closing: bool,
}

impl<B> Default for Outlet<B> {
    fn default() -> Self {
        Self { orders: VecDeque::new(), bulk: None, closing: false }
    }
}

impl<B> Outlet<B> {
    pub fn order(&mut self, frame: Frame) {
        if !self.closing {
            self.orders.push_back(frame);
        }
    }

    /// Bulk data from here, instead of any before.
    pub fn feed(&mut self, bulk: B) {
        self.bulk = Some(bulk);
    }

    /// What was ordered before still goes out, bulk data does not.
    pub fn close(&mut self) {
        self.closing = true;
        self.bulk = None;
    }

    pub fn bulk(&mut self) -> Option<&mut B> {
        self.bulk.as_mut()
    }

    /// `chunk` says whether there is bulk data to be sent.
    pub fn next(&self, chunk: bool) -> Next {
        let chunk = chunk && self.bulk.is_some();
        let late = chunk && crate::mutant::is_planted(22);
        if !late && !self.orders.is_empty() {
            Next::Orders
        } else if chunk {
            Next::Bulk
        } else if self.closing {
            Next::Close
        } else {
            Next::Wait
        }
    }

    /// All that was ordered, as bytes; `wall_ms` is what heartbeats are stamped with, as machines know no wall time.
    pub fn take_orders(&mut self, wall_ms: u64) -> BytesMut {
        let mut output = BytesMut::new();
        for mut frame in self.orders.drain(..) {
            if let Body::Heartbeat(heartbeat) = &mut frame.body {
                heartbeat.wall_ms = wall_ms;
            }
            frame.encode(&mut output);
        }
        output
    }

    /// Frames that were ordered and are not on their way.
    pub fn waiting(&self) -> usize {
        self.orders.len()
    }
}

/// The next chunk of the log: the head of its frame, and its bytes as they lie in the log.
pub fn log_chunk(
    sender: &mut Sender,
    stamp: Stamp,
    gate: &Gate,
    max: usize,
) -> Result<Option<(BytesMut, bytes::Bytes)>, ReadError> {
    let start = sender.offset();
    let chunk = sender.read(max.min(BULK_MAX))?;
    Ok(chunk.map(|chunk| (records_head(stamp, start, gate.committed(), chunk.bytes.len()), chunk.bytes)))
}

/// A snapshot as the frames of a copy.
pub struct Copying {
    raw: Raw,
    /// What was read and not taken yet.
    read: VecDeque<Body>,
    ended: bool,
}

impl Copying {
    pub fn open(copy: &Copy) -> Result<Self, SnapshotError> {
        let raw = copy.snapshots.raw(&copy.info)?;
        let begin = Body::CopyBegin { position: copy.position, bytes: raw.bytes() };
        Ok(Self { raw, read: [begin].into(), ended: false })
    }

    /// The next frame, with at most `max` bytes of the snapshot; `None` after the last one.
    pub fn next(&mut self, max: usize) -> Result<Option<Body>, SnapshotError> {
        while !self.ended && (self.read.is_empty() || crate::mutant::is_planted(25)) {
            let bytes = self.raw.read(max.min(BULK_MAX))?;
            self.ended = bytes.is_none();
            self.read.push_back(bytes.map_or(Body::CopyEnd, |bytes| Body::CopyChunk { bytes }));
        }
        Ok(self.read.pop_front())
    }

    /// Bytes of the snapshot that are in memory here.
    pub fn memory_bytes(&self) -> usize {
        let bytes = |body: &Body| if let Body::CopyChunk { bytes } = body { bytes.len() } else { 0 };
        self.read.iter().map(bytes).sum()
    }
}
