//! Changes of users: each is an effect, so that every node has the same users. What they mean for connections is the
//! engine's matter, which compares the users with those that it knows after each command.

use super::catalog;
use crate::acl::{User, Users, has_blanks, split_rules};
use crate::command::server::Server;
use crate::command::{Args, Context};
use crate::keyspace::{Effect, Keyspace};
use crate::resp::{Failure, Reply};

/// The first change takes the users of this node's configuration into the log: from then on the log has them all.
fn begin(keyspace: &mut Keyspace, users: &Users) {
    if keyspace.users.is_empty() {
        for user in users.iter() {
            keyspace.change(&Effect::User { name: &user.name, rules: Some(&user.describe()) });
        }
    }
}

fn put(context: &mut Context<'_>, user: &User) {
    begin(context.keyspace, &context.server.users);
    context.keyspace.change(&Effect::User { name: &user.name, rules: Some(&user.describe()) });
}

pub(super) fn setuser(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let name = args.word(2);
    if has_blanks(name) {
        return Err(Failure::new("ERR Usernames can't contain spaces or null characters"));
    }
    let words: Vec<&[u8]> = args.request().rest(3).collect();
    let rules = split_rules(&words).map_err(|open| {
        let open = String::from_utf8_lossy(open);
        Failure::text(format!("ERR Unmatched parenthesis in acl selector starting at '{open}'."))
    })?;
    let all_channels = context.server.config.acl_pubsub_default.all_channels();
    let known = context.server.users.get(name);
    let mut user = known.map_or_else(|| User::new(name, all_channels), |user| User::clone(user));
    for rule in rules {
        user.apply(catalog(), &rule, all_channels).map_err(|error| {
            let rule = String::from_utf8_lossy(&rule);
            Failure::text(format!("ERR Error in ACL SETUSER modifier '{rule}': {error}"))
        })?;
    }
    put(context, &user);
    Ok(Reply::OK)
}

pub(super) fn deluser(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let names = args.request().rest(2);
    if names.clone().any(|name| name == b"default") {
        return Err(Failure::new("ERR The 'default' user cannot be removed"));
    }
    let mut known: Vec<&[u8]> = names.filter(|name| context.server.users.get(name).is_some()).collect();
    known.sort_unstable();
    known.dedup();
    if !known.is_empty() {
        begin(context.keyspace, &context.server.users);
    }
    for name in &known {
        context.keyspace.change(&Effect::User { name, rules: None });
    }
    Ok(known.len().into())
}

/// These users take the place of all others (`ACL LOAD`).
pub fn replace(keyspace: &mut Keyspace, before: &Users, after: &Users) {
    begin(keyspace, before);
    for user in before.iter().filter(|user| after.get(&user.name).is_none()) {
        keyspace.change(&Effect::User { name: &user.name, rules: None });
    }
    for user in after.iter().filter(|user| before.get(&user.name) != Some(user)) {
        keyspace.change(&Effect::User { name: &user.name, rules: Some(&user.describe()) });
    }
}

/// `CONFIG SET requirepass`: it is the password of `default` from now on. Users that the log has are changed by their
/// leader alone.
pub fn follow_requirepass(keyspace: &mut Keyspace, server: &mut Server) {
    let mut user = User::clone(server.users.default_user());
    let password = &server.config.requirepass;
    let mut rules = vec![b"resetpass".to_vec()];
    if !password.is_empty() {
        rules.push([b">", password.as_bytes()].concat());
    } else if !server.config.passwords().required() {
        rules.push(b"nopass".to_vec());
    }
    for rule in rules {
        // Rules about passwords can't fail.
        let _ = user.apply(catalog(), &rule, false);
    }
    if keyspace.users.is_empty() {
        server.own_users.set(user);
        server.follow_own_users();
    } else if server.status.role.leads() {
        keyspace.change(&Effect::User { name: b"default", rules: Some(&user.describe()) });
    }
}
