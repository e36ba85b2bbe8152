//! `DEBUG`: what tests need, and nothing that harms.

use std::time::Duration;

use super::debug_samples;
use crate::command::spec::{Acl, Grammar};
use crate::command::{Args, Context, Flags, Handler, Order, Spec, Verdict, errors};
use crate::resp::{Failure, Reply};
use crate::value::{self, number, rdb};

pub static DEBUG: Spec = Spec {
    name: "debug",
    full_name: "DEBUG",
    summary: "A container for debugging commands",
    since: "1.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    system: true,
    grammar: Grammar::Own,
    handler: Handler::Try(debug),
    ..Spec::BASE
};

fn debug(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    if !allowed(context) {
        return Err(Failure::new(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from \
             a local connection, otherwise you need to set this option in the configuration file, and then restart \
             the server.",
        ));
    }
    let words = args.len();
    let name = args.word(1).to_ascii_lowercase();
    match (name.as_slice(), words) {
        (b"sleep", 3) => {
            let seconds = seconds_of(args.word(2));
            let time = Duration::try_from_secs_f64(seconds).map_err(|_| errors::OUT_OF_RANGE)?;
            Ok(Verdict::Order(Order::Sleep { time }))
        }
        (b"set-active-expire", 3) => {
            context.server.active_expire = number::integer(args.word(2)).unwrap_or(0) != 0;
            Ok(Verdict::Reply(Reply::OK))
        }
        (b"digest", 2) => Ok(Verdict::Reply(Reply::Status(context.keyspace.digest().to_string()))),
        (b"digest-value", 2..) => {
            let (db, keyspace) = (context.client.db, &context.keyspace);
            let digest = |key| Reply::Status(keyspace.digest_of(db, key).to_string());
            Ok(Verdict::Reply(Reply::Array(args.request().rest(2).map(digest).collect())))
        }
        (b"reload", 2) => {
            const FAILED: Failure = Failure::new("ERR Error trying to load the RDB dump");
            context.keyspace.reload().map_err(|_| FAILED)?;
            Ok(Verdict::Reply(Reply::OK))
        }
        (b"object", 3) => object(context, args.word(2)).map(Verdict::Reply),
        (b"error", 3) => Err(Failure::text(String::from_utf8_lossy(args.word(2)))),
        (b"log", 3) => {
            tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(args.word(2)));
            Ok(Verdict::Reply(Reply::OK))
        }
        #[expect(clippy::panic, reason = "that is what was asked for")]
        (b"panic", 2) => panic!("a panic that a client asked for"),
        (b"protocol", 3) => debug_samples::protocol(context, args.word(2)).map(Verdict::Reply),
        (b"populate", 3..=5) => debug_samples::populate(context, args).map(Verdict::Reply),
        (b"quicklist-packed-threshold", 3) => keep_alone(args.word(2)).map(Verdict::Reply),
        (b"stringmatch-test", 2) => Ok(Verdict::Reply(debug_samples::match_patterns(context))),
        (b"help", 2) => Ok(Verdict::Reply(crate::command::help("DEBUG", HELP))),
        _ => {
            let given = String::from_utf8_lossy(args.word(1));
            Err(Failure::text(format!(
                "ERR unknown subcommand or wrong number of arguments for '{given}'. Try DEBUG HELP."
            )))
        }
    }
}

/// As C's strtod: what is no number is 0.
fn seconds_of(word: &[u8]) -> f64 {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
    number.filter(|seconds| *seconds > 0.0).unwrap_or(0.0)
}

fn allowed(context: &Context<'_>) -> bool {
    use crate::config::Allow;
    match context.server.config.enable_debug_command {
        Allow::Yes => true,
        Allow::No => false,
        Allow::Local => {
            context.client.address.starts_with("127.") || context.client.address.starts_with("[::1]")
        }
    }
}

fn object(context: &mut Context<'_>, key: &[u8]) -> Result<Reply, Failure> {
    let now = (context.keyspace.now / 1000) as u32;
    let forms = context.keyspace.forms;
    let entry = context.keyspace.find(context.client.db, key).ok_or(errors::NO_SUCH_KEY)?;
    let mut written = Vec::new();
    rdb::encode(&entry.value, &mut written);
    let length = written.len();
    let idle = now.wrapping_sub(entry.accessed);
    Ok(Reply::Status(format!(
        "Value at:0x0 refcount:1 encoding:{} serializedlength:{length} lru:{} lru_seconds_idle:{idle}",
        entry.value.encoding(&forms),
        entry.accessed
    )))
}

/// From how many bytes on an item of a list has a chunk of its own; 0 is as it was at first.
fn keep_alone(size: &[u8]) -> Result<Reply, Failure> {
    const NOT_SIZE: Failure =
        Failure::new("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
    const MOST: u64 = (1 << 32) - (1 << 20);
    let size = std::str::from_utf8(size).ok().and_then(crate::config::memory);
    let size = size.filter(|size| *size <= MOST).ok_or(NOT_SIZE)?;
    value::keep_alone(if size == 0 { usize::MAX } else { size as usize });
    Ok(Reply::OK)
}

const HELP: &[&str] = &[
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "LOG <message>",
    "    Write <message> to the server log.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "PANIC",
    "    Crash the server simulating a panic.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>. If <prefix> is specified then",
    "    it is used instead of the 'key' prefix. They are replicated.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, push, verbatim,",
    "    true, false.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Sets the threshold for elements to be inserted as plain vs packed nodes",
    "    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default.",
    "RELOAD",
    "    Write the whole data set as a snapshot does, and read it back.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STRINGMATCH-TEST",
    "    Run a fuzz tester against the matching of patterns.",
];
