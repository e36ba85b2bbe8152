//! Replies in readable notation: what a dialogue expects, and how a reply that came is shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use botellier_server::config::{glob, quote};

use crate::wire::{Shape, Value};

/// What a reply must look like.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    Anything,
    Exactly(Value),
    /// The text of this value is a glob pattern.
    Like(Value),
    /// An integer between bounds, both included.
    Between(i64, i64),
    /// Anything, whose text is remembered under a name.
    Capture(String),
    Many {
        shape: Shape,
        items: Vec<Pattern>,
        /// `[?`: in any order. A map's order is that of its pairs.
        any_order: bool,
        /// `...`: more may follow.
        more: bool,
    },
}

pub type Captured = BTreeMap<String, Vec<u8>>;

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text: text.trim(), at: 0, depth: 0 };
        let pattern = reader.pattern()?;
        reader.blanks();
        if reader.rest().is_empty() { Ok(pattern) } else { Err(format!("what is {:?}?", reader.rest())) }
    }

    pub fn matches(&self, value: &Value, captured: &mut Captured) -> bool {
        match self {
            Pattern::Anything => true,
            Pattern::Exactly(expected) => expected == value,
            Pattern::Like(expected) => like(expected, value),
            Pattern::Between(low, high) => {
                matches!(value, Value::Int(number) if (low..=high).contains(&number))
            }
            Pattern::Capture(name) => {
                captured.insert(name.clone(), text(value));
                true
            }
            Pattern::Many { shape, items, any_order, more } => {
                let Value::Many(other, values) = value else { return false };
                let enough = values.len() == items.len() || (*more && values.len() > items.len());
                if shape != other || !enough {
                    return false;
                }
                if !any_order {
                    return items.iter().zip(values).all(|(item, value)| item.matches(value, captured));
                }
                let width = if *shape == Shape::Map { 2 } else { 1 };
                in_any_order(items, values, width, captured)
            }
        }
    }
}

/// Each run of `width` patterns finds a run of values of its own.
fn in_any_order(items: &[Pattern], values: &[Value], width: usize, captured: &mut Captured) -> bool {
    let mut left: Vec<&[Value]> = values.chunks(width).collect();
    items.chunks(width).all(|run| {
        let found = left.iter().position(|candidate| {
            run.iter().zip(*candidate).all(|(item, value)| item.matches(value, captured))
        });
        found.map(|index| left.swap_remove(index)).is_some()
    })
}

fn like(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Status(pattern), Value::Status(text))
        | (Value::Error(pattern), Value::Error(text))
        | (Value::Bulk(pattern), Value::Bulk(text)) => glob::matches(pattern, text, false),
        (Value::Verbatim(format, pattern), Value::Verbatim(other, text)) => {
            format == other && glob::matches(pattern, text, false)
        }
        (Value::Double(pattern), Value::Double(text)) => {
            glob::matches(pattern.as_bytes(), text.as_bytes(), false)
        }
        _ => false,
    }
}

/// The text of a reply, to be put into a later request.
fn text(value: &Value) -> Vec<u8> {
    match value {
        Value::Status(text) | Value::Error(text) | Value::Bulk(text) | Value::Verbatim(_, text) => {
            text.clone()
        }
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Double(text) | Value::Big(text) => text.clone().into_bytes(),
        other => show(other).into_bytes(),
    }
}

