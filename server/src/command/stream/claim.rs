//! `XCLAIM` and `XAUTOCLAIM`: entries that were delivered to others become a consumer's.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{change, entry_reply, find_group, id_reply, known, range_start, see, strict_id, text};
use crate::keyspace::{Given, StreamChange};
use crate::resp::{Failure, Reply};
use crate::value::stream::Pending;
use crate::value::{Id, number};

/// Who claims, and from which group.
struct Claimant<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    /// Milliseconds for which nobody may have got the entry.
    idle: u64,
    ids_only: bool,
}

/// What became of an entry.
enum Claimed {
    Yes(Reply),
    /// It is no longer in the stream, so it is nobody's.
    Gone,
    No,
}

impl<'a> Claimant<'a> {
    fn parse(args: &Args<'a>, failure: Failure) -> Result<Self, Failure> {
        let idle = number::integer(args.word(4)).ok_or(failure)?.max(0) as u64;
        let (key, group, consumer) = (args.word(1), args.word(2), args.word(3));
        Ok(Self { key, group, consumer, idle, ids_only: false })
    }

    fn pending(&self, context: &Context<'_>, id: Id) -> Result<Option<Pending>, Failure> {
        let group = known(context, self.key)?.group(self.group);
        Ok(group.and_then(|group| group.pending().get(&id)).cloned())
    }

    /// Claim an entry; `force` makes it pending if it is not, `count` sets how often it was delivered.
    fn claim(
        &self,
        context: &mut Context<'_>,
        id: Id,
        time: u64,
        force: bool,
        count: Option<u64>,
    ) -> Result<Claimed, Failure> {
        let (now, group, consumer) = (context.keyspace.now, self.group, self.consumer);
        let pending = self.pending(context, id)?;
        let Some(entry) = known(context, self.key)?.get(id) else {
            if pending.is_none() {
                return Ok(Claimed::No);
            }
            change(context, self.key, StreamChange::Acknowledge { group, ids: vec![id] });
            return Ok(Claimed::Gone);
        };
        let reply = if self.ids_only { id_reply(id) } else { entry_reply(&entry) };
        let before = match pending {
            Some(pending) if now.saturating_sub(pending.time) < self.idle => return Ok(Claimed::No),
            Some(pending) => pending.count,
            None if force => 1,
            None => return Ok(Claimed::No),
        };
        let count = count.unwrap_or(before + u64::from(!self.ids_only));
        let given = vec![Given { id, time, count }];
        change(context, self.key, StreamChange::Give { group, consumer, active: Some(now), given });
        Ok(Claimed::Yes(reply))
    }
}

/// The options of `XCLAIM`.
#[derive(Default)]
struct Options {
    /// When the entries count as delivered.
    time: Option<i64>,
    count: Option<u64>,
    force: bool,
    ids_only: bool,
    last: Id,
}

impl Options {
    fn parse(args: &Args<'_>, mut at: usize, now: u64) -> Result<Self, Failure> {
        const IDLE: Failure = Failure::new("ERR Invalid IDLE option argument for XCLAIM");
        const TIME: Failure = Failure::new("ERR Invalid TIME option argument for XCLAIM");
        const COUNT: Failure = Failure::new("ERR Invalid RETRYCOUNT option argument for XCLAIM");
        let mut options = Self::default();
        while at < args.len() {
            let (word, more) = (args.word(at).to_ascii_lowercase(), at + 1 < args.len());
            let value = |failure| number::integer(args.word(at + 1)).ok_or(failure);
            match word.as_slice() {
                b"force" => options.force = true,
                b"justid" => options.ids_only = true,
                b"idle" if more => options.time = Some((now as i64).wrapping_sub(value(IDLE)?)),
                b"time" if more => options.time = Some(value(TIME)?),
                b"retrycount" if more => options.count = u64::try_from(value(COUNT)?).ok(),
                b"lastid" if more => options.last = strict_id(args.word(at + 1), 0)?,
                _ => {
                    let word = text(args.word(at));
                    return Err(Failure::text(format!("ERR Unrecognized XCLAIM option '{word}'")));
                }
            }
            at += if matches!(word.as_slice(), b"force" | b"justid") { 1 } else { 2 };
        }
        Ok(options)
    }
}

