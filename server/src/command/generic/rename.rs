//! `RENAME` and `RENAMENX`.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Handler, Spec, errors};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};

pub static RENAME: Spec = Spec {
    name: "rename",
    full_name: "RENAME",
    summary: "Rename a key",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
    ],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("newkey", Kind::Key(1))],
    handler: Handler::Run(rename),
    ..Spec::BASE
};

fn rename(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    transfer(context, args, false).map(|_| Reply::OK)
}

pub static RENAMENX: Spec = Spec {
    name: "renamenx",
    full_name: "RENAMENX",
    summary: "Rename a key, only if the new key does not exist",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::FAST]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::INSERT])),
    ],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("newkey", Kind::Key(1))],
    history: &[(
        "3.2.0",
        "The command no longer returns an error when source and destination names are the same.",
    )],
    handler: Handler::Run(renamenx),
    ..Spec::BASE
};

fn renamenx(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    transfer(context, args, true).map(|done| Reply::Int(i64::from(done)))
}

/// Whether the key has the new name and had another before.
fn transfer(context: &mut Context<'_>, args: &Args<'_>, only_new: bool) -> Result<bool, Failure> {
    let (db, from, to) = (context.client.db, args.word(1), args.word(2));
    if !context.keyspace.exists(db, from) {
        return Err(errors::NO_SUCH_KEY);
    }
    if from == to || (context.keyspace.exists(db, to) && only_new) {
        return Ok(false);
    }
    context.keyspace.change(&Effect::Rename { db, from, to });
    context.notify(Class::Generic, "rename_from", from);
    context.notify(Class::Generic, "rename_to", to);
    Ok(true)
}
