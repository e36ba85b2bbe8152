//! Streams in RDB files: their blocks as they are, then what is known of them, then their groups.

use std::collections::BTreeMap;

use super::listpack::Listpack;
use super::{RdbError, decode_length, decode_string, encode_length, encode_string, take};
use crate::value::stream::{Block, Group, Id, Stream};

/// What Redis up to 6.2, 7.0, and later ones write.
pub const FIRST: u8 = 15;
pub const SECOND: u8 = 19;
pub const THIRD: u8 = 21;

/// A counter that is not known.
const UNKNOWN: u64 = u64::MAX;

/// As type [`THIRD`].
pub fn encode(stream: &Stream, out: &mut Vec<u8>) {
    encode_length(stream.blocks().len() as u64, out);
    for (master, block) in stream.blocks() {
        encode_string(&master.to_bytes(), out);
        encode_string(block.as_bytes(), out);
    }
    encode_length(stream.len(), out);
    for id in [stream.last_id, stream.first_id, stream.max_deleted_id] {
        encode_id(id, out);
    }
    encode_length(stream.entries_added, out);
    encode_length(stream.groups().len() as u64, out);
    for (name, group) in stream.groups() {
        encode_string(name, out);
        encode_id(group.last_id, out);
        encode_length(group.read.unwrap_or(UNKNOWN), out);
        encode_group(group, out);
    }
}

fn encode_id(id: Id, out: &mut Vec<u8>) {
    encode_length(id.ms, out);
    encode_length(id.seq, out);
}

fn encode_group(group: &Group, out: &mut Vec<u8>) {
    encode_length(group.pending().len() as u64, out);
    for (id, pending) in group.pending() {
        out.extend_from_slice(&id.to_bytes());
        out.extend_from_slice(&pending.time.to_le_bytes());
        encode_length(pending.count, out);
    }
    encode_length(group.consumers().len() as u64, out);
    for (name, consumer) in group.consumers() {
        encode_string(name, out);
        out.extend_from_slice(&consumer.seen.to_le_bytes());
        out.extend_from_slice(&consumer.active.unwrap_or(u64::MAX).to_le_bytes());
        encode_length(consumer.pending().len() as u64, out);
        consumer.pending().iter().for_each(|id| out.extend_from_slice(&id.to_bytes()));
    }
}

/// Take a stream of one of the three types.
pub fn decode(kind: u8, input: &mut &[u8]) -> Result<Stream, RdbError> {
    let mut blocks = BTreeMap::new();
    for _ in 0..decode_length(input)? {
        let master = decode_string(input)?.try_into().map_err(|_| RdbError::Damaged)?;
        let master = Id::from_bytes(master);
        let pack = Listpack::read(decode_string(input)?).ok_or(RdbError::Damaged)?;
        let block = Block::read(pack, master).ok_or(RdbError::Damaged)?;
        blocks.insert(master, block);
    }
    let mut stream = Stream::of_blocks(blocks, decode_length(input)?).ok_or(RdbError::Damaged)?;
    stream.last_id = decode_id(input)?;
    if kind == FIRST {
        stream.entries_added = stream.len();
        stream.first_id = stream.first().unwrap_or(Id::MIN);
    } else {
        stream.first_id = decode_id(input)?;
        stream.max_deleted_id = decode_id(input)?;
        stream.entries_added = decode_length(input)?;
    }
    let sound = stream.last().is_none_or(|last| last <= stream.last_id);
    if !sound || stream.first().unwrap_or(Id::MIN) != stream.first_id {
        return Err(RdbError::Damaged);
    }
    for _ in 0..decode_length(input)? {
        let name = decode_string(input)?;
        let last = decode_id(input)?;
        let read = if kind == FIRST {
            stream.count_up_to(last)
        } else {
            Some(decode_length(input)?).filter(|read| *read != UNKNOWN)
        };
        let group = decode_group(Group::new(last, read), kind, input)?;
        stream.put_group(name, group);
    }
    Ok(stream)
}

fn decode_id(input: &mut &[u8]) -> Result<Id, RdbError> {
    Ok(Id::new(decode_length(input)?, decode_length(input)?))
}

fn raw_id(input: &mut &[u8]) -> Result<Id, RdbError> {
    take(input, 16)?.try_into().map(Id::from_bytes).map_err(|_| RdbError::Damaged)
}

fn milliseconds(input: &mut &[u8]) -> Result<u64, RdbError> {
    take(input, 8)?.try_into().map(u64::from_le_bytes).map_err(|_| RdbError::Damaged)
}

fn decode_group(mut group: Group, kind: u8, input: &mut &[u8]) -> Result<Group, RdbError> {
    let mut pending = BTreeMap::new();
    for _ in 0..decode_length(input)? {
        let id = raw_id(input)?;
        let time = milliseconds(input)?;
        pending.insert(id, (time, decode_length(input)?));
    }
    for _ in 0..decode_length(input)? {
        let name = decode_string(input)?;
        let seen = milliseconds(input)?;
        let active = if kind == THIRD {
            Some(milliseconds(input)?).filter(|time| *time != u64::MAX)
        } else {
            Some(seen)
        };
        group.see(name, seen);
        group.set_active(name, active);
        for _ in 0..decode_length(input)? {
            let id = raw_id(input)?;
            // Each entry is one consumer's.
            let (time, count) = pending.remove(&id).ok_or(RdbError::Damaged)?;
            group.give(id, name, time, count);
        }
    }
    if pending.is_empty() { Ok(group) } else { Err(RdbError::Damaged) }
}
