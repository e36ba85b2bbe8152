//! Lua 5.1 for scripts and functions: the interpreter, what scripts see of it, and their values as replies.
//!
//! A script reaches the server only by a [`Host`], which runs its commands; so it knows nothing of clients, keys or the
//! log. What a script defines is gone when it ends: only compiled scripts and the functions of libraries stay.
//!
//! Deliberately absent: which scripts may run, time limits (a host says when a script is to end), persistence.

mod api;
mod convert;
mod library;
mod number;
mod raise;
mod register;
pub mod shebang;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use mlua::chunk::ChunkMode;
use mlua::debug::Debug;
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, Variadic, VmState};

pub use register::{Library, Registered};
pub use shebang::Flags;

use crate::resp::{Batch, Failure, Protocol, Reply};
use api::State;

/// The name of the code of our own that runs around scripts.
const OWN_SOURCE: &str = "=botellier";

/// The host is asked each time so many instructions have run whether the script is to end.
const INSTRUCTIONS_BETWEEN: u32 = 100_000;

/// The field of Lua's registry where the function is that asks the host.
const INTERRUPT: &str = "interrupt";

/// What runs the commands of a script.
pub trait Host {
    /// Run a command. What it changes stays, whatever becomes of the script.
    fn call(&mut self, request: &Batch, protocol: Protocol) -> Reply;

    /// Whether the client may run a command; `None` if there is no such command.
    fn permitted(&mut self, request: &Batch) -> Option<bool>;

    /// Called now and then while Lua runs: why the script is to end now, if it is.
    fn interrupted(&mut self) -> Option<&'static str>;
}

/// The hash of a script's text as 40 hex digits.
pub type Sha = [u8; 40];

pub fn sha_of(body: &[u8]) -> Sha {
    let mut sha = [0; 40];
    let text = sha1_smol::Sha1::from(body).digest().to_string();
    sha.copy_from_slice(text.as_bytes());
    sha
}

/// A script that was compiled.
#[derive(Clone)]
pub struct Script {
    pub flags: Flags,
    function: Function,
    pub body: Bytes,
}

