//! `SORT` and `SORT_RO`: the elements of a list, set or sorted set, in an order.
//!
//! Contract: weights and what is shown instead of elements may come from other keys, so that what is answered may depend
//! on any key.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::command::acl;
use crate::command::keys::Keys;
use crate::command::spec::{Acl, Arg, Begin, Find, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Grammar, Handler, Spec, errors};
use crate::config::Class;
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply, Request};
use crate::value::{End, List, Value, number, rdb};

/// What was asked for.
#[derive(Default)]
struct Order<'a> {
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    limit: Option<(i64, i64)>,
    descending: bool,
    alpha: bool,
    store: Option<&'a [u8]>,
}

impl<'a> Order<'a> {
    /// `reads_all` is whether the client may look at any key: then also at those that patterns lead to.
    fn parse(args: &Args<'a>, may_store: bool, reads_all: impl Fn() -> bool) -> Result<Self, Failure> {
        const BY: Failure = Failure::new("ERR BY option of SORT denied due to insufficient ACL permissions.");
        const GET: Failure =
            Failure::new("ERR GET option of SORT denied due to insufficient ACL permissions.");
        let (mut order, mut words) = (Self::default(), args.request().rest(2));
        while let Some(word) = words.next() {
            let left = words.len();
            match word.to_ascii_uppercase().as_slice() {
                b"ASC" => order.descending = false,
                b"DESC" => order.descending = true,
                b"ALPHA" => order.alpha = true,
                b"LIMIT" if left >= 2 => {
                    let mut integer = || words.next().and_then(number::integer).ok_or(errors::NOT_INTEGER);
                    order.limit = Some((integer()?, integer()?));
                }
                b"BY" if left >= 1 => {
                    order.by = words.next();
                    if order.weights().is_some() && !reads_all() {
                        return Err(BY);
                    }
                }
                b"GET" if left >= 1 => {
                    order.get.extend(words.next());
                    if !reads_all() {
                        return Err(GET);
                    }
                }
                b"STORE" if left >= 1 && may_store => order.store = words.next(),
                _ => return Err(errors::SYNTAX),
            }
        }
        Ok(order)
    }

    /// The part of the elements that is asked for.
    fn span(&self, length: usize) -> std::ops::Range<usize> {
        let Some((offset, count)) = self.limit else { return 0..length };
        let start = usize::try_from(offset.max(0)).unwrap_or(usize::MAX).min(length);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(length)
    }

    /// The pattern of the weights' keys. One without a place for the element means that nothing is sorted.
    fn weights(&self) -> Option<&'a [u8]> {
        self.by.filter(|by| by.contains(&b'*'))
    }
}

/// What an element is sorted by.
enum Weight {
    Number(f64),
    /// Text that is nowhere comes first.
    Text(Option<Bytes>),
}

