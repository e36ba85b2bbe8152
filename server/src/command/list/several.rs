//! `BLPOP`, `BRPOP`, `LMPOP` and `BLMPOP`: pop from the first of several lists that has something.

use super::super::spec::{Acl, Arg, Begin, Find, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, Verdict, errors};
use super::{at_least, deadline, end, find, pop};
use crate::resp::{Failure, Reply};
use crate::value::End;

fn blpop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    pop_one(context, args, End::Left)
}

fn brpop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    pop_one(context, args, End::Right)
}

fn pop_one(context: &mut Context<'_>, args: &Args<'_>, end: End) -> Result<Verdict, Failure> {
    let timeout = args.len() - 1;
    let deadline = deadline(args.word(timeout), context.keyspace.now)?;
    let keys = args.request().rest(1).take(timeout - 1);
    let ready = context.ready;
    for key in keys.clone().filter(|key| ready.is_none_or(|ready| ready == *key)) {
        let Some(list) = find(context, key)? else { continue };
        let item = pop::first(list, end).map_or(Reply::Null, Reply::bulk);
        pop::remove(context, key, end, 1);
        return Ok(Verdict::Reply(Reply::Array(vec![Reply::bulk(key), item])));
    }
    Ok(wait(context, keys, deadline))
}

/// Wait for one of these keys, if that is possible here.
pub fn wait<'k>(
    context: &Context<'_>,
    keys: impl Iterator<Item = &'k [u8]>,
    deadline: Option<u64>,
) -> Verdict {
    if context.may_block {
        Verdict::Block { keys: keys.map(<[u8]>::to_vec).collect(), deadline, timeout: Reply::NullArray }
    } else {
        Verdict::Reply(Reply::NullArray)
    }
}

/// The arguments of `LMPOP` from its number of keys on.
struct Several {
    /// Where the keys stand.
    first: usize,
    count: usize,
    end: End,
    most: u64,
}

impl Several {
    fn parse(args: &Args<'_>, at: usize) -> Result<Self, Failure> {
        const COUNT: Failure = Failure::new("ERR count should be greater than 0");
        let keys = at_least(args.word(at), 1, Failure::new("ERR numkeys should be greater than 0"))?;
        // One word at least must follow the keys.
        let count = usize::try_from(keys).ok().filter(|count| *count < args.len() - at - 1);
        let count = count.ok_or(errors::SYNTAX)?;
        let options = at + 1 + count;
        let end = end(args.word(options))?;
        let most = match args.len() - options - 1 {
            0 => 1,
            2 if args.word(options + 1).eq_ignore_ascii_case(b"COUNT") => {
                at_least(args.word(options + 2), 1, COUNT)?
            }
            _ => return Err(errors::SYNTAX),
        };
        Ok(Self { first: at + 1, count, end, most })
    }

    fn keys<'a>(&self, args: &Args<'a>) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        args.request().rest(self.first).take(self.count)
    }

    fn pop(&self, context: &mut Context<'_>, args: &Args<'_>) -> Result<Option<Reply>, Failure> {
        let ready = context.ready;
        for key in self.keys(args).filter(|key| ready.is_none_or(|ready| ready == *key)) {
            let Some(list) = find(context, key)? else { continue };
            let items = pop::up_to(list, self.end, self.most);
            pop::remove(context, key, self.end, items.len());
            return Ok(Some(Reply::Array(vec![Reply::bulk(key), Reply::Array(items)])));
        }
        Ok(None)
    }
}

fn lmpop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    let several = Several::parse(args, 1)?;
    Ok(Verdict::Reply(several.pop(context, args)?.unwrap_or(Reply::NullArray)))
}

fn blmpop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    let deadline = deadline(args.word(1), context.keyspace.now)?;
    let several = Several::parse(args, 2)?;
    match several.pop(context, args)? {
        Some(reply) => Ok(Verdict::Reply(reply)),
        None => Ok(wait(context, several.keys(args), deadline)),
    }
}

pub static BLPOP: Spec = Spec {
    name: "blpop",
    full_name: "BLPOP",
    summary: "Remove and get the first element in a list, or block until one is available",
    since: "2.0.0",
    group: "list",
    complexity: "O(N) where N is the number of provided keys.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::BLOCKING]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW, Acl::BLOCKING]),
    keys: &[KeySpec::range(1, -2, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple(), Arg::new("timeout", Kind::Double)],
    history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
    grammar: Grammar::Own,
    handler: Handler::Try(blpop),
    ..Spec::BASE
};

pub static BRPOP: Spec = Spec {
    name: "brpop",
    full_name: "BRPOP",
    summary: "Remove and get the last element in a list, or block until one is available",
    since: "2.0.0",
    group: "list",
    complexity: "O(N) where N is the number of provided keys.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::BLOCKING]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW, Acl::BLOCKING]),
    keys: &[KeySpec::range(1, -2, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple(), Arg::new("timeout", Kind::Double)],
    history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
    grammar: Grammar::Own,
    handler: Handler::Try(brpop),
    ..Spec::BASE
};

pub static LMPOP: Spec = Spec {
    name: "lmpop",
    full_name: "LMPOP",
    summary: "Pop elements from a list",
    since: "7.0.0",
    group: "list",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]),
        begin: Begin::Index(1),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).multiple(),
        Arg::new("where", Kind::OneOf(&[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")])),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Try(lmpop),
    ..Spec::BASE
};

pub static BLMPOP: Spec = Spec {
    name: "blmpop",
    full_name: "BLMPOP",
    summary: "Pop elements from a list, or block until one is available",
    since: "7.0.0",
    group: "list",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::BLOCKING, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW, Acl::BLOCKING]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]),
        begin: Begin::Index(2),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("timeout", Kind::Double),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).multiple(),
        Arg::new("where", Kind::OneOf(&[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")])),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Try(blmpop),
    ..Spec::BASE
};
