//! Natural numbers of any size, with the few operations that reading and printing floats exactly takes.

/// Limbs of 32 bits, the least first; the last is not zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Natural(Vec<u32>);

impl From<u128> for Natural {
    fn from(mut number: u128) -> Self {
        let mut limbs = Vec::new();
        while number > 0 {
            limbs.push(number as u32);
            number >>= 32;
        }
        Self(limbs)
    }
}

impl Natural {
    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub fn bits(&self) -> usize {
        self.0.last().map_or(0, |top| self.0.len() * 32 - top.leading_zeros() as usize)
    }

    pub fn bit(&self, index: usize) -> bool {
        self.0.get(index / 32).is_some_and(|limb| limb >> (index % 32) & 1 == 1)
    }

    /// Whether any of the lowest `count` bits is set.
    pub fn any_below(&self, count: usize) -> bool {
        let whole = (count / 32).min(self.0.len());
        let rest = self.0.get(whole).map_or(0, |limb| limb & ((1u32 << (count % 32)) - 1));
        self.0[..whole].iter().any(|limb| *limb != 0) || (whole == count / 32 && rest != 0)
    }

    /// The lowest 64 bits.
    pub fn low(&self) -> u64 {
        let limb = |index| u64::from(self.0.get(index).copied().unwrap_or(0));
        limb(0) | limb(1) << 32
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// `self * factor + term`
    pub fn multiply_add(&mut self, factor: u32, term: u32) {
        let mut carry = u64::from(term);
        for limb in &mut self.0 {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
        self.trim();
    }

    pub fn times(&self, other: &Self) -> Self {
        let mut limbs = vec![0u32; self.0.len() + other.0.len()];
        for (i, a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (j, b) in other.0.iter().enumerate() {
                let sum = u64::from(*a) * u64::from(*b) + u64::from(limbs[i + j]) + carry;
                limbs[i + j] = sum as u32;
                carry = sum >> 32;
            }
            limbs[i + other.0.len()] = carry as u32;
        }
        let mut product = Self(limbs);
        product.trim();
        product
    }

    pub fn shift_left(&mut self, count: usize) {
        if !count.is_multiple_of(32) {
            self.multiply_add(1 << (count % 32), 0);
        }
        if !self.is_zero() {
            self.0.splice(0..0, std::iter::repeat_n(0, count / 32));
        }
    }

    pub fn shifted_right(&self, count: usize) -> Self {
        let limbs = self.0.get(count / 32..).unwrap_or_default();
        let rest = count % 32;
        let next = |index: usize| u64::from(limbs.get(index + 1).copied().unwrap_or(0)) << 32;
        let shifted =
            limbs.iter().enumerate().map(|(index, limb)| ((next(index) | u64::from(*limb)) >> rest) as u32);
        let mut result = Self(shifted.collect());
        result.trim();
        result
    }

    /// Take `other`, which is not larger, away.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0i64;
        for (index, limb) in self.0.iter_mut().enumerate() {
            let difference = i64::from(*limb) - i64::from(other.0.get(index).copied().unwrap_or(0)) - borrow;
            *limb = difference as u32;
            borrow = i64::from(difference < 0);
        }
        self.trim();
    }

    fn is_below(&self, other: &Self) -> bool {
        self.0.len() < other.0.len()
            || (self.0.len() == other.0.len() && self.0.iter().rev().lt(other.0.iter().rev()))
    }

    /// The quotient, and whether nothing remains. Bit by bit: quotients here have hardly more than 64 bits.
    pub fn divide(mut self, divisor: &Self) -> (Self, bool) {
        let mut quotient = Self::default();
        let mut shift = (self.bits() + 1).saturating_sub(divisor.bits());
        let mut shifted = divisor.clone();
        shifted.shift_left(shift);
        loop {
            let fits = !self.is_below(&shifted);
            quotient.multiply_add(2, u32::from(fits));
            if fits {
                self.subtract(&shifted);
            }
            if shift == 0 {
                return (quotient, self.is_zero());
            }
            shift -= 1;
            shifted = shifted.shifted_right(1);
        }
    }

    /// The decimal digits.
    pub fn decimal(mut self) -> String {
        const CHUNK: u64 = 1_000_000_000;
        let mut chunks = Vec::new();
        while !self.is_zero() {
            let mut rest = 0;
            for limb in self.0.iter_mut().rev() {
                let dividend = rest << 32 | u64::from(*limb);
                *limb = (dividend / CHUNK) as u32;
                rest = dividend % CHUNK;
            }
            self.trim();
            chunks.push(rest);
        }
        let Some(first) = chunks.pop() else { return "0".into() };
        let rest = chunks.iter().rev().map(|chunk| format!("{chunk:09}"));
        std::iter::once(first.to_string()).chain(rest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_machine() {
        let numbers = [0u64, 1, 9, 0xFFFF_FFFF, 1 << 32, u64::MAX, 12_345_678_901_234_567_890];
        for a in numbers {
            let natural = Natural::from(u128::from(a));
            assert_eq!((natural.clone().decimal(), natural.low()), (a.to_string(), a));
            assert_eq!(natural.bits(), 64 - a.leading_zeros() as usize);
            for b in numbers {
                let other = Natural::from(u128::from(b));
                assert_eq!(natural.times(&other), Natural::from(u128::from(a) * u128::from(b)));
                if let (Some(expected), Some(rest)) = (a.checked_div(b), a.checked_rem(b)) {
                    let (quotient, exact) = natural.clone().divide(&other);
                    assert_eq!((quotient.low(), exact), (expected, rest == 0), "{a} / {b}");
                }
            }
            for shift in [0, 1, 31, 32, 33, 64, 65] {
                let mut shifted = natural.clone();
                shifted.shift_left(shift);
                assert!(!shifted.any_below(shift));
                assert_eq!(shifted.any_below(shift + 64), a > 0);
                assert_eq!(shifted.shifted_right(shift), natural);
            }
        }
    }
}
