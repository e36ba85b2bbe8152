//! Scripts and functions: who may run them, and their commands by the engine's own path.
//!
//! What a script changed is one record of the log, written when it ended, however it ended; followers apply the record
//! and never run Lua. The code of libraries is part of the data, and compiled where and when it is first needed.

use std::collections::BTreeMap;
use std::time::Instant;

use super::busy::Current;
use super::{Engine, gate};
use crate::command::{Flags, Handler, Scripting, Spec, Verdict, acl, errors, server::REDIS_VERSION};
use crate::keyspace::Effect;
use crate::resp::{Batch, Failure, Protocol, Reply, Request};
use crate::script::{self, Host, Interpreter, Library};
use crate::session::{Client, Offset};
use crate::value::number;

/// The interpreter, made when it is first needed, and what it is level with.
#[derive(Default)]
pub(super) struct Scripts {
    interpreter: Option<Box<Interpreter>>,
    /// The version of the key space's functions whose libraries are loaded.
    loaded: u64,
    pub current: Option<Current>,
    /// What the reply of the script that ran last waits for.
    pub observed: Offset,
}

/// A script that runs, as its host.
struct Running<'a> {
    engine: &'a mut Engine,
    client: &'a mut Client,
    read_only: bool,
    /// What the client asked for.
    request: Option<Request<'a>>,
}

impl Host for Running<'_> {
    fn call(&mut self, request: &Batch, protocol: Protocol) -> Reply {
        match self.command(request.get(0), protocol) {
            Ok(reply) => reply,
            Err(failure) => failure.into(),
        }
    }

    fn permitted(&mut self, request: &Batch) -> Option<bool> {
        let request = request.get(0);
        let (spec, skip) = gate::look_up(request).ok()?;
        Some(acl::permitted(&self.client.user, spec, skip, request).is_ok())
    }

    fn interrupted(&mut self) -> Option<&'static str> {
        let why = self.engine.script_goes_on();
        if let (Some(current), Some(request)) = (&mut self.engine.scripts.current, self.request)
            && current.busy
            && current.words.is_empty()
        {
            current.words = request.rest(0).map(<[u8]>::to_vec).collect();
        }
        why
    }
}

impl Running<'_> {
    fn command(&mut self, request: Request<'_>, protocol: Protocol) -> Result<Reply, Failure> {
        let (spec, skip) = gate::look_up(request).map_err(|failure| {
            Failure::new(if failure.0.starts_with("ERR wrong number of arguments") {
                "ERR Wrong number of args calling Redis command from script"
            } else {
                "ERR Unknown Redis command called from script"
            })
        })?;
        // Commands that can wait may be called: they do not wait here.
        let forbidden = spec.flags.has(Flags::NOSCRIPT) && !spec.flags.has(Flags::BLOCKING);
        if forbidden || matches!(spec.handler, Handler::Engine(_) | Handler::Script(_)) {
            return Err(Failure::new("ERR This Redis command is not allowed from script"));
        }
        if let Err((_, failure)) = self.engine.permit(self.client, (spec, skip), request, "lua") {
            let why = failure.0.strip_prefix("NOPERM ").unwrap_or(&failure.0);
            return Err(Failure::text(format!("NOPERM ACL failure in script: {why}")));
        }
        if spec.writes() {
            if self.read_only {
                return Err(Failure::new("ERR Write commands are not allowed from read-only scripts."));
            }
            let dirty = self.engine.scripts.current.as_ref().is_some_and(|current| current.dirty);
            if !dirty && let Some(failure) = self.engine.wrong_role(spec.flags) {
                return Err(failure);
            }
            if let Some(current) = &mut self.engine.scripts.current {
                current.dirty = true;
            }
        }
        self.client.command = spec.full_name;
        self.client.protocol = protocol;
        let db = self.client.db;
        let verdict = self.engine.call(self.client, spec, skip, request, false, None);
        if self.engine.replicated {
            let observed = self.engine.observed(db, spec, request);
            self.engine.scripts.observed = self.engine.scripts.observed.max(observed);
        }
        match verdict? {
            Verdict::Reply(reply)
            | Verdict::Block { timeout: reply, .. }
            | Verdict::BlockUntil { timeout: reply, .. } => Ok(reply),
            verdict @ Verdict::Replicas { .. } => {
                Ok(self.engine.wait_for_replicas(self.client, &verdict, false).unwrap_or(Reply::Null))
            }
            Verdict::Order(_) => Err(Failure::new("ERR This Redis command is not allowed from script")),
        }
    }
}

/// What stands between the name of a command and the end: the script or function, its keys, its arguments.
struct Call<'a> {
    what: &'a [u8],
    keys: Vec<&'a [u8]>,
    argv: Vec<&'a [u8]>,
}

