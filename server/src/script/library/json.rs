//! `cjson`: values to JSON and back (lua-cjson 2.1 as the reference has it).

use std::sync::Arc;

use mlua::{Function, Lua, Table, Value};
use parking_lot::Mutex;

use super::super::{number, raise};
use super::arguments::{self, Arguments, type_name};
use super::json_text::Decoder;

/// Whatever a script sets: the stack is bounded.
pub const DEPTH_MAX: usize = 1000;

/// What a script may set.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // independent settings
pub struct Settings {
    sparse_convert: bool,
    sparse_ratio: f64,
    sparse_safe: f64,
    encode_depth_max: usize,
    pub decode_depth_max: usize,
    digits: usize,
    /// Numbers that JSON lacks: refused, written as they are, or as null.
    encode_invalid: Invalid,
    pub decode_invalid: bool,
    keep_buffer: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_convert: false,
            sparse_ratio: 2.0,
            sparse_safe: 10.0,
            encode_depth_max: 1000,
            decode_depth_max: 1000,
            digits: 14,
            encode_invalid: Invalid::Refused,
            decode_invalid: true,
            keep_buffer: true,
        }
    }
}

type Shared = Arc<Mutex<Settings>>;

pub fn library(lua: &Lua) -> mlua::Result<Table> {
    let settings = Shared::default();
    let table = lua.create_table()?;
    let of = settings.clone();
    let encode = lua.create_function(move |lua, args: Arguments| {
        if args.len() != 1 {
            return Err(arguments::bad(lua, "encode", 0, "expected 1 argument"));
        }
        let mut encoder = Encoder { lua, settings: *of.lock(), out: Vec::new() };
        encoder.value(&args[0], 0)?;
        lua.create_string(&encoder.out)
    })?;
    table.raw_set("encode", encode)?;
    let of = settings.clone();
    let decode = lua.create_function(move |lua, args: Arguments| {
        if args.len() != 1 {
            return Err(arguments::bad(lua, "decode", 0, "expected 1 argument"));
        }
        let text = arguments::string(lua, "decode", &args, 0)?;
        Decoder::run(lua, *of.lock(), &text.as_bytes())
    })?;
    table.raw_set("decode", decode)?;
    configure(lua, &table, &settings)?;
    table.raw_set("new", lua.create_function(|lua, ()| library(lua))?)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

/// The functions that set something and return how it is.
fn configure(lua: &Lua, table: &Table, settings: &Shared) -> mlua::Result<()> {
    let integer = |name: &'static str, least: i64, most: i64, field: fn(&mut Settings) -> &mut usize| {
        let of = settings.clone();
        let function = lua.create_function(move |lua, args: Arguments| {
            let mut settings = of.lock();
            if !args.is_empty() && args[0] != Value::Nil {
                let value = arguments::number(lua, name, &args, 0)? as i64;
                if !(least..=most).contains(&value) {
                    let what = format!("expected integer between {least} and {most}");
                    return Err(arguments::bad(lua, name, 0, &what));
                }
                *field(&mut settings) = value as usize;
            }
            Ok(*field(&mut settings))
        })?;
        table.raw_set(name, function)
    };
    let most = i64::from(i32::MAX);
    integer("encode_max_depth", 1, most, |settings| &mut settings.encode_depth_max)?;
    integer("decode_max_depth", 1, most, |settings| &mut settings.decode_depth_max)?;
    integer("encode_number_precision", 1, 14, |settings| &mut settings.digits)?;
    let boolean = |name: &'static str, field: fn(&mut Settings) -> &mut bool| {
        let of = settings.clone();
        let function = lua.create_function(move |lua, args: Arguments| {
            let mut settings = of.lock();
            if let Some(value) = args.first().filter(|value| **value != Value::Nil) {
                *field(&mut settings) = switch(lua, name, value)?;
            }
            Ok(*field(&mut settings))
        })?;
        table.raw_set(name, function)
    };
    boolean("encode_keep_buffer", |settings| &mut settings.keep_buffer)?;
    boolean("decode_invalid_numbers", |settings| &mut settings.decode_invalid)?;
    let of = settings.clone();
    let invalid = lua.create_function(move |lua, args: Arguments| {
        let mut settings = of.lock();
        match args.first() {
            None | Some(Value::Nil) => {}
            Some(Value::String(word)) if *word == "null" => settings.encode_invalid = Invalid::Null,
            Some(value) => {
                let written = switch(lua, "encode_invalid_numbers", value)?;
                settings.encode_invalid = if written { Invalid::Written } else { Invalid::Refused };
            }
        }
        Ok(match settings.encode_invalid {
            Invalid::Refused => Value::Boolean(false),
            Invalid::Written => Value::Boolean(true),
            Invalid::Null => Value::String(lua.create_string("null")?),
        })
    })?;
    table.raw_set("encode_invalid_numbers", invalid)?;
    table.raw_set("encode_sparse_array", sparse_array(lua, settings)?)
}

