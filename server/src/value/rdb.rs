//! Values in the encoding of Redis' RDB files: what snapshots hold, and what `DUMP` speaks.
//!
//! Written are the plain encodings (a raw string, a list of raw strings), which every version of Redis reads.

mod crc64;
mod dump;
mod functions;
pub mod listpack;
mod plain;
mod stream;

pub use dump::{DumpError, dump, restore, seal};
pub use functions::{FunctionsError, dump_functions, restore_functions};

use super::{End, Forms, Hash, List, Pair, Set, SortedSet, Str, Value};

const STRING: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;
const SORTED_SET: u8 = 5;
const HASH: u8 = 4;
/// A hash whose fields may expire: the first deadline, then each field with its own, counted from that one.
const HASH_METADATA: u8 = 24;
const DEADLINE_BYTES: usize = 8;

/// Bytes that are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RdbError {
    #[error("unknown value type {0}: was this written by a newer version?")]
    Unknown(u8),
    #[error("a value ends too early or holds a length out of range")]
    Damaged,
}

/// Append the type byte that goes before the key in an RDB entry.
pub fn type_byte(value: &Value) -> u8 {
    match value {
        Value::String(_) => STRING,
        Value::List(_) => LIST,
        Value::Set(_) => SET,
        Value::SortedSet(_) => SORTED_SET,
        Value::Hash(hash) if hash.next_deadline().is_some() => HASH_METADATA,
        Value::Hash(_) => HASH,
        Value::Stream(_) => stream::THIRD,
    }
}

/// Append the value, without its type byte.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(string) => encode_string(string.bytes(&mut itoa::Buffer::new()), out),
        Value::List(list) => {
            encode_length(list.len() as u64, out);
            list.iter().for_each(|item| encode_string(item, out));
        }
        Value::Set(set) => {
            encode_length(set.len() as u64, out);
            set.iter().for_each(|member| encode_string(member.bytes(&mut itoa::Buffer::new()), out));
        }
        Value::SortedSet(set) => {
            encode_length(set.len() as u64, out);
            for (member, score) in set.iter() {
                encode_string(member, out);
                out.extend_from_slice(&score.to_le_bytes());
            }
        }
        Value::Hash(hash) => encode_hash(hash, out),
        Value::Stream(stream) => stream::encode(stream, out),
    }
}

/// Take a value of a type off the front of `input`.
pub fn decode(kind: u8, input: &mut &[u8], forms: &Forms) -> Result<Value, RdbError> {
    match kind {
        STRING => Ok(Value::String(Str::new(decode_string(input)?))),
        LIST => {
            let mut list = List::default();
            for _ in 0..decode_length(input)? {
                list.push(End::Right, decode_string(input)?);
            }
            Ok(Value::List(list))
        }
        SET => {
            let mut set = Set::of([], forms);
            for _ in 0..decode_length(input)? {
                set.add(decode_string(input)?, forms);
            }
            Ok(Value::Set(set))
        }
        SORTED_SET => decode_sorted_set(input, forms).map(Value::SortedSet),
        HASH => {
            let mut hash = Hash::default();
            for _ in 0..decode_length(input)? {
                let (field, value) = (decode_string(input)?, decode_string(input)?);
                hash.put(Pair { field, value, deadline: None }, forms);
            }
            Ok(Value::Hash(hash))
        }
        HASH_METADATA => decode_timed_hash(input, forms).map(Value::Hash),
        stream::FIRST | stream::SECOND | stream::THIRD => {
            Ok(Value::Stream(Box::new(stream::decode(kind, input)?)))
        }
        other => Err(RdbError::Unknown(other)),
    }
}

fn decode_sorted_set(input: &mut &[u8], forms: &Forms) -> Result<SortedSet, RdbError> {
    let (mut set, length) = (SortedSet::default(), decode_length(input)?);
    let score = |input: &mut &[u8]| {
        let bytes = take(input, 8)?.first_chunk().copied().map(f64::from_le_bytes);
        bytes.filter(|score| !score.is_nan()).ok_or(RdbError::Damaged)
    };
    // The small form does not tell minus zero from zero: what takes the large one must not pass through it.
    let (mut ahead, mut small) = (*input, length <= forms.zset_listpack_entries as u64);
    for _ in 0..if small { length } else { 0 } {
        small &= decode_string(&mut ahead)?.len() <= forms.zset_listpack_value;
        score(&mut ahead)?;
    }
    if !small {
        set.loosen(forms);
    }
    for _ in 0..length {
        let member = decode_string(input)?;
        set.set(member, score(input)?, forms);
    }
    Ok(set)
}

