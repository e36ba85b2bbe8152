//! How the fields of effects are written: varints and length-prefixed bytes.

use super::{Deadline, EffectError, Items};
use crate::value::End;

/// Writes the fields of an effect.
pub(super) struct Out<'o>(pub &'o mut Vec<u8>);

impl Out<'_> {
    /// Let another write its part.
    pub fn with(&mut self, write: impl FnOnce(&mut Self)) -> &mut Self {
        write(self);
        self
    }

    pub fn tag(&mut self, tag: u8) -> &mut Self {
        self.0.push(tag);
        self
    }

    pub fn number(&mut self, mut number: u64) -> &mut Self {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
        self
    }

    /// Small numbers of either sign are short: the sign is the lowest bit.
    pub fn signed(&mut self, number: i64) -> &mut Self {
        self.number(((number << 1) ^ (number >> 63)) as u64)
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// The bits of a float.
    pub fn score(&mut self, score: f64) -> &mut Self {
        self.0.extend_from_slice(&score.to_le_bytes());
        self
    }

    pub fn end(&mut self, end: End) -> &mut Self {
        self.number(u64::from(end == End::Right))
    }

    /// 0 for none: no key expires at the epoch itself, it would be deleted instead.
    pub fn deadline(&mut self, deadline: Option<Deadline>) -> &mut Self {
        self.number(deadline.unwrap_or(0))
    }

    pub fn items(&mut self, items: &[&[u8]]) -> &mut Self {
        self.number(items.len() as u64);
        for item in items {
            self.bytes(item);
        }
        self
    }
}

/// Longer ones can't be: a terabyte.
const STRING_BYTES_MAX: u64 = 1 << 40;

/// Reads the fields of effects.
pub(super) struct In<'i> {
    pub left: &'i [u8],
    /// How many databases there are.
    pub databases: u32,
}

impl<'i> In<'i> {
    pub fn byte(&mut self) -> Result<u8, EffectError> {
        let (first, rest) = self.left.split_first().ok_or(EffectError::Truncated)?;
        self.left = rest;
        Ok(*first)
    }

    pub fn number(&mut self) -> Result<u64, EffectError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(EffectError::Range)
    }

    pub fn signed(&mut self) -> Result<i64, EffectError> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn db(&mut self) -> Result<u32, EffectError> {
        let db = u32::try_from(self.number()?).map_err(|_| EffectError::Range)?;
        if db < self.databases { Ok(db) } else { Err(EffectError::Database(db)) }
    }

    /// A place in a string.
    pub fn offset(&mut self) -> Result<u64, EffectError> {
        Some(self.number()?).filter(|offset| *offset <= STRING_BYTES_MAX).ok_or(EffectError::Range)
    }

    pub fn bytes(&mut self) -> Result<&'i [u8], EffectError> {
        let length = usize::try_from(self.number()?).map_err(|_| EffectError::Range)?;
        let (bytes, rest) = self.left.split_at_checked(length).ok_or(EffectError::Truncated)?;
        self.left = rest;
        Ok(bytes)
    }

    /// A float that is a number.
    pub fn score(&mut self) -> Result<f64, EffectError> {
        let (bytes, rest) = self.left.split_first_chunk().ok_or(EffectError::Truncated)?;
        self.left = rest;
        Some(f64::from_le_bytes(*bytes)).filter(|score| !score.is_nan()).ok_or(EffectError::Range)
    }

    pub fn end(&mut self) -> Result<End, EffectError> {
        match self.number()? {
            0 => Ok(End::Left),
            1 => Ok(End::Right),
            _ => Err(EffectError::Range),
        }
    }

    pub fn deadline(&mut self) -> Result<Option<Deadline>, EffectError> {
        Ok(Some(self.number()?).filter(|deadline| *deadline > 0))
    }

    pub fn items(&mut self) -> Result<Items<'i>, EffectError> {
        // No capacity from the count: it is not trusted before the items were read.
        (0..self.number()?).map(|_| self.bytes()).collect()
    }
}
