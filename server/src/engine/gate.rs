//! May this client run this command now?

use super::Engine;
use crate::command::server::Role;
use crate::command::{self, Flags, Handler, Own, Spec};
use crate::resp::{Failure, Protocol, Request};
use crate::session::Client;

/// A client that is held back by a handover looks again after this at the latest.
const DRAIN_MS_MAX: u64 = 1_000;

pub(super) enum Pass {
    /// With the flags of what it will do.
    Run(Flags),
    /// It belongs to the `MULTI` under way.
    Queue(Flags),
    Refuse(Failure),
    /// The leader shall run it.
    Forward,
    /// Clients are paused until then (milliseconds since 1970).
    Pause(u64),
}

/// The command (or subcommand) of a request, and how many words its name takes. Its arity is checked.
pub(super) fn look_up(request: Request<'_>) -> Result<(&'static Spec, usize), Failure> {
    let (spec, skip) = find(request)?;
    let words = request.len() as i32;
    let fits = if spec.arity < 0 { words >= -spec.arity } else { words == spec.arity };
    if !fits || (matches!(spec.handler, Handler::Container) && skip == 1) {
        let name = spec.full_name.to_ascii_lowercase();
        return Err(Failure::text(format!("ERR wrong number of arguments for '{name}' command")));
    }
    Ok((spec, skip))
}

fn find(request: Request<'_>) -> Result<(&'static Spec, usize), Failure> {
    let spec = command::find(request.arg(0)).ok_or_else(|| unknown(request))?;
    match request.get(1) {
        Some(word) if !spec.subcommands.is_empty() => {
            let found = spec.subcommands.iter().find(|sub| word.eq_ignore_ascii_case(sub.name.as_bytes()));
            found.map(|sub| (*sub, 2)).ok_or_else(|| unknown_subcommand(spec, word))
        }
        _ => Ok((spec, 1)),
    }
}

