//! Scripts and functions: who may run them, and their commands by the engine's own path.
//!
//! What a script changed is one record of the log, written when it ended, however it ended; followers apply the record
//! and never run Lua. The code of libraries is part of the data, and compiled where and when it is first needed.

use std::time::Instant;

use super::busy::Current;
use super::{Engine, gate, memory};
use crate::command::{Flags, Handler, Scripting, Spec, Verdict, acl, errors, server::REDIS_VERSION};
use crate::resp::{Batch, Failure, Protocol, Reply, Request};
use crate::script::{self, Host, Interpreter};
use crate::session::{Client, Offset};
use crate::value::number;

/// The interpreter, made when it is first needed, and what it is level with.
#[derive(Default)]
pub(super) struct Scripts {
    interpreter: Option<Box<Interpreter>>,
    /// The version of the key space's functions whose libraries are loaded.
    pub loaded: u64,
    /// The version whose functions were counted.
    counted: u64,
    pub current: Option<Current>,
    /// A command of the script runs, and not one of a client beside it; its replies are made for this version.
    pub calling: Option<Protocol>,
    /// There was no room when the command that runs began: what a script itself takes does not count against it.
    pub out_of_memory: bool,
    /// What the reply of the script that ran last waits for.
    pub observed: Offset,
}

/// What the commands of a script may do.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    read_only: bool,
    allow_oom: bool,
}

impl Limits {
    /// For the code of a library, which can't run commands.
    pub const LIBRARY: Limits = Limits { read_only: true, allow_oom: false };
}

