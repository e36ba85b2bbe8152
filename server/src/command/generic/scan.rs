//! `SCAN`.

use crate::command::cursor::{COUNT, cursor};
use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Grammar, Handler, Spec};
use crate::config::glob;
use crate::keyspace::Entry;
use crate::resp::{Failure, Reply};

pub static SCAN: Spec = Spec {
    name: "scan",
    full_name: "SCAN",
    summary: "Incrementally iterate the keys space",
    since: "2.8.0",
    group: "generic",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
         to return back to 0. N is the number of elements inside the collection.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::SLOW]),
    args: &[
        Arg::new("cursor", Kind::Integer),
        Arg::new("pattern", Kind::Pattern).token("MATCH").optional(),
        Arg::new("count", Kind::Integer)
            .token("COUNT")
            .least_or(1, "ERR syntax error", "ERR value is not an integer or out of range")
            .optional(),
        Arg::new("type", Kind::String).token("TYPE").optional().since("6.0.0"),
    ],
    history: &[("6.0.0", "Added the `TYPE` subcommand.")],
    hints: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
    grammar: Grammar::Own,
    handler: Handler::Run(scan),
    ..Spec::BASE
};

fn scan(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let cursor = cursor(args.word(1))?;
    let args = Args::read(&SCAN, args.request(), args.skip())?;
    let count = args.integer("count")?.map_or(COUNT, |count| count as usize);
    let (pattern, kind) = (args.value("pattern").filter(|pattern| *pattern != b"*"), args.value("type"));
    let (db, now) = (context.client.db, context.keyspace.now);
    let (mut keys, mut expired) = (Vec::new(), Vec::new());
    let next = context.keyspace.database(db).table().scan(cursor, count, |_, entry: &Entry| {
        let wanted = || kind.is_none_or(|kind| kind.eq_ignore_ascii_case(entry.value.type_name().as_bytes()));
        if pattern.is_some_and(|pattern| !glob::matches(pattern, entry.key(), false)) {
            return;
        }
        if entry.expired(now) {
            expired.push(entry.key().to_vec());
        } else if wanted() {
            keys.push(Reply::bulk(entry.key()));
        }
    });
    // To be met is to be looked up: what has expired goes.
    for key in expired {
        context.keyspace.exists(db, &key);
    }
    Ok(Reply::Array(vec![Reply::text(next.unwrap_or(0).to_string()), Reply::Array(keys)]))
}
