//! The form of small sorted sets: one run of bytes, in order.
//!
//! A record is the member's length, the member, and the score: a byte that says how, then an integer of 1, 2 or 4
//! bytes or a float of 8.

use super::precedes;

#[derive(Debug, Clone, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    len: u32,
}

/// A record, and where it stands.
struct Found<'p> {
    member: &'p [u8],
    score: f64,
    start: usize,
    end: usize,
}

impl Packed {
    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn allocated(&self) -> usize {
        self.bytes.capacity()
    }

    fn records(&self) -> impl Iterator<Item = Found<'_>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let found = read(&self.bytes, start)?;
            start = found.end;
            Some(found)
        })
    }

    /// Members and scores in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], f64)> {
        self.records().map(|found| (found.member, found.score))
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.iter().find(|(other, _)| *other == member).map(|(_, score)| score)
    }

    /// Add a member that is not there.
    pub fn add(&mut self, member: &[u8], score: f64) {
        let next = self.records().find(|found| precedes(member, score, found.member, found.score));
        let at = next.map_or(self.bytes.len(), |found| found.start);
        let mut record = smallvec::SmallVec::<[u8; 80]>::new();
        let mut length = member.len();
        while length >= 0x80 {
            record.push(length as u8 | 0x80);
            length >>= 7;
        }
        record.push(length as u8);
        record.extend_from_slice(member);
        write_score(score, &mut record);
        if self.bytes.capacity() < self.bytes.len() + record.len() {
            // Most of these sets stay as they are: little spare room.
            self.bytes.reserve_exact(record.len() + self.bytes.len() / 4);
        }
        self.bytes.splice(at..at, record);
        self.len += 1;
    }

    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let found = self.records().find(|found| found.member == member)?;
        let (score, range) = (found.score, found.start..found.end);
        self.bytes.drain(range);
        self.len -= 1;
        Some(score)
    }

    pub fn remove_range(&mut self, start: usize, count: usize) {
        let mut gone = self.records().skip(start).take(count);
        let Some(first) = gone.next() else { return };
        let (range, more) =
            gone.fold((first.start..first.end, 0), |(range, more), found| (range.start..found.end, more + 1));
        self.bytes.drain(range);
        self.len -= 1 + more;
    }
}

fn write_score(score: f64, out: &mut smallvec::SmallVec<[u8; 80]>) {
    // Minus zero becomes zero here, as it does in a listpack of Redis.
    let number = Some(score as i32).filter(|number| f64::from(*number) == score);
    match number {
        Some(number) if i8::try_from(number).is_ok() => out.extend_from_slice(&[1, number as u8]),
        Some(number) if i16::try_from(number).is_ok() => {
            out.push(2);
            out.extend_from_slice(&(number as i16).to_le_bytes());
        }
        Some(number) => {
            out.push(4);
            out.extend_from_slice(&number.to_le_bytes());
        }
        None => {
            out.push(8);
            out.extend_from_slice(&score.to_le_bytes());
        }
    }
}

fn read(bytes: &[u8], start: usize) -> Option<Found<'_>> {
    let (mut length, mut at) = (0usize, start);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7f) << (7 * (at - start));
        at += 1;
        if byte < 0x80 {
            break;
        }
    }
    let (member, rest) = bytes[at..].split_at_checked(length)?;
    let (size, rest) = rest.split_first()?;
    let score = match size {
        1 => f64::from(*rest.first()? as i8),
        2 => f64::from(i16::from_le_bytes(*rest.first_chunk()?)),
        4 => f64::from(i32::from_le_bytes(*rest.first_chunk()?)),
        _ => f64::from_le_bytes(*rest.first_chunk()?),
    };
    Some(Found { member, score, start, end: at + length + 1 + usize::from(*size) })
}