fn encode_hash(hash: &Hash, out: &mut Vec<u8>) {
    let first = hash.next_deadline();
    if let Some(first) = first {
        out.extend_from_slice(&first.to_le_bytes());
    }
    encode_length(hash.len() as u64, out);
    for pair in hash.iter() {
        if let Some(first) = first {
            // 0 is none, so that the first one is 1.
            encode_length(pair.deadline.map_or(0, |deadline| deadline - first + 1), out);
        }
        encode_string(pair.field, out);
        encode_string(pair.value, out);
    }
}

fn decode_timed_hash(input: &mut &[u8], forms: &Forms) -> Result<Hash, RdbError> {
    let first = u64::from_le_bytes(take(input, DEADLINE_BYTES)?.try_into().map_err(|_| RdbError::Damaged)?);
    let mut hash = Hash::default();
    for _ in 0..decode_length(input)? {
        let deadline = match decode_length(input)? {
            0 => None,
            later => Some(first.checked_add(later - 1).ok_or(RdbError::Damaged)?),
        };
        let (field, value) = (decode_string(input)?, decode_string(input)?);
        hash.put(Pair { field, value, deadline }, forms);
    }
    Ok(hash)
}

pub fn encode_string(bytes: &[u8], out: &mut Vec<u8>) {
    encode_length(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub fn decode_string<'i>(input: &mut &'i [u8]) -> Result<&'i [u8], RdbError> {
    let length = usize::try_from(decode_length(input)?).map_err(|_| RdbError::Damaged)?;
    take(input, length)
}

/// A length: 6 or 14 bits after a two-bit mark, or 32 or 64 bits after a byte.
pub fn encode_length(length: u64, out: &mut Vec<u8>) {
    match length {
        0..0x40 => out.push(length as u8),
        0x40..0x4000 => out.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

pub fn decode_length(input: &mut &[u8]) -> Result<u64, RdbError> {
    let first = take(input, 1)?[0];
    match first >> 6 {
        0 => Ok(u64::from(first & 0x3f)),
        1 => Ok(u64::from(first & 0x3f) << 8 | u64::from(take(input, 1)?[0])),
        _ if first == 0x80 => Ok(take(input, 4)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))),
        _ if first == 0x81 => Ok(take(input, 8)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))),
        _ => Err(RdbError::Damaged),
    }
}

fn take<'i>(input: &mut &'i [u8], length: usize) -> Result<&'i [u8], RdbError> {
    let (taken, rest) = input.split_at_checked(length).ok_or(RdbError::Damaged)?;
    *input = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_cut_ones_are_errors() {
        let mut list = List::default();
        for item in [b"a".as_slice(), b"", &[7; 70], &vec![8; 20_000]] {
            list.push(End::Right, item);
        }
        let forms = Forms::seeded(1);
        let long = vec![8; 20_000];
        let hash = |deadline, value| {
            let mut hash = Hash::default();
            hash.put(Pair { field: b"a", value: b"1", deadline: None }, &forms);
            hash.put(Pair { field: b"", value, deadline }, &forms);
            hash.put(
                Pair { field: b"c", value, deadline: deadline.map(|deadline| deadline + 70_000) },
                &forms,
            );
            Value::Hash(hash)
        };
        for value in [
            hash(None, b"v"),
            hash(None, &long),
            hash(Some(1 << 41), b"v"),
            hash(Some(1 << 41), &long),
            Value::Set(Set::of([b"1".as_slice(), b"-70000"], &forms)),
            Value::Set(Set::of([b"a".as_slice(), b"1"], &forms)),
            Value::Set(Set::of([b"a".as_slice(), &[7; 70], &vec![8; 20_000]], &forms)),
            Value::String(Str::new(b"")),
            Value::String(Str::new(b"12345")),
            Value::String(Str::new(&vec![1; 100_000])),
            Value::List(list),
        ] {
            let mut bytes = Vec::new();
            encode(&value, &mut bytes);
            let mut input = bytes.as_slice();
            assert_eq!(decode(type_byte(&value), &mut input, &forms).as_ref(), Ok(&value));
            assert!(input.is_empty());
            for cut in (0..bytes.len()).step_by(97) {
                assert_eq!(decode(type_byte(&value), &mut &bytes[..cut], &forms), Err(RdbError::Damaged));
            }
        }
        assert_eq!(decode(99, &mut b"".as_slice(), &forms), Err(RdbError::Unknown(99)));
    }

    #[test]
    fn lengths_are_those_of_rdb() {
        for (length, bytes) in [
            (0u64, vec![0]),
            (63, vec![63]),
            (64, vec![0x40, 64]),
            (16_383, vec![0x7f, 0xff]),
            (16_384, vec![0x80, 0, 0, 0x40, 0]),
            (1 << 32, vec![0x81, 0, 0, 0, 1, 0, 0, 0, 0]),
        ] {
            let mut out = Vec::new();
            encode_length(length, &mut out);
            assert_eq!(out, bytes);
            assert_eq!(decode_length(&mut out.as_slice()), Ok(length));
        }
    }
}
