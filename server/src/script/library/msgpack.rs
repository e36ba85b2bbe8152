//! `cmsgpack`: values to MessagePack and back (lua-cmsgpack 0.4 as the reference has it).

use mlua::{Lua, Table, Value, Variadic};

use super::super::raise;
use super::arguments::{self, Arguments};

/// Deeper tables are packed as nil, as they may contain themselves.
const DEPTH_MAX: usize = 16;

pub fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(|lua, args: Arguments| unpack(lua, &args, 0, 0))?)?;
    let one = lua.create_function(|lua, args: Arguments| {
        let offset = if args.len() > 1 { arguments::number(lua, "unpack_one", &args, 1)? as i64 } else { 0 };
        unpack(lua, &args, 1, offset)
    })?;
    table.raw_set("unpack_one", one)?;
    let limit = lua.create_function(|lua, args: Arguments| {
        let limit = arguments::number(lua, "unpack_limit", &args, 1)? as i64;
        let offset =
            if args.len() > 2 { arguments::number(lua, "unpack_limit", &args, 2)? as i64 } else { 0 };
        unpack(lua, &args, limit, offset)
    })?;
    table.raw_set("unpack_limit", limit)?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn pack(lua: &Lua, args: Arguments) -> mlua::Result<mlua::LuaString> {
    if args.is_empty() {
        return Err(arguments::bad(lua, "pack", 0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in args.iter() {
        put(value, 0, &mut out)?;
    }
    lua.create_string(out)
}

fn put(value: &Value, depth: usize, out: &mut Vec<u8>) -> mlua::Result<()> {
    match value {
        Value::String(text) => {
            let text = text.as_bytes();
            match text.len() {
                length @ 0..32 => out.push(0xa0 | length as u8),
                length @ 32..=0xff => out.extend_from_slice(&[0xd9, length as u8]),
                length => sized(length, 0xda, 0xdb, out),
            }
            out.extend_from_slice(&text);
        }
        Value::Boolean(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => put_number(*number as f64, out),
        Value::Number(number) => put_number(*number, out),
        Value::Table(table) if depth < DEPTH_MAX => put_table(table, depth, out)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn sized(length: usize, short: u8, long: u8, out: &mut Vec<u8>) {
    if let Ok(length) = u16::try_from(length) {
        out.push(short);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(long);
        out.extend_from_slice(&(length as u32).to_be_bytes());
    }
}

fn put_number(number: f64, out: &mut Vec<u8>) {
    let integer = number as i64;
    if number.fract() == 0.0 && integer as f64 == number && number.is_finite() {
        put_integer(integer, out);
        return;
    }
    let short = number as f32;
    if f64::from(short).to_bits() == number.to_bits() {
        out.push(0xca);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn put_integer(number: i64, out: &mut Vec<u8>) {
    match number {
        0..=127 => out.push(number as u8),
        128..=0xff => out.extend_from_slice(&[0xcc, number as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(number as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend_from_slice(&(number as u64).to_be_bytes());
        }
        -32..0 => out.push(number as u8),
        -128..-32 => out.extend_from_slice(&[0xd0, number as u8]),
        -0x8000..-128 => {
            out.push(0xd1);
            out.extend_from_slice(&(number as i16).to_be_bytes());
        }
        -0x8000_0000..-0x8000 => {
            out.push(0xd2);
            out.extend_from_slice(&(number as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn put_table(table: &Table, depth: usize, out: &mut Vec<u8>) -> mlua::Result<()> {
    let (mut count, mut most, mut array) = (0usize, 0usize, true);
    for pair in table.pairs::<Value, Value>() {
        let key = match pair?.0 {
            Value::Integer(key) => key as f64,
            Value::Number(key) => key,
            _ => 0.0,
        };
        array &= key >= 1.0 && key.fract() == 0.0;
        most = most.max(key as usize);
        count += 1;
    }
    if array && most == count {
        if count < 16 {
            out.push(0x90 | count as u8);
        } else {
            sized(count, 0xdc, 0xdd, out);
        }
        for index in 1..=count {
            put(&table.raw_get::<Value>(index)?, depth + 1, out)?;
        }
        return Ok(());
    }
    if count < 16 {
        out.push(0x80 | count as u8);
    } else {
        sized(count, 0xde, 0xdf, out);
    }
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        put(&key, depth + 1, out)?;
        put(&value, depth + 1, out)?;
    }
    Ok(())
}

/// Unpack `limit` values (all, if 0) from an offset; with a limit the first result is where the next one begins.
fn unpack(lua: &Lua, args: &Arguments, limit: i64, offset: i64) -> mlua::Result<Variadic<Value>> {
    let name = if limit == 0 { "unpack" } else { "unpack_limit" };
    let text = arguments::string(lua, name, args, 0)?;
    let text = text.as_bytes();
    if offset < 0 || limit < 0 {
        let what = format!("Invalid request to unpack with offset of {offset} and limit of {}.", text.len());
        return Err(raise::text(lua, &what));
    }
    if offset as usize > text.len() {
        let what = format!("Start offset {offset} greater than input length {}.", text.len());
        return Err(raise::text(lua, &what));
    }
    let mut input = Input { lua, rest: &text[offset as usize..] };
    let mut values = Vec::new();
    while !input.rest.is_empty() && (limit == 0 || (values.len() as i64) < limit) {
        values.push(input.value()?);
    }
    if limit > 0 {
        let next = if input.rest.is_empty() { -1 } else { (text.len() - input.rest.len()) as i64 };
        values.insert(0, Value::Number(next as f64));
    }
    Ok(values.into_iter().collect())
}

struct Input<'l, 't> {
    lua: &'l Lua,
    rest: &'t [u8],
}

impl<'t> Input<'_, 't> {
    fn take(&mut self, count: usize) -> mlua::Result<&'t [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(raise::text(self.lua, "Missing bytes in input."));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn unsigned(&mut self, bytes: usize) -> mlua::Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn value(&mut self) -> mlua::Result<Value> {
        let first = self.take(1)?[0];
        let number = |number: f64| Ok(Value::Number(number));
        match first {
            0..0x80 => number(f64::from(first)),
            0x80..0x90 => self.map(u64::from(first & 15)),
            0x90..0xa0 => self.array(u64::from(first & 15)),
            0xa0..0xc0 => self.string(u64::from(first & 31)),
            0xc0 => Ok(Value::Nil),
            0xc2 => Ok(Value::Boolean(false)),
            0xc3 => Ok(Value::Boolean(true)),
            0xca => number(f64::from(f32::from_bits(self.unsigned(4)? as u32))),
            0xcb => number(f64::from_bits(self.unsigned(8)?)),
            0xcc..=0xcf => number(self.unsigned(1 << (first - 0xcc))? as f64),
            0xd0 => number(f64::from(self.unsigned(1)? as i8)),
            0xd1 => number(f64::from(self.unsigned(2)? as i16)),
            0xd2 => number(f64::from(self.unsigned(4)? as i32)),
            0xd3 => number(self.unsigned(8)? as i64 as f64),
            0xc4..=0xc6 => self.counted(1 << (first - 0xc4), Self::string),
            0xd9..=0xdb => self.counted(1 << (first - 0xd9), Self::string),
            0xdc..=0xdd => self.counted(2 << (first - 0xdc), Self::array),
            0xde..=0xdf => self.counted(2 << (first - 0xde), Self::map),
            0xe0.. => number(f64::from(first as i8)),
            _ => Err(raise::text(self.lua, "Bad data format in input.")),
        }
    }

    fn counted(
        &mut self,
        bytes: usize,
        read: fn(&mut Self, u64) -> mlua::Result<Value>,
    ) -> mlua::Result<Value> {
        let count = self.unsigned(bytes)?;
        read(self, count)
    }

    fn string(&mut self, length: u64) -> mlua::Result<Value> {
        let bytes = self.take(length as usize)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn array(&mut self, count: u64) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        for index in 1..=count {
            table.raw_set(index, self.value()?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, count: u64) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..count {
            let key = self.value()?;
            table.raw_set(key, self.value()?)?;
        }
        Ok(Value::Table(table))
    }
}
