//! `PFCOUNT`.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::hyperloglog;

use super::read;

fn pfcount(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, mut all) = (args.word(1), hyperloglog::registers());
    if args.len() > 2 {
        for key in args.request().rest(1) {
            if let Some(bytes) = read(context, key)? {
                hyperloglog::merge(bytes, &mut all)?;
            }
        }
        return Ok(Reply::Int(hyperloglog::estimate(&all) as i64));
    }
    let Some(bytes) = read(context, key)? else { return Ok(Reply::Int(0)) };
    if let Some(cached) = hyperloglog::cached(bytes) {
        return Ok(Reply::Int(cached as i64));
    }
    hyperloglog::merge(bytes, &mut all)?;
    let count = hyperloglog::estimate(&all);
    // A replica changes nothing by itself: it gets what its leader keeps.
    if context.keyspace.authority {
        let (db, offset, value) = (context.client.db, hyperloglog::CACHE as u64, &count.to_le_bytes());
        context.keyspace.change(&Effect::SetRange { db, key, offset, value });
    }
    Ok(Reply::Int(count as i64))
}

pub static PFCOUNT: Spec = Spec {
    name: "pfcount",
    full_name: "PFCOUNT",
    summary: "Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the \
         number of keys, and much bigger constant times, when called with multiple keys.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::HYPERLOGLOG, Acl::SLOW]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS]))
        .notes("RW because it may change the internal representation of the key, and propagate to replicas")],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    handler: Handler::Run(pfcount),
    ..Spec::BASE
};
