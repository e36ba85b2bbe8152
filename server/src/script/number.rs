//! Numbers as Lua, its libraries and the reference print them.

/// As C's `%.<digits>g`.
pub fn general(number: f64, digits: usize) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let digits = digits.max(1);
    let scientific = format!("{:.*e}", digits - 1, number);
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs());
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    trimmed(&format!("{number:.decimals$}")).to_owned()
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A number as an argument of a command: an integer if it is one, else the shortest text that reads back the same.
pub fn argument(number: f64, out: &mut Vec<u8>) {
    const EXACT: f64 = 4_611_686_018_427_387_904.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        out.extend_from_slice(itoa::Buffer::new().format(number as i64).as_bytes());
        return;
    }
    if !number.is_finite() {
        out.extend_from_slice(general(number, 17).as_bytes());
        return;
    }
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count() as i32;
    let point = exponent - digits + 1;
    // The same bounds between plain and scientific digits as the reference has.
    let plain = if point >= 0 { exponent < digits + 7 } else { point > -7 || exponent.abs() < 4 };
    let text = if plain {
        format!("{number}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{}", exponent.unsigned_abs())
    };
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_numbers_are_those_of_c() {
        for (number, digits, text) in [
            (0.1, 17, "0.10000000000000001"),
            (0.1, 14, "0.1"),
            (1e15, 14, "1e+15"),
            (1e-7, 14, "1e-07"),
            (3.0, 14, "3"),
            (123_456.75, 14, "123456.75"),
            (1e100, 14, "1e+100"),
            (0.0, 14, "0"),
        ] {
            assert_eq!(general(number, digits), text);
        }
    }

    #[test]
    fn arguments_are_short() {
        let text = |number| {
            let mut out = Vec::new();
            argument(number, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!([text(3.0), text(0.1), text(-0.5)], ["3", "0.1", "-0.5"]);
        assert_eq!([text(1e20), text(1e300), text(1e-9)], ["1e+20", "1e+300", "1e-9"]);
    }
}
