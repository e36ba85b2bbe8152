//! The compact encodings in which Redis writes small values, rewritten as the plain ones.
//!
//! Contract: any bytes may come in; what is damaged is an error, never a panic, and takes no more memory than what it
//! could have been packed from. Streams keep their type: only their compressed parts are unpacked.

use super::listpack::Listpack;
use super::{
    DEADLINE_BYTES, HASH_METADATA, RdbError, decode_length, encode_length, encode_string, stream, take,
};
use crate::value::{float, number};

pub(super) const STRING: u8 = 0;
pub(super) const LIST: u8 = 1;
pub(super) const SET: u8 = 2;
const SORTED_SET_TEXT: u8 = 3;
pub(super) const HASH: u8 = 4;
pub(super) const SORTED_SET: u8 = 5;
const HASH_ZIPMAP: u8 = 9;
const LIST_ZIPLIST: u8 = 10;
const SET_INTSET: u8 = 11;
const SORTED_SET_ZIPLIST: u8 = 12;
const HASH_ZIPLIST: u8 = 13;
const LIST_QUICKLIST: u8 = 14;
const HASH_LISTPACK: u8 = 16;
const SORTED_SET_LISTPACK: u8 = 17;
const LIST_QUICKLIST_2: u8 = 18;
const SET_LISTPACK: u8 = 20;
const HASH_LISTPACK_EX: u8 = 25;

type Result<T> = std::result::Result<T, RdbError>;
type Items = Vec<Vec<u8>>;

/// The type and value in a plain encoding.
pub fn plain(kind: u8, input: &mut &[u8]) -> Result<(u8, Vec<u8>)> {
    let mut out = Vec::new();
    let kind = match kind {
        STRING => {
            encode_string(&string(input)?, &mut out);
            STRING
        }
        LIST | SET => {
            copy_strings(input, &mut out, 1)?;
            kind
        }
        HASH => {
            copy_strings(input, &mut out, 2)?;
            HASH
        }
        HASH_METADATA => {
            copy_timed_hash(input, &mut out)?;
            HASH_METADATA
        }
        HASH_LISTPACK_EX => {
            let first = u64::from_le_bytes(fixed(input)?);
            timed(first, &listpack(&string(input)?)?, &mut out)?;
            HASH_METADATA
        }
        SORTED_SET | SORTED_SET_TEXT => {
            copy_sorted_set(kind, input, &mut out)?;
            SORTED_SET
        }
        SET_INTSET => packed(&intset(&string(input)?)?, 1, SET, &mut out)?,
        LIST_ZIPLIST => packed(&ziplist(&string(input)?)?, 1, LIST, &mut out)?,
        SET_LISTPACK => packed(&listpack(&string(input)?)?, 1, SET, &mut out)?,
        HASH_ZIPMAP => packed(&zipmap(&string(input)?)?, 2, HASH, &mut out)?,
        HASH_ZIPLIST => packed(&ziplist(&string(input)?)?, 2, HASH, &mut out)?,
        HASH_LISTPACK => packed(&listpack(&string(input)?)?, 2, HASH, &mut out)?,
        SORTED_SET_ZIPLIST => scored(&ziplist(&string(input)?)?, &mut out)?,
        SORTED_SET_LISTPACK => scored(&listpack(&string(input)?)?, &mut out)?,
        LIST_QUICKLIST | LIST_QUICKLIST_2 => packed(&quicklist(kind, input)?, 1, LIST, &mut out)?,
        stream::FIRST | stream::SECOND | stream::THIRD => {
            copy_stream(kind, input, &mut out)?;
            kind
        }
        other => {
            // A type that is known by itself or not at all.
            out.extend_from_slice(input);
            other
        }
    };
    Ok((kind, out))
}

/// The first deadline, and fields and values as triples with their own, 0 for none.
fn timed(first: u64, items: &Items, out: &mut Vec<u8>) -> Result<()> {
    let (triples, []) = items.as_chunks::<3>() else { return Err(RdbError::Damaged) };
    out.extend_from_slice(&first.to_le_bytes());
    encode_length(triples.len() as u64, out);
    for [field, value, deadline] in triples {
        let deadline = number::integer(deadline).and_then(|deadline| u64::try_from(deadline).ok());
        let after = match deadline.ok_or(RdbError::Damaged)? {
            0 => 0,
            deadline => deadline.checked_sub(first).ok_or(RdbError::Damaged)? + 1,
        };
        encode_length(after, out);
        encode_string(field, out);
        encode_string(value, out);
    }
    Ok(())
}

