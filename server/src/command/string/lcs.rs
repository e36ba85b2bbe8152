//! `LCS`: the longest common subsequence of two strings.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Grammar, Handler, Spec};
use crate::resp::{Failure, Reply};
use crate::value::Str;

pub static LCS: Spec = Spec {
    name: "lcs",
    full_name: "LCS",
    summary: "Find longest common substring",
    since: "7.0.0",
    group: "string",
    complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::STRING, Acl::SLOW]),
    keys: &[KeySpec::range(1, 1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key1", Kind::Key(0)),
        Arg::new("key2", Kind::Key(0)),
        Arg::flag("len", "LEN").optional(),
        Arg::flag("idx", "IDX").optional(),
        Arg::new("minmatchlen", Kind::Integer)
            .token("MINMATCHLEN")
            .least_or(i64::MIN, "", "ERR value is not an integer or out of range")
            .display("len")
            .optional(),
        Arg::flag("withmatchlen", "WITHMATCHLEN").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(lcs),
    ..Spec::BASE
};

const NOT_STRINGS: Failure = Failure::new("ERR The specified keys must contain string values");
const LENGTH_OR_INDEXES: Failure =
    Failure::new("ERR If you want both the length and indexes, please just use IDX.");
const MEMORY: Failure =
    Failure::new("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");

fn lcs(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let mut read = |index| match context.read_string(args.word(index)) {
        Ok(string) => Ok(string.map(Str::to_bytes).unwrap_or_default()),
        Err(_) => Err(NOT_STRINGS),
    };
    let (first, second) = (read(1), read(2));
    let (first, second) = (first?, second?);
    let args = Args::read(&LCS, args.request(), args.skip())?;
    let least = args.integer("minmatchlen")?.unwrap_or(0).max(0) as u64;
    if args.has("len") && args.has("idx") {
        return Err(LENGTH_OR_INDEXES);
    }
    let cells = (first.len() as u64 + 1).saturating_mul(second.len() as u64 + 1);
    if cells.saturating_mul(4) > context.server.config.proto_max_bulk_len {
        return Err(MEMORY);
    }
    let common = Common::find(&first, &second);
    if args.has("idx") {
        return Ok(indexes(&common, least, args.has("withmatchlen")));
    }
    Ok(if args.has("len") { common.length.into() } else { Reply::bulk(common.text) })
}

fn indexes(common: &Common, least: u64, with_length: bool) -> Reply {
    let span = |start: usize, length: usize| Reply::Array(vec![start.into(), (start + length - 1).into()]);
    let matches = common.matches.iter().filter(|found| found.length as u64 >= least);
    let matches = matches.map(|found| {
        let mut reply = vec![span(found.first, found.length), span(found.second, found.length)];
        if with_length {
            reply.push(found.length.into());
        }
        Reply::Array(reply)
    });
    Reply::Map(vec![
        (Reply::bulk("matches"), Reply::Array(matches.collect())),
        (Reply::bulk("len"), common.length.into()),
    ])
}

/// A run that both strings have, with its places in them.
#[derive(Debug, PartialEq, Eq)]
struct Match {
    first: usize,
    second: usize,
    length: usize,
}

struct Common {
    length: usize,
    text: Vec<u8>,
    /// From the end to the beginning, as Redis lists them.
    matches: Vec<Match>,
}

impl Common {
    /// By dynamic programming. Of several longest subsequences it is the one that Redis finds.
    fn find(first: &[u8], second: &[u8]) -> Self {
        let width = second.len() + 1;
        // At `i * width + j`: the length for the first `i` bytes of one and the first `j` of the other.
        let mut lengths = vec![0u32; (first.len() + 1) * width];
        for (i, a) in first.iter().enumerate() {
            for (j, b) in second.iter().enumerate() {
                lengths[(i + 1) * width + j + 1] = if a == b {
                    lengths[i * width + j] + 1
                } else {
                    lengths[i * width + j + 1].max(lengths[(i + 1) * width + j])
                };
            }
        }
        let (mut i, mut j) = (first.len(), second.len());
        let mut common =
            Self { length: lengths[i * width + j] as usize, text: Vec::new(), matches: Vec::new() };
        let mut running = false;
        while i > 0 && j > 0 {
            if first[i - 1] != second[j - 1] {
                running = false;
                if lengths[(i - 1) * width + j] > lengths[i * width + j - 1] {
                    i -= 1;
                } else {
                    j -= 1;
                }
                continue;
            }
            (i, j) = (i - 1, j - 1);
            common.text.push(first[i]);
            match common.matches.last_mut() {
                Some(last) if running => {
                    (last.first, last.second, last.length) = (i, j, last.length + 1);
                }
                _ => common.matches.push(Match { first: i, second: j, length: 1 }),
            }
            running = true;
        }
        common.text.reverse();
        common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_command_s_page() {
        let common = Common::find(b"ohmytext", b"mynewtext");
        assert_eq!((common.length, common.text.as_slice()), (6, b"mytext".as_slice()));
        let (text, my) = (Match { first: 4, second: 5, length: 4 }, Match { first: 2, second: 0, length: 2 });
        assert_eq!(common.matches, [text, my]);
    }

    #[test]
    fn nothing_in_common_with_nothing() {
        assert_eq!(Common::find(b"", b"abc").length, 0);
        assert_eq!(Common::find(b"xyz", b"abc").matches, []);
    }
}
