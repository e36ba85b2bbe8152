//! Where a log stands: the words that every part of replication shares.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Rises with each change of leader; 0 before the first.
pub type Epoch = u64;

/// A byte position in the stream of records, as Redis' `master_repl_offset`. The offset of a record is its end.
pub type Offset = u64;

/// Where a log stands after a record: equal positions mean equal histories.
///
/// `crc` is the running checksum: each record's is seeded by the one before it, so it names everything up to
/// `offset`. `epoch` is that of the last record. An empty log stands at the default: all zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    pub epoch: Epoch,
    pub offset: Offset,
    pub crc: u32,
}

impl Position {
    pub const START: Self = Self { epoch: 0, offset: 0, crc: 0 };

    /// What a node says of a log that is damaged: nobody may conclude that it held less than they do.
    pub const UNKNOWN: Self = Self { epoch: Epoch::MAX, offset: Offset::MAX, crc: 0 };

    /// Who is further: by epoch first, then by offset. Says nothing about whether the histories agree.
    pub fn rank(&self) -> (Epoch, Offset) {
        (self.epoch, self.offset)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {} offset {} crc {:08x}", self.epoch, self.offset, self.crc)
    }
}

/// Where an epoch's first record starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct EpochStart {
    pub epoch: Epoch,
    pub start: Offset,
}
