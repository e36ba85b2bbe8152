//! Replies to Lua values and back, as the reference converts them.

use bytes::Bytes;
use mlua::{Lua, LuaString, Table, Value};

use crate::resp::{Failure, Protocol, Reply};

/// Values that are nested deeper are answered as an error: they may contain themselves.
const DEPTH_MAX: usize = 500;

/// A reply as a script sees it, which chose the protocol version with `redis.setresp`.
pub fn to_lua(lua: &Lua, reply: &Reply, protocol: Protocol) -> mlua::Result<Value> {
    let old = protocol == Protocol::Resp2;
    let string = |bytes: &[u8]| lua.create_string(bytes).map(Value::String);
    let field = |name: &str, value: Value| -> mlua::Result<Value> {
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    };
    Ok(match reply {
        Reply::Int(number) => Value::Number(*number as f64),
        Reply::Bulk(bytes) => string(bytes)?,
        Reply::BulkInt(number) => string(itoa::Buffer::new().format(*number).as_bytes())?,
        Reply::Simple(text) => field("ok", string(text.as_bytes())?)?,
        Reply::Status(text) => field("ok", string(text.as_bytes())?)?,
        Reply::Error(Failure(text)) => {
            let table = lua.create_table_with_capacity(0, 2)?;
            table.raw_set("err", string(text.as_bytes())?)?;
            table.raw_set("ignore_error_stats_update", true)?;
            Value::Table(table)
        }
        Reply::Null | Reply::NullArray | Reply::None if old => Value::Boolean(false),
        Reply::Null | Reply::NullArray | Reply::None => Value::Nil,
        Reply::Array(items) | Reply::Push(items) => Value::Table(sequence(lua, items, protocol)?),
        Reply::Set(items) if old => Value::Table(sequence(lua, items, protocol)?),
        Reply::Set(items) => {
            let set = lua.create_table_with_capacity(0, items.len())?;
            for item in items {
                set.raw_set(to_lua(lua, item, protocol)?, true)?;
            }
            field("set", Value::Table(set))?
        }
        Reply::Map(pairs) if old => {
            let table = lua.create_table_with_capacity(pairs.len() * 2, 0)?;
            for (index, (key, value)) in pairs.iter().enumerate() {
                table.raw_set(index * 2 + 1, to_lua(lua, key, protocol)?)?;
                table.raw_set(index * 2 + 2, to_lua(lua, value, protocol)?)?;
            }
            Value::Table(table)
        }
        Reply::Map(pairs) => {
            let map = lua.create_table_with_capacity(0, pairs.len())?;
            for (key, value) in pairs {
                map.raw_set(to_lua(lua, key, protocol)?, to_lua(lua, value, protocol)?)?;
            }
            field("map", Value::Table(map))?
        }
        Reply::Double(number) if !old => field("double", Value::Number(*number))?,
        Reply::Bool(value) if old => Value::Number(f64::from(u8::from(*value))),
        Reply::Bool(value) => Value::Boolean(*value),
        Reply::BigNumber(digits) if !old => field("big_number", string(digits.as_bytes())?)?,
        Reply::Verbatim(format, text) if !old => {
            let inner = lua.create_table_with_capacity(0, 2)?;
            inner.raw_set("format", *format)?;
            inner.raw_set("string", text.as_str())?;
            field("verbatim_string", Value::Table(inner))?
        }
        Reply::Double(_) | Reply::BigNumber(_) | Reply::Verbatim(..) => {
            // A bulk string in RESP2: the encoder knows its text.
            let mut wire = Vec::new();
            crate::resp::encode(reply, Protocol::Resp2, &mut wire);
            let start = memchr::memchr(b'\n', &wire).map_or(0, |at| at + 1);
            string(&wire[start..wire.len().saturating_sub(2)])?
        }
    })
}

fn sequence(lua: &Lua, items: &[Reply], protocol: Protocol) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(items.len(), 0)?;
    for (index, item) in items.iter().enumerate() {
        table.raw_set(index + 1, to_lua(lua, item, protocol)?)?;
    }
    Ok(table)
}

/// What a script returned as a reply.
pub fn to_reply(value: &Value, protocol: Protocol) -> Reply {
    reply(value, protocol, 0)
}

fn reply(value: &Value, protocol: Protocol, depth: usize) -> Reply {
    match value {
        Value::String(text) => bulk(text),
        Value::Boolean(value) if protocol == Protocol::Resp3 => Reply::Bool(*value),
        Value::Boolean(true) => Reply::Int(1),
        Value::Integer(number) => Reply::Int(*number),
        Value::Number(number) if number.abs() < 9.2e18 => Reply::Int(*number as i64),
        // As the reference's processor converts what no integer can be.
        Value::Number(_) => Reply::Int(i64::MIN),
        Value::Table(_) if depth > DEPTH_MAX => Reply::error("ERR reached lua stack limit"),
        Value::Table(table) => {
            table_reply(table, protocol, depth).unwrap_or_else(|_| array(table, protocol, depth))
        }
        _ => Reply::Null,
    }
}

/// A table that stands for something else than an array, by the name of its only field.
fn table_reply(table: &Table, protocol: Protocol, depth: usize) -> mlua::Result<Reply> {
    let field = |name: &str| table.raw_get::<Value>(name);
    if let Value::String(text) = field("err")? {
        return Ok(Failure::text(lossy(&text)).into());
    }
    if let Value::String(text) = field("ok")? {
        return Ok(Reply::Status(lossy(&text).replace(['\r', '\n'], " ")));
    }
    match field("double")? {
        Value::Number(number) => return Ok(Reply::Double(number)),
        Value::Integer(number) => return Ok(Reply::Double(number as f64)),
        _ => {}
    }
    if let Value::Table(map) = field("map")? {
        let mut pairs = Vec::new();
        map.for_each(|key: Value, value: Value| {
            pairs.push((reply(&key, protocol, depth + 1), reply(&value, protocol, depth + 1)));
            Ok(())
        })?;
        return Ok(Reply::Map(pairs));
    }
    if let Value::Table(set) = field("set")? {
        let mut items = Vec::new();
        set.for_each(|key: Value, _: Value| {
            items.push(reply(&key, protocol, depth + 1));
            Ok(())
        })?;
        return Ok(Reply::Set(items));
    }
    if let Value::String(digits) = field("big_number")? {
        return Ok(Reply::BigNumber(lossy(&digits).replace(['\r', '\n'], " ")));
    }
    if let Value::Table(verbatim) = field("verbatim_string")?
        && let Value::String(text) = verbatim.raw_get("string")?
        && let Value::String(format) = verbatim.raw_get("format")?
    {
        let format = match &*format.as_bytes() {
            b"mkd" => "mkd",
            _ => "txt",
        };
        return Ok(Reply::Verbatim(format, lossy(&text)));
    }
    Ok(array(table, protocol, depth))
}

/// The items up to the first that is missing.
fn array(table: &Table, protocol: Protocol, depth: usize) -> Reply {
    let mut items = Vec::new();
    loop {
        match table.raw_get::<Value>(items.len() + 1) {
            Ok(Value::Nil) | Err(_) => return Reply::Array(items),
            Ok(value) => items.push(reply(&value, protocol, depth + 1)),
        }
    }
}

fn bulk(text: &LuaString) -> Reply {
    Reply::Bulk(Bytes::copy_from_slice(&text.as_bytes()))
}

pub fn lossy(text: &LuaString) -> String {
    String::from_utf8_lossy(&text.as_bytes()).into_owned()
}
