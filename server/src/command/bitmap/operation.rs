//! `BITOP`: whole strings, bit by bit.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Handler, Spec, errors};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};

fn bitop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (word, target, db) = (args.word(1), args.word(2), context.client.db);
    let combine: fn(u8, u8) -> u8 = match word {
        word if word.eq_ignore_ascii_case(b"AND") => |a, b| a & b,
        word if word.eq_ignore_ascii_case(b"OR") => |a, b| a | b,
        word if word.eq_ignore_ascii_case(b"XOR") => |a, b| a ^ b,
        word if word.eq_ignore_ascii_case(b"NOT") => |_, b| !b,
        _ => return Err(errors::SYNTAX),
    };
    let not = word.eq_ignore_ascii_case(b"NOT");
    if not && args.len() != 4 {
        return Err(Failure::new("ERR BITOP NOT must be called with a single source key."));
    }
    let mut result: Option<Vec<u8>> = None;
    for key in args.request().rest(3) {
        // A missing string is as long as the longest one, of zeros, and so is the end of a shorter one.
        let mut scratch = itoa::Buffer::new();
        let bytes = context.read_string(key)?.map_or(&[][..], |string| string.bytes(&mut scratch));
        result = Some(match result {
            None if not => bytes.iter().map(|byte| !byte).collect(),
            None => bytes.to_vec(),
            Some(mut result) => {
                result.resize(result.len().max(bytes.len()), 0);
                let (both, rest) = result.split_at_mut(bytes.len());
                both.iter_mut().zip(bytes).for_each(|(a, b)| *a = combine(*a, *b));
                rest.iter_mut().for_each(|byte| *byte = combine(*byte, 0));
                result
            }
        });
    }
    let result = result.unwrap_or_default();
    // What was there goes with its deadline; the result is a string that was made by changes.
    let gone = context.keyspace.delete(db, target);
    if !result.is_empty() {
        context.keyspace.change(&Effect::SetRange { db, key: target, offset: 0, value: &result });
        context.notify(Class::String, "set", target);
    } else if gone {
        context.notify(Class::Generic, "del", target);
    }
    Ok(result.len().into())
}

pub static BITOP: Spec = Spec {
    name: "bitop",
    full_name: "BITOP",
    summary: "Perform bitwise operations between strings",
    since: "2.6.0",
    group: "bitmap",
    complexity: "O(N)",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::BITMAP, Acl::SLOW]),
    keys: &[
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
        KeySpec::range(3, -1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
    ],
    args: &[
        Arg::new("operation", Kind::String),
        Arg::new("destkey", Kind::Key(0)),
        Arg::new("key", Kind::Key(1)).multiple(),
    ],
    handler: Handler::Run(bitop),
    ..Spec::BASE
};
