//! Listpacks: runs of strings and integers in one buffer, as Redis keeps small values and the blocks of streams.
//!
//! Contract: the bytes are those that Redis writes for the same sequence of appends, so that what holds one can be
//! dumped without a conversion. A [`Listpack`] is sound: bytes from elsewhere become one only by [`Listpack::read`],
//! which looks at every item. Positions are byte offsets of items; only those that its methods gave may be passed back.

use std::borrow::Cow;

use crate::value::number;

/// Bytes before the first item: those in all as a `u32`, the items as a `u16`.
const HEADER: usize = 6;

/// As a number of items: more than the header can say.
const MANY: u16 = u16::MAX;

/// The byte after the last item.
const END: u8 = 0xff;

/// An item: what is written like an integer is kept as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'l> {
    Integer(i64),
    Bytes(&'l [u8]),
}

impl<'l> Item<'l> {
    /// The bytes that were put in.
    pub fn bytes(self) -> Cow<'l, [u8]> {
        match self {
            Item::Integer(number) => Cow::Owned(itoa::Buffer::new().format(number).as_bytes().to_vec()),
            Item::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    pub fn shared(self) -> bytes::Bytes {
        match self {
            Item::Integer(number) => {
                bytes::Bytes::copy_from_slice(itoa::Buffer::new().format(number).as_bytes())
            }
            Item::Bytes(bytes) => bytes::Bytes::copy_from_slice(bytes),
        }
    }

    /// Whether these are the bytes that were put in.
    pub fn is(self, other: &[u8]) -> bool {
        match self {
            Item::Integer(number) => itoa::Buffer::new().format(number).as_bytes() == other,
            Item::Bytes(bytes) => bytes == other,
        }
    }

    pub fn integer(self) -> Option<i64> {
        match self {
            Item::Integer(number) => Some(number),
            Item::Bytes(bytes) => number::integer(bytes),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listpack(Vec<u8>);

impl Default for Listpack {
    fn default() -> Self {
        Self(vec![HEADER as u8 + 1, 0, 0, 0, 0, 0, END])
    }
}

impl Listpack {
    /// Bytes from elsewhere, if they are a listpack from the first to the last.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (header, _) = bytes.split_first_chunk::<HEADER>()?;
        let size = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        if size != bytes.len() || bytes.len() <= HEADER || bytes.last() != Some(&END) {
            return None;
        }
        let (mut at, mut count) = (HEADER, 0u64);
        while at < size - 1 {
            let length = item_length(bytes.get(at..size - 1)?)?;
            let back = back_length(length);
            let end = at.checked_add(length + back)?;
            if end > size - 1 || read_back(bytes, end).is_none_or(|(told, _)| told != length) {
                return None;
            }
            at = end;
            count += 1;
        }
        let told = u16::from_le_bytes([header[4], header[5]]);
        (at == size - 1 && (told == MANY || u64::from(told) == count)).then(|| Self(bytes.to_vec()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn allocated(&self) -> usize {
        self.0.capacity()
    }

    pub fn reserve(&mut self, bytes: usize) {
        self.0.reserve_exact(bytes);
    }

    pub fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        match u16::from_le_bytes([self.0[4], self.0[5]]) {
            MANY => self.iter().count(),
            count => usize::from(count),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.len() == HEADER + 1
    }

    /// Put a string at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        match number::integer(bytes) {
            Some(number) => self.push_integer(number),
            None => self.append(|out| {
                match bytes.len() {
                    length @ 0..64 => out.push(0x80 | length as u8),
                    length @ 64..4096 => out.extend_from_slice(&[0xe0 | (length >> 8) as u8, length as u8]),
                    length => {
                        out.push(0xf0);
                        out.extend_from_slice(&(length as u32).to_le_bytes());
                    }
                }
                out.extend_from_slice(bytes);
            }),
        }
    }

    /// Put an integer at the end.
    pub fn push_integer(&mut self, number: i64) {
        self.append(|out| write_integer(number, out));
    }

    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.pop();
        let start = self.0.len();
        write(&mut self.0);
        write_back(self.0.len() - start, &mut self.0);
        self.0.push(END);
        let count = u16::from_le_bytes([self.0[4], self.0[5]]);
        self.note(count.saturating_add(1));
    }

    fn note(&mut self, count: u16) {
        let size = self.0.len() as u32;
        self.0[..4].copy_from_slice(&size.to_le_bytes());
        self.0[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }

    /// Put an integer in the place of the item at a position.
    pub fn replace(&mut self, at: usize, number: i64) {
        let mut item = Vec::with_capacity(12);
        write_integer(number, &mut item);
        write_back(item.len(), &mut item);
        let old = self.after(at) - at;
        self.0.splice(at..at + old, item);
        self.note(u16::from_le_bytes([self.0[4], self.0[5]]));
    }

    /// The position behind an item: of the next one, if there is one.
    fn after(&self, at: usize) -> usize {
        let length = item_length(&self.0[at..]).unwrap_or(0);
        at + length + back_length(length)
    }

    /// The position of the first item.
    pub fn first(&self) -> Option<usize> {
        (!self.is_empty()).then_some(HEADER)
    }

    /// The position of the last item.
    pub fn last(&self) -> Option<usize> {
        self.before(self.0.len() - 1)
    }

    pub fn next(&self, at: usize) -> Option<usize> {
        Some(self.after(at)).filter(|next| *next < self.0.len() - 1)
    }

    /// The position of the item before one.
    pub fn before(&self, at: usize) -> Option<usize> {
        if at <= HEADER {
            return None;
        }
        let (length, back) = read_back(&self.0, at)?;
        at.checked_sub(length + back)
    }

    pub fn get(&self, at: usize) -> Item<'_> {
        read_item(&self.0[at..])
    }

    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        std::iter::successors(self.first(), |at| self.next(*at)).map(|at| self.get(at))
    }
}

fn write_integer(number: i64, out: &mut Vec<u8>) {
    match number {
        0..=127 => out.push(number as u8),
        -4096..=4095 => {
            let bits = (number & 0x1fff) as u16;
            out.extend_from_slice(&[0xc0 | (bits >> 8) as u8, bits as u8]);
        }
        _ => {
            let (mark, size) = match number {
                -0x8000..=0x7fff => (0xf1, 2),
                -0x80_0000..=0x7f_ffff => (0xf2, 3),
                -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
                _ => (0xf4, 8),
            };
            out.push(mark);
            out.extend_from_slice(&number.to_le_bytes()[..size]);
        }
    }
}

/// The bytes of the item at the start of `input`, without its length behind it; `None` if it is cut or none.
fn item_length(input: &[u8]) -> Option<usize> {
    let length = match *input.first()? {
        0..=0x7f => 1,
        mark @ 0x80..=0xbf => 1 + usize::from(mark & 0x3f),
        0xc0..=0xdf => 2,
        mark @ 0xe0..=0xef => 2 + (usize::from(mark & 0x0f) << 8 | usize::from(*input.get(1)?)),
        0xf0 => {
            let length = input.get(1..5)?.try_into().ok()?;
            5 + u32::from_le_bytes(length) as usize
        }
        0xf1 => 3,
        0xf2 => 4,
        0xf3 => 5,
        0xf4 => 9,
        _ => return None,
    };
    (length <= input.len()).then_some(length)
}

fn read_item(input: &[u8]) -> Item<'_> {
    let signed = |size: usize| {
        let mut bytes = [0; 8];
        bytes[8 - size..].copy_from_slice(&input[1..=size]);
        i64::from_le_bytes(bytes) >> (64 - 8 * size)
    };
    let end = item_length(input).unwrap_or(input.len());
    match input[0] {
        small @ 0..=0x7f => Item::Integer(i64::from(small)),
        0x80..=0xbf => Item::Bytes(&input[1..end]),
        mark @ 0xc0..=0xdf => {
            let bits = i64::from(mark & 0x1f) << 8 | i64::from(input[1]);
            Item::Integer((bits << 51) >> 51)
        }
        0xe0..=0xef => Item::Bytes(&input[2..end]),
        0xf0 => Item::Bytes(&input[5..end]),
        0xf1 => Item::Integer(signed(2)),
        0xf2 => Item::Integer(signed(3)),
        0xf3 => Item::Integer(signed(4)),
        _ => Item::Integer(signed(8)),
    }
}

/// The bytes that the length behind an item of so many bytes takes. The bounds are Redis', odd as they are.
const fn back_length(length: usize) -> usize {
    match length {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// The length of an item, to be read from its end: seven bits a byte, all but the first one marked.
fn write_back(length: usize, out: &mut Vec<u8>) {
    let bytes = back_length(length);
    for index in (0..bytes).rev() {
        let mark = if index + 1 == bytes { 0 } else { 0x80 };
        out.push((length >> (7 * index)) as u8 & 0x7f | mark);
    }
}

/// The length that ends before `end`, and its own bytes.
fn read_back(bytes: &[u8], end: usize) -> Option<(usize, usize)> {
    let mut length = 0usize;
    for index in 0..5 {
        let byte = *bytes.get(end.checked_sub(index + 1)?)?;
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((length, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = [0, 1, 10, 63, 64, 127, 128, 4_095, 4_096, 16_380, 16_383, 70_000]
            .iter()
            .map(|length| vec![b'x'; *length])
            .collect();
        for bits in [0u32, 7, 12, 15, 23, 31, 62] {
            for near in [-1i64, 0, 1] {
                let number = (1i64 << bits) + near;
                all.push(number.to_string().into_bytes());
                all.push((-number).to_string().into_bytes());
            }
        }
        all.extend([i64::MAX, i64::MIN].map(|number| number.to_string().into_bytes()));
        all.extend([b"01".to_vec(), b"-0".to_vec(), b"9223372036854775808".to_vec()]);
        all
    }

    #[test]
    fn items_come_back_from_either_end() {
        let (samples, mut pack) = (samples(), Listpack::default());
        samples.iter().for_each(|sample| pack.push(sample));
        assert_eq!(pack.len(), samples.len());
        assert!(pack.iter().map(|item| item.bytes().into_owned()).eq(samples.iter().cloned()));
        let backwards = std::iter::successors(pack.last(), |at| pack.before(*at));
        assert!(backwards.map(|at| pack.get(at).bytes().into_owned()).eq(samples.iter().rev().cloned()));
        assert_eq!(Listpack::read(pack.as_bytes()), Some(pack));
    }

    #[test]
    fn small_ones_have_the_bytes_of_redis() {
        let mut pack = Listpack::default();
        pack.push(b"a");
        pack.push(b"300");
        pack.push_integer(-1);
        assert_eq!(pack.as_bytes(), b"\x10\0\0\0\x03\0\x81a\x02\xc1\x2c\x02\xdf\xff\x02\xff");
    }

    #[test]
    fn an_integer_may_grow_and_shrink_in_its_place() {
        let mut pack = Listpack::default();
        [b"a".as_slice(), b"1", b"z"].iter().for_each(|item| pack.push(item));
        let at = pack.next(HEADER).unwrap();
        for number in [1_000_000_000_000, -5, 0, 4_096] {
            pack.replace(at, number);
            assert_eq!(Listpack::read(pack.as_bytes()).as_ref(), Some(&pack));
            assert!(pack.iter().eq([Item::Bytes(b"a"), Item::Integer(number), Item::Bytes(b"z")]));
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let mut pack = Listpack::default();
        samples().iter().take(8).for_each(|sample| pack.push(sample));
        pack.push_integer(1 << 40);
        let bytes = pack.as_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(Listpack::read(&bytes[..cut]), None);
        }
        for at in (0..bytes.len()).step_by(7) {
            for value in [0, 0x7f, 0x80, 0xe0, 0xf0, 0xf4, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] = value;
                // It may be another listpack; it is read to its end then.
                if let Some(pack) = Listpack::read(&damaged) {
                    assert!(pack.iter().count() <= damaged.len());
                }
            }
        }
    }
}
