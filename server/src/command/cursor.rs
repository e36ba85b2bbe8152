//! What `SCAN` and the scans of values have in common: cursors and options.

use super::{Args, errors};
use crate::config::glob;
use crate::resp::{Failure, Reply};
use crate::value::number;

/// Entries of one step unless the client says otherwise.
pub(super) const COUNT: usize = 10;

/// The options of `SSCAN`, `HSCAN` and `ZSCAN`.
pub(super) struct Options<'a> {
    pattern: Option<&'a [u8]>,
    pub count: usize,
    pub no_values: bool,
}

impl<'a> Options<'a> {
    /// What stands behind the cursor.
    pub fn parse(args: &Args<'a>, hash: bool) -> Result<Self, Failure> {
        let mut options = Self { pattern: None, count: COUNT, no_values: false };
        let mut words = args.request().rest(3);
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"COUNT") && words.len() > 0 {
                let count = number::integer(words.next().unwrap_or_default()).ok_or(errors::NOT_INTEGER)?;
                options.count =
                    usize::try_from(count).ok().filter(|count| *count > 0).ok_or(errors::SYNTAX)?;
            } else if word.eq_ignore_ascii_case(b"MATCH") && words.len() > 0 {
                options.pattern = words.next().filter(|pattern| *pattern != b"*");
            } else if word.eq_ignore_ascii_case(b"NOVALUES") {
                if !hash {
                    return Err(Failure::new("ERR NOVALUES option can only be used in HSCAN"));
                }
                options.no_values = true;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(options)
    }

    pub fn matches(&self, entry: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, entry, false))
    }
}

/// The answer of a scan.
pub(super) fn reply(next: Option<u64>, found: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::text(next.unwrap_or(0).to_string()), Reply::Array(found)])
}

/// A cursor; it may have a sign, but is none below zero.
pub(super) fn cursor(word: &[u8]) -> Result<u64, Failure> {
    const INVALID: Failure = Failure::new("ERR invalid cursor");
    let (negative, digits) = match word {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, word),
    };
    let text = std::str::from_utf8(digits).map_err(|_| INVALID)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(INVALID);
    }
    let number: u64 = text.parse().map_err(|_| INVALID)?;
    if negative && number > 0 { Err(INVALID) } else { Ok(number) }
}
