//! `struct`: values to bytes and back, by a format (Lua struct 0.2 as the reference has it).

use mlua::{Lua, LuaString, Table, Value, Variadic};

use super::super::raise;
use super::arguments::{self, Arguments};

/// Integers have at most so many bytes.
const INTEGER_BYTES_MAX: usize = 32;

pub fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("size", lua.create_function(size)?)?;
    Ok(table)
}

/// A format being read.
struct Format<'l, 't> {
    lua: &'l Lua,
    rest: &'t [u8],
    little: bool,
    align: usize,
    function: &'static str,
}

/// An item of a format: its letter, size and the bytes of padding before it.
struct Item {
    option: u8,
    size: usize,
    align: usize,
}

impl<'l, 't> Format<'l, 't> {
    fn new(lua: &'l Lua, function: &'static str, text: &'t [u8]) -> Self {
        Self { lua, rest: text, little: cfg!(target_endian = "little"), align: 1, function }
    }

    fn fail<T>(&self, what: &str) -> mlua::Result<T> {
        Err(raise::text(self.lua, what))
    }

    fn number(&mut self) -> mlua::Result<Option<usize>> {
        let mut number = None;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            let value = number.unwrap_or(0usize) * 10 + usize::from(digit - b'0');
            if value > i32::MAX as usize {
                return self.fail("integral size overflow");
            }
            number = Some(value);
            self.rest = rest;
        }
        Ok(number)
    }

    fn size(&mut self, option: u8) -> mlua::Result<usize> {
        Ok(match option {
            b'B' | b'b' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' | b'n' => 8,
            b'f' => 4,
            b'x' => 1,
            b'c' => self.number()?.unwrap_or(1),
            b'i' | b'I' => {
                let size = self.number()?.unwrap_or(4);
                if size > INTEGER_BYTES_MAX {
                    let what = format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
                    return self.fail(&what);
                }
                size
            }
            _ => 0,
        })
    }

    /// The next item at a position of the data; settings on the way are followed.
    fn next(&mut self, position: usize) -> mlua::Result<Option<Item>> {
        let Some((option, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let option = *option;
        let size = self.size(option)?;
        let aligns = size > 1 && !matches!(option, b'c' | b'x');
        let mut align = 0;
        if aligns {
            let to = size.min(self.align);
            align = (to - (position & (to - 1))) & (to - 1);
        }
        Ok(Some(Item { option, size, align }))
    }

    /// A letter that is no item.
    fn control(&mut self, option: u8) -> mlua::Result<()> {
        match option {
            b' ' => {}
            b'>' => self.little = false,
            b'<' => self.little = true,
            b'!' => {
                let align = self.number()?.unwrap_or(8);
                if align == 0 || !align.is_power_of_two() {
                    return self.fail("alignment is not a power of 2");
                }
                self.align = align;
            }
            other => {
                let what = format!("invalid format option '{}'", char::from(other));
                return Err(arguments::bad(self.lua, self.function, 0, &what));
            }
        }
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn pack(lua: &Lua, mut args: Arguments) -> mlua::Result<LuaString> {
    // In the reference a nil follows the arguments.
    args.push(Value::Nil);
    let text = arguments::string(lua, "pack", &args, 0)?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, "pack", &text);
    let (mut out, mut index) = (Vec::new(), 1);
    while let Some(Item { option, size, align }) = format.next(out.len())? {
        out.resize(out.len() + align, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = arguments::number(lua, "pack", &args, index)?;
                index += 1;
                let value = if number < 0.0 { number as i64 as u64 } else { number as u64 };
                put_integer(value, size, format.little, &mut out);
            }
            b'x' => out.push(0),
            b'f' => {
                let bytes = (arguments::number(lua, "pack", &args, index)? as f32).to_le_bytes();
                index += 1;
                put_ordered(&bytes, format.little, &mut out);
            }
            b'd' | b'n' => {
                let bytes = arguments::number(lua, "pack", &args, index)?.to_le_bytes();
                index += 1;
                put_ordered(&bytes, format.little, &mut out);
            }
            b'c' | b's' => {
                let string = arguments::string(lua, "pack", &args, index)?;
                let string = string.as_bytes();
                index += 1;
                let size = if size == 0 { string.len() } else { size };
                if string.len() < size {
                    return Err(arguments::bad(lua, "pack", index - 1, "string too short"));
                }
                out.extend_from_slice(&string[..size]);
                if option == b's' {
                    out.push(0);
                }
            }
            other => format.control(other)?,
        }
    }
    lua.create_string(out)
}

fn put_integer(value: u64, size: usize, little: bool, out: &mut Vec<u8>) {
    let mut bytes = [0; INTEGER_BYTES_MAX];
    // Wider integers are filled with zeros, as the reference does.
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    put_ordered(&bytes[..size], little, out);
}

fn put_ordered(bytes: &[u8], little: bool, out: &mut Vec<u8>) {
    if little {
        out.extend_from_slice(bytes);
    } else {
        out.extend(bytes.iter().rev());
    }
}

#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn unpack(lua: &Lua, args: Arguments) -> mlua::Result<Variadic<Value>> {
    let text = arguments::string(lua, "unpack", &args, 0)?;
    let text = text.as_bytes();
    let data = arguments::string(lua, "unpack", &args, 1)?;
    let data = data.as_bytes();
    let from = match args.get(2) {
        None | Some(Value::Nil) => 1.0,
        Some(_) => arguments::number(lua, "unpack", &args, 2)?,
    };
    if from < 1.0 {
        return Err(arguments::bad(lua, "unpack", 2, "offset must be 1 or greater"));
    }
    let mut position = from as usize - 1;
    let mut format = Format::new(lua, "unpack", &text);
    let mut values: Vec<Value> = Vec::new();
    while let Some(Item { option, mut size, align }) = format.next(position)? {
        position = position.saturating_add(align);
        if size > data.len() || position > data.len() - size {
            return Err(arguments::bad(lua, "unpack", 1, "data string too short"));
        }
        let bytes = &data[position..position + size];
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = read_integer(bytes, format.little, option.is_ascii_lowercase());
                values.push(Value::Number(number));
            }
            b'x' => {}
            b'f' => {
                let number = f32::from_bits(read_unsigned(bytes, format.little) as u32);
                values.push(Value::Number(f64::from(number)));
            }
            b'd' | b'n' => {
                let number = f64::from_bits(read_unsigned(bytes, format.little));
                values.push(Value::Number(number));
            }
            b'c' => {
                if size == 0 {
                    let Some(Value::Number(length)) = values.last() else {
                        return format.fail("format 'c0' needs a previous size");
                    };
                    if *length < 0.0 {
                        return format.fail("format 'c0' needs a previous size");
                    }
                    size = *length as usize;
                    values.pop();
                    if size > data.len() || position > data.len() - size {
                        return Err(arguments::bad(lua, "unpack", 1, "data string too short"));
                    }
                }
                let string = lua.create_string(&data[position..position + size])?;
                values.push(Value::String(string));
            }
            b's' => {
                let Some(length) = memchr::memchr(0, &data[position..]) else {
                    return format.fail("unfinished string in data");
                };
                values.push(Value::String(lua.create_string(&data[position..position + length])?));
                size = length + 1;
            }
            other => format.control(other)?,
        }
        position += size;
    }
    values.push(Value::Number((position + 1) as f64));
    Ok(values.into_iter().collect())
}

fn read_unsigned(bytes: &[u8], little: bool) -> u64 {
    let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    if little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) }
}

fn read_integer(bytes: &[u8], little: bool, signed: bool) -> f64 {
    let number = read_unsigned(bytes, little);
    if !signed {
        return number as f64;
    }
    let unused = 64 - (bytes.len() * 8).min(64) as u32;
    (number.checked_shl(unused).unwrap_or(0) as i64).checked_shr(unused).unwrap_or(0) as f64
}

#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn size(lua: &Lua, args: Arguments) -> mlua::Result<f64> {
    let text = arguments::string(lua, "size", &args, 0)?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, "size", &text);
    let mut position = 0usize;
    while let Some(Item { option, size, align }) = format.next(position)? {
        position += align;
        match option {
            b's' => return Err(arguments::bad(lua, "size", 0, "option 's' has no fixed size")),
            b'c' if size == 0 => {
                return Err(arguments::bad(lua, "size", 0, "option 'c0' has no fixed size"));
            }
            option if !option.is_ascii_alphabetic() => format.control(option)?,
            _ => {}
        }
        position += size;
        if position > i32::MAX as usize {
            return Err(arguments::bad(lua, "size", 0, "offset increment out of range"));
        }
    }
    Ok(position as f64)
}
