//! Floats of 64 bits, read as C's `strtod` reads them and printed as its `%.17g` does.

/// The number that the whole of `text` is written as. `None` if it isn't one, is NaN, or is too large or too small
/// to be told from infinity or zero.
pub fn number(text: &[u8]) -> Option<f64> {
    let (number, plain) = parse(text)?;
    let digits = text.iter().take_while(|byte| !matches!(byte, b'e' | b'E' | b'p' | b'P'));
    let nonzero = digits
        .skip_while(|byte| !byte.is_ascii_digit())
        .any(|byte| matches!(byte, b'1'..=b'9' | b'a'..=b'f' | b'A'..=b'F'));
    let lost = plain && (number.is_infinite() || (number == 0.0 && nonzero));
    (!lost).then_some(number)
}

/// The same for an end of a range of scores: nothing at all is zero, what is too large is infinity, and digits are
/// decimal.
pub fn bound(text: &[u8]) -> Option<f64> {
    match text {
        [] => Some(0.0),
        _ if text.iter().any(|byte| matches!(byte, b'x' | b'X')) => None,
        _ => parse(text).map(|(number, _)| number),
    }
}

/// The number, and whether it is written in digits.
fn parse(text: &[u8]) -> Option<(f64, bool)> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if let [b'0', b'x' | b'X', rest @ ..] = digits {
        let number = hexadecimal(rest)?;
        return Some((if negative { -number } else { number }, true));
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!number.is_nan()).then_some((number, digits.first().is_some_and(|byte| !byte.is_ascii_alphabetic())))
}

fn hexadecimal(text: &[u8]) -> Option<f64> {
    let (digits, exponent) = match text.iter().position(|byte| matches!(byte, b'p' | b'P')) {
        Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (mut mantissa, mut exponent, mut point, mut any) = (0u64, exponent, false, false);
    for byte in digits {
        if *byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = u64::from(char::from(*byte).to_digit(16)?);
        any = true;
        if mantissa >> 58 == 0 {
            mantissa = mantissa << 4 | digit;
            exponent -= if point { 4 } else { 0 };
        } else {
            // Beyond what is kept a digit only breaks a tie.
            mantissa |= u64::from(digit != 0);
            exponent += if point { 0 } else { 4 };
        }
    }
    // A power of two beyond the range of a float takes several steps.
    let mut number = any.then_some(mantissa as f64)?;
    let mut left = exponent.clamp(-3_000, 3_000) as i32;
    while left != 0 {
        let step = left.clamp(-1_000, 1_000);
        number *= 2f64.powi(step);
        left -= step;
    }
    Some(number)
}

/// As `%.17g` prints it.
pub fn exact(number: f64) -> String {
    if !number.is_finite() {
        return if number.is_nan() {
            "nan"
        } else if number > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .into();
    }
    let scientific = format!("{number:.16e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if (-4..17).contains(&exponent) {
        trim(&format!("{number:.*}", (16 - exponent) as usize))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trim(mantissa), exponent.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_strtod_reads_them() {
        for (text, value) in [
            ("1.5", Some(1.5)),
            ("+inf", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("nan", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            ("1e400", None),
            ("1e-400", None),
            ("0e-400", Some(0.0)),
            ("5e-324", Some(5e-324)),
            ("0x1.8p3", Some(12.0)),
            ("-0x10", Some(-16.0)),
            ("0x", None),
            ("1.", Some(1.0)),
            (".5", Some(0.5)),
            (".", None),
            ("1e", None),
            ("(1", None),
        ] {
            assert_eq!(number(text.as_bytes()), value, "{text}");
        }
        assert_eq!(bound(b" 7"), None);
        assert_eq!(bound(b"0x7"), None);
        assert_eq!(bound(b""), Some(0.0));
        assert_eq!(bound(b"1e400"), Some(f64::INFINITY));
        assert_eq!(bound(b"x"), None);
    }

    #[test]
    fn numbers_are_printed_as_printf_prints_them() {
        for (number, text) in [
            (0.1, "0.10000000000000001"),
            (1.5, "1.5"),
            (-0.0, "-0"),
            (1e17, "1e+17"),
            (12_345_678_901_234_567.0, "12345678901234568"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (1e300, "1.0000000000000001e+300"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(exact(number), text);
        }
    }
}
