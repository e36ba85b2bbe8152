//! The log: every change in order, on disk, and from there to followers.
//!
//! [`Log`] is a handle that threads share. A record is appended to the tail in memory (cheap, under the engine's
//! lock); [`Log::flush`] writes the whole tail with one write and shares the same bytes with all readers. What
//! [`Log::held`] says this node holds outlasts what `appendfsync` promises: `always` any crash, `everysec` and `no`
//! the end of the process.
//!
//! Files: `<dir>/log/<base offset, 20 digits>.log` (see `segment`), records back to back (see [`record`]), and
//! `<dir>/log/synced`, a lower bound of what was fsynced (see `mark`): below it damage is corruption and stops the
//! start, above it a torn tail that is cut. One process owns the directory ([`super::meta`] locks it).
//!
//! Units: offsets and sizes are bytes, times milliseconds since 1970.
//!
//! Fates: a full disk keeps the tail in memory and tries again ([`Log::is_full`]); a failed fsync or any other
//! failed write is fatal, as nobody knows what the disk then holds ([`Hooks::fatal`], which by default exits).
//!
//! Absent on purpose: tokio (callbacks in [`Hooks`] wake tasks), clocks (the leader stamps records), what payloads
//! mean, and any opinion on what may be trimmed: see [`Log::trim`].

pub mod disk;
pub mod record;
mod aside;
mod background;
mod cut;
pub(super) mod examine;
mod read;
mod mark;
pub mod memory;
mod recover;
mod scan;
mod segment;
mod send;
mod tail;
mod write;

pub use read::{Chunk, Keep, ReadError, Reader, Records};
pub use record::{PAYLOAD_BYTES_MAX, Record};
pub use recover::{Cut, Recovered};
pub use send::Sender;
pub use tail::RawError;

use super::position::{Epoch, EpochStart, Offset, Position};
use disk::{Disk, OsDisk};
use mark::Mark;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// When bytes count as held: Redis' `appendfsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fsync {
    /// Once fsynced, in groups.
    Always,
    /// Once written to the operating system; fsynced each second.
    Everysec,
    /// Once written to the operating system, which syncs when it likes.
    No,
}

/// What a log tells the rest of the process. Hooks must not call the log, but for [`Log::held`] and its like:
/// they run under its locks, so that what they are told never goes backwards.
pub struct Hooks {
    /// Readers may go on up to this offset.
    pub on_written: Box<dyn Fn(Offset) + Send + Sync>,
    /// This node holds everything up to this offset.
    pub on_held: Box<dyn Fn(Offset) + Send + Sync>,
    /// The disk is not to be trusted any more. If this returns, the log refuses all further work.
    pub fatal: Box<dyn Fn(&LogError) + Send + Sync>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            on_written: Box::new(|_| {}),
            on_held: Box::new(|_| {}),
            fatal: Box::new(|error| {
                tracing::error!(%error, "the log can't go on");
                std::process::exit(74);
            }),
        }
    }
}

/// How to open a log.
pub struct Options {
    /// `<dir>/log`; `None` keeps nothing on disk (`appendonly no`).
    pub dir: Option<PathBuf>,
    pub disk: Arc<dyn Disk>,
    pub fsync: Fsync,
    /// A segment that reached this size is followed by a new one.
    pub segment_bytes: u64,
    /// How much is kept in memory for readers.
    pub backlog_bytes: usize,
    /// A node of a cluster: damage is moved aside, to be healed from a peer. For the directory's opener; the log itself
    /// always refuses it.
    pub heal: bool,
    /// Whether a thread of the log's own syncs. Without it `always` syncs within [`Log::flush`], and
    /// [`Log::sync`] is the caller's to call: for simulators.
    pub background: bool,
    pub hooks: Hooks,
}

impl Options {
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self {
            dir,
            disk: Arc::new(OsDisk),
            fsync: Fsync::Everysec,
            segment_bytes: 64 << 20,
            backlog_bytes: 32 << 20,
            heal: false,
            background: true,
            hooks: Hooks::default(),
        }
    }
}

/// What went wrong with the files, and where.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("can't {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    /// Damage where bytes were known to be safe: refuse to serve, heal from a peer or a backup.
    #[error("{} is corrupt at byte {at} (log offset {offset}): {what}", path.display())]
    Corrupt { path: PathBuf, at: u64, offset: Offset, what: String },
    #[error("{} has format {format}, which is newer than this program", path.display())]
    Newer { path: PathBuf, format: u32 },
    #[error("the log does not contain {0}")]
    NotContained(Position),
    #[error("no room left on disk; what is not written is kept in memory")]
    Full,
    #[error("the log failed before and refuses further work")]
    Failed,
    #[error("can't start the log's thread: {0}")]
    Thread(std::io::Error),
    #[error("the engine broke the log's contract: {0}")]
    Contract(String),
}

