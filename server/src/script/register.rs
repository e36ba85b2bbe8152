//! Libraries of functions: their code is run once, and registers the functions that clients call.

use std::collections::BTreeMap;

use bytes::Bytes;
use mlua::{Function, Lua, Table, Value, Variadic};

use super::shebang::{self, Flags};
use super::{Entry, Host, Interpreter, raise};
use crate::resp::Failure;

/// A function that a library registered.
#[derive(Clone)]
pub struct Registered {
    function: Function,
    pub description: Option<Bytes>,
    pub flags: Flags,
}

pub struct Library {
    pub code: Bytes,
    pub functions: BTreeMap<Vec<u8>, Registered>,
}

/// The libraries that are loaded, by name.
#[derive(Default)]
pub struct Libraries(pub BTreeMap<Vec<u8>, Library>);

impl Libraries {
    pub fn find(&self, function: &[u8]) -> Option<&Registered> {
        self.0.values().find_map(|library| library.functions.get(function))
    }

    pub fn functions(&self) -> usize {
        self.0.values().map(|library| library.functions.len()).sum()
    }
}

const NAMES: &str = "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one \
                     character long";

impl Interpreter {
    /// Run the code of a library; `code` is all of it. It is not kept here: see [`Libraries`].
    pub fn register(&self, code: &[u8], host: &mut dyn Host) -> Result<Library, Failure> {
        let (_, text) = shebang::of_library(code)?;
        let function = self
            .function(text, "@user_function")
            .map_err(|text| Failure::text(format!("ERR Error compiling function: {text}")))?;
        *self.state.registering.lock() = Some(Vec::new());
        let of = self.state.clone();
        let wrong = |error: &mlua::Error| Failure::text(format!("ERR {}", raise::message(error)));
        let register = self.lua.create_function(move |lua, args: Variadic<Value>| {
            let (name, registered) = declaration(lua, &args)?;
            let mut registering = of.registering.lock();
            let Some(functions) = registering.as_mut() else {
                let text = "ERR redis.register_function can only be called on FUNCTION LOAD command";
                return Err(raise::table(text));
            };
            if functions.iter().any(|(other, _)| *other == name) {
                return Err(raise::table("ERR Function already exists in the library"));
            }
            functions.push((name, registered));
            Ok(())
        });
        let register = register.map_err(|error| wrong(&error))?;
        self.redis.raw_set("register_function", register).map_err(|error| wrong(&error))?;
        let ran = self.run(&Entry::Library(&function), "", &[], &[], host);
        let forgotten = self.redis.raw_set("register_function", Value::Nil);
        let functions = self.state.registering.lock().take().unwrap_or_default();
        forgotten.map_err(|error| wrong(&error))?;
        if let Err(Failure(text)) = ran {
            return Err(Failure::text(format!("ERR Error registering functions: {text}")));
        }
        if functions.is_empty() {
            return Err(Failure::new("ERR No functions registered"));
        }
        Ok(Library { code: Bytes::copy_from_slice(code), functions: functions.into_iter().collect() })
    }

    /// Call a function of a library.
    pub fn fcall(
        &self,
        function: &Registered,
        name: &str,
        keys: &[&[u8]],
        argv: &[&[u8]],
        host: &mut dyn Host,
    ) -> Result<Value, Failure> {
        self.run(&Entry::Function(&function.function), name, keys, argv, host)
    }
}

/// What `redis.register_function` was told.
fn declaration(lua: &Lua, args: &Variadic<Value>) -> mlua::Result<(Vec<u8>, Registered)> {
    let fail = |text: &str| raise::table(format!("ERR {text}"));
    let (name, registered) = match &args[..] {
        [Value::Table(named)] => named_arguments(lua, named)?,
        [_] => {
            return Err(fail(
                "calling redis.register_function with a single argument is only applicable to Lua table \
                 (representing named arguments).",
            ));
        }
        [name, function] => {
            let Some(name) = lua.coerce_string(name.clone())? else {
                return Err(fail("first argument to redis.register_function must be a string"));
            };
            let Value::Function(function) = function else {
                return Err(fail("second argument to redis.register_function must be a function"));
            };
            let (function, flags) = (function.clone(), Flags::default());
            (name.as_bytes().to_vec(), Registered { function, description: None, flags })
        }
        _ => return Err(fail("wrong number of arguments to redis.register_function")),
    };
    if !shebang::is_name(&name) {
        return Err(raise::table(NAMES));
    }
    Ok((name, registered))
}

fn named_arguments(lua: &Lua, named: &Table) -> mlua::Result<(Vec<u8>, Registered)> {
    let fail = |text: &str| raise::table(format!("ERR {text}"));
    let (mut name, mut callback, mut description, mut flags) = (None, None, None, Flags::default());
    for pair in named.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Value::String(key) = key else {
            return Err(fail("named argument key given to redis.register_function is not a string"));
        };
        match &*key.as_bytes().to_ascii_lowercase() {
            b"function_name" => {
                name = lua.coerce_string(value)?.map(|name| name.as_bytes().to_vec());
                if name.is_none() {
                    return Err(fail(
                        "function_name argument given to redis.register_function must be a string",
                    ));
                }
            }
            b"description" => {
                description = lua.coerce_string(value)?.map(|text| Bytes::copy_from_slice(&text.as_bytes()));
                if description.is_none() {
                    return Err(fail(
                        "description argument given to redis.register_function must be a string",
                    ));
                }
            }
            b"callback" => {
                let Value::Function(function) = value else {
                    return Err(fail(
                        "callback argument given to redis.register_function must be a function",
                    ));
                };
                callback = Some(function);
            }
            b"flags" => {
                let Value::Table(names) = value else {
                    return Err(fail(
                        "flags argument to redis.register_function must be a table representing function flags",
                    ));
                };
                for word in names.sequence_values::<Value>() {
                    let known = match word? {
                        Value::String(word) => flags.set(&word.as_bytes()),
                        _ => false,
                    };
                    if !known {
                        return Err(fail("unknown flag given"));
                    }
                }
            }
            _ => return Err(fail("unknown argument given to redis.register_function")),
        }
    }
    let Some(name) = name else {
        return Err(fail("redis.register_function must get a function name argument"));
    };
    let Some(function) = callback else {
        return Err(fail("redis.register_function must get a callback argument"));
    };
    Ok((name, Registered { function, description, flags }))
}
