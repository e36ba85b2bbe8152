//! Replies to bytes.

use super::{Failure, Reply};

/// The protocol version that a client chose with `HELLO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

impl Protocol {
    pub const fn version(self) -> i64 {
        match self {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        }
    }
}

/// Append the encoding of `reply` to `out`.
pub fn encode(reply: &Reply, protocol: Protocol, out: &mut Vec<u8>) {
    let old = protocol == Protocol::Resp2;
    match reply {
        Reply::Simple(text) => line(b'+', text.as_bytes(), out),
        Reply::Status(text) => line(b'+', text.as_bytes(), out),
        Reply::Error(Failure(text)) => line(b'-', text.as_bytes(), out),
        Reply::Int(number) => header(b':', *number, out),
        Reply::Bulk(bytes) => bulk(bytes, out),
        Reply::BulkInt(number) => bulk(itoa::Buffer::new().format(*number).as_bytes(), out),
        Reply::Null => out.extend_from_slice(if old { b"$-1\r\n" } else { b"_\r\n" }),
        Reply::NullArray => out.extend_from_slice(if old { b"*-1\r\n" } else { b"_\r\n" }),
        Reply::Array(items) => aggregate(b'*', items, protocol, out),
        Reply::Set(items) => aggregate(if old { b'*' } else { b'~' }, items, protocol, out),
        Reply::Push(items) => aggregate(if old { b'*' } else { b'>' }, items, protocol, out),
        Reply::Map(pairs) => {
            let count = pairs.len() as i64;
            header(if old { b'*' } else { b'%' }, if old { count * 2 } else { count }, out);
            for (key, value) in pairs {
                encode(key, protocol, out);
                encode(value, protocol, out);
            }
        }
        Reply::Double(number) if old => bulk(double(*number).as_bytes(), out),
        Reply::Double(number) => line(b',', double(*number).as_bytes(), out),
        Reply::Bool(value) if old => header(b':', i64::from(*value), out),
        Reply::Bool(value) => line(b'#', if *value { b"t" } else { b"f" }, out),
        Reply::BigNumber(digits) if old => bulk(digits.as_bytes(), out),
        Reply::BigNumber(digits) => line(b'(', digits.as_bytes(), out),
        Reply::Verbatim(_, text) if old => bulk(text.as_bytes(), out),
        Reply::Verbatim(format, text) => {
            header(b'=', (text.len() + 4) as i64, out);
            out.extend_from_slice(format.as_bytes());
            out.push(b':');
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Reply::None => {}
    }
}

/// How many bytes the encoding of `reply` has.
pub fn length(reply: &Reply, protocol: Protocol) -> usize {
    const HEADER: usize = 3;
    let old = protocol == Protocol::Resp2;
    let digits = |number: i64| itoa::Buffer::new().format(number).len();
    let bulk = |length: usize| HEADER + digits(length as i64) + length + 2;
    let many = |count: usize, items: &[Reply]| {
        let items = items.iter().map(|item| self::length(item, protocol));
        HEADER + digits(count as i64) + items.sum::<usize>()
    };
    match reply {
        Reply::Simple(text) => HEADER + text.len(),
        Reply::Bulk(bytes) => bulk(bytes.len()),
        Reply::BulkInt(number) => bulk(digits(*number)),
        Reply::Int(number) => HEADER + digits(*number),
        Reply::Null | Reply::NullArray => {
            if old {
                HEADER + 2
            } else {
                HEADER
            }
        }
        Reply::None => 0,
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => many(items.len(), items),
        Reply::Map(pairs) => {
            let count = if old { pairs.len() * 2 } else { pairs.len() };
            let pairs =
                pairs.iter().map(|(key, value)| self::length(key, protocol) + self::length(value, protocol));
            HEADER + digits(count as i64) + pairs.sum::<usize>()
        }
        Reply::Verbatim(_, text) if old => bulk(text.len()),
        // Nothing else is large, or usual.
        other => {
            let mut bytes = Vec::new();
            encode(other, protocol, &mut bytes);
            bytes.len()
        }
    }
}

fn aggregate(kind: u8, items: &[Reply], protocol: Protocol, out: &mut Vec<u8>) {
    header(kind, items.len() as i64, out);
    for item in items {
        encode(item, protocol, out);
    }
}

fn line(kind: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn header(kind: u8, number: i64, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn bulk(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 16);
    header(b'$', bytes.len() as i64, out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// A double as Redis prints it: `inf`, `-inf`, `nan`, a whole number in its digits, or the shortest text that reads back
/// the same, with an exponent where that is shorter.
pub fn double(number: f64) -> String {
    // Whole numbers that an integer holds with room to spare.
    const WHOLE: f64 = (i64::MAX / 2) as f64;
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.into();
    }
    if number.abs() <= WHOLE && number.fract() == 0.0 {
        return (number as i64).to_string();
    }
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count() as i32;
    // Zeros that would follow the digits; if negative, digits behind the point.
    let zeros = exponent + 1 - digits;
    if zeros >= 0 && exponent.abs() < digits + 7 || zeros < 0 && (zeros > -7 || exponent.abs() < 4) {
        return format!("{number}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(reply: &Reply) -> (String, String) {
        let text = |protocol| {
            let mut out = Vec::new();
            encode(reply, protocol, &mut out);
            assert_eq!(length(reply, protocol), out.len(), "{reply:?}");
            String::from_utf8(out).unwrap()
        };
        (text(Protocol::Resp2), text(Protocol::Resp3))
    }

    #[test]
    fn types_that_resp2_lacks_fall_back_as_in_redis() {
        assert_eq!(both(&Reply::Null), ("$-1\r\n".into(), "_\r\n".into()));
        assert_eq!(both(&Reply::NullArray), ("*-1\r\n".into(), "_\r\n".into()));
        assert_eq!(both(&Reply::Bool(true)), (":1\r\n".into(), "#t\r\n".into()));
        assert_eq!(
            both(&Reply::Map(vec![(Reply::bulk("a"), Reply::Int(1))])),
            ("*2\r\n$1\r\na\r\n:1\r\n".into(), "%1\r\n$1\r\na\r\n:1\r\n".into())
        );
        assert_eq!(
            both(&Reply::Verbatim("txt", "hi".into())),
            ("$2\r\nhi\r\n".into(), "=6\r\ntxt:hi\r\n".into())
        );
        for (number, text) in [
            (-0.0, "-0"),
            (4_611_686_018_427_387_904.0, "4611686018427387904"),
            (1e19, "1e+19"),
            (1.5e30, "1.5e+30"),
            (0.1, "0.1"),
            (1.25e-5, "1.25e-5"),
            (0.0015, "0.0015"),
            (1.5e-7, "1.5e-7"),
            (123.456, "123.456"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(double(number), text);
        }
        assert_eq!(both(&Reply::Double(1.5)), ("$3\r\n1.5\r\n".into(), ",1.5\r\n".into()));
    }
}
