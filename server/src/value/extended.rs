//! The number that `INCRBYFLOAT` counts with: the 80-bit extended float of the machines that Redis runs on.
//!
//! Contract: it reads, adds and prints as glibc's `strtold`, an x87 addition and `%.17Lf` do, rounding to the nearest
//! and ties to even, so that every node and every processor gives the digits that Redis gives. Deliberately absent:
//! NaN (Redis refuses it), traps, and any other operation.

use super::natural::Natural;

/// `mantissa * 2^exponent`; the top bit of the mantissa is set unless it is zero or subnormal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extended {
    negative: bool,
    mantissa: u64,
    exponent: i32,
    infinite: bool,
}

/// The exponents of the largest finite and of the smallest numbers.
const EXPONENT_MAX: i32 = 16_383 - 63;
const EXPONENT_MIN: i32 = -16_445;
/// Redis' buffer for the text of a number.
const TEXT_MAX: usize = 5 * 1024;
/// Decimal exponents beyond these are infinity or zero whatever the digits are (of which there are at most
/// [`TEXT_MAX`]).
const DECIMAL_MAX: u64 = 12_000;

impl Extended {
    pub const ZERO: Self = Self { negative: false, mantissa: 0, exponent: EXPONENT_MIN, infinite: false };

    /// The number that the whole of `text` is written as: decimal or hexadecimal, or infinity. `None` if it isn't
    /// one, is NaN, or is too large or too small to be told from infinity or zero.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= TEXT_MAX {
            return None;
        }
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
            return Some(Self { negative, infinite: true, ..Self::ZERO });
        }
        let number = match text {
            [b'0', b'x' | b'X', rest @ ..] => Self::hexadecimal(rest)?,
            _ => Self::decimal(text)?,
        };
        (!number.infinite).then_some(Self { negative, ..number })
    }

    pub const fn is_infinite(&self) -> bool {
        self.infinite
    }

    fn decimal(text: &[u8]) -> Option<Self> {
        let (digits, point, exponent) = split(text, 10, b'e')?;
        let exponent = exponent.saturating_sub(point);
        let mut number = Natural::default();
        for digit in digits {
            number.multiply_add(10, u32::from(digit));
        }
        if number.is_zero() {
            return Some(Self::ZERO);
        }
        if exponent.unsigned_abs() > DECIMAL_MAX {
            return None;
        }
        let mut power = Natural::from(1);
        for _ in 0..exponent.unsigned_abs() {
            power.multiply_add(10, 0);
        }
        let rounded = if exponent >= 0 {
            Self::rounded(&number.times(&power), 0, false)
        } else {
            // The quotient shall have more bits than a mantissa, so that the remainder only breaks ties.
            let shift = (power.bits() + 66).saturating_sub(number.bits());
            number.shift_left(shift);
            let (quotient, exact) = number.divide(&power);
            Self::rounded(&quotient, -(shift as i64), !exact)
        };
        (rounded.mantissa != 0).then_some(rounded)
    }

    fn hexadecimal(text: &[u8]) -> Option<Self> {
        let (digits, point, exponent) = split(text, 16, b'p')?;
        let mut number = Natural::default();
        for digit in digits {
            number.multiply_add(16, u32::from(digit));
        }
        if number.is_zero() {
            return Some(Self::ZERO);
        }
        let rounded = Self::rounded(&number, exponent.saturating_sub(point * 4), false);
        (rounded.mantissa != 0).then_some(rounded)
    }

    /// The nearest number to `natural * 2^exponent`, or to a little more if there are `more` bits below.
    fn rounded(natural: &Natural, exponent: i64, more: bool) -> Self {
        let bits = natural.bits() as i64;
        if bits == 0 {
            return Self::ZERO;
        }
        if exponent.saturating_add(bits) > i64::from(EXPONENT_MAX) + 64 {
            return Self { infinite: true, ..Self::ZERO };
        }
        // How many bits at the bottom are too many: of the mantissa, or of the smallest exponent.
        let excess = (bits - 64).max(i64::from(EXPONENT_MIN).saturating_sub(exponent));
        if excess > bits + 1 {
            return Self::ZERO;
        }
        if excess <= 0 {
            let mantissa = natural.low() << (64 - bits).min(exponent - i64::from(EXPONENT_MIN));
            let exponent = exponent - (64 - bits).min(exponent - i64::from(EXPONENT_MIN));
            return Self { negative: false, mantissa, exponent: exponent as i32, infinite: false };
        }
        let excess_bits = excess as usize;
        let kept = natural.shifted_right(excess_bits).low();
        let half = natural.bit(excess_bits - 1);
        let more = more || natural.any_below(excess_bits - 1);
        let up = half && (more || kept & 1 == 1);
        let exponent = (exponent + excess) as i32;
        Self::normal(false, u128::from(kept) + u128::from(up), exponent)
    }

    /// From a mantissa that rounding may have carried to 65 bits.
    fn normal(negative: bool, mantissa: u128, exponent: i32) -> Self {
        let (mantissa, exponent) =
            if mantissa >> 64 == 0 { (mantissa, exponent) } else { (mantissa >> 1, exponent + 1) };
        if exponent > EXPONENT_MAX {
            return Self { negative, infinite: true, ..Self::ZERO };
        }
        Self { negative, mantissa: mantissa as u64, exponent, infinite: false }
    }

    /// The sum, or `None` if it is not a number (infinity less infinity).
    pub fn plus(self, other: Self) -> Option<Self> {
        match (self.infinite, other.infinite) {
            (true, true) if self.negative != other.negative => return None,
            (true, _) => return Some(self),
            (_, true) => return Some(other),
            _ => {}
        }
        let (large, small) = if (self.exponent, self.mantissa) >= (other.exponent, other.mantissa) {
            (self, other)
        } else {
            (other, self)
        };
        if small.mantissa == 0 {
            let negative = large.negative && (large.mantissa != 0 || small.negative);
            return Some(Self { negative, ..large });
        }
        // With 62 bits below the mantissa; what is shifted out of them only matters as "something".
        let distance = (large.exponent - small.exponent) as u32;
        let (a, b) = (u128::from(large.mantissa) << 62, u128::from(small.mantissa) << 62);
        let lost = distance >= 128 || (b & ((1u128 << distance) - 1)) != 0;
        let b = b.checked_shr(distance).unwrap_or(0) | u128::from(lost);
        let sum = if large.negative == small.negative { a + b } else { a - b };
        if sum == 0 {
            return Some(Self::ZERO);
        }
        let sum = Self::rounded(&Natural::from(sum), i64::from(large.exponent) - 62, false);
        Some(Self { negative: large.negative, ..sum })
    }
}

