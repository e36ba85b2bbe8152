//! `LLEN`, `LINDEX`, `LRANGE` and `LPOS`: questions that change nothing.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{at_least, integer, place, read, signed, span};
use crate::resp::{Failure, Reply};
use crate::value::{End, List};

fn llen(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(read(context, args.word(1))?.map_or(0, List::len).into())
}

fn lindex(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let Some(list) = read(context, args.word(1))? else { return Ok(Reply::Null) };
    let index = integer(args.word(2))?;
    let item = place(index, list.len()).and_then(|index| list.get(index));
    Ok(item.map_or(Reply::Null, Reply::bulk))
}

fn lrange(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (start, stop) = (integer(args.word(2))?, integer(args.word(3))?);
    let Some(list) = read(context, args.word(1))? else { return Ok(Reply::Array(Vec::new())) };
    let (start, count) = span(start, stop, list.len());
    Ok(Reply::Array(list.range(start, count).map(Reply::Bulk).collect()))
}

/// What `LPOS` looks for.
struct Search {
    /// Which match is the first to tell, from 1 on.
    rank: u64,
    from: End,
    /// How many matches to tell (0: all), if a list of them was asked for.
    count: Option<u64>,
    /// How many items to compare; 0 is all.
    most: u64,
}

impl Search {
    fn parse(args: &Args<'_>) -> Result<Self, Failure> {
        const ZERO: Failure = Failure::new(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to \
             start from the end of the list",
        );
        let mut search = Self { rank: 1, from: End::Left, count: None, most: 0 };
        let mut words = args.request().rest(3);
        while let Some(option) = words.next() {
            let value = words.next().ok_or(errors::SYNTAX)?;
            if option.eq_ignore_ascii_case(b"RANK") {
                let rank = signed(value)?;
                search.from = if rank < 0 { End::Right } else { End::Left };
                search.rank = rank.unsigned_abs();
                if rank == 0 {
                    return Err(ZERO);
                }
            } else if option.eq_ignore_ascii_case(b"COUNT") {
                search.count = Some(at_least(value, 0, Failure::new("ERR COUNT can't be negative"))?);
            } else if option.eq_ignore_ascii_case(b"MAXLEN") {
                search.most = at_least(value, 0, Failure::new("ERR MAXLEN can't be negative"))?;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(search)
    }

    fn run(&self, list: &List, item: &[u8]) -> Vec<usize> {
        let all = |number: u64| if number == 0 { usize::MAX } else { number as usize };
        let wanted = all(self.count.unwrap_or(1));
        let length = list.len();
        let place = |step: usize| if self.from == End::Left { step } else { length - 1 - step };
        let found = list
            .iter_from(self.from)
            .take(all(self.most))
            .enumerate()
            .filter(|(_, other)| *other == item)
            .skip(self.rank as usize - 1);
        found.take(wanted).map(|(step, _)| place(step)).collect()
    }
}

fn lpos(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let search = Search::parse(args)?;
    let list = read(context, args.word(1))?;
    let places = list.map(|list| search.run(list, args.word(2))).unwrap_or_default();
    Ok(if search.count.is_some() {
        Reply::Array(places.into_iter().map(Reply::from).collect())
    } else {
        places.first().map_or(Reply::Null, |place| Reply::from(*place))
    })
}

pub static LLEN: Spec = Spec {
    name: "llen",
    full_name: "LLEN",
    summary: "Get the length of a list",
    since: "1.0.0",
    group: "list",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::LIST, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(llen),
    ..Spec::BASE
};

pub static LINDEX: Spec = Spec {
    name: "lindex",
    full_name: "LINDEX",
    summary: "Get an element from a list by its index",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of elements to traverse to get to the element at index. This makes \
         asking for the first or the last element of the list O(1).",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::LIST, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("index", Kind::Integer)],
    handler: Handler::Run(lindex),
    ..Spec::BASE
};

pub static LRANGE: Spec = Spec {
    name: "lrange",
    full_name: "LRANGE",
    summary: "Get a range of elements from a list",
    since: "1.0.0",
    group: "list",
    complexity: "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD \
         or TAIL) for large lists; and N is the number of elements in the specified range.",
    arity: 4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::LIST, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("start", Kind::Integer), Arg::new("stop", Kind::Integer)],
    handler: Handler::Run(lrange),
    ..Spec::BASE
};

pub static LPOS: Spec = Spec {
    name: "lpos",
    full_name: "LPOS",
    summary: "Return the index of matching elements on a list",
    since: "6.0.6",
    group: "list",
    complexity: "O(N) where N is the number of elements in the list, for the average case. When searching for \
         elements near the head or the tail of the list, or when the MAXLEN option is provided, the \
         command may run in constant time.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::LIST, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("element", Kind::String),
        Arg::new("rank", Kind::Integer).token("RANK").optional(),
        Arg::new("num-matches", Kind::Integer).token("COUNT").optional(),
        Arg::new("len", Kind::Integer).token("MAXLEN").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(lpos),
    ..Spec::BASE
};