impl LogError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// A handle on the log; clones share it. The last one to go stops the log's thread.
#[derive(Clone)]
pub struct Log {
    core: Arc<Core>,
    thread: Arc<background::Thread>,
}

/// What all handles share. Locks are taken in the order of the fields: `syncing`, `writer`, `tail`, `view`, `order`.
struct Core {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    hooks: Hooks,
    background: bool,
    /// Held while an fsync is under way.
    syncing: Mutex<Option<Mark>>,
    writer: Mutex<write::Writer>,
    tail: Mutex<tail::Tail>,
    view: Mutex<read::View>,
    /// Orders what hooks are told.
    order: Mutex<()>,
    signal: background::Signal,
    fsync: AtomicU8,
    state: AtomicU8,
    /// End of the tail in memory.
    appended: AtomicU64,
    /// End of what the operating system has.
    written: AtomicU64,
    /// End of what outlasts a crash.
    synced: AtomicU64,
    held: AtomicU64,
}

/// How far apart the positions are that are remembered within the log.
const INDEX_EVERY_BYTES: u64 = 256 << 10;

const STATE_WELL: u8 = 0;
const STATE_FULL: u8 = 1;
const STATE_FAILED: u8 = 2;

impl Log {
    /// Opens the log in `options.dir`, verifies all of it, cuts a torn tail. An absent or empty directory, or none,
    /// is an empty log that starts at `base`.
    pub fn open(options: Options, base: Position) -> Result<(Self, Recovered), LogError> {
        let found = Self::find(&options, base, &mut || Ok(()))?;
        Self::begin(options, found)
    }

    /// The first half of [`Log::open`]: verifies what is there, and changes no more than the torn tail. If that is suspect,
    /// `doubt` is called before anything of it goes: the next start would see nothing wrong.
    pub(super) fn find(
        options: &Options,
        base: Position,
        doubt: &mut dyn FnMut() -> Result<(), LogError>,
    ) -> Result<recover::Found, LogError> {
        match &options.dir {
            Some(dir) => recover::recover(&*options.disk, dir, base, doubt),
            None => Ok(recover::Found::empty(base)),
        }
    }

    /// The other half.
    pub(super) fn begin(options: Options, found: recover::Found) -> Result<(Self, Recovered), LogError> {
        let end = found.end;
        let recovered = found.report();
        let writer = write::Writer::new(options.dir, found.segments.last().cloned(), end, found.time_ms);
        let view = read::View::new(options.backlog_bytes, found.segments, found.index, end);
        let core = Arc::new(Core {
            disk: options.disk,
            segment_bytes: options.segment_bytes,
            hooks: options.hooks,
            background: options.background && writer.dir.is_some(),
            syncing: Mutex::new(found.mark),
            writer: Mutex::new(writer),
            tail: Mutex::new(tail::Tail::new(end, found.epochs, found.time_ms)),
            view: Mutex::new(view),
            order: Mutex::new(()),
            signal: background::Signal::default(),
            fsync: AtomicU8::new(options.fsync as u8),
            state: AtomicU8::new(STATE_WELL),
            appended: AtomicU64::new(end.offset),
            written: AtomicU64::new(end.offset),
            synced: AtomicU64::new(end.offset),
            held: AtomicU64::new(end.offset),
        });
        let thread = background::Thread::start(&core).map_err(LogError::Thread)?;
        Ok((Self { core, thread: Arc::new(thread) }, recovered))
    }

    /// Empties a log directory that nobody has open.
    pub fn wipe(disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
        cut::wipe(disk, dir)
    }

    /// Moves what is damaged in the middle of a log that nobody has open to `aside`, and what comes after it: the log
    /// then ends before the damage. A crash at any point of it leaves what the next call completes.
    pub(super) fn set_aside(
        disk: &dyn Disk,
        dir: &Path,
        aside: &Path,
        base: Position,
    ) -> Result<(), LogError> {
        aside::set_aside(disk, dir, aside, base)
    }

    /// Puts one file under a free name into another directory.
    pub(super) fn move_file(disk: &dyn Disk, path: &Path, aside: &Path) -> Result<(), LogError> {
        aside::move_file(disk, path, aside)
    }