/// What is run: a script, with its hash, or a function, with its name.
pub enum Entry<'a> {
    Script(&'a Function),
    Function(&'a Function),
    /// The code of a library.
    Library(&'a Function),
}

/// An interpreter and what it has compiled.
pub struct Interpreter {
    lua: Lua,
    state: Arc<State>,
    redis: Table,
    eval: Function,
    fcall: Function,
    load: Function,
    pub scripts: HashMap<Sha, Script, foldhash::fast::RandomState>,
    pub libraries: register::Libraries,
}

impl Interpreter {
    /// `version` is what scripts see as the version of Redis.
    pub fn new(version: &str) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let state = Arc::new(State::default());
        let (host, redis) = (api::host(&lua)?, api::redis(&lua, &state, version)?);
        let seen = library::all(&lua)?;
        seen.raw_set("redis", &redis)?;
        let prelude = lua.load(include_str!("sandbox.lua")).set_name(OWN_SOURCE);
        let (globals, eval, fcall, load): (Table, Function, Function, Function) =
            prelude.call((host, seen))?;
        lua.set_globals(globals)?;
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(INSTRUCTIONS_BETWEEN), on_hook)?;
        let (scripts, libraries) = (HashMap::default(), register::Libraries::default());
        Ok(Self { lua, state, redis, eval, fcall, load, scripts, libraries })
    }

    pub fn used_memory(&self) -> usize {
        self.lua.used_memory()
    }

    /// Compile a script and keep it.
    pub fn compile(&mut self, body: &[u8]) -> Result<Sha, Failure> {
        let sha = sha_of(body);
        if !self.scripts.contains_key(&sha) {
            let (flags, code) = shebang::of_script(body)?;
            let function = self.function(code, "@user_script").map_err(|text| {
                Failure::text(format!("ERR Error compiling script (new function): {text}"))
            })?;
            let script = Script { flags, function, body: Bytes::copy_from_slice(body) };
            self.scripts.insert(sha, script);
        }
        Ok(sha)
    }

    fn function(&self, code: &[u8], name: &str) -> Result<Function, String> {
        // Compiled code could break out of the sandbox, so only text is taken.
        if code.first() == Some(&0x1b) {
            return Err(format!("{}:1: unexpected symbol near 'char(27)'", &name[1..]));
        }
        let chunk = self.lua.load(code).set_name(name).set_mode(ChunkMode::Text);
        chunk.into_function().map_err(|error| raise::message(&error))
    }

    /// Run a script that was compiled; `name` is what errors say of it.
    pub fn eval(
        &self,
        script: &Script,
        name: &str,
        keys: &[&[u8]],
        argv: &[&[u8]],
        host: &mut dyn Host,
    ) -> Result<Value, Failure> {
        self.run(&Entry::Script(&script.function), name, keys, argv, host)
    }

    /// What a script returned, as a reply.
    pub fn reply(&self, value: &Value) -> Reply {
        convert::to_reply(value, self.state.protocol())
    }

    fn run(
        &self,
        entry: &Entry<'_>,
        name: &str,
        keys: &[&[u8]],
        argv: &[&[u8]],
        host: &mut dyn Host,
    ) -> Result<Value, Failure> {
        self.state.begin();
        match self.enter(entry, keys, argv, host) {
            Ok((true, value)) => Ok(value),
            Ok((false, error)) => Err(failure(&error, Some(name).filter(|name| !name.is_empty()))),
            Err(error) => {
                Err(Failure::text(format!("ERR Error running script {name}, {}", raise::message(&error))))
            }
        }
    }

    fn enter(
        &self,
        entry: &Entry<'_>,
        keys: &[&[u8]],
        argv: &[&[u8]],
        host: &mut dyn Host,
    ) -> mlua::Result<(bool, Value)> {
        let (lua, state) = (&self.lua, &*self.state);
        let host = RefCell::new(host);
        let result = lua.scope(|scope| {
            let commands = !matches!(entry, Entry::Library(_));
            if commands {
                let call = scope.create_function(|lua, args: Variadic<Value>| {
                    let reply = host.borrow_mut().call(&api::request(lua, &args)?, state.protocol());
                    if let Reply::Error(Failure(text)) = reply {
                        return Err(raise::table(text));
                    }
                    convert::to_lua(lua, &reply, state.protocol())
                })?;
                let pcall = scope.create_function(|lua, args: Variadic<Value>| {
                    let reply = match api::words(lua, &args) {
                        Ok(request) => host.borrow_mut().call(&request, state.protocol()),
                        Err(failure) => failure.into(),
                    };
                    convert::to_lua(lua, &reply, state.protocol())
                })?;
                let permitted = scope.create_function(|lua, args: Variadic<Value>| {
                    let request = api::request(lua, &args)?;
                    let permitted = host.borrow_mut().permitted(&request);
                    permitted
                        .ok_or_else(|| raise::table("ERR Invalid command passed to redis.acl_check_cmd()"))
                })?;
                self.redis.raw_set("call", call)?;
                self.redis.raw_set("pcall", pcall)?;
                self.redis.raw_set("acl_check_cmd", permitted)?;
            } else {
                for name in ["call", "pcall", "acl_check_cmd"] {
                    self.redis.raw_set(name, Value::Nil)?;
                }
            }
            let interrupt = scope.create_function(|lua, ()| {
                // While a command runs Lua does not, so the host is free.
                let why = host.try_borrow_mut().ok().and_then(|mut host| host.interrupted());
                why.map(|why| lua.create_string(why)).transpose()
            })?;
            lua.set_named_registry_value(INTERRUPT, interrupt)?;
            match entry {
                Entry::Script(function) => self.eval.call((*function, table(lua, keys)?, table(lua, argv)?)),
                Entry::Function(function) => {
                    self.fcall.call((*function, table(lua, keys)?, table(lua, argv)?))
                }
                Entry::Library(function) => self.load.call(*function),
            }
        });
        if state.end() {
            let usual = HookTriggers::new().every_nth_instruction(INSTRUCTIONS_BETWEEN);
            lua.set_global_hook(usual, on_hook)?;
        }
        result
    }
}

fn table(lua: &Lua, words: &[&[u8]]) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(words.len(), 0)?;
    for (index, word) in words.iter().enumerate() {
        table.raw_set(index + 1, lua.create_string(word)?)?;
    }
    Ok(table)
}

/// Lua ran for a while: is the script to end?
fn on_hook(lua: &Lua, debug: &Debug<'_>) -> mlua::Result<VmState> {
    // What is around scripts ends by itself, and tells of what ended them.
    if debug.source().source.as_deref() == Some(OWN_SOURCE) {
        return Ok(VmState::Continue);
    }
    // Outside of a script there is nobody to ask.
    let Ok(interrupt) = lua.named_registry_value::<Function>(INTERRUPT) else {
        return Ok(VmState::Continue);
    };
    match interrupt.call::<Option<String>>(()) {
        Ok(Some(why)) => {
            // From now on each line asks, so that no `pcall` of the script keeps it alive.
            lua.set_global_hook(HookTriggers::new().every_line(), on_hook)?;
            if let Some(state) = lua.app_data_ref::<Arc<State>>() {
                state.interrupt();
            }
            Err(raise::table(why))
        }
        Ok(None) | Err(_) => Ok(VmState::Continue),
    }
}

/// The error that a script ended with, and where; without a name only what it is.
fn failure(error: &Value, name: Option<&str>) -> Failure {
    let Value::Table(error) = error else { return Failure::new("ERR execution failure") };
    let field = |name: &str| error.raw_get::<Value>(name).unwrap_or(Value::Nil);
    let text = match field("err") {
        Value::String(text) => convert::lossy(&text),
        _ => "ERR unknown error".to_owned(),
    };
    match (name, field("source"), field("line")) {
        (Some(name), Value::String(source), Value::Integer(line)) => {
            Failure::text(format!("{text} script: {name}, on {}:{line}.", convert::lossy(&source)))
        }
        _ => Failure::text(text),
    }
}