fn sparse_array(lua: &Lua, settings: &Shared) -> mlua::Result<Function> {
    let of = settings.clone();
    lua.create_function(move |lua, args: Arguments| {
        let name = "encode_sparse_array";
        let mut settings = of.lock();
        if let Some(value) = args.first().filter(|value| **value != Value::Nil) {
            settings.sparse_convert = switch(lua, name, value)?;
        }
        for (index, field) in [1, 2].into_iter().zip([0, 1]) {
            if args.get(index).is_some_and(|value| *value != Value::Nil) {
                let value = arguments::number(lua, name, &args, index)?.trunc();
                if !(0.0..=f64::from(i32::MAX)).contains(&value) {
                    let what = format!("expected integer between 0 and {}", i32::MAX);
                    return Err(arguments::bad(lua, name, index, &what));
                }
                *(if field == 0 { &mut settings.sparse_ratio } else { &mut settings.sparse_safe }) = value;
            }
        }
        Ok((settings.sparse_convert, settings.sparse_ratio, settings.sparse_safe))
    })
}

fn switch(lua: &Lua, function: &str, value: &Value) -> mlua::Result<bool> {
    match value {
        Value::Boolean(on) => Ok(*on),
        Value::String(word) if *word == "on" => Ok(true),
        Value::String(word) if *word == "off" => Ok(false),
        Value::String(word) => {
            let word = word.to_string_lossy();
            Err(arguments::bad(lua, function, 0, &format!("invalid option '{word}'")))
        }
        other => {
            let what = format!("string expected, got {}", type_name(other));
            Err(arguments::bad(lua, function, 0, &what))
        }
    }
}

struct Encoder<'l> {
    lua: &'l Lua,
    settings: Settings,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn fail<T>(&self, what: &str) -> mlua::Result<T> {
        Err(raise::text(self.lua, what))
    }

    fn value(&mut self, value: &Value, depth: usize) -> mlua::Result<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Number(number) => self.number(*number)?,
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Nil => self.out.extend_from_slice(b"null"),
            value if *value == Value::NULL => self.out.extend_from_slice(b"null"),
            Value::Table(table) => self.table(table, depth + 1)?,
            other => {
                return self.fail(&format!("Cannot serialise {}: type not supported", type_name(other)));
            }
        }
        Ok(())
    }

    fn number(&mut self, value: f64) -> mlua::Result<()> {
        if !value.is_finite() {
            match self.settings.encode_invalid {
                Invalid::Refused => {
                    return self.fail("Cannot serialise number: must not be NaN or Inf");
                }
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Invalid::Written if value.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                Invalid::Written => {}
            }
        }
        self.out.extend_from_slice(number::general(value, self.settings.digits).as_bytes());
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        for byte in text {
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'/' => self.out.extend_from_slice(b"\\/"),
                8 => self.out.extend_from_slice(b"\\b"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                12 => self.out.extend_from_slice(b"\\f"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                0..32 | 127 => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.out.push(*byte),
            }
        }
        self.out.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        if depth > self.settings.encode_depth_max.min(DEPTH_MAX) {
            return self.fail(&format!("Cannot serialise, excessive nesting ({depth})"));
        }
        match self.array_length(table)? {
            Some(length) if length > 0 => {
                self.out.push(b'[');
                for index in 1..=length {
                    if index > 1 {
                        self.out.push(b',');
                    }
                    self.value(&table.raw_get::<Value>(index)?, depth)?;
                }
                self.out.push(b']');
            }
            _ => self.object(table, depth)?,
        }
        Ok(())
    }

    /// The length of a table that is an array.
    fn array_length(&self, table: &Table) -> mlua::Result<Option<i64>> {
        let (mut most, mut count) = (0.0f64, 0.0f64);
        for pair in table.pairs::<Value, Value>() {
            let key = match pair?.0 {
                Value::Number(key) => key,
                Value::Integer(key) => key as f64,
                _ => return Ok(None),
            };
            if key.fract() != 0.0 || key < 1.0 {
                return Ok(None);
            }
            most = most.max(key);
            count += 1.0;
        }
        let Settings { sparse_ratio, sparse_safe, sparse_convert, .. } = self.settings;
        if sparse_ratio > 0.0 && most > count * sparse_ratio && most > sparse_safe {
            if !sparse_convert {
                return self.fail("Cannot serialise table: excessively sparse array");
            }
            return Ok(None);
        }
        Ok(Some(most as i64))
    }

    fn object(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        self.out.push(b'{');
        let mut first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            match key {
                Value::String(key) => self.string(&key.as_bytes()),
                Value::Number(_) | Value::Integer(_) => {
                    self.out.push(b'"');
                    self.value(&key, depth)?;
                    self.out.push(b'"');
                }
                other => {
                    let kind = type_name(&other);
                    let what = format!("Cannot serialise {kind}: table key must be a number or string");
                    return self.fail(&what);
                }
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