/// A reply in the notation.
pub fn show(value: &Value) -> String {
    let line = |mark: char, text: &[u8]| {
        let plain = text.iter().all(|byte| (b' '..=b'~').contains(byte));
        if plain {
            format!("{mark}{}", String::from_utf8_lossy(text))
        } else {
            format!("{mark}{}", quote(text))
        }
    };
    match value {
        Value::Status(text) => line('+', text),
        Value::Error(text) => line('-', text),
        Value::Int(number) => format!(":{number}"),
        Value::Bulk(bytes) => quote(bytes),
        Value::Nil => "nil".into(),
        Value::NilArray => "nil[]".into(),
        Value::Null => "null".into(),
        Value::Double(text) => format!(",{text}"),
        Value::Bool(value) => if *value { "#t" } else { "#f" }.into(),
        Value::Big(text) => format!("({text}"),
        Value::Verbatim(format, text) => format!("={format}:{}", quote(text)),
        Value::Many(shape, items) => {
            let mut text = String::from(match shape {
                Shape::Array => "[",
                Shape::Map => "map[",
                Shape::Set => "set[",
                Shape::Push => "push[",
            });
            for item in items {
                let shown = match item {
                    Value::Status(text) => format!("+{}", quote(text)),
                    Value::Error(text) => format!("-{}", quote(text)),
                    other => show(other),
                };
                let _ = write!(text, " {shown}");
            }
            text + " ]"
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn pattern(&mut self) -> Result<Pattern, String> {
        self.blanks();
        for (open, shape) in
            [("map[", Shape::Map), ("set[", Shape::Set), ("push[", Shape::Push), ("[", Shape::Array)]
        {
            if self.take(open) {
                return self.many(shape);
            }
        }
        if self.take("$") {
            return Ok(Pattern::Capture(self.word().to_owned()));
        }
        if self.take("~:") {
            let word = self.word();
            if word.is_empty() {
                return Ok(Pattern::Between(i64::MIN, i64::MAX));
            }
            let bounds = word.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            let (low, high) = bounds.ok_or_else(|| format!("bounds are LOW..HIGH, not {word:?}"))?;
            return Ok(Pattern::Between(low, high));
        }
        if self.take("~") {
            return self.value().map(Pattern::Like);
        }
        if self.rest() == "*" || self.rest().starts_with("* ") {
            self.at += 1;
            return Ok(Pattern::Anything);
        }
        self.value().map(Pattern::Exactly)
    }

    fn many(&mut self, shape: Shape) -> Result<Pattern, String> {
        let any_order = self.take("?") || shape == Shape::Set;
        let (mut items, mut more) = (Vec::new(), false);
        self.depth += 1;
        loop {
            self.blanks();
            if self.take("]") {
                self.depth -= 1;
                return Ok(Pattern::Many { shape, items, any_order, more });
            }
            if self.rest().is_empty() {
                return Err("a bracket is not closed".into());
            }
            if more {
                return Err("nothing follows '...'".into());
            }
            more = self.take("...");
            if !more {
                items.push(self.pattern()?);
            }
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.rest().starts_with('"') {
            return self.quoted().map(Value::Bulk);
        }
        for (token, value) in [("nil[]", Value::NilArray), ("nil", Value::Nil), ("null", Value::Null)] {
            if self.take(token) {
                return Ok(value);
            }
        }
        let mark = self.rest().chars().next().unwrap_or_default();
        self.at += mark.len_utf8();
        match mark {
            '+' => self.line().map(Value::Status),
            '-' => self.line().map(Value::Error),
            ':' => {
                let word = self.word();
                word.parse().map(Value::Int).map_err(|_| format!("no integer: {word:?}"))
            }
            ',' => Ok(Value::Double(self.word().to_owned())),
            '#' => Ok(Value::Bool(self.word() == "t")),
            '(' => Ok(Value::Big(self.word().to_owned())),
            '=' => {
                let format = self.rest().get(..3).ok_or("a format has three letters")?.to_owned();
                self.at += 4;
                Ok(Value::Verbatim(format, self.quoted()?))
            }
            _ => {
                self.at -= mark.len_utf8();
                Err(format!("no notation of a reply: {:?}", self.rest()))
            }
        }
    }

    /// The text of a status or an error: quoted, or the rest of the line, or a word inside of brackets.
    fn line(&mut self) -> Result<Vec<u8>, String> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        if self.depth > 0 {
            return Ok(self.word().into());
        }
        let rest = self.rest();
        self.at = self.text.len();
        Ok(rest.trim_end().into())
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || c == ']').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A string in double quotes, with the escapes of redis-cli.
    fn quoted(&mut self) -> Result<Vec<u8>, String> {
        let bytes = self.rest().as_bytes();
        let mut end = 1;
        while bytes.get(end).is_some_and(|byte| *byte != b'"') {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let quoted = bytes.get(..=end).ok_or("a quote is not closed")?;
        self.at += end + 1;
        let words = botellier_server::config::split_args(quoted).map_err(|error| error.to_string())?;
        words.into_iter().next().ok_or_else(|| "a quote is empty".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(pattern: &str, wire: &[u8]) -> bool {
        let (value, length) = crate::wire::decode(wire).unwrap().unwrap();
        assert_eq!(length, wire.len());
        Pattern::parse(pattern).unwrap().matches(&value, &mut Captured::new())
    }

    #[test]
    fn notation_matches_the_wire() {
        for (pattern, wire) in [
            ("+OK", &b"+OK\r\n"[..]),
            ("-ERR no such key", b"-ERR no such key\r\n"),
            (":-3", b":-3\r\n"),
            ("\"a\\r\\n\"", b"$3\r\na\r\n\r\n"),
            ("nil", b"$-1\r\n"),
            ("nil[]", b"*-1\r\n"),
            ("null", b"_\r\n"),
            ("[ \"a\" :1 -\"ERR x\" [] ]", b"*4\r\n$1\r\na\r\n:1\r\n-ERR x\r\n*0\r\n"),
            ("[? \"a\" \"b\" ]", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
            ("[ \"a\" ... ]", b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
            ("map[? \"b\" :2 \"a\" ~: ]", b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n"),
            ("~\"a*\"", b"$2\r\nab\r\n"),
            ("~-ERR *", b"-ERR something\r\n"),
            ("~:1..5", b":5\r\n"),
            ("=txt:\"hi\"", b"=6\r\ntxt:hi\r\n"),
            (",1.5", b",1.5\r\n"),
        ] {
            assert!(agree(pattern, wire), "{pattern}");
        }
        for (pattern, wire) in [
            ("+OK", &b"$2\r\nOK\r\n"[..]),
            ("~:1..5", b":6\r\n"),
            ("[ \"a\" ]", b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
            ("[? \"a\" \"a\" ]", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
            ("nil", b"_\r\n"),
        ] {
            assert!(!agree(pattern, wire), "{pattern}");
        }
    }
}
