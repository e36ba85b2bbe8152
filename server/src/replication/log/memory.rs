//! A disk in memory that fails as disks do, by seed: for tests and simulators that drive the real log code.
//!
//! It crashes at a chosen operation, and then keeps of what was not synced what a process' end ([`Crash::Process`]:
//! all of it) or a machine's ([`Crash::Machine`]: any 512-byte sectors of it, any prefix of a directory's changes)
//! would leave. It can be full, fail to sync, and have bits flipped. Handles of before a restart no longer work.

use super::disk::{Disk, DiskFile};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SECTOR_BYTES: usize = 512;

/// A small seeded generator (SplitMix64): the same seed gives the same faults.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, or 0 if that is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.word().checked_rem(n).unwrap_or(0)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process: the operating system still has all that was written.
    Process,
    /// The machine: what was not synced may be lost or torn.
    Machine,
}

/// The disk; clones are the same one.
#[derive(Clone)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    rng: Rng,
    files: BTreeMap<u64, Contents>,
    next_file: u64,
    names: BTreeMap<PathBuf, u64>,
    safe_names: BTreeMap<PathBuf, u64>,
    /// Changes to names since their directory was synced.
    name_changes: Vec<NameChange>,
    operations: u64,
    crash_at: Option<u64>,
    crashed: bool,
    /// Restarts so far; older handles are dead.
    life: u64,
    bytes_max: u64,
    syncs_fail: bool,
}

#[derive(Clone)]
enum NameChange {
    Add(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Default)]
struct Contents {
    now: Bytes,
    safe: Bytes,
    unsynced: Vec<Change>,
}

/// What a file holds, and which of its bits are not as they were written.
#[derive(Clone, Default)]
struct Bytes {
    all: Vec<u8>,
    flipped: BTreeSet<usize>,
}

enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

impl MemoryDisk {
    pub fn new(seed: u64) -> Self {
        let state = State {
            rng: Rng::new(seed),
            files: BTreeMap::new(),
            next_file: 0,
            names: BTreeMap::new(),
            safe_names: BTreeMap::new(),
            name_changes: Vec::new(),
            operations: 0,
            crash_at: None,
            crashed: false,
            life: 0,
            bytes_max: u64::MAX,
            syncs_fail: false,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Changing operations so far (reads are not counted).
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Crash in the middle of the changing operation that follows `after` more of them.
    pub fn crash_after(&self, after: u64) {
        let mut state = self.state.lock();
        state.crash_at = Some(state.operations + after);
    }

    pub fn has_crashed(&self) -> bool {
        self.state.lock().crashed
    }

    /// From now on files may have this many bytes in all.
    pub fn limit_bytes(&self, max: u64) {
        self.state.lock().bytes_max = max;
    }

    /// Whether syncs fail from now on.
    pub fn fail_syncs(&self, fail: bool) {
        self.state.lock().syncs_fail = fail;
    }

    /// What is left after `crash`; works again.
    pub fn restart(&self, crash: Crash) {
        let mut state = self.state.lock();
        state.crashed = false;
        state.crash_at = None;
        state.syncs_fail = false;
        state.life += 1;
        if crash == Crash::Machine {
            state.lose_unsynced();
        }
    }

    /// The files there are, with their sizes in bytes.
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        let state = self.state.lock();
        state.names.iter().map(|(path, id)| (path.clone(), state.files[id].now.all.len())).collect()
    }

    /// Damages one bit of a file on the medium.
    pub fn flip(&self, path: &Path, bit: usize) {
        let mut state = self.state.lock();
        let Some(id) = state.names.get(path).copied() else { return };
        if let Some(file) = state.files.get_mut(&id) {
            file.now.flip(bit);
            file.safe.flip(bit);
        }
    }

    /// The files that have bits which are not as they were written.
    pub fn damaged(&self) -> Vec<PathBuf> {
        let state = self.state.lock();
        let damaged = state.names.iter().filter(|(_, id)| state.files[*id].is_damaged());
        damaged.map(|(path, _)| path.clone()).collect()
    }

    /// Has every bit be as it was written.
    pub fn mend(&self) {
        for file in self.state.lock().files.values_mut() {
            file.now.mend();
            file.safe.mend();
        }
    }
}

fn crashed() -> io::Error {
    io::Error::other("crashed")
}

impl State {
    /// Counts a changing operation. `Ok(true)`: it is the last one, do some of it and crash.
    fn step(&mut self) -> io::Result<bool> {
        if self.crashed {
            return Err(crashed());
        }
        self.operations += 1;
        self.crashed = self.crash_at.is_some_and(|at| self.operations > at);
        Ok(self.crashed)
    }

    /// Does `change` to the names; at a crash by a throw of the dice.
    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        let last = self.step()?;
        if last && self.rng.one_in(2) {
            return Err(crashed());
        }
        apply_name(&mut self.names, &change);
        self.name_changes.push(change);
        if last { Err(crashed()) } else { Ok(()) }
    }