/// Items as a plain collection of so many strings each.
fn packed(items: &Items, each: usize, kind: u8, out: &mut Vec<u8>) -> Result<u8> {
    if !items.len().is_multiple_of(each) {
        return Err(RdbError::Damaged);
    }
    encode_length((items.len() / each) as u64, out);
    items.iter().for_each(|item| encode_string(item, out));
    Ok(kind)
}

/// Members, each followed by the text of its score.
fn scored(items: &Items, out: &mut Vec<u8>) -> Result<u8> {
    let (pairs, []) = items.as_chunks::<2>() else { return Err(RdbError::Damaged) };
    encode_length(pairs.len() as u64, out);
    for [member, score] in pairs {
        encode_string(member, out);
        let score = float::number(score).ok_or(RdbError::Damaged)?;
        out.extend_from_slice(&score.to_le_bytes());
    }
    Ok(SORTED_SET)
}

/// A string, perhaps kept as a number or compressed.
pub(super) fn string(input: &mut &[u8]) -> Result<Vec<u8>> {
    let number = |number: i64| itoa::Buffer::new().format(number).as_bytes().to_vec();
    match input.first() {
        Some(0xc0) => Ok(number(i64::from(fixed::<2>(input)?[1] as i8))),
        Some(0xc1) => {
            let [_, a, b] = fixed(input)?;
            Ok(number(i64::from(i16::from_le_bytes([a, b]))))
        }
        Some(0xc2) => {
            let [_, a, b, c, d] = fixed(input)?;
            Ok(number(i64::from(i32::from_le_bytes([a, b, c, d]))))
        }
        Some(0xc3) => {
            take(input, 1)?;
            let (packed, length) = (length(input)?, length(input)?);
            unpack(take(input, packed)?, length)
        }
        _ => {
            let length = length(input)?;
            Ok(take(input, length)?.to_vec())
        }
    }
}

fn fixed<const N: usize>(input: &mut &[u8]) -> Result<[u8; N]> {
    take(input, N)?.first_chunk().copied().ok_or(RdbError::Damaged)
}

fn length(input: &mut &[u8]) -> Result<usize> {
    usize::try_from(decode_length(input)?).map_err(|_| RdbError::Damaged)
}

/// Bytes that LZF compressed: runs of literals, and copies of what came before.
fn unpack(mut packed: &[u8], length: usize) -> Result<Vec<u8>> {
    // Three bytes copy 264 at most.
    const RATIO_MAX: usize = 100;
    if length > packed.len().saturating_mul(RATIO_MAX) {
        return Err(RdbError::Damaged);
    }
    let mut out = Vec::with_capacity(length);
    while let Some((control, rest)) = packed.split_first() {
        packed = rest;
        let control = usize::from(*control);
        if control < 32 {
            out.extend_from_slice(take(&mut packed, control + 1)?);
        } else {
            let mut count = control >> 5;
            if count == 7 {
                count += usize::from(take(&mut packed, 1)?[0]);
            }
            let back = ((control & 0x1f) << 8 | usize::from(take(&mut packed, 1)?[0])) + 1;
            let start = out.len().checked_sub(back).ok_or(RdbError::Damaged)?;
            // It may reach into what it is about to write.
            (start..start + count + 2).for_each(|at| out.push(out[at]));
        }
        if out.len() > length {
            return Err(RdbError::Damaged);
        }
    }
    if out.len() == length { Ok(out) } else { Err(RdbError::Damaged) }
}

fn copy_strings(input: &mut &[u8], out: &mut Vec<u8>, each: u64) -> Result<()> {
    let count = decode_length(input)?;
    encode_length(count, out);
    for _ in 0..count.checked_mul(each).ok_or(RdbError::Damaged)? {
        encode_string(&string(input)?, out);
    }
    Ok(())
}