/// The name of a request's command, whatever else is wrong with it.
pub(super) fn name(request: Request<'_>) -> &'static str {
    find(request).map_or("NULL", |(spec, _)| spec.full_name)
}

fn unknown(request: Request<'_>) -> Failure {
    let mut text =
        format!("ERR unknown command '{}', with args beginning with: ", lossy(request.arg(0), 128));
    for arg in request.rest(1) {
        if text.len() >= 128 + 60 {
            break;
        }
        text.extend(["'", &lossy(arg, 128), "' "]);
    }
    Failure::text(text)
}

fn unknown_subcommand(spec: &Spec, word: &[u8]) -> Failure {
    let name = spec.name.to_ascii_uppercase();
    Failure::text(format!("ERR unknown subcommand '{}'. Try {name} HELP.", lossy(word, 128)))
}

fn lossy(bytes: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned()
}

impl Engine {
    pub(super) fn admit(
        &mut self,
        client: &mut Client,
        (spec, skip): (&'static Spec, usize),
        request: Request<'_>,
    ) -> Pass {
        if !client.authenticated && !spec.flags.has(Flags::NO_AUTH) && self.server.needs_password() {
            return Pass::Refuse(Failure::new("NOAUTH Authentication required."));
        }
        if let Some(failure) = self.refused_by_script(spec, request) {
            return Pass::Refuse(failure);
        }
        let flags = self.effective(client, spec, request);
        let queues = client.transaction.is_some() && !runs_inside_multi(spec);
        if queues && flags.has(Flags::NO_MULTI) {
            return Pass::Refuse(Failure::new("ERR Command not allowed inside a transaction"));
        }
        let context = if client.transaction.is_some() { "multi" } else { "toplevel" };
        if let Err((_, failure)) = self.permit(client, (spec, skip), request, context) {
            return Pass::Refuse(failure);
        }
        if let Some(failure) = self.elsewhere(client, spec, flags, request) {
            return Pass::Refuse(failure);
        }
        if let Some(failure) = self.wrong_role(flags) {
            if self.server.config.replica_forward_writes
                && flags.has(Flags::WRITE)
                && client.transaction.is_none()
                && self.server.status.leader_address.is_some()
            {
                return Pass::Forward;
            }
            return Pass::Refuse(failure);
        }
        if client.subscriptions() > 0 && client.protocol == Protocol::Resp2 && !allowed_while_subscribed(spec)
        {
            let name = spec.full_name.to_ascii_lowercase();
            return Pass::Refuse(Failure::text(format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                 this context"
            )));
        }
        // Whoever gave the order to hand over may take it back, or learn that it is under way.
        let drained = self.drained && spec.name != "failover";
        let drained = (drained || self.torn).then_some(self.keyspace.now + DRAIN_MS_MAX);
        let until = drained.or_else(|| self.server.paused_until(spec, flags, self.keyspace.now));
        if let Some(until) = until {
            return Pass::Pause(until);
        }
        let publishes = matches!(spec.name, "publish" | "spublish");
        if publishes && !queues && self.server.follows() {
            return Pass::Forward;
        }
        if queues { Pass::Queue(flags) } else { Pass::Run(flags) }
    }

    /// The flags of a command; `EXEC` has those of what it will run, and a script those that it says of itself.
    fn effective(&mut self, client: &mut Client, spec: &'static Spec, request: Request<'_>) -> Flags {
        match (spec.handler, &client.transaction) {
            (Handler::Script(which), _) => self.script_flags(client, (spec, which), request),
            (Handler::Engine(Own::Exec), Some(transaction)) => {
                let mut flags = spec.flags;
                flags = if transaction.writes { flags.or(Flags::WRITE) } else { flags };
                flags = if transaction.needs_memory { flags.or(Flags::DENYOOM) } else { flags };
                if transaction.may_replicate { flags.or(Flags::MAY_REPLICATE) } else { flags }
            }
            _ if spec.changes_users() => spec.flags.or(Flags::WRITE),
            _ => spec.flags,
        }
    }

    /// Where the leader is, if the command is for it and clients are told so: all by `cluster-enabled`, or this one
    /// because it said that it understands.
    fn elsewhere(&self, client: &Client, spec: &Spec, flags: Flags, request: Request<'_>) -> Option<Failure> {
        let server = &self.server;
        if !(server.config.cluster_enabled || client.redirects) || server.status.role.leads() {
            return None;
        }
        if client.reads_here && !flags.has(Flags::WRITE) {
            return None;
        }
        if !server.config.cluster_enabled {
            let data = flags.has(Flags::WRITE) || flags.has(Flags::READONLY);
            let (host, port) = server.status.leader_address.as_ref().filter(|_| data)?;
            return Some(Failure::text(format!("REDIRECT {host}:{port}")));
        }
        let key = *command::keys::positions(spec, request).first()?;
        Some(command::shard::moved(server, request.get(key)?))
    }

    /// Why this node can't serve the command in its part, if it can't.
    pub(super) fn wrong_role(&self, flags: Flags) -> Option<Failure> {
        let role = self.server.status.role;
        if role == Role::Loading && !flags.has(Flags::LOADING) {
            return Some(Failure::new("LOADING Botellier is loading the dataset in memory"));
        }
        if !flags.has(Flags::WRITE) {
            return None;
        }
        match role {
            Role::Standalone | Role::Leader => self.journal.refusal(),
            Role::Stalled => Some(Failure::new("NOREPLICAS Not enough good replicas to write.")),
            Role::Loading | Role::Synced | Role::Replica | Role::Waiting => {
                Some(Failure::new("READONLY You can't write against a read only replica."))
            }
        }
    }
}

fn runs_inside_multi(spec: &Spec) -> bool {
    matches!(
        spec.handler,
        Handler::Engine(Own::Multi | Own::Exec | Own::Discard | Own::Watch | Own::Quit | Own::Reset)
    )
}

fn allowed_while_subscribed(spec: &Spec) -> bool {
    matches!(
        spec.name,
        "ping"
            | "subscribe"
            | "ssubscribe"
            | "psubscribe"
            | "unsubscribe"
            | "sunsubscribe"
            | "punsubscribe"
            | "quit"
            | "reset"
    )
}
