//! Replies off the wire: RESP2 and RESP3 to values.

/// A reply as it was on the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Status(Vec<u8>),
    Error(Vec<u8>),
    Int(i64),
    Bulk(Vec<u8>),
    /// `$-1`.
    Nil,
    /// `*-1`.
    NilArray,
    /// `_`, RESP3's null.
    Null,
    Double(String),
    Bool(bool),
    Big(String),
    /// Its three letters of format, and the text.
    Verbatim(String, Vec<u8>),
    /// An aggregate; a map's keys and values follow one another.
    Many(Shape, Vec<Value>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Array,
    Map,
    Set,
    Push,
}

/// The first reply in `bytes` and how many bytes it took; `None` when it is not complete.
pub fn decode(bytes: &[u8]) -> Result<Option<(Value, usize)>, String> {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let (kind, text) = (bytes[0], &bytes[1..end]);
    let mut at = end + 2;
    let lossy = || String::from_utf8_lossy(text).into_owned();
    let number = || lossy().parse::<i64>().map_err(|_| format!("not a number: {:?}", lossy()));
    let value = match kind {
        b'+' => Value::Status(text.to_vec()),
        b'-' => Value::Error(text.to_vec()),
        b':' => Value::Int(number()?),
        b'_' => Value::Null,
        b',' => Value::Double(lossy()),
        b'#' => Value::Bool(text == b"t"),
        b'(' => Value::Big(lossy()),
        b'$' | b'=' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Some((Value::Nil, at))) };
            let Some(body) = bytes.get(at..at + length) else { return Ok(None) };
            let Some(tail) = bytes.get(at + length..at + length + 2) else { return Ok(None) };
            if tail != b"\r\n" {
                return Err(format!("a bulk string does not end where it should: {:?}", lossy()));
            }
            at += length + 2;
            match kind {
                b'$' => Value::Bulk(body.to_vec()),
                _ => Value::Verbatim(String::from_utf8_lossy(&body[..3]).into(), body[4..].to_vec()),
            }
        }
        b'*' | b'%' | b'~' | b'>' => {
            let Ok(count) = usize::try_from(number()?) else { return Ok(Some((Value::NilArray, at))) };
            let (shape, count) = match kind {
                b'*' => (Shape::Array, count),
                b'%' => (Shape::Map, count * 2),
                b'~' => (Shape::Set, count),
                _ => (Shape::Push, count),
            };
            let mut items = Vec::new();
            for _ in 0..count {
                let Some((item, length)) = decode(&bytes[at..])? else { return Ok(None) };
                items.push(item);
                at += length;
            }
            Value::Many(shape, items)
        }
        other => return Err(format!("unknown type byte {:?} in {:?}", char::from(other), lossy())),
    };
    Ok(Some((value, at)))
}

/// A request as an array of bulk strings.
pub fn encode<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
