//! The options of `SET` and `GETEX` that say when a key expires.

use crate::command::{Args, errors};
use crate::resp::Failure;
use crate::value::number;

/// What an expiry time is counted in, and from when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    pub seconds: bool,
    pub absolute: bool,
}

const OPTIONS: [(&str, Unit); 4] = [
    ("seconds", Unit { seconds: true, absolute: false }),
    ("milliseconds", Unit { seconds: false, absolute: false }),
    ("unix-time-seconds", Unit { seconds: true, absolute: true }),
    ("unix-time-milliseconds", Unit { seconds: false, absolute: true }),
];

/// The deadline that the options ask for, if they do. `command` is named in the error.
pub(super) fn deadline(args: &Args<'_>, now: u64, command: &str) -> Result<Option<u64>, Failure> {
    let given = OPTIONS.iter().find_map(|(name, unit)| Some((args.value(name)?, *unit)));
    given.map(|(word, unit)| parse(word, unit, now, command)).transpose()
}

/// The deadline in milliseconds since 1970 that `word` means.
pub(super) fn parse(word: &[u8], unit: Unit, now: u64, command: &str) -> Result<u64, Failure> {
    let invalid = || Failure::text(format!("ERR invalid expire time in '{command}' command"));
    let mut time = number::integer(word).ok_or(errors::NOT_INTEGER)?;
    if time <= 0 {
        return Err(invalid());
    }
    if unit.seconds {
        time = time.checked_mul(1000).ok_or_else(invalid)?;
    }
    if !unit.absolute {
        time = time.checked_add_unsigned(now).ok_or_else(invalid)?;
    }
    Ok(time as u64)
}