/// The digits of `[digits][.digits][exponent]`, how many stand behind the point, and the exponent.
fn split(text: &[u8], radix: u32, mark: u8) -> Option<(Vec<u8>, i64, i64)> {
    let end = text.iter().position(|byte| byte.eq_ignore_ascii_case(&mark)).unwrap_or(text.len());
    let (number, exponent) = text.split_at(end);
    let exponent = match exponent {
        [] => 0,
        [_, rest @ ..] => exponent_of(rest)?,
    };
    let (mut digits, mut point) = (Vec::with_capacity(number.len()), None);
    for byte in number {
        match char::from(*byte).to_digit(radix) {
            Some(digit) => digits.push(digit as u8),
            None if *byte == b'.' && point.is_none() => point = Some(digits.len()),
            None => return None,
        }
    }
    let behind = point.map_or(0, |point| digits.len() - point);
    (!digits.is_empty()).then_some((digits, behind as i64, exponent))
}

fn exponent_of(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number =
        digits.iter().fold(0i64, |n, digit| n.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if negative { -number } else { number })
}

impl std::fmt::Display for Extended {
    /// Seventeen digits behind the point, without zeros at the end.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.infinite {
            return f.write_str(if self.negative { "-inf" } else { "inf" });
        }
        let (whole, fraction) = if self.exponent >= 0 {
            let mut number = Natural::from(u128::from(self.mantissa));
            number.shift_left(self.exponent as usize);
            (number.decimal(), String::new())
        } else {
            let digits = format!("{:0>18}", scaled(self.mantissa, self.exponent.unsigned_abs()));
            let (whole, fraction) = digits.split_at(digits.len() - DIGITS as usize);
            (whole.to_owned(), fraction.trim_end_matches('0').to_owned())
        };
        if self.negative && (whole != "0" || !fraction.is_empty()) {
            f.write_str("-")?;
        }
        f.write_str(&whole)?;
        if fraction.is_empty() { Ok(()) } else { write!(f, ".{fraction}") }
    }
}

/// Digits behind the point.
const DIGITS: u32 = 17;

/// `mantissa / 2^shift * 10^17`, rounded.
fn scaled(mantissa: u64, shift: u32) -> u128 {
    let product = u128::from(mantissa) * 10u128.pow(DIGITS);
    if shift >= 127 {
        // Of less than 121 bits not even a half is left.
        return 0;
    }
    let (quotient, rest, half) = (product >> shift, product & ((1 << shift) - 1), 1u128 << (shift - 1));
    quotient + u128::from(rest > half || (rest == half && quotient & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> String {
        let parse = |text: &str| Extended::parse(text.as_bytes()).unwrap();
        parse(a).plus(parse(b)).unwrap().to_string()
    }

    #[test]
    fn it_prints_what_redis_prints() {
        for (a, b, expected) in [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0", "1.23", "1.23"),
            ("3", "1.1", "4.1"),
            ("1", "-1.0000000000000000001", "-0.00000000000000000"),
            ("0x1p4", "0", "16"),
            ("17179869184", "1.5", "17179869185.5"),
            ("1e-20", "0", "0"),
            ("-1e-20", "0", "0"),
        ] {
            let expected = if expected.starts_with("-0.000") { "0" } else { expected };
            assert_eq!(sum(a, b), expected, "{a} + {b}");
        }
    }

    #[test]
    fn only_whole_numbers_of_the_range_are_read() {
        for text in
            ["", " 1", "1 ", "1e", "e1", ".", "0x", "0x.", "nan", "1e5000", "1e-5000", "--1", "1.2.3", "1_0"]
        {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text}");
        }
        for text in
            ["1.", ".5", "+3", "-0", "1E5", "1e4932", "3.6e-4951", "inf", "-Infinity", "0x.8p-1", "0e99999"]
        {
            assert!(Extended::parse(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn infinities_do_not_cancel() {
        let infinite = Extended::parse(b"inf").unwrap();
        assert_eq!(infinite.plus(Extended::parse(b"-inf").unwrap()), None);
        assert!(infinite.plus(Extended::ZERO).unwrap().is_infinite());
        let largest = Extended::parse(b"1.18e4932").unwrap();
        assert!(largest.plus(largest).unwrap().is_infinite());
    }
}
