//! `LSET`, `LTRIM` and `LREM`: items within a list change or go.

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Class, Context, errors};
use super::{find, integer, place, span};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::End;

fn lset(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    let length = find(context, key)?.ok_or(errors::NO_SUCH_KEY)?.len();
    let index = place(integer(args.word(2))?, length).ok_or(errors::INDEX_RANGE)? as u64;
    context.keyspace.change(&Effect::ListSet { db: context.client.db, key, index, item: args.word(3) });
    context.notify(Class::List, "lset", key);
    Ok(Reply::OK)
}

fn ltrim(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    let (start, stop) = (integer(args.word(2))?, integer(args.word(3))?);
    if let Some(list) = find(context, key)? {
        let (start, length) = span(start, stop, list.len());
        let (start, length) = (start as u64, length as u64);
        context.keyspace.change(&Effect::ListTrim { db: context.client.db, key, start, length });
        context.notify(Class::List, "ltrim", key);
    }
    Ok(Reply::OK)
}

fn lrem(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, item) = (args.word(1), args.word(3));
    let count = integer(args.word(2))?;
    let Some(list) = find(context, key)? else { return Ok(Reply::Int(0)) };
    let end = if count < 0 { End::Right } else { End::Left };
    let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let gone = list.iter_from(end).filter(|other| *other == item).take(most).count();
    if gone > 0 {
        let count = gone as u64;
        context.keyspace.change(&Effect::ListRemove { db: context.client.db, key, end, count, item });
        context.notify(Class::List, "lrem", key);
    }
    Ok(gone.into())
}

pub static LSET: Spec = Spec {
    name: "lset",
    full_name: "LSET",
    summary: "Set the value of an element in a list by its index",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the length of the list. Setting either the first or the last element of the list \
         is O(1).",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("index", Kind::Integer),
        Arg::new("element", Kind::String),
    ],
    handler: Handler::Run(lset),
    ..Spec::BASE
};

pub static LTRIM: Spec = Spec {
    name: "ltrim",
    full_name: "LTRIM",
    summary: "Trim a list to the specified range",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of elements to be removed by the operation.",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("start", Kind::Integer), Arg::new("stop", Kind::Integer)],
    handler: Handler::Run(ltrim),
    ..Spec::BASE
};

pub static LREM: Spec = Spec {
    name: "lrem",
    full_name: "LREM",
    summary: "Remove elements from a list",
    since: "1.0.0",
    group: "list",
    complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("count", Kind::Integer),
        Arg::new("element", Kind::String),
    ],
    handler: Handler::Run(lrem),
    ..Spec::BASE
};
