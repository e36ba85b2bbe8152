//! Values as `DUMP` tells and `RESTORE` takes them: the type, the value, the version of the format and a checksum.

use std::collections::HashSet;

use super::crc64::crc64;
use super::plain::{self, HASH, LIST, SET, SORTED_SET};
use super::{
    DEADLINE_BYTES, HASH_METADATA, RdbError, decode, decode_length, decode_string, encode, take, type_byte,
};
use crate::value::{Forms, Value};

/// The version written, that of Redis 7.0, and the newest one, that of Redis 8.0, which newer types are written with.
pub(super) const VERSION: u16 = 10;
const VERSION_MAX: u16 = 12;
/// The last type that Redis 7.0 knows.
const OLD_TYPE_MAX: u8 = 19;
/// Bytes of the version and the checksum.
const FOOTER: usize = 10;

/// What is wrong with a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpError {
    /// It was written by a newer version, or its checksum does not fit.
    Footer,
    /// What it holds is no value.
    Value(RdbError),
}

impl From<RdbError> for DumpError {
    fn from(error: RdbError) -> Self {
        DumpError::Value(error)
    }
}

pub fn dump(value: &Value) -> Vec<u8> {
    let mut bytes = vec![type_byte(value)];
    encode(value, &mut bytes);
    let version = if bytes[0] > OLD_TYPE_MAX { VERSION_MAX } else { VERSION };
    seal(&mut bytes, version);
    bytes
}

/// Append the version of the format and the checksum.
pub fn seal(bytes: &mut Vec<u8>, version: u16) {
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&crc64(bytes).to_le_bytes());
}

/// What stands before the version and the checksum, if those are right.
pub(super) fn unseal(dump: &[u8]) -> Option<&[u8]> {
    let (value, footer) = dump.split_at_checked(dump.len().checked_sub(FOOTER)?)?;
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let sum = crc64(&dump[..dump.len() - 8]).to_le_bytes();
    (version <= VERSION_MAX && sum == footer[2..]).then_some(value)
}

/// The type and the plain encoding of a dumped value, which surely can be decoded.
pub fn restore(dump: &[u8], forms: &Forms) -> Result<(u8, Vec<u8>), DumpError> {
    let value = unseal(dump).filter(|value| !value.is_empty()).ok_or(DumpError::Footer)?;
    let (kind, bytes) = plain::plain(value[0], &mut &value[1..])?;
    check(kind, &bytes)?;
    decode(kind, &mut bytes.as_slice(), forms)?;
    Ok((kind, bytes))
}

/// A collection has something, and nothing twice.
fn check(kind: u8, mut input: &[u8]) -> Result<(), RdbError> {
    match kind {
        LIST | SET | SORTED_SET | HASH => {}
        HASH_METADATA => drop(take(&mut input, DEADLINE_BYTES)?),
        _ => return Ok(()),
    }
    let count = decode_length(&mut input)?;
    if count == 0 {
        return Err(RdbError::Damaged);
    }
    let mut seen = HashSet::new();
    for _ in 0..count {
        if kind == HASH_METADATA {
            decode_length(&mut input)?;
        }
        if !seen.insert(decode_string(&mut input)?) && kind != LIST {
            return Err(RdbError::Damaged);
        }
        match kind {
            SORTED_SET => drop(take(&mut input, 8)?),
            HASH | HASH_METADATA => drop(decode_string(&mut input)?),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{End, List, Set, SortedSet, Str};

    fn values(forms: &Forms) -> Vec<Value> {
        let (mut list, mut sorted) = (List::default(), SortedSet::default());
        for item in [b"a".as_slice(), b"", b"12", &[7; 70]] {
            list.push(End::Right, item);
            sorted.set(item, item.len() as f64 / 3.0, forms);
        }
        vec![
            Value::String(Str::new(b"text")),
            Value::String(Str::new(b"-77")),
            Value::List(list),
            Value::Set(Set::of([b"a".as_slice(), b"1"], forms)),
            Value::SortedSet(sorted),
        ]
    }

    #[test]
    fn what_was_dumped_can_be_restored() {
        let forms = Forms::seeded(1);
        for value in values(&forms) {
            let (kind, bytes) = restore(&dump(&value), &forms).unwrap();
            assert_eq!(decode(kind, &mut bytes.as_slice(), &forms), Ok(value));
        }
    }

    #[test]
    fn hashes_of_redis_8_keep_the_deadlines_of_their_fields() {
        const FIRST: u64 = 4_102_444_800_000;
        let packed = b"\x19\x00\xd8\xc3,\xbb\x03\x00\x00//\x00\x00\x00\t\x00\x81b\x02\x83two\x04\xf4\x00\xd8\xc3,\xbb\x03\x00\x00\
            \t\x81a\x02\x01\x01\xf4\x05\xd8\xc3,\xbb\x03\x00\x00\t\x81c\x02\x03\x01\x00\x01\xff";
        let table = b"\x18\x00\xd8\xc3,\xbb\x03\x00\x00\x03\x01\x01b\xc3\t@P\x01zz\xe0C\x00\x01zz\x80\x00\x01\x11q\x01a\xc0\x01\
            \x00\x01c\xc0\x03";
        let forms = Forms::seeded(1);
        for (dump, long, later) in
            [(&packed[..], &b"two"[..], FIRST + 5), (table, &[b'z'; 80], FIRST + 70_000)]
        {
            let mut dump = dump.to_vec();
            seal(&mut dump, VERSION_MAX);
            let (kind, bytes) = restore(&dump, &forms).unwrap();
            let Ok(Value::Hash(hash)) = decode(kind, &mut bytes.as_slice(), &forms) else {
                panic!("no hash")
            };
            let pair = |field: &[u8]| hash.get(field).map(|pair| (pair.value.to_vec(), pair.deadline));
            assert_eq!(pair(b"a"), Some((b"1".to_vec(), Some(later))));
            assert_eq!(pair(b"b"), Some((long.to_vec(), Some(FIRST))));
            assert_eq!(pair(b"c"), Some((b"3".to_vec(), None)));
            assert_eq!(hash.len(), 3);
        }
    }

    #[test]
    fn damage_is_refused_whatever_it_is() {
        let forms = Forms::seeded(1);
        let mut state = 1u64;
        for value in values(&forms) {
            let dump = dump(&value);
            assert_eq!(restore(&dump[..dump.len() - 1], &forms), Err(DumpError::Footer));
            // With a checksum that fits, what is wrong must be seen behind it; and for every type there is.
            for _ in 0..20_000 {
                let mut bytes = dump.clone();
                let length = bytes.len() - 8;
                for _ in 0..3 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let at = (state >> 40) as usize % (length - 2);
                    bytes[at] = if at == 0 { (state >> 33) as u8 % 26 } else { (state >> 33) as u8 };
                }
                let sum = crc64(&bytes[..length]).to_le_bytes();
                bytes[length..].copy_from_slice(&sum);
                let _ = restore(&bytes, &forms);
            }
        }
    }
}