    /// Moves all files to `aside` and starts an empty log at `to`: what they go on from is lost. As for [`Log::reset`].
    pub(super) fn abandon(&self, aside: &Path, to: Position) -> Result<(), LogError> {
        self.core.abandon(aside, to)
    }

    /// An empty log that keeps nothing on disk (`appendonly no`, tests): readers reach as far as the backlog.
    pub fn in_memory(base: Position) -> Result<Self, LogError> {
        Ok(Self::open(Options::new(None), base)?.0)
    }

    /// Adds one record and returns its offset, which is its end. Call it under the engine's lock; it copies
    /// `payload` into the tail and touches no file. `epoch` never falls.
    pub fn append(&self, epoch: Epoch, time_ms: u64, payload: &[u8]) -> Offset {
        self.core.append(epoch, time_ms, |tail| tail.extend_from_slice(payload))
    }

    /// As [`Log::append`], with the payload written in place. `write` must only add to the buffer.
    pub fn append_with(
        &self,
        epoch: Epoch,
        time_ms: u64,
        write: impl FnOnce(&mut bytes::BytesMut),
    ) -> Offset {
        self.core.append(epoch, time_ms, write)
    }

    /// Where the log stands, with the tail that is not written yet.
    pub fn end(&self) -> Position {
        self.core.tail.lock().end()
    }

    /// Time of the last record, 0 if none is known. A new leader's clock must not be behind it (trap 18).
    pub fn last_time_ms(&self) -> u64 {
        self.core.tail.lock().time_ms()
    }

    /// End of the log as [`Log::end`], without a lock.
    pub fn end_offset(&self) -> Offset {
        self.core.appended.load(Ordering::Acquire)
    }

    /// Up to where readers see.
    pub fn written(&self) -> Offset {
        self.core.written.load(Ordering::Acquire)
    }

    /// Up to where a crash of the machine loses nothing.
    pub fn synced(&self) -> Offset {
        self.core.synced.load(Ordering::Acquire)
    }

    /// Up to where this node holds the log by its `appendfsync`. Only [`Log::truncate`] and [`Log::reset`] lower it.
    pub fn held(&self) -> Offset {
        self.core.held.load(Ordering::Acquire)
    }

    /// No room on disk: the engine refuses new writes (-MISCONF); each flush tries again.
    pub fn is_full(&self) -> bool {
        self.core.state.load(Ordering::Acquire) == STATE_FULL
    }

    /// Bytes in memory that wait to be written.
    pub fn pending_bytes(&self) -> u64 {
        self.end_offset().saturating_sub(self.written())
    }

    /// Bytes in memory that readers are served from, or that wait to be written.
    pub fn memory_bytes(&self) -> u64 {
        self.core.view.lock().memory_bytes() + self.pending_bytes()
    }

    pub fn fsync_policy(&self) -> Fsync {
        self.core.policy()
    }

    /// `CONFIG SET appendfsync`. What is held stays held; `always` syncs what was only written at once.
    pub fn set_fsync(&self, fsync: Fsync) {
        self.core.fsync.store(fsync as u8, Ordering::Release);
        self.core.raise_held();
        self.core.signal.raise();
    }

    /// Hands everything appended so far to the operating system, in one write with all that others appended
    /// meanwhile. Call it after the engine's lock is released; cheap when there is nothing to do. Under `always`
    /// the log's thread writes and syncs, and this only wakes it: wait for [`Hooks::on_held`].
    ///
    /// [`LogError::Full`] and [`LogError::Failed`] need no handling but to say so: held does not move.
    pub fn flush(&self) -> Result<(), LogError> {
        self.core.flush()
    }

    /// Flushes and waits until all of it outlasts a crash, whatever the policy.
    pub fn sync(&self) -> Result<Offset, LogError> {
        self.core.write_out()?;
        self.core.sync()
    }

    /// The first offset that is still there.
    pub fn start(&self) -> Offset {
        self.core.view.lock().start().offset
    }

    /// From where on the log can be sent: its start, or what comes after damage that was found in a file.
    pub fn sound_from(&self) -> Offset {
        self.core.view.lock().sound_from()
    }

    /// The same, and what is in memory anyway.
    pub fn sendable_from(&self) -> Offset {
        self.core.view.lock().sendable_from()
    }

    /// Raw bytes from `offset` on, for a follower, verified where they come from a file. Fails if the log can't be sent
    /// from there. Once it finds damage nothing is sent any more from before the end of that file, until it is trimmed.
    pub fn sender(&self, offset: Offset) -> Result<Sender, ReadError> {
        Sender::open(&self.core, offset)
    }