impl Weight {
    fn number(text: &[u8]) -> Result<Self, Failure> {
        const NOT_NUMBER: Failure = Failure::new("ERR One or more scores can't be converted into double");
        if text.is_empty() {
            return Ok(Weight::Number(0.0));
        }
        let text = std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+')).ok_or(NOT_NUMBER)?;
        let number: f64 = text.parse().map_err(|_| NOT_NUMBER)?;
        // Too large for a number is none; infinity has to be written out.
        let invalid = number.is_nan() || (number.is_infinite() && !text.contains(['i', 'I']));
        if invalid { Err(NOT_NUMBER) } else { Ok(Weight::Number(number)) }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Weight::Number(a), Weight::Number(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Weight::Text(a), Weight::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

/// What a pattern means for an element: the element itself, the string at a key, or a field of the hash there.
fn look_up(context: &mut Context<'_>, pattern: &[u8], element: &Bytes) -> Option<Bytes> {
    if pattern == b"#" {
        return Some(element.clone());
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (before, after) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = after.windows(2).position(|pair| pair == b"->").filter(|arrow| arrow + 2 < after.len());
    let (after, field) = match arrow {
        Some(arrow) => (&after[..arrow], Some(&after[arrow + 2..])),
        None => (after, None),
    };
    let (key, now) = ([before, element, after].concat(), context.keyspace.now);
    match (context.keyspace.read(context.client.db, &key)?, field) {
        (Value::String(string), None) => Some(string.to_bytes()),
        (Value::Hash(hash), Some(field)) => {
            hash.alive(field, now).map(|pair| Bytes::copy_from_slice(pair.value))
        }
        _ => None,
    }
}

/// The elements as they are kept, and whether that is in an order.
fn elements(value: Option<&Value>) -> Result<(Vec<Bytes>, bool), Failure> {
    match value {
        None => Ok((Vec::new(), true)),
        Some(Value::List(list)) => Ok((list.range(0, list.len()).collect(), true)),
        Some(Value::Set(set)) => {
            let copy = |member: crate::value::Member<'_>| {
                Bytes::copy_from_slice(member.bytes(&mut itoa::Buffer::new()))
            };
            Ok((set.iter().map(copy).collect(), false))
        }
        Some(Value::SortedSet(set)) => {
            Ok((set.iter().map(|(member, _)| Bytes::copy_from_slice(member)).collect(), true))
        }
        Some(_) => Err(errors::WRONG_TYPE),
    }
}

/// The elements in the order that was asked for, as many as were asked for.
fn sorted(context: &mut Context<'_>, key: &[u8], order: &Order<'_>) -> Result<Vec<Bytes>, Failure> {
    let (mut found, ordered) = elements(context.keyspace.read(context.client.db, key))?;
    // As the reference does, which sorts by what the large form keeps.
    if matches!(
        context.keyspace.peek(context.client.db, key).map(|entry| &entry.value),
        Some(Value::SortedSet(_))
    ) {
        context.keyspace.loosen(context.client.db, key);
    }
    let span = order.span(found.len());
    let unsorted = order.by.is_some() && order.weights().is_none();
    // What is stored shall not depend on how a set is kept.
    let forced = unsorted && !ordered && order.store.is_some();
    if unsorted && !forced {
        if order.descending && ordered {
            found.reverse();
        }
        return Ok(found.drain(span).collect());
    }
    let weights = order.weights();
    let alpha = order.alpha || forced;
    let mut weighed = Vec::with_capacity(found.len());
    for element in found {
        let weight = match (weights, alpha) {
            (Some(pattern), true) => Weight::Text(look_up(context, pattern, &element)),
            (Some(pattern), false) => match look_up(context, pattern, &element) {
                Some(weight) => Weight::number(&weight)?,
                None => Weight::Number(0.0),
            },
            (None, true) => Weight::Text(Some(element.clone())),
            (None, false) => Weight::number(&element)?,
        };
        weighed.push((weight, element));
    }
    weighed.sort_by(|(a, left), (b, right)| {
        let order_of_weights = a.compare(b);
        let result = if alpha { order_of_weights } else { order_of_weights.then_with(|| left.cmp(right)) };
        if order.descending { result.reverse() } else { result }
    });
    Ok(weighed.drain(span).map(|(_, element)| element).collect())
}

fn run(context: &mut Context<'_>, args: &Args<'_>, may_store: bool) -> Result<Reply, Failure> {
    let spec = if may_store { &SORT } else { &SORT_RO };
    let user = &context.client.user;
    let reads_all = || acl::reads_every_key(user, spec, args.skip(), args.request());
    let order = Order::parse(args, may_store, reads_all)?;
    let found = sorted(context, args.word(1), &order)?;
    let shown: Vec<Option<Bytes>> = if order.get.is_empty() {
        found.into_iter().map(Some).collect()
    } else {
        let patterns = || order.get.iter().copied();
        found
            .iter()
            .flat_map(|element| patterns().map(move |pattern| (pattern, element)))
            .map(|(pattern, element)| look_up(context, pattern, element))
            .collect()
    };
    match order.store {
        Some(key) => Ok(store(context, key, &shown)),
        None => {
            Ok(Reply::Array(shown.into_iter().map(|item| item.map_or(Reply::Null, Reply::Bulk)).collect()))
        }
    }
}

/// The result takes the place of whatever was at `key`; what was not found is an empty string.
fn store(context: &mut Context<'_>, key: &[u8], shown: &[Option<Bytes>]) -> Reply {
    let db = context.client.db;
    if shown.is_empty() {
        if context.keyspace.delete(db, key) {
            context.notify(Class::Generic, "del", key);
        }
        return Reply::Int(0);
    }
    let mut list = List::default();
    shown.iter().for_each(|item| list.push(End::Right, item.as_deref().unwrap_or_default()));
    let (list, mut value) = (Value::List(list), Vec::new());
    rdb::encode(&list, &mut value);
    let kind = rdb::type_byte(&list);
    context.keyspace.change(&Effect::Put { db, key, kind, value: &value, deadline: None });
    context.notify(Class::List, "sortstore", key);
    shown.len().into()
}

fn sort(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    run(context, args, true)
}

fn sort_ro(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    run(context, args, false)
}

/// The key that is sorted, and the one that the last `STORE` names.
fn sort_keys(request: Request<'_>) -> Option<Keys> {
    let (mut at, mut target) = (2, None);
    while let Some(word) = request.get(at) {
        at += match word.to_ascii_uppercase().as_slice() {
            b"LIMIT" => 3,
            b"GET" | b"BY" => 2,
            b"STORE" if at + 1 < request.len() => {
                target = Some(at + 1);
                2
            }
            _ => 1,
        };
    }
    let mut keys = Keys::new();
    keys.push((1, KeyFlags::RO.or(KeyFlags::ACCESS)));
    keys.extend(target.map(|target| (target, KeyFlags::OW.or(KeyFlags::UPDATE))));
    Some(keys)
}

pub static SORT: Spec = Spec {
    name: "sort",
    full_name: "SORT",
    summary: "Sort the elements in a list, set or sorted set",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of \
         returned elements. When the elements are not sorted, complexity is O(N).",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::SET, Acl::SORTEDSET, Acl::LIST, Acl::SLOW, Acl::DANGEROUS]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
            begin: Begin::Unknown,
            find: Find::Unknown,
            notes: Some(
                "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the \
         content of the key we sort",
            ),
        },
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE]),
            begin: Begin::Unknown,
            find: Find::Unknown,
            notes: Some(
                "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in \
         the argument array",
            ),
        },
    ],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("by", Kind::Pattern).token("BY").display("pattern").key_spec(1).optional(),
        Arg::new(
            "offset_count",
            Kind::Block(&[Arg::new("offset", Kind::Integer), Arg::new("count", Kind::Integer)]),
        )
        .token("LIMIT")
        .optional(),
        Arg::new("get", Kind::Pattern)
            .token("GET")
            .display("pattern")
            .key_spec(1)
            .optional()
            .multiple()
            .multiple_token(),
        Arg::new("order", Kind::OneOf(&[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")])).optional(),
        Arg::new("sorting", Kind::Flag).token("ALPHA").optional(),
        Arg::new("destination", Kind::Key(2)).token("STORE").optional(),
    ],
    grammar: Grammar::Own,
    own_keys: Some(sort_keys),
    handler: Handler::Run(sort),
    ..Spec::BASE
};

pub static SORT_RO: Spec = Spec {
    name: "sort_ro",
    full_name: "SORT_RO",
    summary: "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
    since: "7.0.0",
    group: "generic",
    complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of \
         returned elements. When the elements are not sorted, complexity is O(N).",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::SORTEDSET, Acl::LIST, Acl::SLOW, Acl::DANGEROUS]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
            begin: Begin::Unknown,
            find: Find::Unknown,
            notes: Some(
                "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the \
         content of the key we sort",
            ),
        },
    ],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("by", Kind::Pattern).token("BY").display("pattern").key_spec(1).optional(),
        Arg::new(
            "offset_count",
            Kind::Block(&[Arg::new("offset", Kind::Integer), Arg::new("count", Kind::Integer)]),
        )
        .token("LIMIT")
        .optional(),
        Arg::new("get", Kind::Pattern)
            .token("GET")
            .display("pattern")
            .key_spec(1)
            .optional()
            .multiple()
            .multiple_token(),
        Arg::new("order", Kind::OneOf(&[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")])).optional(),
        Arg::new("sorting", Kind::Flag).token("ALPHA").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(sort_ro),
    ..Spec::BASE
};