fn copy_timed_hash(input: &mut &[u8], out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(take(input, DEADLINE_BYTES)?);
    let count = decode_length(input)?;
    encode_length(count, out);
    for _ in 0..count {
        encode_length(decode_length(input)?, out);
        encode_string(&string(input)?, out);
        encode_string(&string(input)?, out);
    }
    Ok(())
}

fn copy_sorted_set(kind: u8, input: &mut &[u8], out: &mut Vec<u8>) -> Result<()> {
    let count = decode_length(input)?;
    encode_length(count, out);
    for _ in 0..count {
        encode_string(&string(input)?, out);
        let score = if kind == SORTED_SET {
            f64::from_le_bytes(fixed(input)?)
        } else {
            match take(input, 1)?[0] {
                253 => f64::NAN,
                254 => f64::INFINITY,
                255 => f64::NEG_INFINITY,
                length => float::number(take(input, usize::from(length))?).ok_or(RdbError::Damaged)?,
            }
        };
        if score.is_nan() {
            return Err(RdbError::Damaged);
        }
        out.extend_from_slice(&score.to_le_bytes());
    }
    Ok(())
}

/// The items of all nodes: each node is a packed list, or in the second version perhaps a single item.
fn quicklist(kind: u8, input: &mut &[u8]) -> Result<Items> {
    const PLAIN: u64 = 1;
    const PACKED: u64 = 2;
    let mut items = Items::new();
    for _ in 0..decode_length(input)? {
        let container = if kind == LIST_QUICKLIST_2 { decode_length(input)? } else { PACKED };
        let node = string(input)?;
        match (container, kind) {
            (PLAIN, _) => items.push(node),
            (PACKED, LIST_QUICKLIST_2) => items.extend(listpack(&node)?),
            (PACKED, _) => items.extend(ziplist(&node)?),
            _ => return Err(RdbError::Damaged),
        }
    }
    Ok(items)
}

fn intset(bytes: &[u8]) -> Result<Items> {
    let mut input = bytes;
    let (size, count) = (u32::from_le_bytes(fixed(&mut input)?), u32::from_le_bytes(fixed(&mut input)?));
    let mut items = Items::new();
    for _ in 0..count {
        let number = match size {
            2 => i64::from(i16::from_le_bytes(fixed(&mut input)?)),
            4 => i64::from(i32::from_le_bytes(fixed(&mut input)?)),
            8 => i64::from_le_bytes(fixed(&mut input)?),
            _ => return Err(RdbError::Damaged),
        };
        items.push(itoa::Buffer::new().format(number).as_bytes().to_vec());
    }
    if input.is_empty() { Ok(items) } else { Err(RdbError::Damaged) }
}

/// Keys and values, each after its length; unused bytes may follow a value.
fn zipmap(bytes: &[u8]) -> Result<Items> {
    let mut input = bytes;
    let mut items = Items::new();
    take(&mut input, 1)?;
    let size = |input: &mut &[u8]| match take(input, 1)?[0] {
        254 => Ok(u32::from_le_bytes(fixed(input)?) as usize),
        255 => Err(RdbError::Damaged),
        length => Ok(usize::from(length)),
    };
    while input != [255] {
        let length = size(&mut input)?;
        items.push(take(&mut input, length)?.to_vec());
        let length = size(&mut input)?;
        let unused = usize::from(take(&mut input, 1)?[0]);
        items.push(take(&mut input, length)?.to_vec());
        take(&mut input, unused)?;
    }
    Ok(items)
}

/// A list of the older packed form: each entry begins with the length of the one before it.
fn ziplist(bytes: &[u8]) -> Result<Items> {
    let mut input = bytes;
    let header: [u8; 10] = fixed(&mut input)?;
    if bytes.len() != u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize {
        return Err(RdbError::Damaged);
    }
    let mut items = Items::new();
    while input != [255] {
        if take(&mut input, 1)?[0] >= 254 {
            take(&mut input, 4)?;
        }
        let code = take(&mut input, 1)?[0];
        let number = match code {
            0..0xc0 => {
                let length = match code >> 6 {
                    0 => usize::from(code),
                    1 => usize::from(code & 0x3f) << 8 | usize::from(take(&mut input, 1)?[0]),
                    _ => u32::from_be_bytes(fixed(&mut input)?) as usize,
                };
                items.push(take(&mut input, length)?.to_vec());
                continue;
            }
            0xc0 => i64::from(i16::from_le_bytes(fixed(&mut input)?)),
            0xd0 => i64::from(i32::from_le_bytes(fixed(&mut input)?)),
            0xe0 => i64::from_le_bytes(fixed(&mut input)?),
            0xf0 => small(take(&mut input, 3)?),
            0xfe => i64::from(take(&mut input, 1)?[0] as i8),
            0xf1..=0xfd => i64::from(code & 0x0f) - 1,
            _ => return Err(RdbError::Damaged),
        };
        items.push(itoa::Buffer::new().format(number).as_bytes().to_vec());
    }
    Ok(items)
}