/// A script that runs, as its host.
struct Running<'a> {
    engine: &'a mut Engine,
    client: &'a mut Client,
    limits: Limits,
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
        if spec.flags.has(Flags::NOSCRIPT) || matches!(spec.handler, Handler::Engine(_) | Handler::Script(_))
        {
            return Err(Failure::new("ERR This Redis command is not allowed from script"));
        }
        if let Err((_, failure)) = self.engine.permit(self.client, (spec, skip), request, "lua") {
            let why = failure.0.strip_prefix("NOPERM ").unwrap_or(&failure.0);
            return Err(Failure::text(format!("ERR ACL failure in script: {why}")));
        }
        self.may_change(spec)?;
        self.client.command = spec.full_name;
        let db = self.client.db;
        self.engine.scripts.calling = Some(protocol);
        let verdict = self.engine.call(self.client, spec, skip, request, false, None);
        self.engine.scripts.calling = None;
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

    /// May this command of the script change something, and take memory, if it does? Once one did, the others may:
    /// nothing is left half done.
    fn may_change(&mut self, spec: &Spec) -> Result<(), Failure> {
        let engine = &mut *self.engine;
        if spec.writes() && self.limits.read_only {
            return Err(Failure::new("ERR Write commands are not allowed from read-only scripts."));
        }
        let dirty = engine.scripts.current.as_ref().is_some_and(|current| current.dirty);
        if dirty {
            return Ok(());
        }
        if spec.writes()
            && let Some(failure) = engine.wrong_role(spec.flags)
        {
            return Err(failure);
        }
        let lacks = engine.scripts.out_of_memory && !self.limits.allow_oom;
        if lacks && spec.flags.has(Flags::DENYOOM) {
            return Err(memory::OUT_OF_MEMORY);
        }
        if let Some(current) = &mut engine.scripts.current {
            current.dirty = spec.writes();
        }
        Ok(())
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
        (spec, which): (&'static Spec, Scripting),
        request: Request<'_>,
    ) -> Result<Verdict, Failure> {
        let since = self.mark;
        if spec.flags.has(Flags::SKIP_MONITOR) {
            // Before the commands that it runs.
            self.feed(client, spec, request, false);
        }
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
            Scripting::FunctionDump => Ok(self.function_dump()),
            Scripting::FunctionRestore => self.function_restore(client, request),
            Scripting::Show => self.script_show(request),
            Scripting::Kill | Scripting::FunctionKill | Scripting::FunctionStats => Err(errors::SYNTAX),
        };
        self.count_scripts();
        // The commands of the script were measured one by one; now comes all of it.
        self.mark = since;
        reply.map(Verdict::Reply)
    }

    pub(super) fn interpreter(&mut self) -> Result<&mut Interpreter, Failure> {
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
        let limits = self.prepare(script.flags, read_only)?;
        let name = String::from_utf8_lossy(&sha).into_owned();
        let running = ("", Some(request));
        self.with_interpreter(client, limits, running, |interpreter, host| {
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
        let limits = self.prepare(function.flags, read_only)?;
        let name = String::from_utf8_lossy(call.what).into_owned();
        let running = (name.as_str(), Some(request));
        self.with_interpreter(client, limits, running, |interpreter, host| {
            let value = interpreter.fcall(&function, &name, &call.keys, &call.argv, host)?;
            Ok(interpreter.reply(&value))
        })
    }

    /// May a script that says this of itself run here, now?
    fn prepare(&self, flags: script::Flags, read_only: bool) -> Result<Limits, Failure> {
        let limits = Limits { read_only: read_only || flags.no_writes, allow_oom: flags.allow_oom };
        if flags.compatible {
            return Ok(limits);
        }
        if flags.no_cluster && self.server.config.cluster_enabled {
            return Err(Failure::new("ERR Can not run script on cluster, 'no-cluster' flag is set."));
        }
        if flags.no_writes {
            return Ok(limits);
        }
        if self.scripts.out_of_memory && !flags.allow_oom {
            return Err(Failure::new(
                "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
            ));
        }
        match self.wrong_role(Flags::WRITE) {
            Some(failure) if failure.code() == "READONLY" => {
                Err(Failure::new("READONLY You can not run script with write flag on readonly replica."))
            }
            Some(failure) => Err(failure),
            None if read_only => {
                Err(Failure::new("ERR Can not execute a script with write flag using *_ro command."))
            }
            None => Ok(limits),
        }
    }

    /// What `INFO` says of scripts: how many there are.
    fn count_scripts(&mut self) {
        let Some(interpreter) = &self.scripts.interpreter else { return };
        let figures = &mut self.server.scripts;
        figures.cached = interpreter.scripts.len() as u64;
        figures.libraries = interpreter.libraries.0.len() as u64;
        if self.scripts.counted != self.scripts.loaded {
            self.scripts.counted = self.scripts.loaded;
            figures.functions = interpreter.libraries.functions() as u64;
        }
    }

    /// The same, and how much memory they take; some times a second.
    pub(super) fn weigh_scripts(&mut self) {
        self.count_scripts();
        let Some(interpreter) = &self.scripts.interpreter else { return };
        let figures = &mut self.server.scripts;
        figures.script_bytes = interpreter.scripts.values().map(|script| script.body.len() as u64).sum();
        figures.library_bytes = self.keyspace.functions.iter().map(|(_, code)| code.len() as u64).sum();
        figures.interpreter_bytes = interpreter.used_memory() as u64;
    }

    /// Run something with the interpreter, for a client whose state the script's commands may change.
    pub(super) fn with_interpreter<R>(
        &mut self,
        client: &mut Client,
        limits: Limits,
        (function, request): (&str, Option<Request<'_>>),
        run: impl FnOnce(&mut Interpreter, &mut dyn Host) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.interpreter()?;
        let Some(mut interpreter) = self.scripts.interpreter.take() else { return Err(NO_SCRIPT) };
        let (db, command) = (client.db, client.command);
        self.scripts.current = Some(Current {
            since: Instant::now(),
            function: function.to_owned(),
            words: Vec::new(),
            dirty: false,
            killed: None,
            busy: false,
            counts: (interpreter.libraries.0.len(), interpreter.libraries.functions()),
        });
        let mut host = Running { engine: self, client, limits, request };
        let result = run(&mut interpreter, &mut host);
        self.script_ended();
        if self.torn {
            // Whatever it would be told of commands after this one never comes to be.
            client.kill();
        }
        (client.db, client.command) = (db, command);
        self.scripts.interpreter = Some(interpreter);
        result
    }

    /// The flags of a command that runs a script, as the script says of itself what it does; its own if it says nothing.
    pub(super) fn script_flags(
        &mut self,
        client: &mut Client,
        (spec, which): (&Spec, Scripting),
        request: Request<'_>,
    ) -> Flags {
        let interpreter = self.scripts.interpreter.as_deref();
        let said = match which {
            Scripting::Eval | Scripting::EvalRo => {
                script::shebang::of_script(request.arg(1)).ok().map(|(flags, _)| flags)
            }
            Scripting::EvalSha | Scripting::EvalShaRo => {
                let sha = script::Sha::try_from(&*request.arg(1).to_ascii_lowercase()).ok();
                let script = sha.and_then(|sha| interpreter?.scripts.get(&sha));
                script.map(|script| script.flags)
            }
            Scripting::Fcall | Scripting::FcallRo if self.load_libraries(client).is_ok() => {
                let interpreter = self.scripts.interpreter.as_deref();
                let function = interpreter.and_then(|interpreter| interpreter.libraries.find(request.arg(1)));
                function.map(|function| function.flags)
            }
            _ => None,
        };
        let Some(said) = said.filter(|said| !said.compatible) else { return spec.flags };
        let hidden = Flags::of(&[Flags::STALE, Flags::DENYOOM, Flags::WRITE, Flags::MAY_REPLICATE]);
        let mut flags = Flags(spec.flags.0 & !hidden.0);
        for (is, flag) in [
            (!said.allow_oom && !said.no_writes, Flags::DENYOOM),
            (!said.no_writes, Flags::WRITE),
            (said.allow_stale, Flags::STALE),
        ] {
            if is {
                flags = flags.or(flag);
            }
        }
        flags
    }

    /// `SCRIPT SHOW` of Valkey: the text of a script.
    fn script_show(&mut self, request: Request<'_>) -> Result<Reply, Failure> {
        let sha = script::Sha::try_from(&*request.arg(2).to_ascii_lowercase()).map_err(|_| NO_SCRIPT)?;
        let script = self.interpreter()?.scripts.get(&sha).ok_or(NO_SCRIPT)?;
        Ok(Reply::Bulk(script.body.clone()))
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
}

/// Whether the words of a `FLUSH` are right. It is done at once either way.
pub(super) fn flushes(request: Request<'_>) -> bool {
    match request.get(2) {
        None => true,
        Some(word) => {
            let known = word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async");
            known && request.len() == 3
        }
    }
}

/// Whether a command's reply depends on what commands of its own saw.
pub(super) fn is_script(spec: &Spec) -> bool {
    matches!(spec.handler, Handler::Script(_))
}
