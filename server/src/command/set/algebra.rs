//! `SINTER`, `SUNION`, `SDIFF` and what stores or counts their results.

use super::super::spec::{Acl, Arg, Begin, Find, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{as_set, read};
use crate::config::Class;
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::rdb;
use crate::value::{Member, Set, Value, number};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

/// The result of an operation. Sets are given to `tell` one member after the other, with their number first.
fn compute<R>(
    context: &mut Context<'_>,
    keys: &[&[u8]],
    operation: Operation,
    tell: impl FnOnce(&mut dyn Iterator<Item = Member<'_>>) -> R,
) -> Result<R, Failure> {
    for key in keys {
        read(context, key)?;
    }
    let sets: Vec<Option<&Set>> = keys.iter().map(|key| peek(context, key)).collect();
    Ok(match operation {
        Operation::Union => {
            let mut union = Set::of([], &context.keyspace.forms);
            for member in sets.into_iter().flatten().flat_map(Set::iter) {
                union.add(member.bytes(&mut itoa::Buffer::new()), &context.keyspace.forms);
            }
            tell(&mut union.iter())
        }
        Operation::Difference => {
            let others: Vec<&Set> = sets.iter().skip(1).copied().flatten().collect();
            let left = sets[0].into_iter().flat_map(Set::iter);
            tell(&mut left.filter(|member| !others.iter().any(|other| holds(other, *member))))
        }
        Operation::Intersection => match sets.into_iter().collect::<Option<Vec<&Set>>>() {
            None => tell(&mut std::iter::empty()),
            Some(mut sets) => {
                sets.sort_by_key(|set| set.len());
                let (smallest, others) = (sets[0], &sets[1..]);
                tell(&mut smallest.iter().filter(|member| others.iter().all(|other| holds(other, *member))))
            }
        },
    })
}

fn peek<'c>(context: &'c Context<'_>, key: &[u8]) -> Option<&'c Set> {
    as_set(context.keyspace.peek(context.client.db, key).map(|entry| &entry.value)).ok().flatten()
}

fn holds(set: &Set, member: Member<'_>) -> bool {
    set.contains(member.bytes(&mut itoa::Buffer::new()))
}

fn answer(context: &mut Context<'_>, args: &Args<'_>, operation: Operation) -> Result<Reply, Failure> {
    let keys: Vec<&[u8]> = args.request().rest(1).collect();
    compute(context, &keys, operation, |members| Reply::Set(members.map(Reply::from).collect()))
}

fn sinter(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    answer(context, args, Operation::Intersection)
}

fn sunion(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    answer(context, args, Operation::Union)
}

fn sdiff(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    answer(context, args, Operation::Difference)
}

/// The result takes the place of whatever was at the destination.
fn store(
    context: &mut Context<'_>,
    args: &Args<'_>,
    operation: Operation,
    event: &'static str,
) -> Result<Reply, Failure> {
    let (db, key) = (context.client.db, args.word(1));
    let keys: Vec<&[u8]> = args.request().rest(2).collect();
    let forms = context.keyspace.forms;
    let set = compute(context, &keys, operation, |members| {
        let mut set = Set::of([], &forms);
        for member in members {
            set.add(member.bytes(&mut itoa::Buffer::new()), &forms);
        }
        set
    })?;
    if set.is_empty() {
        if context.keyspace.delete(db, key) {
            context.notify(Class::Generic, "del", key);
        }
        return Ok(Reply::Int(0));
    }
    let (count, set, mut value) = (set.len(), Value::Set(set), Vec::new());
    rdb::encode(&set, &mut value);
    let kind = rdb::type_byte(&set);
    context.keyspace.change(&Effect::Put { db, key, kind, value: &value, deadline: None });
    context.notify(Class::Set, event, key);
    Ok(count.into())
}

fn sinterstore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    store(context, args, Operation::Intersection, "sinterstore")
}

fn sunionstore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    store(context, args, Operation::Union, "sunionstore")
}

