//! `XREAD` and `XREADGROUP`.

use super::super::spec::{Acl, Arg, Begin, Find, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, Verdict, errors, wait_until};
use super::{
    change, entries_reply, entry_reply, id_reply, integer, known, no_group, read, see, strict_id, text,
};
use crate::keyspace::{Given, StreamChange};
use crate::resp::{Failure, Protocol, Reply};
use crate::value::stream::Pending;
use crate::value::{Group, Id, Stream};

/// From where one stream is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// What comes after this entry; of a group, what the consumer has not acknowledged.
    After(Id),
    /// What the group has not read.
    New,
}

/// The words before the streams.
struct Request<'a> {
    /// In milliseconds since 1970; `Some(None)` waits for ever.
    deadline: Option<Option<u64>>,
    /// 0 is no limit.
    count: usize,
    group: Option<(&'a [u8], &'a [u8])>,
    noack: bool,
    /// Where the first key stands, and how many there are.
    first: usize,
    streams: usize,
}

impl<'a> Request<'a> {
    fn parse(args: &Args<'a>, spec: &Spec, now: u64) -> Result<Self, Failure> {
        let grouped = spec.name == "xreadgroup";
        let mut request = Self { deadline: None, count: 0, group: None, noack: false, first: 0, streams: 0 };
        let mut at = 1;
        while at < args.len() {
            let (word, left) = (args.word(at).to_ascii_lowercase(), args.len() - at - 1);
            match word.as_slice() {
                b"block" if left > 0 => request.deadline = Some(wait_until(args.word(at + 1), now)?),
                b"count" if left > 0 => request.count = integer(args.word(at + 1))?.max(0) as usize,
                b"streams" if left > 0 => {
                    request.first = at + 1;
                    request.streams = left / 2;
                    if left % 2 == 1 {
                        return Err(unbalanced(spec.name, grouped));
                    }
                    break;
                }
                b"group" if left > 1 && grouped => {
                    request.group = Some((args.word(at + 1), args.word(at + 2)));
                    at += 1;
                }
                b"noack" if grouped => {
                    request.noack = true;
                    at += 1;
                    continue;
                }
                b"group" if left > 1 => return Err(only_grouped("GROUP")),
                b"noack" => return Err(only_grouped("NOACK")),
                _ => return Err(errors::SYNTAX),
            }
            at += 2;
        }
        if request.first == 0 {
            return Err(errors::SYNTAX);
        }
        if grouped && request.group.is_none() {
            return Err(Failure::new("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(request)
    }

    /// From where each stream is read: all words are looked at before anything is read.
    fn places(&self, context: &mut Context<'_>, args: &Args<'a>) -> Result<Vec<(&'a [u8], From)>, Failure> {
        let mut places = Vec::with_capacity(self.streams);
        for index in self.first..self.first + self.streams {
            let (key, word) = (args.word(index), args.word(index + self.streams));
            let stream = read(context, key)?;
            if let Some((group, _)) = self.group
                && stream.and_then(|stream| stream.group(group)).is_none()
            {
                let names = (text(key), text(group));
                return Err(no_group(&format!(
                    "No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option",
                    names.0, names.1
                )));
            }
            places.push((key, self.place(word, stream)?));
        }
        Ok(places)
    }

    fn place(&self, word: &[u8], stream: Option<&Stream>) -> Result<From, Failure> {
        const NEW: Failure = Failure::new(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
        );
        match word {
            b"$" | b"+" if self.group.is_some() => Err(meaningless(word)),
            b"$" => Ok(From::After(stream.map_or(Id::MIN, |stream| stream.last_id))),
            b"+" => {
                let last = stream.and_then(Stream::last).and_then(Id::previous);
                Ok(From::After(last.unwrap_or(Id::MIN)))
            }
            b">" if self.group.is_some() => Ok(From::New),
            b">" => Err(NEW),
            // The highest identity stands for what is new.
            _ => match strict_id(word, 0)? {
                Id::MAX if self.group.is_some() => Ok(From::New),
                id => Ok(From::After(id)),
            },
        }
    }
}

fn unbalanced(name: &str, grouped: bool) -> Failure {
    let signs = if grouped { " or '>'" } else { ", '+', or '$'" };
    Failure::text(format!(
        "ERR Unbalanced '{name}' list of streams: for each stream key an ID{signs} must be specified."
    ))
}

fn only_grouped(option: &str) -> Failure {
    Failure::text(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    ))
}

fn meaningless(word: &[u8]) -> Failure {
    let sign = text(word);
    Failure::text(format!(
        "ERR The {sign} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer \
         by specifying a proper ID, or use the > ID to get new messages. The {sign} ID would just return an empty \
         result set."
    ))
}

fn xread(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    let request = Request::parse(args, &XREAD, context.keyspace.now)?;
    let places = request.places(context, args)?;
    let mut found = Vec::new();
    for (key, from) in &places {
        // As in Redis a key counts as looked for twice.
        context.keyspace.look(context.client.db, key);
        let (Ok(stream), From::After(id)) = (known(context, key), *from) else { continue };
        if stream.last().is_some_and(|last| last > id) {
            let start = id.next().unwrap_or(Id::MAX);
            found.push((*key, entries_reply(stream.range(start, Id::MAX), request.count)));
        }
    }
    Ok(answer(context, args, &request, &places, found))
}

fn xreadgroup(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    let request = Request::parse(args, &XREADGROUP, context.keyspace.now)?;
    let places = request.places(context, args)?;
    let mut found = Vec::new();
    for (key, from) in &places {
        let Some(names) = request.group else { continue };
        context.keyspace.look(context.client.db, key);
        let entries = match from {
            From::New => new_entries(context, key, names, &request)?,
            From::After(id) => Some(history(context, key, names, *id, request.count)?),
        };
        found.extend(entries.map(|entries| (*key, entries)));
    }
    Ok(answer(context, args, &request, &places, found))
}

/// Entries that the group has not read go to the consumer, if there are any.
fn new_entries(
    context: &mut Context<'_>,
    key: &[u8],
    (group, consumer): (&[u8], &[u8]),
    request: &Request<'_>,
) -> Result<Option<Reply>, Failure> {
    see(context, key, group, consumer)?;
    let time = context.keyspace.now;
    let stream = known(context, key)?;
    let Some(reader) = stream.group(group) else { return Ok(None) };
    let (mut last, mut read) = (reader.last_id, reader.read);
    let Some(start) = last.next().filter(|_| stream.last().is_some_and(|top| top > last)) else {
        return Ok(None);
    };
    let (mut entries, mut given) = (Vec::new(), Vec::new());
    let most = if request.count == 0 { usize::MAX } else { request.count };
    for entry in stream.range(start, Id::MAX).take(most) {
        let id = entry.id;
        read = read_on(stream, last, read, id);
        last = id;
        entries.push(entry_reply(&entry));
        given.push(Given { id, time, count: 1 });
    }
    if !request.noack {
        change(context, key, StreamChange::Give { group, consumer, active: Some(time), given });
    }
    change(context, key, StreamChange::SetGroup { group, last, read });
    Ok(Some(Reply::Array(entries)))
}

/// How many entries a group has read once it has read the one with `id`, after the one with `last`.
fn read_on(stream: &Stream, last: Id, read: Option<u64>, id: Id) -> Option<u64> {
    match read {
        Some(read) if last >= stream.first_id && !stream.has_gap_after(last) => Some(read.wrapping_add(1)),
        _ => stream.count_up_to(id),
    }
}

/// What the consumer has not acknowledged is told again, and counted as delivered again.
fn history(
    context: &mut Context<'_>,
    key: &[u8],
    (group, consumer): (&[u8], &[u8]),
    after: Id,
    count: usize,
) -> Result<Reply, Failure> {
    see(context, key, group, consumer)?;
    let time = context.keyspace.now;
    let stream = known(context, key)?;
    let (mut entries, mut given) = (Vec::new(), Vec::new());
    let own = stream.group(group).and_then(|group| Some((group, group.consumer(consumer)?)));
    if let Some((group, own)) = own
        && let Some(start) = after.next()
    {
        let most = if count == 0 { usize::MAX } else { count };
        for id in own.pending().range(start..).take(most) {
            match (stream.get(*id), delivered(group, *id)) {
                (Some(entry), Some(count)) => {
                    entries.push(entry_reply(&entry));
                    given.push(Given { id: *id, time, count: count + 1 });
                }
                _ => entries.push(Reply::Array(vec![id_reply(*id), Reply::NullArray])),
            }
        }
    }
    if !given.is_empty() {
        change(context, key, StreamChange::Give { group, consumer, active: None, given });
    }
    Ok(Reply::Array(entries))
}

fn delivered(group: &Group, id: Id) -> Option<u64> {
    group.pending().get(&id).map(|Pending { count, .. }| *count)
}

/// What was found, or a wait for it.
fn answer(
    context: &Context<'_>,
    args: &Args<'_>,
    request: &Request<'_>,
    places: &[(&[u8], From)],
    found: Vec<(&[u8], Reply)>,
) -> Verdict {
    if !found.is_empty() {
        let found = found.into_iter().map(|(key, entries)| (Reply::bulk(key), entries));
        return Verdict::Reply(if context.client.protocol == Protocol::Resp3 {
            Reply::Map(found.collect())
        } else {
            Reply::Array(found.map(|(key, entries)| Reply::Array(vec![key, entries])).collect())
        });
    }
    let Some(deadline) = request.deadline.filter(|_| context.may_block) else {
        return Verdict::Reply(Reply::NullArray);
    };
    // What is the last entry now will not be it when the request runs again.
    let first_id = request.first + request.streams;
    let words = (0..args.len()).map(|index| match (args.word(index), index.checked_sub(first_id)) {
        (b"$", Some(place)) => match places[place].1 {
            From::After(id) => id.to_string().into_bytes(),
            From::New => b">".to_vec(),
        },
        (word, _) => word.to_vec(),
    });
    Verdict::BlockUntil {
        keys: places.iter().map(|(key, _)| key.to_vec()).collect(),
        deadline,
        timeout: Reply::NullArray,
        again: words.collect(),
        even_gone: request.group.is_some(),
    }
}

pub static XREAD: Spec = Spec {
    name: "xread",
    full_name: "XREAD",
    summary: "Return never seen elements in multiple streams, with IDs greater than the ones reported by the \
         caller for each stream. Can block.",
    since: "5.0.0",
    group: "stream",
    complexity: "For each stream mentioned: O(N) with N being the number of elements being returned, it means that \
         XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) \
         time in order to serve the M clients blocked on the stream getting new data.",
    arity: -4,
    flags: Flags::of(&[Flags::READONLY, Flags::BLOCKING, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::READ, Acl::STREAM, Acl::SLOW, Acl::BLOCKING]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Keyword("STREAMS", 1),
        find: Find::Range { last: -1, step: 1, limit: 2 },
        notes: None,
    }],
    args: &[
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
        Arg::new("milliseconds", Kind::Integer).token("BLOCK").optional(),
        Arg::new(
            "streams",
            Kind::Block(&[Arg::new("key", Kind::Key(0)).multiple(), Arg::new("id", Kind::String).multiple()]),
        )
        .token("STREAMS"),
    ],
    grammar: Grammar::Own,
    handler: Handler::Try(xread),
    ..Spec::BASE
};

pub static XREADGROUP: Spec = Spec {
    name: "xreadgroup",
    full_name: "XREADGROUP",
    summary: "Return new entries from a stream using a consumer group, or access the history of the pending \
         entries for a given consumer. Can block.",
    since: "5.0.0",
    group: "stream",
    complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant \
         (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other \
         side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked \
         on the stream getting new data.",
    arity: -7,
    flags: Flags::of(&[Flags::WRITE, Flags::BLOCKING, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::SLOW, Acl::BLOCKING]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Keyword("STREAMS", 4),
        find: Find::Range { last: -1, step: 1, limit: 2 },
        notes: None,
    }],
    args: &[
        Arg::new(
            "group_consumer",
            Kind::Block(&[Arg::new("group", Kind::String), Arg::new("consumer", Kind::String)]),
        )
        .token("GROUP"),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
        Arg::new("milliseconds", Kind::Integer).token("BLOCK").optional(),
        Arg::flag("noack", "NOACK").optional(),
        Arg::new(
            "streams",
            Kind::Block(&[Arg::new("key", Kind::Key(0)).multiple(), Arg::new("id", Kind::String).multiple()]),
        )
        .token("STREAMS"),
    ],
    grammar: Grammar::Own,
    handler: Handler::Try(xreadgroup),
    ..Spec::BASE
};
