//! `ZMPOP` and `BZMPOP`: pop from the first of several sorted sets that has something.

use super::super::list::{at_least, deadline, wait};
use super::super::spec::{Acl, Arg, Begin, Find, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, Verdict, errors};
use super::pop::{ends, event};
use super::{cut, find, item};
use crate::resp::{Failure, Reply};

/// The arguments of `ZMPOP` from its number of keys on.
struct Several {
    /// Where the keys stand.
    first: usize,
    count: usize,
    highest: bool,
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
        let highest = match args.word(options).to_ascii_lowercase().as_slice() {
            b"min" => false,
            b"max" => true,
            _ => return Err(errors::SYNTAX),
        };
        let most = match args.len() - options - 1 {
            0 => 1,
            2.. if args.word(options + 1).eq_ignore_ascii_case(b"COUNT") => {
                let most = at_least(args.word(options + 2), 1, COUNT)?;
                if args.len() > options + 3 {
                    return Err(errors::SYNTAX);
                }
                most
            }
            _ => return Err(errors::SYNTAX),
        };
        Ok(Self { first: at + 1, count, highest, most })
    }

    fn keys<'a>(&self, args: &Args<'a>) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        args.request().rest(self.first).take(self.count)
    }

    fn pop(&self, context: &mut Context<'_>, args: &Args<'_>) -> Result<Option<Reply>, Failure> {
        let ready = context.ready;
        for key in self.keys(args).filter(|key| ready.is_none_or(|ready| ready == *key)) {
            let Some(set) = find(context, key)? else { continue };
            let ranks = ends(set, self.highest, self.most);
            let popped = set.range(ranks.start, ranks.end, self.highest);
            let popped = popped.map(|(member, score)| Reply::Array(item(member, Some(score)))).collect();
            cut(context, key, ranks.start, ranks.len(), event(self.highest));
            return Ok(Some(Reply::Array(vec![Reply::bulk(key), Reply::Array(popped)])));
        }
        Ok(None)
    }
}

fn zmpop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let several = Several::parse(args, 1)?;
    Ok(several.pop(context, args)?.unwrap_or(Reply::NullArray))
}

fn bzmpop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    let deadline = deadline(args.word(1), context.keyspace.now)?;
    let several = Several::parse(args, 2)?;
    match several.pop(context, args)? {
        Some(reply) => Ok(Verdict::Reply(reply)),
        None => Ok(wait(context, several.keys(args), deadline)),
    }
}

pub static ZMPOP: Spec = Spec {
    name: "zmpop",
    full_name: "ZMPOP",
    summary: "Remove and return members with scores in a sorted set",
    since: "7.0.0",
    group: "sorted-set",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
         sorted set, and M being the number of elements popped.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]),
        begin: Begin::Index(1),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).multiple(),
        Arg::new("where", Kind::OneOf(&[Arg::flag("min", "MIN"), Arg::flag("max", "MAX")])),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zmpop),
    ..Spec::BASE
};

pub static BZMPOP: Spec = Spec {
    name: "bzmpop",
    full_name: "BZMPOP",
    summary: "Remove and return members with scores in a sorted set or block until one is available",
    since: "7.0.0",
    group: "sorted-set",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
         sorted set, and M being the number of elements popped.",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::BLOCKING, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::SLOW, Acl::BLOCKING]),
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
        Arg::new("where", Kind::OneOf(&[Arg::flag("min", "MIN"), Arg::flag("max", "MAX")])),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Try(bzmpop),
    ..Spec::BASE
};
