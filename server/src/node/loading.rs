//! A snapshot into memory: blocks are verified and decoded on several threads, and put in by one, in their order.
//!
//! The order matters for speed only: entries come in the order of their hashes, so each is put in beside the one before.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::recovery::{RecoveryError, Shape};
use crate::keyspace::{Decoded, Keyspace};
use crate::replication::snapshot::{Block, Info, Kind, Loader, Snapshots, Unverified};
use crate::value::Forms;
use crate::value::rdb::RdbError;

/// Threads that decode, beside the one that puts in.
const DECODERS_MAX: usize = 4;
/// Blocks under way for each of them.
const BLOCKS_AHEAD: usize = 4;
/// A smaller file is read by one thread.
const SMALL_BYTES: u64 = 4 << 20;

/// No entry is shorter than its length and one byte each of what it holds.
const ENTRY_BYTES_MIN: usize = 4 + 5;

/// What became of a block.
enum Piece {
    Keys(Vec<Decoded>),
    /// Something that belongs to the key space as a whole.
    Side(Block),
}

/// The key space that a snapshot shows.
pub fn load(snapshots: &Snapshots, info: &Info, shape: Shape) -> Result<Keyspace, RecoveryError> {
    let mut loader = snapshots.load(info)?;
    let shape = shape.keyed(loader.header().seed);
    let mut keyspace = shape.empty();
    keyspace.now = loader.header().time_ms;
    keyspace.expect(&loader.header().keys, info.bytes as usize / ENTRY_BYTES_MIN);
    let mut target = Target { keyspace, path: &info.path, number: 0 };
    if info.bytes < SMALL_BYTES {
        while let Some(block) = loader.next_block()? {
            let piece = decode(block, &shape.forms).map_err(|(entry, source)| target.error(entry, source))?;
            target.put(piece)?;
        }
        return Ok(target.keyspace);
    }
    let cores = thread::available_parallelism().map_or(2, usize::from);
    in_parallel(&mut loader, &mut target, &shape.forms, cores.clamp(2, DECODERS_MAX + 1) - 1)?;
    loader.confirm(target.number)?;
    Ok(target.keyspace)
}

type Decoding = Result<Piece, Failure>;

/// A block could not be verified, or this entry of it not be decoded.
enum Failure {
    Block(RecoveryError),
    Entry(u64, RdbError),
}

fn in_parallel(
    loader: &mut Loader,
    target: &mut Target<'_>,
    forms: &Forms,
    decoders: usize,
) -> Result<(), RecoveryError> {
    thread::scope(|scope| {
        let lanes: Vec<(SyncSender<Unverified>, Receiver<Decoding>)> = (0..decoders)
            .map(|_| {
                let (blocks, work) = sync_channel::<Unverified>(BLOCKS_AHEAD);
                let (done, pieces) = sync_channel(BLOCKS_AHEAD);
                scope.spawn(move || {
                    for read in work {
                        // Who waits for it is gone if there was an error before.
                        if done.send(verify(read, forms)).is_err() {
                            return;
                        }
                    }
                });
                (blocks, pieces)
            })
            .collect();
        let ended = || RecoveryError::Decoder;
        let (mut sent, mut taken, mut more) = (0, 0, true);
        loop {
            while more && sent - taken < decoders * BLOCKS_AHEAD {
                if let Some(read) = loader.next_unverified()? {
                    lanes[sent % decoders].0.send(read).map_err(|_| ended())?;
                    sent += 1;
                } else {
                    more = false;
                }
            }
            if taken == sent {
                return Ok(());
            }
            match lanes[taken % decoders].1.recv().map_err(|_| ended())? {
                Ok(piece) => target.put(piece)?,
                Err(Failure::Block(error)) => return Err(error),
                Err(Failure::Entry(entry, source)) => return Err(target.error(entry, source)),
            }
            taken += 1;
        }
    })
}

fn verify(read: Unverified, forms: &Forms) -> Decoding {
    let (block, _) = read.verify().map_err(|error| Failure::Block(error.into()))?;
    decode(block, forms).map_err(|(entry, source)| Failure::Entry(entry, source))
}

