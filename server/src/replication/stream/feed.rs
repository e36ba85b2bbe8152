//! Bulk data for one replica: a snapshot if it needs one, then the log, each chunk small enough that a heartbeat never
//! waits long behind it.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::outlet::{Copying, log_chunk};
use super::{COMES_BACK, Copy, Damage, DamageFound, Links};
use crate::replication::gate::Gate;
use crate::replication::log::{Keep, Log, Sender};
use crate::replication::member::Stamp;
use crate::replication::pace::Pace;
use crate::replication::position::{Offset, Position};
use crate::replication::snapshot::SnapshotError;
use crate::replication::wire::{BULK_MAX, Body, Frame};

/// Chunks of a snapshot that are read ahead of the socket.
const AHEAD: usize = 4;

pub(super) struct Feed {
    stamp: Stamp,
    log: Log,
    gate: Arc<Gate>,
    written: watch::Receiver<Offset>,
    source: Source,
    kept: Option<Kept>,
    damage: DamageFound,
    runtime: Handle,
}

/// What was copied, and the log from there on; for a while after the connection ended too.
struct Kept {
    keep: Option<Keep>,
    runtime: Handle,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let keep = self.keep.take();
        self.runtime.spawn(async move {
            tokio::time::sleep(COMES_BACK).await;
            drop(keep);
        });
    }
}

enum Source {
    Log(Sender),
    /// Frames of a copy, as they are read; then the offset at which the log goes on.
    Copy {
        frames: mpsc::Receiver<Body>,
        next: Option<Body>,
        reading: JoinHandle<Result<(Position, Keep), String>>,
    },
}

impl Feed {
    pub(super) fn log(links: &Links, stamp: Stamp, from: Offset) -> io::Result<Self> {
        let needs = &links.0.needs;
        let sender = needs.log.sender(from).map_err(io::Error::other)?;
        Ok(Self::new(links, stamp, Source::Log(sender)))
    }

    pub(super) fn copy(links: &Links, stamp: Stamp) -> Self {
        let (sender, frames) = mpsc::channel(AHEAD);
        let (snapshot, damage) = (links.0.needs.snapshot.clone(), links.0.needs.damage.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let copy = snapshot()?;
            match read_copy(&copy, &sender) {
                Ok(()) => Ok((copy.position, copy.keep)),
                Err(CopyError::Gone) => Err("the replica is gone".into()),
                Err(CopyError::Snapshot(error)) => {
                    let text = error.to_string();
                    if error.is_damage() {
                        // Before the replica comes back, or it would have the same file.
                        damage(Damage::Snapshot(copy.info, error));
                    }
                    Err(text)
                }
            }
        });
        Self::new(links, stamp, Source::Copy { frames, next: None, reading })
    }

    fn new(links: &Links, stamp: Stamp, source: Source) -> Self {
        let needs = &links.0.needs;
        Self {
            stamp,
            log: needs.log.clone(),
            gate: needs.gate.clone(),
            written: needs.written.clone(),
            source,
            kept: None,
            damage: needs.damage.clone(),
            runtime: links.0.runtime.clone(),
        }
    }

    /// Whether there is something to send, as far as that is known without waiting.
    pub(super) fn is_ready(&mut self) -> bool {
        match &mut self.source {
            Source::Log(reader) => *self.written.borrow() > reader.offset(),
            Source::Copy { frames, next, .. } => {
                if next.is_none() {
                    *next = frames.try_recv().ok();
                }
                next.is_some()
            }
        }
    }

    /// Wait until there is something to send. Giving up the wait loses nothing.
    pub(super) async fn ready(&mut self) -> io::Result<()> {
        loop {
            match &mut self.source {
                Source::Log(sender) => {
                    let at = sender.offset();
                    let waiting = self.written.wait_for(|written| *written > at).await;
                    return waiting.map(drop).map_err(io::Error::other);
                }
                Source::Copy { next: Some(_), .. } => return Ok(()),
                Source::Copy { frames, next, reading } => {
                    *next = frames.recv().await;
                    if next.is_none() {
                        let read = reading.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
                        let (position, keep) = read;
                        self.kept = Some(Kept { keep: Some(keep), runtime: self.runtime.clone() });
                        self.source =
                            Source::Log(self.log.sender(position.offset).map_err(io::Error::other)?);
                    }
                }
            }
        }
    }

    /// Send one chunk.
    pub(super) async fn send(&mut self, socket: &mut OwnedWriteHalf) -> io::Result<()> {
        match &mut self.source {
            Source::Log(sender) => {
                let chunk = log_chunk(sender, self.stamp, &self.gate, BULK_MAX).inspect_err(|error| {
                    if error.is_damage() {
                        (self.damage)(Damage::Log);
                    }
                });
                let Some((head, bytes)) = chunk.map_err(io::Error::other)? else { return Ok(()) };
                socket.write_all_buf(&mut head.freeze().chain(bytes)).await
            }
            Source::Copy { next, .. } => {
                let Some(body) = next.take() else { return Ok(()) };
                let mut output = BytesMut::new();
                Frame { epoch: self.stamp.epoch, version: self.stamp.version, body }.encode(&mut output);
                socket.write_all(&output).await
            }
        }
    }
}

/// Why a copy was not sent to its end.
enum CopyError {
    Gone,
    Snapshot(SnapshotError),
}

/// Read a snapshot into frames, as fast as they are taken and other work allows. One that turns out to be damaged gets no end.
fn read_copy(copy: &Copy, frames: &mpsc::Sender<Body>) -> Result<(), CopyError> {
    let mut copying = Copying::open(copy).map_err(CopyError::Snapshot)?;
    let mut pace = Pace::new(copy.others.clone());
    while let Some(body) = copying.next(BULK_MAX).map_err(CopyError::Snapshot)? {
        frames.blocking_send(body).map_err(|_| CopyError::Gone)?;
        pace.rest();
    }
    Ok(())
}