impl<'a> Call<'a> {
    fn read(request: Request<'a>, function: bool) -> Result<Self, Failure> {
        let given = request.len() as i64 - 3;
        let count = number::integer(request.arg(2)).ok_or(if function {
            Failure::new("ERR Bad number of keys provided")
        } else {
            errors::NOT_INTEGER
        })?;
        if count > given {
            return Err(Failure::new("ERR Number of keys can't be greater than number of args"));
        }
        let count =
            usize::try_from(count).map_err(|_| Failure::new("ERR Number of keys can't be negative"))?;
        let keys = request.rest(3).take(count).collect();
        Ok(Self { what: request.arg(1), keys, argv: request.rest(3 + count).collect() })
    }
}

const NO_SCRIPT: Failure = Failure::new("NOSCRIPT No matching script. Please use EVAL.");

impl Engine {
    /// Run a command about scripts.
    pub(super) fn script(
        &mut self,
        client: &mut Client,
        which: Scripting,
        request: Request<'_>,
    ) -> Result<Verdict, Failure> {
        let since = self.mark;
        match which {
            Scripting::Kill => return self.script_kill(false).map(Verdict::Reply),
            Scripting::FunctionKill => return self.script_kill(true).map(Verdict::Reply),
            Scripting::FunctionStats => return self.function_stats(client).map(Verdict::Reply),
            _ => self.scripts.observed = 0,
        }
        let reply = match which {
            Scripting::Eval => self.eval(client, request, false, false),
            Scripting::EvalRo => self.eval(client, request, false, true),
            Scripting::EvalSha => self.eval(client, request, true, false),
            Scripting::EvalShaRo => self.eval(client, request, true, true),
            Scripting::Fcall => self.fcall(client, request, false),
            Scripting::FcallRo => self.fcall(client, request, true),
            Scripting::Load => {
                let sha = self.interpreter()?.compile(request.arg(2))?;
                Ok(Reply::bulk(sha))
            }
            Scripting::Exists => self.script_exists(request),
            Scripting::Flush => self.script_flush(request),
            Scripting::FunctionLoad => self.function_load(client, request),
            Scripting::FunctionDelete => self.function_delete(request),
            Scripting::FunctionFlush => self.function_flush(request),
            Scripting::FunctionList => self.function_list(client, request),
            Scripting::Kill | Scripting::FunctionKill | Scripting::FunctionStats => Err(errors::SYNTAX),
        };
        // The commands of the script were measured one by one; now comes all of it.
        self.mark = since;
        reply.map(Verdict::Reply)
    }

    fn interpreter(&mut self) -> Result<&mut Interpreter, Failure> {
        if self.scripts.interpreter.is_none() {
            let made = Interpreter::new(REDIS_VERSION);
            let made = made.map_err(|error| Failure::text(format!("ERR no Lua: {error}")))?;
            self.scripts.interpreter = Some(Box::new(made));
            self.scripts.loaded = 0;
        }
        self.scripts.interpreter.as_deref_mut().ok_or(NO_SCRIPT)
    }

    fn eval(
        &mut self,
        client: &mut Client,
        request: Request<'_>,
        by_sha: bool,
        read_only: bool,
    ) -> Result<Reply, Failure> {
        let call = Call::read(request, false)?;
        let interpreter = self.interpreter()?;
        let sha = if by_sha {
            let sha = script::Sha::try_from(&*call.what.to_ascii_lowercase()).map_err(|_| NO_SCRIPT)?;
            if !interpreter.scripts.contains_key(&sha) {
                return Err(NO_SCRIPT);
            }
            sha
        } else {
            interpreter.compile(call.what)?
        };
        let script = interpreter.scripts.get(&sha).cloned().ok_or(NO_SCRIPT)?;
        self.prepare(script.flags, read_only)?;
        let name = String::from_utf8_lossy(&sha).into_owned();
        let read_only = read_only || script.flags.no_writes;
        let running = ("", Some(request));
        self.with_interpreter(client, read_only, running, |interpreter, host| {
            let value = interpreter.eval(&script, &name, &call.keys, &call.argv, host)?;
            Ok(interpreter.reply(&value))
        })
    }

    fn fcall(
        &mut self,
        client: &mut Client,
        request: Request<'_>,
        read_only: bool,
    ) -> Result<Reply, Failure> {
        self.load_libraries(client)?;
        let found = self.interpreter()?.libraries.find(request.arg(1)).cloned();
        let function = found.ok_or(Failure::new("ERR Function not found"))?;
        let call = Call::read(request, true)?;
        self.prepare(function.flags, read_only)?;
        let name = String::from_utf8_lossy(call.what).into_owned();
        let read_only = read_only || function.flags.no_writes;
        let running = (name.as_str(), Some(request));
        self.with_interpreter(client, read_only, running, |interpreter, host| {
            let value = interpreter.fcall(&function, &name, &call.keys, &call.argv, host)?;
            Ok(interpreter.reply(&value))
        })
    }