/// A list of the newer packed form.
fn listpack(bytes: &[u8]) -> Result<Items> {
    let pack = Listpack::read(bytes).ok_or(RdbError::Damaged)?;
    Ok(pack.iter().map(|item| item.bytes().into_owned()).collect())
}

/// An integer of three bytes.
fn small(bytes: &[u8]) -> i64 {
    bytes.first_chunk().map_or(0, |[a, b, c]| i64::from(i32::from_le_bytes([0, *a, *b, *c]) >> 8))
}

/// A stream, its strings unpacked.
fn copy_stream(kind: u8, input: &mut &[u8], out: &mut Vec<u8>) -> Result<()> {
    let number = |input: &mut &[u8], out: &mut Vec<u8>| {
        let number = decode_length(input)?;
        encode_length(number, out);
        Ok::<u64, RdbError>(number)
    };
    let raw = |input: &mut &[u8], out: &mut Vec<u8>, length: usize| {
        out.extend_from_slice(take(input, length)?);
        Ok::<(), RdbError>(())
    };
    copy_strings(input, out, 2)?;
    // Length and last id; later the first id, the greatest deleted one and the entries ever added too.
    for _ in 0..if kind == stream::FIRST { 3 } else { 8 } {
        number(input, out)?;
    }
    for _ in 0..number(input, out)? {
        encode_string(&string(input)?, out);
        for _ in 0..if kind == stream::FIRST { 2 } else { 3 } {
            number(input, out)?;
        }
        // Pending entries: id, time, deliveries.
        for _ in 0..number(input, out)? {
            raw(input, out, 24)?;
            number(input, out)?;
        }
        // Consumers: name, when they were seen and active, and their pending ids.
        for _ in 0..number(input, out)? {
            encode_string(&string(input)?, out);
            raw(input, out, if kind == stream::THIRD { 16 } else { 8 })?;
            for _ in 0..number(input, out)? {
                raw(input, out, 16)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_bytes_are_unpacked() {
        // Three letters, then a copy that reaches into itself.
        assert_eq!(unpack(&[2, b'a', b'b', b'c', 0xe0, 9, 2], 21), Ok(b"abcabcabcabcabcabcabc".to_vec()));
        assert_eq!(unpack(&[2, b'a', b'b', b'c', 0x20, 3], 6), Err(RdbError::Damaged));
        assert_eq!(unpack(&[0], 1), Err(RdbError::Damaged));
        assert_eq!(unpack(&[0, b'a'], 2), Err(RdbError::Damaged));
        assert_eq!(unpack(&[0, b'a'], usize::MAX), Err(RdbError::Damaged));
    }

    #[test]
    fn the_older_packed_forms_are_read() {
        let ziplist = [20, 0, 0, 0, 15, 0, 0, 0, 3, 0, 0, 1, b'a', 3, 0xf6, 2, 0xc0, 0x2c, 1, 255];
        let list = |text: &[&str]| Ok(text.iter().map(|item| item.as_bytes().to_vec()).collect::<Items>());
        assert_eq!(super::ziplist(&ziplist), list(&["a", "5", "300"]));
        let zipmap = [2, 1, b'k', 1, 0, b'v', 1, b'n', 2, 1, b'v', b'w', 0, 255];
        assert_eq!(super::zipmap(&zipmap), list(&["k", "v", "n", "vw"]));
        let intset = [2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 7, 0];
        assert_eq!(super::intset(&intset), list(&["-1", "7"]));
        for cut in 0..zipmap.len() - 1 {
            assert!(super::zipmap(&zipmap[..cut]).is_err());
            assert!(super::ziplist(&ziplist[..cut]).is_err());
        }
    }
}
