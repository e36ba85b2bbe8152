//! The libraries that scripts find beside Lua's own, in the reference's behaviour and words: `cjson`, `cmsgpack`,
//! `struct` and `bit`.

mod arguments;
mod bit;
mod json;
mod json_text;
mod msgpack;
mod packed;

use mlua::{Lua, Table};

/// All libraries by name.
pub fn all(lua: &Lua) -> mlua::Result<Table> {
    let all = lua.create_table()?;
    all.raw_set("bit", bit::library(lua)?)?;
    all.raw_set("cjson", json::library(lua)?)?;
    all.raw_set("cmsgpack", msgpack::library(lua)?)?;
    all.raw_set("struct", packed::library(lua)?)?;
    Ok(all)
}