fn xclaim(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const IDLE: Failure = Failure::new("ERR Invalid min-idle-time argument for XCLAIM");
    let (key, group, now) = (args.word(1), args.word(2), context.keyspace.now);
    let found = find_group(context, key, group)?;
    let (last, read) = (found.last_id, found.read);
    let mut claimant = Claimant::parse(args, IDLE)?;
    let ids: Vec<Id> = args.request().rest(5).map_while(|word| Id::parse(word, 0)).collect();
    let options = Options::parse(args, 5 + ids.len(), now)?;
    claimant.ids_only = options.ids_only;
    if options.last > last {
        change(context, key, StreamChange::SetGroup { group, last: options.last, read });
    }
    // A time that can't be is a mistake of the client's clock.
    let time = options.time.and_then(|time| u64::try_from(time).ok()).filter(|time| *time <= now);
    see(context, key, group, claimant.consumer)?;
    let mut claimed = Vec::new();
    for id in ids {
        let result = claimant.claim(context, id, time.unwrap_or(now), options.force, options.count)?;
        if let Claimed::Yes(reply) = result {
            claimed.push(reply);
        }
    }
    Ok(Reply::Array(claimed))
}

fn xautoclaim(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const IDLE: Failure = Failure::new("ERR Invalid min-idle-time argument for XAUTOCLAIM");
    const COUNT: Failure = Failure::new("ERR COUNT must be > 0");
    /// Entries that are looked at for each that may be told.
    const ATTEMPTS: u64 = 10;
    let (key, group) = (args.word(1), args.word(2));
    let mut claimant = Claimant::parse(args, IDLE)?;
    let (mut next, mut count) = (Some(range_start(args.word(5))?), 100);
    let mut words = args.request().rest(6);
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"COUNT")
            && let Some(value) = words.next()
        {
            let most = i64::MAX / 16;
            count = number::integer(value).filter(|count| (1..=most).contains(count)).ok_or(COUNT)? as u64;
        } else if word.eq_ignore_ascii_case(b"JUSTID") {
            claimant.ids_only = true;
        } else {
            return Err(errors::SYNTAX);
        }
    }
    find_group(context, key, group)?;
    see(context, key, group, claimant.consumer)?;
    let (now, mut attempts) = (context.keyspace.now, count * ATTEMPTS);
    let (mut claimed, mut gone) = (Vec::new(), Vec::new());
    let cursor = loop {
        let id = match (next, known(context, key)?.group(group)) {
            (Some(next), Some(group)) => group.pending().range(next..).next().map(|(id, _)| *id),
            _ => None,
        };
        let Some(id) = id.filter(|_| attempts > 0 && count > 0) else { break id.unwrap_or(Id::MIN) };
        attempts -= 1;
        next = id.next();
        match claimant.claim(context, id, now, false, None)? {
            Claimed::Yes(reply) => claimed.push(reply),
            Claimed::Gone => gone.push(id_reply(id)),
            Claimed::No => continue,
        }
        count -= 1;
    };
    Ok(Reply::Array(vec![id_reply(cursor), Reply::Array(claimed), Reply::Array(gone)]))
}

pub static XCLAIM: Spec = Spec {
    name: "xclaim",
    full_name: "XCLAIM",
    summary: "Changes (or acquires) ownership of a message in a consumer group, as if the message was delivered \
         to the specified consumer.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
    arity: -6,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("group", Kind::String),
        Arg::new("consumer", Kind::String),
        Arg::new("min-idle-time", Kind::String),
        Arg::new("id", Kind::String).multiple(),
        Arg::new("ms", Kind::Integer).token("IDLE").optional(),
        Arg::new("unix-time-milliseconds", Kind::UnixTime).token("TIME").optional(),
        Arg::new("count", Kind::Integer).token("RETRYCOUNT").optional(),
        Arg::flag("force", "FORCE").optional(),
        Arg::flag("justid", "JUSTID").optional(),
        Arg::new("lastid", Kind::String).token("LASTID").display("id").optional(),
    ],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(xclaim),
    ..Spec::BASE
};

pub static XAUTOCLAIM: Spec = Spec {
    name: "xautoclaim",
    full_name: "XAUTOCLAIM",
    summary: "Changes (or acquires) ownership of messages in a consumer group, as if the messages were \
         delivered to the specified consumer.",
    since: "6.2.0",
    group: "stream",
    complexity: "O(1) if COUNT is small.",
    arity: -6,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("group", Kind::String),
        Arg::new("consumer", Kind::String),
        Arg::new("min-idle-time", Kind::String),
        Arg::new("start", Kind::String),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
        Arg::flag("justid", "JUSTID").optional(),
    ],
    history: &[(
        "7.0.0",
        "Added an element to the reply array, containing deleted entries the command cleared from the PEL",
    )],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(xautoclaim),
    ..Spec::BASE
};