    fn lose_unsynced(&mut self) {
        // Journals keep the order of changes to names, and lose the end.
        let kept = self.rng.below(self.name_changes.len() as u64 + 1) as usize;
        let changes = std::mem::take(&mut self.name_changes);
        for change in &changes[..kept] {
            apply_name(&mut self.safe_names, change);
        }
        self.names = self.safe_names.clone();
        let rng = &mut self.rng;
        for file in self.files.values_mut() {
            file.lose_unsynced(rng);
        }
        let names = &self.names;
        self.files.retain(|id, _| names.values().any(|named| named == id));
    }
}

fn apply_name(names: &mut BTreeMap<PathBuf, u64>, change: &NameChange) {
    match change {
        NameChange::Add(path, id) => {
            names.insert(path.clone(), *id);
        }
        NameChange::Rename(from, to) => {
            if let Some(id) = names.remove(from) {
                names.insert(to.clone(), id);
            }
        }
        NameChange::Remove(path) => {
            names.remove(path);
        }
    }
}

impl Bytes {
    fn write(&mut self, at: usize, new: &[u8]) {
        let end = at + new.len();
        if self.all.len() < end {
            self.all.resize(end, 0);
        }
        self.all[at..end].copy_from_slice(new);
        self.flipped.retain(|bit| !(at..end).contains(&(bit / 8)));
    }

    fn truncate(&mut self, len: usize) {
        self.all.truncate(len);
        self.flipped.retain(|bit| bit / 8 < len);
    }

    fn flip(&mut self, bit: usize) {
        if let Some(byte) = self.all.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
            if !self.flipped.remove(&bit) {
                self.flipped.insert(bit);
            }
        }
    }

    fn mend(&mut self) {
        for bit in std::mem::take(&mut self.flipped) {
            self.all[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

impl Contents {
    fn is_damaged(&self) -> bool {
        !self.now.flipped.is_empty() || !self.safe.flipped.is_empty()
    }

    fn lose_unsynced(&mut self, rng: &mut Rng) {
        let mood = rng.below(4);
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Cut(len) if mood != 0 && rng.one_in(2) => self.safe.truncate(len),
                Change::Cut(_) => {}
                Change::Write(at, bytes) => {
                    let mut done = 0;
                    while done < bytes.len() {
                        let part = (SECTOR_BYTES - (at + done) % SECTOR_BYTES).min(bytes.len() - done);
                        // All lost, all kept, most kept, half kept.
                        let kept = [false, true, !rng.one_in(8), rng.one_in(2)][mood as usize];
                        if kept {
                            self.safe.write(at + done, &bytes[done..done + part]);
                        }
                        done += part;
                    }
                }
            }
        }
        self.now = self.safe.clone();
    }
}

impl Disk for MemoryDisk {
    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.next_file += 1;
        let id = state.next_file;
        state.files.insert(id, Contents::default());
        state.change_name(NameChange::Add(path.to_owned(), id))?;
        Ok(Arc::new(MemoryFile { disk: self.clone(), id, life: state.life }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state.lock();
        let id = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(MemoryFile { disk: self.clone(), id, life: state.life }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Remove(path.to_owned()))
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.step()? {
            return Err(crashed());
        }
        if state.syncs_fail {
            return Err(io::Error::other("sync failed"));
        }
        state.safe_names = state.names.clone();
        state.name_changes.clear();
        Ok(())
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    id: u64,
    life: u64,
}

impl MemoryFile {
    fn with<T>(&self, f: impl FnOnce(&mut State, &mut Contents) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        if state.life != self.life {
            return Err(io::Error::other("a handle of before the restart"));
        }
        let mut file = state.files.remove(&self.id).ok_or(io::ErrorKind::NotFound)?;
        let done = f(&mut state, &mut file);
        state.files.insert(self.id, file);
        done
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.with(|state, file| {
            let last = state.step()?;
            let mut taken = bytes.len();
            if last {
                taken = state.rng.below(taken as u64 + 1) as usize;
            }
            let others: usize = state.files.values().map(|f| f.now.all.len()).sum();
            let room = (state.bytes_max as usize).saturating_sub(others + at as usize);
            taken = taken.min(room.max(file.now.all.len().saturating_sub(at as usize)));
            if taken > 0 {
                file.now.write(at as usize, &bytes[..taken]);
                file.unsynced.push(Change::Write(at as usize, bytes[..taken].to_vec()));
            }
            if last {
                Err(crashed())
            } else if taken == 0 && !bytes.is_empty() {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(taken)
            }
        })
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.with(|state, file| {
            if state.crashed {
                return Err(crashed());
            }
            let from = file.now.all.get(at as usize..).unwrap_or_default();
            let count = from.len().min(buf.len());
            buf[..count].copy_from_slice(&from[..count]);
            Ok(count)
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.with(|state, file| {
            let last = state.step()?;
            if last && state.rng.one_in(2) {
                return Err(crashed());
            }
            file.now.truncate(len as usize);
            file.unsynced.push(Change::Cut(len as usize));
            if last { Err(crashed()) } else { Ok(()) }
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|state, file| {
            if state.step()? {
                return Err(crashed());
            }
            if state.syncs_fail {
                return Err(io::Error::other("sync failed"));
            }
            file.safe = file.now.clone();
            file.unsynced.clear();
            Ok(())
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.with(|_, file| Ok(file.now.all.len() as u64))
    }
}
