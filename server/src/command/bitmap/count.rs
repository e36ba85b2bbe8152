//! `BITCOUNT` and `BITPOS`.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Grammar, Handler, Spec, errors};
use crate::resp::{Failure, Reply};
use crate::value::number;

/// A range of bytes or bits, both ends part of it, as it was asked for.
struct Range {
    start: i64,
    /// `None`: up to the end of the string.
    stop: Option<i64>,
    bits: bool,
}

impl Range {
    /// The words from `at` on; all of them may be missing, and the unit, and if `open` the stop.
    fn parse(args: &Args<'_>, at: usize, open: bool) -> Result<Self, Failure> {
        let integer = |index: usize| number::integer(args.word(index)).ok_or(errors::NOT_INTEGER);
        let mut range = Self { start: 0, stop: None, bits: false };
        let given = args.len() - at;
        if given > 3 || (given == 1 && !open) {
            return Err(errors::SYNTAX);
        }
        if given > 0 {
            range.start = integer(at)?;
        }
        if given > 1 {
            range.stop = Some(integer(at + 1)?);
        }
        if given > 2 {
            range.bits = match args.word(at + 2) {
                unit if unit.eq_ignore_ascii_case(b"BIT") => true,
                unit if unit.eq_ignore_ascii_case(b"BYTE") => false,
                _ => return Err(errors::SYNTAX),
            };
        }
        Ok(range)
    }

    /// The first bit and the one after the last, of a string of so many bytes; `None` if there are none.
    fn bits_of(&self, length: usize) -> Option<(usize, usize)> {
        let total = if self.bits { length as i64 * 8 } else { length as i64 };
        let absolute = |index: i64| if index < 0 { total.saturating_add(index).max(0) } else { index };
        let stop = self.stop.unwrap_or(-1);
        let (start, stop) = (absolute(self.start), absolute(stop).min(total - 1));
        if start > stop {
            return None;
        }
        let unit = if self.bits { 1 } else { 8 };
        Some((start as usize * unit, (stop as usize + 1) * unit))
    }
}

/// The bytes that hold bits from `start` to before `end`: what to see of the first one, of the last one, and where
/// they are. If it is one byte, both masks hold for it.
fn masks(start: usize, end: usize) -> (u8, u8, std::ops::Range<usize>) {
    let (first, last) = (0xff >> (start % 8), 0xff << (7 - (end - 1) % 8));
    (first, last, start / 8..(end - 1) / 8 + 1)
}

fn count(bytes: &[u8], start: usize, end: usize) -> usize {
    let (first, last, range) = masks(start, end);
    let bytes = &bytes[range];
    let (words, rest) = bytes.as_chunks::<8>();
    let whole: u32 = words.iter().map(|word| u64::from_ne_bytes(*word).count_ones()).sum();
    let rest: u32 = rest.iter().map(|byte| byte.count_ones()).sum();
    let unseen = (bytes[0] & !first).count_ones() + (bytes[bytes.len() - 1] & !last).count_ones();
    (whole + rest - unseen) as usize
}

/// The first bit that is set, or clear.
fn find(bytes: &[u8], set: bool, start: usize, end: usize) -> Option<usize> {
    let (first, last, range) = masks(start, end);
    let (from, bytes) = (range.start, &bytes[range]);
    let without = if set { 0 } else { 0xff };
    let see = |index: usize| {
        let mut byte = bytes[index] ^ without;
        byte &= if index == 0 { first } else { 0xff };
        byte & if index + 1 == bytes.len() { last } else { 0xff }
    };
    let place = |index: usize| (from + index) * 8 + see(index).leading_zeros() as usize;
    if see(0) != 0 {
        return Some(place(0));
    }
    let index = 1 + bytes.get(1..)?.iter().position(|byte| *byte != without)?;
    (see(index) != 0).then(|| place(index))
}

fn bitcount(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let range = Range::parse(args, 2, false)?;
    let Some(string) = context.read_string(args.word(1))? else { return Ok(Reply::Int(0)) };
    // BITPOS moves both into the string first.
    if range.start < 0 && range.stop.is_some_and(|stop| stop < 0 && range.start > stop) {
        return Ok(Reply::Int(0));
    }
    let mut scratch = itoa::Buffer::new();
    let bytes = string.bytes(&mut scratch);
    Ok(range.bits_of(bytes.len()).map_or(0, |(start, end)| count(bytes, start, end)).into())
}

fn bitpos(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let set = match number::integer(args.word(2)).ok_or(errors::NOT_INTEGER)? {
        0 => false,
        1 => true,
        _ => return Err(Failure::new("ERR The bit argument must be 1 or 0.")),
    };
    let range = Range::parse(args, 3, true)?;
    let Some(string) = context.read_string(args.word(1))? else {
        return Ok(Reply::Int(if set { -1 } else { 0 }));
    };
    let mut scratch = itoa::Buffer::new();
    let bytes = string.bytes(&mut scratch);
    let Some((start, end)) = range.bits_of(bytes.len()) else { return Ok(Reply::Int(-1)) };
    Ok(match find(bytes, set, start, end) {
        Some(place) => place.into(),
        // A string without an end is followed by zeros.
        None if !set && range.stop.is_none() => end.into(),
        None => Reply::Int(-1),
    })
}

pub static BITCOUNT: Spec = Spec {
    name: "bitcount",
    full_name: "BITCOUNT",
    summary: "Count set bits in a string",
    since: "2.6.0",
    group: "bitmap",
    complexity: "O(N)",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::BITMAP, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "index",
            Kind::Block(&[
                Arg::new("start", Kind::Integer),
                Arg::new("end", Kind::Integer),
                Arg::new("index_unit", Kind::OneOf(&[Arg::flag("byte", "BYTE"), Arg::flag("bit", "BIT")]))
                    .optional()
                    .since("7.0.0"),
            ]),
        )
        .optional(),
    ],
    history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
    grammar: Grammar::Own,
    handler: Handler::Run(bitcount),
    ..Spec::BASE
};

pub static BITPOS: Spec = Spec {
    name: "bitpos",
    full_name: "BITPOS",
    summary: "Find first bit set or clear in a string",
    since: "2.8.7",
    group: "bitmap",
    complexity: "O(N)",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::BITMAP, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("bit", Kind::Integer),
        Arg::new(
            "index",
            Kind::Block(&[
                Arg::new("start", Kind::Integer),
                Arg::new(
                    "end_index",
                    Kind::Block(&[
                        Arg::new("end", Kind::Integer),
                        Arg::new(
                            "index_unit",
                            Kind::OneOf(&[Arg::flag("byte", "BYTE"), Arg::flag("bit", "BIT")]),
                        )
                        .optional()
                        .since("7.0.0"),
                    ]),
                )
                .optional(),
            ]),
        )
        .optional(),
    ],
    history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
    grammar: Grammar::Own,
    handler: Handler::Run(bitpos),
    ..Spec::BASE
};
