//! The table `redis` as scripts have it, but for the commands, and what the sandbox itself needs of the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mlua::{Lua, Table, Value, Variadic};
use parking_lot::Mutex;

use super::register::Registered;
use super::{number, raise, sha_of};
use crate::resp::{Batch, Failure, Protocol};

/// What lasts for one run of a script.
#[derive(Default)]
pub struct State {
    /// `redis.setresp(3)`.
    resp3: AtomicBool,
    /// The script was told to end.
    interrupted: AtomicBool,
    /// The functions that the library being loaded has registered.
    pub registering: Mutex<Option<Registrations>>,
}

/// Names and what is called by them.
type Registrations = Vec<(Vec<u8>, Registered)>;

impl State {
    pub fn protocol(&self) -> Protocol {
        if self.resp3.load(Ordering::Relaxed) { Protocol::Resp3 } else { Protocol::Resp2 }
    }

    pub fn begin(&self) {
        self.resp3.store(false, Ordering::Relaxed);
    }

    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Whether the run was interrupted.
    pub fn end(&self) -> bool {
        self.interrupted.swap(false, Ordering::Relaxed)
    }
}

const NO_ARGUMENTS: &str = "ERR Please specify at least one argument for this redis lib call";
const WRONG_ARGUMENTS: &str = "ERR Lua redis lib command arguments must be strings or integers";

/// The arguments of `redis.call` as a request.
pub fn words(lua: &Lua, args: &Variadic<Value>) -> Result<Batch, Failure> {
    if args.is_empty() {
        return Err(Failure::new(NO_ARGUMENTS));
    }
    let mut bytes = Vec::with_capacity(64);
    let mut ends = Vec::with_capacity(args.len());
    for value in args.iter() {
        let start = bytes.len() as u32;
        match value {
            Value::String(text) => bytes.extend_from_slice(&text.as_bytes()),
            Value::Integer(number) => {
                bytes.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            }
            Value::Number(number) => number::argument(*number, &mut bytes),
            _ => return Err(Failure::new(WRONG_ARGUMENTS)),
        }
        ends.push((start, bytes.len() as u32));
    }
    let _ = lua;
    Ok(Batch::one(bytes, ends))
}

/// The same, for callers that raise what is wrong.
pub fn request(lua: &Lua, args: &Variadic<Value>) -> mlua::Result<Batch> {
    words(lua, args).map_err(|Failure(text)| raise::table(text))
}

/// What the sandbox needs.
pub fn host(lua: &Lua) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    host.raw_set("where", lua.create_function(|lua, ()| Ok(raise::place(lua)))?)?;
    host.raw_set("unwrap", lua.create_function(raise::unwrap)?)?;
    random(lua, &host)?;
    Ok(host)
}

/// `math.random` is the reference's: the same numbers in the same order on every machine.
fn random(lua: &Lua, host: &Table) -> mlua::Result<()> {
    const SEED_LOW: u64 = 0x330e;
    let state = Arc::new(Mutex::new(0x1234_abcd_330e_u64));
    let of = state.clone();
    let random = lua.create_function(move |lua, args: Variadic<f64>| {
        let bits = {
            let mut state = of.lock();
            *state = state.wrapping_mul(0x5_deec_e66d).wrapping_add(11) & 0xffff_ffff_ffff;
            *state >> 17
        };
        let most = f64::from(i32::MAX);
        let part = (bits % i32::MAX as u64) as f64 / most;
        let empty = |index: usize| {
            raise::text(lua, &format!("bad argument #{index} to 'random' (interval is empty)"))
        };
        match args[..] {
            [] => Ok(part),
            [upper] if upper.trunc() < 1.0 => Err(empty(1)),
            [upper] => Ok((part * upper.trunc()).floor() + 1.0),
            [lower, upper] if lower.trunc() > upper.trunc() => Err(empty(2)),
            [lower, upper] => {
                let (lower, upper) = (lower.trunc(), upper.trunc());
                Ok((part * (upper - lower + 1.0)).floor() + lower)
            }
            _ => Err(raise::text(lua, "wrong number of arguments")),
        }
    })?;
    host.raw_set("random", random)?;
    let seed = lua.create_function(move |_, seed: f64| {
        *state.lock() = (u64::from(seed as i64 as u32) << 16) | SEED_LOW;
        Ok(())
    })?;
    host.raw_set("randomseed", seed)
}

