//! JSON text to values, with the reference's words for what is wrong with it.

use mlua::{Lua, Value};

use super::super::raise;
use super::json::{DEPTH_MAX, Settings};

pub struct Decoder<'l, 't> {
    lua: &'l Lua,
    settings: Settings,
    text: &'t [u8],
    at: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(what) => what,
        }
    }
}

impl<'l, 't> Decoder<'l, 't> {
    pub fn run(lua: &'l Lua, settings: Settings, text: &'t [u8]) -> mlua::Result<Value> {
        let mut decoder = Self { lua, settings, text, at: 0 };
        if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
            return Err(raise::text(lua, "JSON parser does not support UTF-16 or UTF-32"));
        }
        let (token, at) = decoder.next();
        let value = decoder.value(token, at, 0)?;
        match decoder.next() {
            (Token::End, _) => Ok(value),
            (other, at) => decoder.unexpected("the end", &other, at),
        }
    }

    fn unexpected<T>(&self, expected: &str, found: &Token, at: usize) -> mlua::Result<T> {
        let found = found.name();
        let text = format!("Expected {expected} but found {found} at character {}", at + 1);
        Err(raise::text(self.lua, &text))
    }

    fn value(&mut self, token: Token, at: usize, depth: usize) -> mlua::Result<Value> {
        Ok(match token {
            Token::String(text) => Value::String(self.lua.create_string(text)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(value) => Value::Boolean(value),
            Token::Null => Value::NULL,
            Token::ObjectBegin => self.object(depth + 1)?,
            Token::ArrayBegin => self.array(depth + 1)?,
            other => return self.unexpected("value", &other, at),
        })
    }

    fn descend(&self, depth: usize) -> mlua::Result<()> {
        if depth <= self.settings.decode_depth_max.min(DEPTH_MAX) {
            return Ok(());
        }
        let at = self.at;
        let text = format!("Found too many nested data structures ({depth}) at character {at}");
        Err(raise::text(self.lua, &text))
    }

    fn object(&mut self, depth: usize) -> mlua::Result<Value> {
        self.descend(depth)?;
        let table = self.lua.create_table()?;
        let (mut token, mut at) = self.next();
        if token == Token::ObjectEnd {
            return Ok(Value::Table(table));
        }
        loop {
            let Token::String(key) = token else {
                return self.unexpected("object key string", &token, at);
            };
            match self.next() {
                (Token::Colon, _) => {}
                (other, at) => return self.unexpected("colon", &other, at),
            }
            let (first, place) = self.next();
            let value = self.value(first, place, depth)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            match self.next() {
                (Token::ObjectEnd, _) => return Ok(Value::Table(table)),
                (Token::Comma, _) => (token, at) = self.next(),
                (other, at) => return self.unexpected("comma or object end", &other, at),
            }
        }
    }

    fn array(&mut self, depth: usize) -> mlua::Result<Value> {
        self.descend(depth)?;
        let table = self.lua.create_table()?;
        let (mut token, mut at) = self.next();
        if token == Token::ArrayEnd {
            return Ok(Value::Table(table));
        }
        for index in 1.. {
            let value = self.value(token, at, depth)?;
            table.raw_set(index, value)?;
            match self.next() {
                (Token::ArrayEnd, _) => break,
                (Token::Comma, _) => (token, at) = self.next(),
                (other, at) => return self.unexpected("comma or array end", &other, at),
            }
        }
        Ok(Value::Table(table))
    }

    /// The next token and where it begins.
    fn next(&mut self) -> (Token, usize) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let at = self.at;
        let single = match self.text.get(at) {
            None => return (Token::End, at),
            Some(b'{') => Token::ObjectBegin,
            Some(b'}') => Token::ObjectEnd,
            Some(b'[') => Token::ArrayBegin,
            Some(b']') => Token::ArrayEnd,
            Some(b':') => Token::Colon,
            Some(b',') => Token::Comma,
            Some(b'"') => {
                // What is wrong with a string is told where it is wrong.
                return match self.string() {
                    Ok(string) => (string, at),
                    Err(what) => (Token::Error(what), self.at),
                };
            }
            Some(b'-' | b'+' | b'0'..=b'9') => return (self.number(), at),
            Some(_) => return (self.word(), at),
        };
        self.at += 1;
        (single, at)
    }

    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        for (word, token) in
            [(&b"true"[..], Token::Boolean(true)), (b"false", Token::Boolean(false)), (b"null", Token::Null)]
        {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        let lower: Vec<u8> = rest.iter().take(3).map(u8::to_ascii_lowercase).collect();
        if self.settings.decode_invalid && (lower == b"inf" || lower == b"nan") {
            return self.number();
        }
        Token::Error("invalid token")
    }

    fn number(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let unsigned = rest.strip_prefix(b"-").unwrap_or(rest);
        let invalid = match unsigned {
            [b'0', b'0'..=b'9' | b'x' | b'X', ..] | [b'+', ..] => true,
            [first, ..] => !first.is_ascii_digit(),
            [] => true,
        };
        if invalid && !self.settings.decode_invalid {
            return Token::Error("invalid number");
        }
        match read_number(rest) {
            Some((number, length)) => {
                self.at += length;
                Token::Number(number)
            }
            None => Token::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Result<Token, &'static str> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let byte = *self.text.get(self.at).ok_or("unexpected end of string")?;
            self.at += 1;
            match byte {
                b'"' => return Ok(Token::String(out)),
                b'\\' => {
                    let at = self.at - 1;
                    if let Err(what) = self.escape(&mut out) {
                        self.at = at;
                        return Err(what);
                    }
                }
                _ => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let byte = *self.text.get(self.at).ok_or("unexpected end of string")?;
        self.at += 1;
        out.push(match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let wrong = "invalid unicode escape code";
                let mut code = self.unit().ok_or(wrong)?;
                if (0xd800..0xdc00).contains(&code) {
                    if self.text[self.at..].first_chunk() != Some(b"\\u") {
                        return Err(wrong);
                    }
                    self.at += 2;
                    let low = self.unit().filter(|low| (0xdc00..0xe000).contains(low)).ok_or(wrong)?;
                    code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                let character = char::from_u32(code).ok_or(wrong)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        });
        Ok(())
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        self.at += 4;
        Some(code)
    }
}

/// As C's `strtod`: the number that the text begins with, and its length.
fn read_number(text: &[u8]) -> Option<(f64, usize)> {
    let (sign, start) = match text.first()? {
        b'-' => (-1.0, 1),
        b'+' => (1.0, 1),
        _ => (1.0, 0),
    };
    let rest = &text[start..];
    if let [b'0', b'x' | b'X', digits @ ..] = rest {
        let length = digits.iter().take_while(|digit| digit.is_ascii_hexdigit()).count();
        let value = digits[..length]
            .iter()
            .fold(0.0, |value, digit| value * 16.0 + f64::from(char::from(*digit).to_digit(16).unwrap_or(0)));
        return Some((sign * value, start + if length == 0 { 1 } else { 2 + length }));
    }
    let lower: Vec<u8> = rest.iter().take(8).map(u8::to_ascii_lowercase).collect();
    for (word, value) in [(&b"infinity"[..], f64::INFINITY), (b"inf", f64::INFINITY), (b"nan", f64::NAN)] {
        if lower.starts_with(word) {
            return Some((sign * value, start + word.len()));
        }
    }
    let digits = |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    let mut length = whole;
    let mut decimals = 0;
    if rest.get(length) == Some(&b'.') {
        decimals = digits(length + 1);
        length += 1 + decimals;
    }
    if whole + decimals == 0 {
        return None;
    }
    if matches!(rest.get(length), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits((length + 1 + signed).min(rest.len()));
        if exponent > 0 {
            length += 1 + signed + exponent;
        }
    }
    let value: f64 = std::str::from_utf8(&rest[..length]).ok()?.parse().ok()?;
    Some((sign * value, start + length))
}
