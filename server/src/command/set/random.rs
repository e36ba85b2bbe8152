//! `SPOP` and `SRANDMEMBER`: members at random.

use super::super::dice::{Count, Dice};
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{find, read};
use crate::config::Class;
use crate::keyspace::{Effect, SetChange};
use crate::resp::{Failure, Reply};
use crate::value::{Member, Set, number};

fn spop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    let count = match args.len() {
        2 => None,
        3 => {
            let count = number::integer(args.word(2)).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(errors::OUT_OF_RANGE)?)
        }
        _ => return Err(errors::SYNTAX),
    };
    let Some(set) = find(context, key)? else {
        return Ok(if count.is_some() { Reply::Set(Vec::new()) } else { Reply::Null });
    };
    let whole = count.is_some_and(|count| count >= set.len());
    let chosen = match count {
        None => set.sample(|| Dice::new().throw()).into_iter().collect(),
        Some(count) => choose(set, Count::Distinct(count)),
    };
    let replies: Vec<Reply> = chosen.iter().copied().map(Reply::from).collect();
    let members: Vec<Vec<u8>> =
        if whole { Vec::new() } else { chosen.into_iter().map(Member::to_vec).collect() };
    let db = context.client.db;
    if whole {
        context.keyspace.change(&Effect::Delete { db, key });
    } else if !members.is_empty() {
        let members = members.iter().map(Vec::as_slice).collect();
        context.keyspace.change(&Effect::Members { db, key, change: SetChange::Remove { members } });
    }
    if !replies.is_empty() {
        context.notify(Class::Set, "spop", key);
    }
    Ok(match count {
        None => replies.into_iter().next().unwrap_or(Reply::Null),
        Some(_) => Reply::Set(replies),
    })
}

fn srandmember(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let count = match args.len() {
        2 => None,
        3 => Some(Count::parse(args.word(2))?),
        _ => return Err(errors::SYNTAX),
    };
    let set = read(context, args.word(1))?;
    let Some(count) = count else {
        let chosen = set.and_then(|set| set.sample(|| Dice::new().throw()));
        return Ok(chosen.map_or(Reply::Null, Reply::from));
    };
    let chosen = set.map(|set| choose(set, count)).unwrap_or_default();
    Ok(Reply::Array(chosen.into_iter().map(Reply::from).collect()))
}

fn choose(set: &Set, count: Count) -> Vec<Member<'_>> {
    let mut dice = Dice::new();
    match count {
        Count::Distinct(count) if count >= set.len() => set.iter().collect(),
        Count::Distinct(count) => {
            dice.distinct(count, set.len(), set.iter(), |dice| set.sample(|| dice.throw()))
        }
        Count::Repeated(count) => (0..count).filter_map(|_| set.sample(|| dice.throw())).collect(),
    }
}

pub static SPOP: Spec = Spec {
    name: "spop",
    full_name: "SPOP",
    summary: "Remove and return one or multiple random members from a set",
    since: "1.0.0",
    group: "set",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("count", Kind::Integer).optional().since("3.2.0")],
    history: &[("3.2.0", "Added the `count` argument.")],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(spop),
    ..Spec::BASE
};

pub static SRANDMEMBER: Spec = Spec {
    name: "srandmember",
    full_name: "SRANDMEMBER",
    summary: "Get one or multiple random members from a set",
    since: "1.0.0",
    group: "set",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed \
         count.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("count", Kind::Integer).optional().since("2.6.0")],
    history: &[("2.6.0", "Added the optional `count` argument.")],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(srandmember),
    ..Spec::BASE
};
