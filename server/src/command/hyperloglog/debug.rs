//! `PFDEBUG`: what is within a HyperLogLog; `PFSELFTEST`: that they count as they should.

use std::fmt::Write;

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::resp::{Failure, Reply};
use crate::value::hyperloglog;

use super::{find, raise};

fn pfdebug(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (word, key) = (args.word(1), args.word(2));
    let missing = Failure::new("ERR The specified key does not exist");
    let bytes = find(context, key)?.ok_or(missing)?;
    let dense = hyperloglog::is_dense(bytes);
    match word.to_ascii_lowercase().as_slice() {
        b"getreg" => {
            let mut all = hyperloglog::registers();
            hyperloglog::merge(bytes, &mut all)?;
            if !dense {
                raise(context, key, true, true, &[]);
            }
            Ok(Reply::Array(all.iter().map(|value| Reply::Int(i64::from(*value))).collect()))
        }
        b"decode" if dense => Err(Failure::new("ERR HLL encoding is not sparse")),
        b"decode" => Ok(Reply::text(decode(bytes))),
        b"encoding" => Ok(Reply::Simple(if dense { "dense" } else { "sparse" })),
        b"todense" => {
            if !dense {
                hyperloglog::merge(bytes, &mut hyperloglog::registers())?;
                raise(context, key, true, true, &[]);
            }
            Ok(Reply::Int(i64::from(!dense)))
        }
        _ => {
            let word = String::from_utf8_lossy(word);
            Err(Failure::text(format!("ERR Unknown PFDEBUG subcommand '{word}'")))
        }
    }
}

/// The runs of a sparse one: `z:` and `Z:` of zeros in one byte and in two, `v:` of a value.
fn decode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (_, run) in hyperloglog::runs(bytes) {
        let space = if text.is_empty() { "" } else { " " };
        // Writing to a string never fails.
        let _ = match (run.value, run.long) {
            (0, false) => write!(text, "{space}z:{}", run.length),
            (0, true) => write!(text, "{space}Z:{}", run.length),
            (value, _) => write!(text, "{space}v:{value},{}", run.length),
        };
    }
    text
}

/// Elements that the test counts.
const TESTED: usize = 100_000;

/// How far off a count of `many` may be: six times the standard error, and next to nothing while there are few.
fn off_max(many: usize) -> u64 {
    let standard = 1.04 / (hyperloglog::REGISTERS as f64).sqrt();
    if many <= 10 { 1 } else { (standard * 6.0 * many as f64).ceil() as u64 }
}

/// The same elements are counted by registers alone, and by a value that begins sparse and becomes dense.
fn pfselftest(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    const SPARSE_MAX: usize = 3_000;
    let failed = |what: String| Err(Failure::text(format!("TESTFAILED {what}")));
    let (mut plain, mut bytes) = (hyperloglog::registers(), hyperloglog::empty());
    let mut checkpoint = 1;
    for element in 1..=TESTED {
        let (index, value) = hyperloglog::place(&element.to_le_bytes());
        plain[index] = plain[index].max(value);
        hyperloglog::raise(&mut bytes, index, value, SPARSE_MAX)?;
        if element != checkpoint {
            continue;
        }
        checkpoint *= 10;
        let mut merged = hyperloglog::registers();
        hyperloglog::merge(&bytes, &mut merged)?;
        if merged != plain {
            return failed(format!("registers differ after {element} elements"));
        }
        let counted = hyperloglog::estimate(&plain);
        if counted.abs_diff(element as u64) > off_max(element) {
            return failed(format!("Too big error. card:{element} counted:{counted}"));
        }
    }
    Ok(Reply::OK)
}

pub static PFSELFTEST: Spec = Spec {
    name: "pfselftest",
    full_name: "PFSELFTEST",
    summary: "An internal command for testing HyperLogLog values",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "N/A",
    arity: 1,
    flags: Flags::of(&[Flags::ADMIN]),
    acl: Acl::of(&[Acl::HYPERLOGLOG, Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    system: true,
    handler: Handler::Run(pfselftest),
    ..Spec::BASE
};

pub static PFDEBUG: Spec = Spec {
    name: "pfdebug",
    full_name: "PFDEBUG",
    summary: "Internal commands for debugging HyperLogLog values",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "N/A",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::ADMIN]),
    acl: Acl::of(&[Acl::WRITE, Acl::HYPERLOGLOG, Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS]))],
    args: &[Arg::new("subcommand", Kind::String), Arg::new("key", Kind::Key(0))],
    system: true,
    handler: Handler::Run(pfdebug),
    ..Spec::BASE
};
