//! `DEBUG PROTOCOL`, `POPULATE` and `STRINGMATCH-TEST`: samples for those who test clients, and this server.

use crate::command::server::Role;
use crate::command::{Args, Context, errors};
use crate::config::glob;
use crate::keyspace::Effect;
use crate::resp::{Failure, Protocol, Reply};
use crate::value::number;

/// A reply of the type that is named.
pub(super) fn protocol(context: &mut Context<'_>, name: &[u8]) -> Result<Reply, Failure> {
    let numbers = || (0..3).map(Reply::Int).collect();
    Ok(match name.to_ascii_lowercase().as_slice() {
        b"string" => Reply::bulk("Hello World"),
        b"integer" => Reply::Int(12345),
        // The reference's number; it is not meant to be pi.
        #[allow(clippy::approx_constant)]
        b"double" => Reply::Double(3.141),
        b"null" => Reply::Null,
        b"array" => Reply::Array(numbers()),
        b"set" => Reply::Set(numbers()),
        b"map" => Reply::Map((0..3).map(|number| (Reply::Int(number), Reply::Bool(number == 1))).collect()),
        b"push" if context.client.protocol == Protocol::Resp2 => {
            return Err(Failure::new("ERR RESP2 is not supported by this command"));
        }
        b"push" => {
            let push = vec![Reply::bulk("server-cpu-usage"), Reply::Int(42)];
            context.client.push(Reply::Push(push), 0);
            Reply::bulk("Some real reply following the push reply")
        }
        b"true" => Reply::Bool(true),
        b"false" => Reply::Bool(false),
        b"verbatim" => Reply::Verbatim("txt", "This is a verbatim\nstring".into()),
        b"bignum" => Reply::BigNumber("1234567999999999999999999999999999999".into()),
        _ => {
            return Err(Failure::new(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|null|array|set|map|push|verbatim|true|false|bignum",
            ));
        }
    })
}

/// Strings `key:0`, `key:1` and so on where there is nothing. Unlike in Redis they are written as all writes are: a node
/// never holds what its replicas do not.
pub(super) fn populate(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if !matches!(context.server.status.role, Role::Standalone | Role::Leader) {
        return Err(Failure::new("READONLY You can't write against a read only replica."));
    }
    let request = args.request();
    let natural = |word: &[u8]| {
        let number = number::integer(word).and_then(|number| usize::try_from(number).ok());
        number.ok_or(errors::OUT_OF_RANGE)
    };
    let count = natural(args.word(2))?;
    let prefix = request.get(3).unwrap_or(b"key");
    let size = request.get(4).map(natural).transpose()?.unwrap_or(0);
    let db = context.client.db;
    for index in 0..count {
        let mut number = itoa::Buffer::new();
        let number = number.format(index).as_bytes();
        let key = [prefix, b":", number].concat();
        if context.keyspace.exists(db, &key) {
            continue;
        }
        let mut value = [b"value:", number].concat();
        if size > 0 {
            value.resize(size, 0);
        }
        context.keyspace.change(&Effect::Set { db, key: &key, value: &value, deadline: None });
    }
    Ok(Reply::OK)
}

/// Patterns and texts made at random are matched: what counts is that it ends, and that nothing breaks.
pub(super) fn match_patterns(context: &Context<'_>) -> Reply {
    const ROUNDS: usize = 20_000;
    const LENGTH_MAX: u64 = 32;
    let mut state = context.keyspace.now | 1;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let signs = b"*?[]^-\\ab\0";
    let mut matched = 0usize;
    for _ in 0..ROUNDS {
        let (pattern, text) = (random(LENGTH_MAX), random(LENGTH_MAX));
        let pattern: Vec<u8> = (0..pattern).map(|_| signs[random(signs.len() as u64) as usize]).collect();
        let text: Vec<u8> = (0..text).map(|_| random(256) as u8).collect();
        matched += usize::from(glob::matches(&pattern, &text, false));
    }
    tracing::debug!(matched, rounds = ROUNDS, "matched random patterns");
    Reply::Simple("Apparently Redis did not crash: test passed")
}
