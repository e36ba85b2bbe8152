//! A field of a large hash with its value and deadline, in one allocation.

use super::super::table::Keyed;
use super::Pair;

/// The length of the field, shifted to make room for whether there is a deadline (7 bits a byte, the lowest first);
/// the deadline (8 bytes, the lowest first) if there is one; the field; the value.
#[derive(Debug, Clone)]
pub struct Cell(Box<[u8]>);

impl Cell {
    pub fn new(pair: Pair<'_>) -> Self {
        let Pair { field, value, deadline } = pair;
        let mut bytes = Vec::with_capacity(10 + 8 + field.len() + value.len());
        let mut head = field.len() << 1 | usize::from(deadline.is_some());
        while head >= 0x80 {
            bytes.push(head as u8 | 0x80);
            head >>= 7;
        }
        bytes.push(head as u8);
        if let Some(deadline) = deadline {
            bytes.extend_from_slice(&deadline.to_le_bytes());
        }
        bytes.extend_from_slice(field);
        bytes.extend_from_slice(value);
        Self(bytes.into())
    }

    /// The length of the field, whether there is a deadline, and what stands behind that.
    fn head(&self) -> (usize, bool, &[u8]) {
        let (mut head, mut shift) = (0, 0);
        for (index, byte) in self.0.iter().enumerate() {
            head |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if *byte < 0x80 {
                return (head >> 1, head & 1 == 1, &self.0[index + 1..]);
            }
        }
        unreachable!("a cell has a head")
    }

    pub fn pair(&self) -> Pair<'_> {
        let (length, timed, rest) = self.head();
        let (deadline, rest) = match rest.split_first_chunk() {
            Some((deadline, rest)) if timed => (Some(u64::from_le_bytes(*deadline)), rest),
            _ => (None, rest),
        };
        let (field, value) = rest.split_at(length);
        Pair { field, value, deadline }
    }

    /// Put another value in the place of one of the same length; false if it is of another.
    pub fn overwrite(&mut self, value: &[u8]) -> bool {
        let fits = self.pair().value.len() == value.len();
        if fits {
            let start = self.0.len() - value.len();
            self.0[start..].copy_from_slice(value);
        }
        fits
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Keyed for Cell {
    fn key(&self) -> &[u8] {
        self.pair().field
    }
}
