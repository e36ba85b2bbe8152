//! May a user run a request? The one place where rights are looked at: the gate asks here, transactions and scripts too.

use smallvec::SmallVec;

use crate::acl::{Denial, Denied, Entry, KeyUse, Question, User};
use crate::command::server::Server;
use crate::command::spec::KeyFlags;
use crate::command::{Flags, Spec, keys};
use crate::resp::{Failure, Request};
use crate::session::Client;

/// Whether `user` may run the request; `skip` words are its command's name.
pub fn permitted(user: &User, spec: &'static Spec, skip: usize, request: Request<'_>) -> Result<(), Denied> {
    if user.is_powerful() { Ok(()) } else { ask(spec, skip, request, |question| user.ask(question)) }
}

/// Whether `user` may run the request, and read whatever keys it reaches besides those that it names.
pub fn reads_every_key(user: &User, spec: &'static Spec, skip: usize, request: Request<'_>) -> bool {
    user.is_powerful() || ask(spec, skip, request, |question| user.reads_every_key(question))
}

fn ask<T>(
    spec: &'static Spec,
    skip: usize,
    request: Request<'_>,
    answer: impl FnOnce(&Question<'_>) -> T,
) -> T {
    // A request that contradicts itself about its keys is refused by its command, before it looks at any.
    let found = keys::with_flags(spec, request).unwrap_or_default();
    let keys: SmallVec<[_; 4]> = found
        .iter()
        .filter(|(_, flags)| !flags.has(KeyFlags::NOT_KEY))
        .filter_map(|(at, flags)| request.get(*at).map(|key| (*at, key, key_use(*flags))))
        .collect();
    let all_words = |from: usize| (from..request.len()).map(|at| (at, request.arg(at))).collect();
    let channels: SmallVec<[(usize, &[u8]); 4]> = match spec.name {
        "publish" | "spublish" => request.get(1).map(|name| (1, name)).into_iter().collect(),
        "subscribe" | "ssubscribe" | "psubscribe" => all_words(1),
        _ => SmallVec::new(),
    };
    answer(&Question {
        command: spec.id(),
        exempt: spec.flags.has(Flags::NO_AUTH),
        first: request.get(skip),
        keys: &keys,
        channels: &channels,
        patterns: spec.name == "psubscribe",
    })
}

fn key_use(flags: KeyFlags) -> KeyUse {
    let changes = [KeyFlags::INSERT, KeyFlags::DELETE, KeyFlags::UPDATE];
    KeyUse { read: flags.has(KeyFlags::ACCESS), write: changes.iter().any(|flag| flags.has(*flag)) }
}

/// What the client is told; `DRYRUN` names the key or channel too.
pub fn reason(user: &User, spec: &Spec, denied: Denied, named: Option<Request<'_>>) -> String {
    let name = user.shown();
    match (denied, named) {
        (Denied::Command, _) => {
            let command = spec.full_name.to_ascii_lowercase();
            format!("User {name} has no permissions to run the '{command}' command")
        }
        (Denied::Key(_), None) => "No permissions to access a key".into(),
        (Denied::Channel(_), None) => "No permissions to access a channel".into(),
        (Denied::Key(at), Some(request)) => {
            let key = String::from_utf8_lossy(request.arg(at));
            format!("User {name} has no permissions to access the '{key}' key")
        }
        (Denied::Channel(at), Some(request)) => {
            let channel = String::from_utf8_lossy(request.arg(at));
            format!("User {name} has no permissions to access the '{channel}' channel")
        }
    }
}

/// The error for a request that is refused, and its entry in `ACL LOG`; `context` is where it came from.
pub fn refuse(
    server: &mut Server,
    client: &Client,
    (spec, request): (&'static Spec, Request<'_>),
    denied: Denied,
    (context, now_ms): (&'static str, u64),
) -> Failure {
    let (reason_word, object) = match denied {
        Denied::Command => (Denial::Command, spec.full_name.to_ascii_lowercase().into_bytes()),
        Denied::Key(at) => (Denial::Key, request.arg(at).to_vec()),
        Denied::Channel(at) => (Denial::Channel, request.arg(at).to_vec()),
    };
    note(server, client, reason_word, (context, now_ms), object, &client.user.name);
    Failure::text(format!("NOPERM {}", reason(&client.user, spec, denied, None)))
}

/// A wrong name or password.
pub fn refuse_login(
    server: &mut Server,
    client: &Client,
    now_ms: u64,
    command: &[u8],
    user: &[u8],
) -> Failure {
    let context = if client.transaction.is_some() { "multi" } else { "toplevel" };
    note(server, client, Denial::Auth, (context, now_ms), command.to_vec(), user);
    Failure::new("WRONGPASS invalid username-password pair or user is disabled.")
}

fn note(
    server: &mut Server,
    client: &Client,
    reason: Denial,
    (context, now_ms): (&'static str, u64),
    object: Vec<u8>,
    user: &[u8],
) {
    let mut shown = String::new();
    crate::command::connection::line(client, &mut shown);
    let entry = Entry {
        id: 0,
        count: 1,
        reason,
        context,
        object,
        user: user.to_vec(),
        client: shown.trim_end().to_owned(),
        created_ms: now_ms,
        updated_ms: now_ms,
    };
    let most = server.config.acllog_max_len;
    server.acl_log.add(entry, most as usize);
}