fn sdiffstore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    store(context, args, Operation::Difference, "sdiffstore")
}

fn sintercard(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const KEYS: Failure = Failure::new("ERR numkeys should be greater than 0");
    const TOO_MANY: Failure = Failure::new("ERR Number of keys can't be greater than number of args");
    const LIMIT: Failure = Failure::new("ERR LIMIT can't be negative");
    let count = number::integer(args.word(1)).filter(|count| *count > 0).ok_or(KEYS)?;
    let count = usize::try_from(count).ok().filter(|count| *count <= args.len() - 2).ok_or(TOO_MANY)?;
    let keys: Vec<&[u8]> = args.request().rest(2).take(count).collect();
    let (mut words, mut limit) = (args.request().rest(2 + count), 0);
    while let Some(word) = words.next() {
        let value = words.next().filter(|_| word.eq_ignore_ascii_case(b"LIMIT")).ok_or(errors::SYNTAX)?;
        limit = number::integer(value).and_then(|limit| usize::try_from(limit).ok()).ok_or(LIMIT)?;
    }
    let most = if limit == 0 { usize::MAX } else { limit };
    compute(context, &keys, Operation::Intersection, |members| members.take(most).count().into())
}

pub static SINTER: Spec = Spec {
    name: "sinter",
    full_name: "SINTER",
    summary: "Intersect multiple sets",
    since: "1.0.0",
    group: "set",
    complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::SLOW]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(sinter),
    ..Spec::BASE
};

pub static SINTERSTORE: Spec = Spec {
    name: "sinterstore",
    full_name: "SINTERSTORE",
    summary: "Intersect multiple sets and store the resulting set in a key",
    since: "1.0.0",
    group: "set",
    complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::SET, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
        KeySpec::range(2, -1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
    ],
    args: &[Arg::new("destination", Kind::Key(0)), Arg::new("key", Kind::Key(1)).multiple()],
    handler: Handler::Run(sinterstore),
    ..Spec::BASE
};

pub static SINTERCARD: Spec = Spec {
    name: "sintercard",
    full_name: "SINTERCARD",
    summary: "Intersect multiple sets and return the cardinality of the result",
    since: "7.0.0",
    group: "set",
    complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::SLOW]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Index(1),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).multiple(),
        Arg::new("limit", Kind::Integer).token("LIMIT").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(sintercard),
    ..Spec::BASE
};

pub static SUNION: Spec = Spec {
    name: "sunion",
    full_name: "SUNION",
    summary: "Add multiple sets",
    since: "1.0.0",
    group: "set",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::SLOW]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(sunion),
    ..Spec::BASE
};

pub static SUNIONSTORE: Spec = Spec {
    name: "sunionstore",
    full_name: "SUNIONSTORE",
    summary: "Add multiple sets and store the resulting set in a key",
    since: "1.0.0",
    group: "set",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::SET, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
        KeySpec::range(2, -1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
    ],
    args: &[Arg::new("destination", Kind::Key(0)), Arg::new("key", Kind::Key(1)).multiple()],
    handler: Handler::Run(sunionstore),
    ..Spec::BASE
};

pub static SDIFF: Spec = Spec {
    name: "sdiff",
    full_name: "SDIFF",
    summary: "Subtract multiple sets",
    since: "1.0.0",
    group: "set",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::SLOW]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(sdiff),
    ..Spec::BASE
};

pub static SDIFFSTORE: Spec = Spec {
    name: "sdiffstore",
    full_name: "SDIFFSTORE",
    summary: "Subtract multiple sets and store the resulting set in a key",
    since: "1.0.0",
    group: "set",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::SET, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
        KeySpec::range(2, -1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
    ],
    args: &[Arg::new("destination", Kind::Key(0)), Arg::new("key", Kind::Key(1)).multiple()],
    handler: Handler::Run(sdiffstore),
    ..Spec::BASE
};
