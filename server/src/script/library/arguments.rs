//! Arguments of library functions, checked as Lua's own libraries check theirs.

use mlua::{Error, Lua, LuaString, Value, Variadic};

use super::super::raise;

pub type Arguments = Variadic<Value>;

/// What is wrong with the argument at `index` (from 0).
pub fn bad(lua: &Lua, function: &str, index: usize, what: &str) -> Error {
    raise::text(lua, &format!("bad argument #{} to '{function}' ({what})", index + 1))
}

fn expected(lua: &Lua, function: &str, index: usize, kind: &str, found: Option<&Value>) -> Error {
    let found = found.map_or("no value", type_name);
    bad(lua, function, index, &format!("{kind} expected, got {found}"))
}

/// A number, or a string that reads as one.
pub fn number(lua: &Lua, function: &str, args: &Arguments, index: usize) -> mlua::Result<f64> {
    let found = args.get(index);
    let number = found.and_then(|value| lua.coerce_number(value.clone()).ok().flatten());
    number.ok_or_else(|| expected(lua, function, index, "number", found))
}

pub fn string(lua: &Lua, function: &str, args: &Arguments, index: usize) -> mlua::Result<LuaString> {
    let found = args.get(index);
    let text = match found {
        Some(value @ (Value::String(_) | Value::Number(_) | Value::Integer(_))) => {
            lua.coerce_string(value.clone())?
        }
        _ => None,
    };
    text.ok_or_else(|| expected(lua, function, index, "string", found))
}

/// The name of a type as Lua has it.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) | Value::Other(_) => "userdata",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
    }
}
