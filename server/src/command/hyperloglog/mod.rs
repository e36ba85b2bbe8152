//! The HyperLogLog commands: counting different elements in 12 KB at most.

mod change;
mod count;
mod debug;

use super::{Context, Spec};
use crate::keyspace::Effect;
use crate::resp::Failure;
use crate::value::{Str, hyperloglog};

/// In the order of their names.
pub static COMMANDS: &[&Spec] =
    &[&change::PFADD, &count::PFCOUNT, &debug::PFDEBUG, &change::PFMERGE, &debug::PFSELFTEST];

const CORRUPT: Failure = Failure::new("INVALIDOBJ Corrupted HLL object detected");

impl From<hyperloglog::Corrupt> for Failure {
    fn from(_: hyperloglog::Corrupt) -> Self {
        CORRUPT
    }
}

/// The bytes of the HyperLogLog at a key.
fn find<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c [u8]>, Failure> {
    const OTHER: Failure = Failure::new("WRONGTYPE Key is not a valid HyperLogLog string value.");
    match context.find_string(key)? {
        None => Ok(None),
        Some(Str::Shared(bytes)) if hyperloglog::is(bytes) => Ok(Some(bytes)),
        Some(Str::Grown(bytes)) if hyperloglog::is(bytes) => Ok(Some(bytes)),
        Some(_) => Err(OTHER),
    }
}

/// The same for commands that read: it counts as a use of the key, or as one that was looked for in vain.
fn read<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c [u8]>, Failure> {
    context.keyspace.read(context.client.db, key);
    find(context, key)
}

/// Raise registers of the HyperLogLog at a key, which is made if it is missing.
fn raise(context: &mut Context<'_>, key: &[u8], dense: bool, keep_cache: bool, raised: &[u8]) {
    let (db, sparse_max) = (context.client.db, context.server.config.hll_sparse_max_bytes);
    context.keyspace.change(&Effect::HyperLogLog { db, key, dense, keep_cache, sparse_max, raised });
}

/// A register and its value, as an effect holds them.
fn note(raised: &mut Vec<u8>, index: usize, value: u8) {
    raised.extend_from_slice(&(index as u16).to_le_bytes());
    raised.push(value);
}
