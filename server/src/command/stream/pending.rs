//! `XACK` and `XPENDING`: what was delivered and is not acknowledged.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{change, find_group, id_reply, integer, range_end, range_start, read, strict_id};
use crate::keyspace::StreamChange;
use crate::resp::{Failure, Reply};
use crate::value::stream::Pending;
use crate::value::{Group, Id};

fn xack(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, group) = (args.word(1), args.word(2));
    let found = read(context, key)?.and_then(|stream| stream.group(group));
    let Some(found) = found else { return Ok(Reply::Int(0)) };
    let asked = args.request().rest(3).map(|word| strict_id(word, 0));
    let mut ids = asked.collect::<Result<Vec<Id>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| found.pending().contains_key(id));
    let count = ids.len();
    if count > 0 {
        change(context, key, StreamChange::Acknowledge { group, ids });
    }
    Ok(count.into())
}

/// The words after the group.
struct Range<'a> {
    idle: u64,
    start: Id,
    end: Id,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Range<'a> {
    fn parse(args: &Args<'a>) -> Result<Option<Self>, Failure> {
        let words = args.len();
        if words == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&words) {
            return Err(errors::SYNTAX);
        }
        let (mut at, mut idle) = (3, 0);
        if args.word(3).eq_ignore_ascii_case(b"IDLE") {
            idle = integer(args.word(4))?.max(0) as u64;
            if words < 8 {
                return Err(errors::SYNTAX);
            }
            at = 5;
        }
        let count = integer(args.word(at + 2))?.max(0) as usize;
        let (start, end) = (range_start(args.word(at))?, range_end(args.word(at + 1))?);
        let consumer = (at + 3 < words).then(|| args.word(at + 3));
        Ok(Some(Self { idle, start, end, count, consumer }))
    }

    fn list(&self, group: &Group, now: u64) -> Vec<Reply> {
        if self.start > self.end {
            return Vec::new();
        }
        let show = |id: Id, pending: &Pending| {
            let idle = now.saturating_sub(pending.time);
            (idle >= self.idle).then(|| {
                let count = Reply::Int(pending.count as i64);
                let consumer = Reply::bulk(&pending.consumer);
                Reply::Array(vec![id_reply(id), consumer, Reply::Int(idle as i64), count])
            })
        };
        let range = self.start..=self.end;
        match self.consumer {
            None => {
                let all = group.pending().range(range);
                all.filter_map(|(id, pending)| show(*id, pending)).take(self.count).collect()
            }
            Some(name) => {
                let own = group.consumer(name).into_iter().flat_map(|own| own.pending().range(range.clone()));
                let own = own.filter_map(|id| show(*id, group.pending().get(id)?));
                own.take(self.count).collect()
            }
        }
    }
}

fn xpending(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (range, now) = (Range::parse(args)?, context.keyspace.now);
    let group = find_group(context, args.word(1), args.word(2))?;
    Ok(match range {
        Some(range) => Reply::Array(range.list(group, now)),
        None => summary(group),
    })
}

fn summary(group: &Group) -> Reply {
    let pending = group.pending();
    let (Some((first, _)), Some((last, _))) = (pending.first_key_value(), pending.last_key_value()) else {
        return Reply::Array(vec![Reply::Int(0), Reply::Null, Reply::Null, Reply::NullArray]);
    };
    let busy = group.consumers().iter().filter(|(_, consumer)| !consumer.pending().is_empty());
    let consumers = busy.map(|(name, consumer)| {
        Reply::Array(vec![Reply::bulk(name), Reply::BulkInt(consumer.pending().len() as i64)])
    });
    Reply::Array(vec![
        pending.len().into(),
        id_reply(*first),
        id_reply(*last),
        Reply::Array(consumers.collect()),
    ])
}

pub static XACK: Spec = Spec {
    name: "xack",
    full_name: "XACK",
    summary: "Marks a pending message as correctly processed, effectively removing it from the pending entries \
         list of the consumer group. Return value of the command is the number of messages successfully \
         acknowledged, that is, the IDs we were actually able to resolve in the PEL.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1) for each message ID processed.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("group", Kind::String),
        Arg::new("id", Kind::String).multiple(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(xack),
    ..Spec::BASE
};

pub static XPENDING: Spec = Spec {
    name: "xpending",
    full_name: "XPENDING",
    summary: "Return information and entries from a stream consumer group pending entries list, that are \
         messages fetched but never acknowledged.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) with N being the number of elements returned, so asking for a small fixed number of entries \
         per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE \
         filter. When the command returns just the summary and the list of consumers is small, it runs in \
         O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("group", Kind::String),
        Arg::new(
            "filters",
            Kind::Block(&[
                Arg::new("min-idle-time", Kind::Integer).token("IDLE").optional().since("6.2.0"),
                Arg::new("start", Kind::String),
                Arg::new("end", Kind::String),
                Arg::new("count", Kind::Integer),
                Arg::new("consumer", Kind::String).optional(),
            ]),
        )
        .optional(),
    ],
    history: &[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(xpending),
    ..Spec::BASE
};