/// The entries of a block; or which of them can't be read.
fn decode(block: Block, forms: &Forms) -> Result<Piece, (u64, RdbError)> {
    if block.kind != Kind::KEYS {
        return Ok(Piece::Side(block));
    }
    let mut keys = Vec::new();
    for (entry, number) in block.entries().zip(0..) {
        keys.push(Decoded::new(&entry, forms).map_err(|source| (number, source))?);
    }
    Ok(Piece::Keys(keys))
}

struct Target<'p> {
    keyspace: Keyspace,
    path: &'p Path,
    /// Entries that were put in.
    number: u64,
}

impl Target<'_> {
    fn error(&self, entry: u64, source: RdbError) -> RecoveryError {
        RecoveryError::Entry { path: self.path.to_owned(), number: self.number + entry, source }
    }

    fn put(&mut self, piece: Piece) -> Result<(), RecoveryError> {
        match piece {
            Piece::Keys(keys) => {
                for decoded in keys {
                    self.keyspace.take_in(decoded).map_err(|source| self.error(0, source))?;
                    self.number += 1;
                }
                Ok(())
            }
            Piece::Side(block) => self.put_side(&block),
        }
    }

    fn put_side(&mut self, block: &Block) -> Result<(), RecoveryError> {
        for entry in block.entries() {
            let done = match block.kind {
                Kind::USERS => self.keyspace.users.restore(&entry),
                Kind::FUNCTIONS if self.keyspace.functions.restore(&entry) => Ok(()),
                Kind::FUNCTIONS => Err(RdbError::Damaged),
                Kind(other) => Err(RdbError::Unknown(other)),
            };
            done.map_err(|source| self.error(0, source))?;
            self.number += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::keyspace::Effect;
    use crate::replication::log::memory::MemoryDisk;
    use crate::replication::snapshot::{Header, SnapshotError};

    fn picture(keyspace: &mut Keyspace, snapshots: &Snapshots) -> Info {
        let header = Header { seed: Some(keyspace.forms.seed), ..Header::default() };
        let mut writer = snapshots.write(&header).unwrap();
        for entry in keyspace.users.entries() {
            writer.add(Kind::USERS, &entry).unwrap();
        }
        let mut captured = Vec::new();
        keyspace.begin_walk(usize::MAX);
        while keyspace.step_walk(1 << 20, &mut captured).unwrap() {}
        let mut rest = captured.as_slice();
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let (entry, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
            writer.add(Kind::KEYS, entry).unwrap();
            rest = tail;
        }
        writer.finish().unwrap()
    }

    #[test]
    fn what_several_threads_load_is_what_was_there_and_damage_is_told_by_its_place() {
        let disk = MemoryDisk::new(1);
        let snapshots = Snapshots::open(Arc::new(disk.clone()), "/data/snapshot".into()).unwrap();
        let mut keyspace = Keyspace::new(4, Forms::seeded(77));
        keyspace.change(&Effect::User { name: b"ann", rules: Some(b"on nopass ~* +@all") });
        for number in 0..60_000u32 {
            let (key, value) = (format!("key:{number}"), [number as u8; 100]);
            let deadline = (number % 3 == 0).then_some(5_000_000_000_000 + u64::from(number));
            keyspace.apply(&Effect::Set { db: number % 4, key: key.as_bytes(), value: &value, deadline });
        }
        let info = picture(&mut keyspace, &snapshots);
        assert!(info.bytes > SMALL_BYTES);
        let shape = Shape { databases: 4, forms: Forms::seeded(1) };
        let loaded = load(&snapshots, &info, shape).unwrap();
        assert!(loaded.digest() == keyspace.digest());
        assert_eq!(loaded.database(0).deadlines(), keyspace.database(0).deadlines());
        assert_eq!(loaded.users.iter().count(), 1);
        assert_eq!(loaded.forms.seed, 77, "in the order of the hashes");

        let at = info.bytes as usize / 2;
        disk.flip(&info.path, at * 8);
        let Err(RecoveryError::Snapshot(SnapshotError::Corrupt { at: told, .. })) =
            load(&snapshots, &info, shape)
        else {
            panic!("damage went unseen")
        };
        assert!(told as usize <= at && told as usize + (300 << 10) > at, "{told} of {at}");
    }
}
