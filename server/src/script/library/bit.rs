//! `bit`: operations on the lowest 32 bits of numbers, with signed results (Lua BitOp 1.0.2).

use mlua::{Lua, Table};

use super::arguments::{self, Arguments};

/// The lowest 32 bits of a number, rounded to the nearest integer.
fn bits(number: f64) -> u32 {
    // Beyond what an integer holds exactly the result is the reference's own trick of adding 2^52 + 2^51.
    (number + 6_755_399_441_055_744.0).to_bits() as u32
}

fn signed(bits: u32) -> f64 {
    f64::from(bits as i32)
}

pub fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let one = |name: &'static str, run: fn(u32) -> u32| -> mlua::Result<()> {
        let function = lua.create_function(move |lua, args: Arguments| {
            Ok(signed(run(bits(arguments::number(lua, name, &args, 0)?))))
        })?;
        table.raw_set(name, function)
    };
    one("tobit", |bits| bits)?;
    one("bnot", |bits| !bits)?;
    one("bswap", u32::swap_bytes)?;
    let many = |name: &'static str, run: fn(u32, u32) -> u32| -> mlua::Result<()> {
        let function = lua.create_function(move |lua, args: Arguments| {
            let mut result = bits(arguments::number(lua, name, &args, 0)?);
            for index in 1..args.len() {
                result = run(result, bits(arguments::number(lua, name, &args, index)?));
            }
            Ok(signed(result))
        })?;
        table.raw_set(name, function)
    };
    many("band", |a, b| a & b)?;
    many("bor", |a, b| a | b)?;
    many("bxor", |a, b| a ^ b)?;
    let shift = |name: &'static str, run: fn(u32, u32) -> u32| -> mlua::Result<()> {
        let function = lua.create_function(move |lua, args: Arguments| {
            let value = bits(arguments::number(lua, name, &args, 0)?);
            let count = bits(arguments::number(lua, name, &args, 1)?) & 31;
            Ok(signed(run(value, count)))
        })?;
        table.raw_set(name, function)
    };
    shift("lshift", |bits, count| bits << count)?;
    shift("rshift", |bits, count| bits >> count)?;
    shift("arshift", |bits, count| ((bits as i32) >> count) as u32)?;
    shift("rol", u32::rotate_left)?;
    shift("ror", u32::rotate_right)?;
    table.raw_set("tohex", lua.create_function(tohex)?)?;
    Ok(table)
}

#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn tohex(lua: &Lua, args: Arguments) -> mlua::Result<String> {
    let value = bits(arguments::number(lua, "tohex", &args, 0)?);
    let count = if args.len() < 2 { 8 } else { bits(arguments::number(lua, "tohex", &args, 1)?) as i32 };
    let digits = count.unsigned_abs().min(8) as usize;
    let text = if count < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    Ok(text[8 - digits..].to_owned())
}