/// The table `redis`.
pub fn redis(lua: &Lua, state: &Arc<State>, version: &str) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    for (name, value) in [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
    ] {
        redis.raw_set(name, value)?;
    }
    let parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    redis.raw_set("REDIS_VERSION", version)?;
    redis.raw_set("REDIS_VERSION_NUM", parts.fold(0, |number, part| number << 8 | part))?;
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("log", lua.create_function(log)?)?;
    redis.raw_set("error_reply", lua.create_function(error_reply)?)?;
    redis.raw_set("status_reply", lua.create_function(status_reply)?)?;
    let of = state.clone();
    let setresp = lua.create_function(move |lua, args: Variadic<Value>| {
        if args.len() != 1 {
            return Err(raise::table("ERR redis.setresp() requires one argument."));
        }
        match lua.coerce_number(args[0].clone())? {
            Some(2.0) => of.resp3.store(false, Ordering::Relaxed),
            Some(3.0) => of.resp3.store(true, Ordering::Relaxed),
            _ => return Err(raise::table("ERR RESP version must be 2 or 3.")),
        }
        Ok(())
    })?;
    redis.raw_set("setresp", setresp)?;
    // Only effects are replicated, all of them and at once: this is so already.
    redis.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;
    redis.raw_set("set_repl", lua.create_function(set_repl)?)?;
    // What they are where no debugger is attached, as none can be here.
    redis.raw_set("breakpoint", lua.create_function(|_, ()| Ok(false))?)?;
    redis.raw_set("debug", lua.create_function(|_, _: Variadic<Value>| Ok(()))?)?;
    lua.set_app_data(state.clone());
    Ok(redis)
}

/// Any combination of flags is taken as the reference takes it, but what a script changes always reaches the replicas:
/// a write that only some nodes have would be lost by a failover.
#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn set_repl(lua: &Lua, args: Variadic<Value>) -> mlua::Result<()> {
    if args.len() != 1 {
        return Err(raise::table("ERR redis.set_repl() requires one argument."));
    }
    let flags = lua.coerce_number(args[0].clone())?.unwrap_or(0.0);
    if !(0.0..=3.0).contains(&flags) {
        let text = "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
        return Err(raise::table(text));
    }
    if flags < 3.0 {
        return Err(raise::table("ERR only redis.REPL_ALL is supported: every write is replicated."));
    }
    Ok(())
}

fn text_of(lua: &Lua, value: &Value) -> mlua::Result<Vec<u8>> {
    let text = match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => lua.coerce_string(value.clone())?,
        _ => None,
    };
    Ok(text.map(|text| text.as_bytes().to_vec()).unwrap_or_default())
}

#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn sha1hex(lua: &Lua, args: Variadic<Value>) -> mlua::Result<mlua::LuaString> {
    if args.len() != 1 {
        return Err(raise::table("ERR wrong number of arguments"));
    }
    lua.create_string(sha_of(&text_of(lua, &args[0])?))
}

#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn log(lua: &Lua, args: Variadic<Value>) -> mlua::Result<()> {
    if args.len() < 2 {
        return Err(raise::table("ERR redis.log() requires two arguments or more."));
    }
    let (Value::Integer(_) | Value::Number(_)) = args[0] else {
        return Err(raise::table("ERR First argument must be a number (log level)."));
    };
    let level = lua.coerce_number(args[0].clone())?.unwrap_or(-1.0);
    let words: Vec<Vec<u8>> = args[1..].iter().map(|value| text_of(lua, value)).collect::<Result<_, _>>()?;
    let text = String::from_utf8_lossy(&words.join(&b' ')).into_owned();
    match level as i64 {
        0 => tracing::debug!(target: "script", "{text}"),
        1 | 2 => tracing::info!(target: "script", "{text}"),
        3 => tracing::warn!(target: "script", "{text}"),
        _ => return Err(raise::table("ERR Invalid log level.")),
    }
    Ok(())
}

/// A table with one field that is made of the only argument.
fn single(lua: &Lua, args: &Variadic<Value>, field: &str) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 1)?;
    match &args[..] {
        [Value::String(text)] if field == "ok" => table.raw_set("ok", text)?,
        [Value::String(text)] => {
            let text = text.as_bytes();
            let text = text.strip_prefix(b"-").unwrap_or(&text);
            if text.contains(&b' ') {
                table.raw_set(field, lua.create_string(text)?)?;
            } else {
                table.raw_set(field, lua.create_string([b"ERR ", text].concat())?)?;
            }
        }
        _ => table.raw_set("err", "ERR wrong number or type of arguments")?,
    }
    Ok(table)
}

#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn error_reply(lua: &Lua, args: Variadic<Value>) -> mlua::Result<Table> {
    single(lua, &args, "err")
}

#[allow(clippy::needless_pass_by_value)] // the form of a function of Lua
fn status_reply(lua: &Lua, args: Variadic<Value>) -> mlua::Result<Table> {
    single(lua, &args, "ok")
}