    /// Raw bytes from `offset` on. Fails if the log does not reach back to it, or not up to it.
    pub fn reader(&self, offset: Offset) -> Result<Reader, ReadError> {
        Reader::open(&self.core, offset)
    }

    /// Records from the boundary `offset` on, each verified: for recovery, applying, `GETLOG`.
    pub fn records(&self, offset: Offset) -> Result<Records, ReadError> {
        Records::open(&self.core, offset)
    }

    /// The position of the log at `offset`, if a record ends there; reads up to 256 KiB of it to be sure.
    pub fn position_at(&self, offset: Offset) -> Result<Position, ReadError> {
        read::position_at(&self.core, offset)
            .map_err(|error| if error.is_damage() { self.core.damaged(error, offset) } else { error })
    }

    /// Whether the log went through `position`: same offset, epoch and history.
    pub fn contains(&self, position: Position) -> bool {
        self.position_at(position.offset).is_ok_and(|at| at == position)
    }

    /// The epochs in the log and where each starts, ascending. The first one's start may be where the log starts.
    pub fn epochs(&self) -> Vec<EpochStart> {
        self.core.tail.lock().epochs().to_vec()
    }

    /// Follower: adds raw bytes that continue at `start`, cut anywhere; verifies each record that they complete and
    /// returns where the log then stands. On an error what was verified before it stays. Flush afterwards.
    pub fn append_raw(&self, start: Offset, bytes: &[u8]) -> Result<Position, RawError> {
        self.core.append_raw(start, bytes)
    }

    /// Where the next bytes for [`Log::append_raw`] start: the end, and the begun record after it.
    pub fn next_raw(&self) -> Offset {
        self.core.tail.lock().next_raw()
    }

    /// Ends the log at `to`, which it must contain: what diverged from the leader goes. Nothing may be appended
    /// meanwhile. Readers get [`ReadError::Cut`]; held falls without [`Hooks::on_held`] being told.
    pub fn truncate(&self, to: Position) -> Result<(), LogError> {
        self.core.truncate(to)
    }

    /// Drops everything and starts an empty log at `to`, after a full copy. As for [`Log::truncate`].
    pub fn reset(&self, to: Position) -> Result<(), LogError> {
        self.core.reset(to)
    }

    /// Keeps the log from `offset` on for as long as what is returned is there; `None` if that is gone already, or damaged.
    pub fn keep_from(&self, offset: Offset) -> Option<Keep> {
        Keep::new(&self.core, offset)
    }

    /// Drops the oldest segments that hold nothing at or after `before`, nor what [`Log::keep_from`] keeps; says how many
    /// bytes went.
    ///
    /// The caller's rule: `min(offset of the newest snapshot, end - log-retention-bytes)`. So the log always reaches back to a snapshot, and keeps the retention.
    pub fn trim(&self, before: Offset) -> Result<u64, LogError> {
        self.core.trim(before)
    }

    /// Bytes of log that are kept.
    pub fn kept_bytes(&self) -> u64 {
        let view = self.core.view.lock();
        view.written().offset - view.start().offset
    }

    /// The last step of an orderly end, after which `meta.clean` may be set: stops the thread, writes and syncs.
    /// Whoever still appends afterwards loses what he appended.
    pub fn close(&self) -> Result<Position, LogError> {
        self.thread.stop();
        self.core.close()
    }

    /// Forgets a record that only came in part, when its connection is gone.
    pub fn forget_partial(&self) {
        self.core.tail.lock().forget_partial();
    }
}

impl Core {
    fn policy(&self) -> Fsync {
        match self.fsync.load(Ordering::Acquire) {
            0 => Fsync::Always,
            1 => Fsync::Everysec,
            _ => Fsync::No,
        }
    }

    /// The log is over: nothing that was promised can be kept from here.
    fn fail(&self, error: LogError) -> LogError {
        self.state.store(STATE_FAILED, Ordering::Release);
        (self.hooks.fatal)(&error);
        error
    }

    /// Recomputes what is held, and tells if it rose.
    fn raise_held(&self) {
        let _order = self.order.lock();
        let now = match self.policy() {
            Fsync::Always => self.synced.load(Ordering::Acquire),
            Fsync::Everysec | Fsync::No => self.written.load(Ordering::Acquire),
        };
        if now > self.held.load(Ordering::Acquire) {
            self.held.store(now, Ordering::Release);
            (self.hooks.on_held)(now);
        }
    }
}

#[cfg(test)]
pub(super) fn segment_name(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| segment::parse_name(name).is_some())
}

#[cfg(test)]
mod tests;
