//! `COPY` and `MOVE`.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Grammar, Handler, Spec, errors, int};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};

const SAME: Failure = Failure::new("ERR source and destination objects are the same");

pub static COPY: Spec = Spec {
    name: "copy",
    full_name: "COPY",
    summary: "Copy a key",
    since: "6.2.0",
    group: "generic",
    complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
    ],
    args: &[
        Arg::new("source", Kind::Key(0)),
        Arg::new("destination", Kind::Key(1)),
        Arg::new("destination-db", Kind::Integer).token("DB").optional(),
        Arg::flag("replace", "REPLACE").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(copy),
    ..Spec::BASE
};

fn copy(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (db, from, to) = (context.client.db, args.word(1), args.word(2));
    let (mut to_db, mut replace) = (db, false);
    let mut words = args.request().rest(3);
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"replace") {
            replace = true;
        } else if word.eq_ignore_ascii_case(b"db") && words.len() > 0 {
            let number = int(words.next().unwrap_or_default())?;
            to_db = context.database(number).ok_or(errors::DB_INDEX)?;
        } else {
            return Err(errors::SYNTAX);
        }
    }
    if (db, from) == (to_db, to) {
        return Err(SAME);
    }
    if !context.keyspace.exists(db, from) || (context.keyspace.exists(to_db, to) && !replace) {
        return Ok(Reply::Int(0));
    }
    context.keyspace.change(&Effect::Copy { db, from, to_db, to });
    context.keyspace.notify(to_db, Class::Generic, "copy_to", to);
    Ok(Reply::Int(1))
}

pub static MOVE: Spec = Spec {
    name: "move",
    full_name: "MOVE",
    summary: "Move a key to another database",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("db", Kind::Integer)],
    handler: Handler::Run(move_key),
    ..Spec::BASE
};

fn move_key(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (db, key) = (context.client.db, args.word(1));
    let to_db = context.database(int(args.word(2))?).ok_or(errors::DB_INDEX)?;
    if db == to_db {
        return Err(SAME);
    }
    if !context.keyspace.exists(db, key) || context.keyspace.exists(to_db, key) {
        return Ok(Reply::Int(0));
    }
    context.keyspace.change(&Effect::Move { db, key, to_db });
    context.keyspace.notify(db, Class::Generic, "move_from", key);
    context.keyspace.notify(to_db, Class::Generic, "move_to", key);
    Ok(Reply::Int(1))
}
