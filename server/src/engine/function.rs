//! `FUNCTION`: libraries of functions. Their code is part of the data; compiled it is where and when it is first needed.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::script::{Limits, flushes};
use crate::command::errors;
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply, Request};
use crate::script::{self, Library};
use crate::session::Client;
use crate::value::rdb::{self, FunctionsError};

impl Engine {
    /// Load what the key space has and the interpreter has not.
    pub(super) fn load_libraries(&mut self, client: &mut Client) -> Result<(), Failure> {
        self.interpreter()?;
        let version = self.keyspace.functions.version();
        if self.scripts.loaded == version {
            return Ok(());
        }
        let kept: Vec<_> =
            self.keyspace.functions.iter().map(|(name, code)| (name.clone(), code.clone())).collect();
        let loaded = self.with_interpreter(client, Limits::LIBRARY, ("", None), |interpreter, host| {
            let mut before = std::mem::take(&mut interpreter.libraries.0);
            let mut now = BTreeMap::new();
            for (name, code) in kept {
                let library = match before.remove(&*name) {
                    Some(library) if *library.code == *code => library,
                    _ => interpreter.register(&code, host)?,
                };
                now.insert(name.to_vec(), library);
            }
            interpreter.libraries.0 = now;
            Ok(())
        });
        if loaded.is_ok() {
            self.scripts.loaded = version;
        }
        loaded
    }

    pub(super) fn function_load(
        &mut self,
        client: &mut Client,
        request: Request<'_>,
    ) -> Result<Reply, Failure> {
        let mut replace = false;
        for word in request.rest(2).take(request.len() - 3) {
            if replace || !word.eq_ignore_ascii_case(b"replace") {
                let word = String::from_utf8_lossy(word);
                return Err(Failure::text(format!("ERR Unknown option given: {word}")));
            }
            replace = true;
        }
        self.load_libraries(client)?;
        let code = request.arg(request.len() - 1);
        let (name, _) = script::shebang::of_library(code)?;
        let there = self.keyspace.functions.get(name).is_some();
        if there && !replace {
            return Err(exists("Library", name, "'"));
        }
        let library: Library =
            self.with_interpreter(client, Limits::LIBRARY, ("", None), |interpreter, host| {
                interpreter.register(code, host)
            })?;
        let libraries = &mut self.interpreter()?.libraries.0;
        no_function_twice(libraries, &library, Some(name))?;
        libraries.insert(name.to_vec(), library);
        self.keyspace.change(&Effect::FunctionLoad { name, code });
        self.scripts.loaded = self.keyspace.functions.version();
        Ok(Reply::bulk(name))
    }

    /// `FUNCTION DUMP`: all libraries in the form of Redis.
    pub(super) fn function_dump(&self) -> Reply {
        let codes = self.keyspace.functions.iter().map(|(_, code)| &**code);
        Reply::Bulk(rdb::dump_functions(codes).into())
    }

    /// `FUNCTION RESTORE`: the libraries of a dump beside those that there are, in their place, or instead of all.
    pub(super) fn function_restore(
        &mut self,
        client: &mut Client,
        request: Request<'_>,
    ) -> Result<Reply, Failure> {
        if request.len() > 4 {
            return Err(errors::subcommand("FUNCTION", request.arg(1)));
        }
        let policy = request.get(3).unwrap_or(b"append").to_ascii_lowercase();
        let (flush, replace) = match policy.as_slice() {
            b"append" => (false, false),
            b"replace" => (false, true),
            b"flush" => (true, false),
            _ => {
                return Err(Failure::new(
                    "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
                ));
            }
        };
        let codes = rdb::restore_functions(request.arg(2)).map_err(|error| Failure::new(refusal(error)))?;
        self.load_libraries(client)?;
        let mut restored = BTreeMap::new();
        for code in &codes {
            let library =
                self.with_interpreter(client, Limits::LIBRARY, ("", None), |interpreter, host| {
                    interpreter.register(code, host)
                })?;
            let (name, _) = script::shebang::of_library(code)?;
            if restored.contains_key(name) {
                return Err(exists("Library", name, "'"));
            }
            no_function_twice(&restored, &library, None)?;
            restored.insert(name.to_vec(), library);
        }
        if flush {
            self.keyspace.change(&Effect::FunctionFlush);
            self.interpreter()?.libraries.0.clear();
        } else {
            let there = &self.interpreter()?.libraries.0;
            if let Some(name) = restored.keys().find(|name| !replace && there.contains_key(*name)) {
                return Err(exists("Library", name, ""));
            }
            let stays = |name: &&Vec<u8>| !restored.contains_key(*name);
            let taken = there
                .iter()
                .filter(|(name, _)| stays(name))
                .flat_map(|(_, library)| library.functions.keys());
            let taken: BTreeSet<&Vec<u8>> = taken.collect();
            let mut functions = restored.values().flat_map(|library| library.functions.keys());
            if let Some(function) = functions.find(|function| taken.contains(function)) {
                return Err(exists("Function", function, ""));
            }
        }
        for (name, library) in restored {
            self.keyspace.change(&Effect::FunctionLoad { name: &name, code: &library.code });
            self.interpreter()?.libraries.0.insert(name, library);
        }
        self.scripts.loaded = self.keyspace.functions.version();
        Ok(Reply::OK)
    }