    /// May a script that says this of itself run here, now?
    fn prepare(&self, flags: script::Flags, read_only: bool) -> Result<(), Failure> {
        if flags.compatible || flags.no_writes {
            return Ok(());
        }
        match self.wrong_role(Flags::WRITE) {
            Some(failure) if failure.code() == "READONLY" => {
                Err(Failure::new("READONLY You can not run script with write flag on readonly replica."))
            }
            Some(failure) => Err(failure),
            None if read_only => {
                Err(Failure::new("ERR Can not execute a script with write flag using *_ro command."))
            }
            None => Ok(()),
        }
    }

    /// Run something with the interpreter, for a client whose state the script's commands may change.
    fn with_interpreter<R>(
        &mut self,
        client: &mut Client,
        read_only: bool,
        (function, request): (&str, Option<Request<'_>>),
        run: impl FnOnce(&mut Interpreter, &mut dyn Host) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.interpreter()?;
        let Some(mut interpreter) = self.scripts.interpreter.take() else { return Err(NO_SCRIPT) };
        let (db, protocol, command) = (client.db, client.protocol, client.command);
        self.scripts.current = Some(Current {
            since: Instant::now(),
            function: function.to_owned(),
            words: Vec::new(),
            dirty: false,
            killed: None,
            busy: false,
            counts: (interpreter.libraries.0.len(), interpreter.libraries.functions()),
        });
        let mut host = Running { engine: self, client, read_only, request };
        let result = run(&mut interpreter, &mut host);
        self.script_ended();
        if self.torn {
            // Whatever it would be told of commands after this one never comes to be.
            client.kill();
        }
        (client.db, client.protocol, client.command) = (db, protocol, command);
        self.scripts.interpreter = Some(interpreter);
        result
    }

    fn script_exists(&mut self, request: Request<'_>) -> Result<Reply, Failure> {
        let scripts = &self.interpreter()?.scripts;
        let known = request.rest(2).map(|sha| {
            let sha = script::Sha::try_from(&*sha.to_ascii_lowercase());
            Reply::Int(i64::from(sha.is_ok_and(|sha| scripts.contains_key(&sha))))
        });
        Ok(Reply::Array(known.collect()))
    }

    fn script_flush(&mut self, request: Request<'_>) -> Result<Reply, Failure> {
        if !flushes(request) {
            return Err(Failure::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
        }
        self.interpreter()?.scripts.clear();
        Ok(Reply::OK)
    }

    /// Load what the key space has and the interpreter has not.
    fn load_libraries(&mut self, client: &mut Client) -> Result<(), Failure> {
        self.interpreter()?;
        let version = self.keyspace.functions.version();
        if self.scripts.loaded == version {
            return Ok(());
        }
        let kept: Vec<_> =
            self.keyspace.functions.iter().map(|(name, code)| (name.clone(), code.clone())).collect();
        let loaded = self.with_interpreter(client, true, ("", None), |interpreter, host| {
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

    fn function_load(&mut self, client: &mut Client, request: Request<'_>) -> Result<Reply, Failure> {
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
            let name = String::from_utf8_lossy(name);
            return Err(Failure::text(format!("ERR Library '{name}' already exists")));
        }
        let library: Library = self.with_interpreter(client, true, ("", None), |interpreter, host| {
            interpreter.register(code, host)
        })?;
        let libraries = &mut self.interpreter()?.libraries.0;
        for (other, loaded) in libraries.iter() {
            let taken = library.functions.keys().find(|function| loaded.functions.contains_key(*function));
            if let (Some(function), true) = (taken, other != name) {
                let function = String::from_utf8_lossy(function);
                return Err(Failure::text(format!("ERR Function {function} already exists")));
            }
        }
        libraries.insert(name.to_vec(), library);
        self.keyspace.change(&Effect::FunctionLoad { name, code });
        self.scripts.loaded = self.keyspace.functions.version();
        Ok(Reply::bulk(name))
    }

    fn function_delete(&mut self, request: Request<'_>) -> Result<Reply, Failure> {
        let name = request.arg(2);
        if self.keyspace.functions.get(name).is_none() {
            return Err(Failure::new("ERR Library not found"));
        }
        self.keyspace.change(&Effect::FunctionDelete { name });
        Ok(Reply::OK)
    }

    fn function_flush(&mut self, request: Request<'_>) -> Result<Reply, Failure> {
        if !flushes(request) {
            return Err(Failure::new("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
        }
        self.keyspace.change(&Effect::FunctionFlush);
        Ok(Reply::OK)
    }

    fn function_list(&mut self, client: &mut Client, request: Request<'_>) -> Result<Reply, Failure> {
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

    fn function_stats(&mut self, client: &mut Client) -> Result<Reply, Failure> {
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

/// Whether the words of a `FLUSH` are right. It is done at once either way.
fn flushes(request: Request<'_>) -> bool {
    match request.get(2) {
        None => true,
        Some(word) => {
            let known = word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async");
            known && request.len() == 3
        }
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

/// Whether a command's reply depends on what commands of its own saw.
pub(super) fn is_script(spec: &Spec) -> bool {
    matches!(spec.handler, Handler::Script(_))
}