    pub(super) fn function_delete(&mut self, request: Request<'_>) -> Result<Reply, Failure> {
        let name = request.arg(2);
        if self.keyspace.functions.get(name).is_none() {
            return Err(Failure::new("ERR Library not found"));
        }
        self.keyspace.change(&Effect::FunctionDelete { name });
        Ok(Reply::OK)
    }

    pub(super) fn function_flush(&mut self, request: Request<'_>) -> Result<Reply, Failure> {
        if !flushes(request) {
            return Err(Failure::new("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
        }
        self.keyspace.change(&Effect::FunctionFlush);
        Ok(Reply::OK)
    }

    pub(super) fn function_list(
        &mut self,
        client: &mut Client,
        request: Request<'_>,
    ) -> Result<Reply, Failure> {
        let (mut pattern, mut with_code) = (None, false);
        let mut words = request.rest(2);
        while let Some(word) = words.next() {
            if !with_code && word.eq_ignore_ascii_case(b"withcode") {
                with_code = true;
            } else if pattern.is_none() && word.eq_ignore_ascii_case(b"libraryname") {
                let given = words.next();
                pattern = Some(given.ok_or(Failure::new("ERR library name argument was not given"))?);
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(Failure::text(format!("ERR Unknown argument {word}")));
            }
        }
        self.load_libraries(client)?;
        let libraries = &self.interpreter()?.libraries.0;
        let shown = libraries.iter().filter(|(name, _)| {
            pattern.is_none_or(|pattern| crate::config::glob::matches(pattern, name, false))
        });
        Ok(Reply::Array(shown.map(|(name, library)| describe(name, library, with_code)).collect()))
    }

    pub(super) fn function_stats(&mut self, client: &mut Client) -> Result<Reply, Failure> {
        let (running, (libraries, functions)) = match &self.scripts.current {
            // As the reference: of a script it tells nothing.
            Some(current) if current.function.is_empty() => return Err(current.refusal()),
            Some(current) => (current.describe(), current.counts),
            None => {
                self.load_libraries(client)?;
                let libraries = &self.interpreter()?.libraries;
                (Reply::Null, (libraries.0.len(), libraries.functions()))
            }
        };
        let counts = Reply::Map(vec![
            (Reply::bulk("libraries_count"), libraries.into()),
            (Reply::bulk("functions_count"), functions.into()),
        ]);
        Ok(Reply::Map(vec![
            (Reply::bulk("running_script"), running),
            (Reply::bulk("engines"), Reply::Map(vec![(Reply::bulk("LUA"), counts)])),
        ]))
    }
}

/// That a name is taken; Redis quotes it here and not there.
fn exists(what: &str, name: &[u8], quote: &str) -> Failure {
    let name = String::from_utf8_lossy(name);
    Failure::text(format!("ERR {what} {quote}{name}{quote} already exists"))
}

/// No function of a library has the name of one of another; `replaced` goes.
fn no_function_twice(
    there: &BTreeMap<Vec<u8>, Library>,
    library: &Library,
    replaced: Option<&[u8]>,
) -> Result<(), Failure> {
    for (_, loaded) in there.iter().filter(|(other, _)| Some(other.as_slice()) != replaced) {
        let taken = library.functions.keys().find(|function| loaded.functions.contains_key(*function));
        if let Some(function) = taken {
            return Err(exists("Function", function, ""));
        }
    }
    Ok(())
}

fn refusal(error: FunctionsError) -> &'static str {
    match error {
        FunctionsError::Footer => "ERR DUMP payload version or checksum are wrong",
        FunctionsError::Early => "ERR Pre-GA function format not supported",
        FunctionsError::Other => "ERR given type is not a function",
        FunctionsError::Damaged => "ERR Failed loading library payload",
    }
}

fn describe(name: &[u8], library: &Library, with_code: bool) -> Reply {
    let function = |(name, function): (&Vec<u8>, &script::Registered)| {
        let description = function.description.clone().map_or(Reply::Null, Reply::Bulk);
        let flags = function.flags.names().map(Reply::Simple).collect();
        Reply::Map(vec![
            (Reply::bulk("name"), Reply::bulk(name)),
            (Reply::bulk("description"), description),
            (Reply::bulk("flags"), Reply::Set(flags)),
        ])
    };
    let mut fields = vec![
        (Reply::bulk("library_name"), Reply::bulk(name)),
        (Reply::bulk("engine"), Reply::bulk("LUA")),
        (Reply::bulk("functions"), Reply::Array(library.functions.iter().map(function).collect())),
    ];
    if with_code {
        fields.push((Reply::bulk("library_code"), Reply::Bulk(library.code.clone())));
    }
    Reply::Map(fields)
}
