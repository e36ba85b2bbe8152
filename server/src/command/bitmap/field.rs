//! `BITFIELD` and `BITFIELD_RO`: integers of any width at any bit.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Grammar, Handler, Spec, errors};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::number;

use super::offset;

/// An integer within a string.
#[derive(Clone, Copy)]
struct Field {
    signed: bool,
    bits: u32,
    offset: u64,
}

#[derive(Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

struct Step {
    field: Field,
    action: Action,
    overflow: Overflow,
}

impl Field {
    fn parse(context: &Context<'_>, kind: &[u8], place: &[u8]) -> Result<Self, Failure> {
        const KIND: Failure = Failure::new(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        );
        let (signed, most, digits) = match kind {
            [b'i', digits @ ..] => (true, 64, digits),
            [b'u', digits @ ..] => (false, 63, digits),
            _ => return Err(KIND),
        };
        let bits = number::integer(digits).filter(|bits| (1..=most).contains(bits)).ok_or(KIND)? as u32;
        Ok(Self { signed, bits, offset: offset(context, place, Some(bits))? })
    }

    /// The last byte that it touches.
    fn last(&self) -> u64 {
        (self.offset + u64::from(self.bits) - 1) / 8
    }

    /// The bytes that it touches as one number, and how far the field is from the number's end.
    fn window(&self, bytes: &[u8]) -> (u128, u32) {
        let (first, last) = (self.offset / 8, self.last());
        let byte = |index: u64| u128::from(bytes.get(index as usize).copied().unwrap_or(0));
        let window = (first..=last).fold(0, |sum, index| sum << 8 | byte(index));
        let spare = (last - first + 1) as u32 * 8 - (self.offset % 8) as u32 - self.bits;
        (window, spare)
    }

    fn mask(&self) -> u128 {
        (1 << self.bits) - 1
    }

    fn get(&self, bytes: &[u8]) -> i128 {
        let (window, spare) = self.window(bytes);
        self.fold((window >> spare & self.mask()) as i128)
    }

    /// The bytes that it touches, with another number in it.
    fn with(&self, bytes: &[u8], number: i128) -> Vec<u8> {
        let (window, spare) = self.window(bytes);
        let window = window & !(self.mask() << spare) | (number as u128 & self.mask()) << spare;
        let count = (self.last() - self.offset / 8 + 1) as usize;
        window.to_be_bytes()[16 - count..].to_vec()
    }

    /// What a number of too many bits is when it is wrapped.
    fn fold(&self, number: i128) -> i128 {
        let number = (number as u128 & self.mask()) as i128;
        if self.signed && number >> (self.bits - 1) & 1 == 1 { number - (1 << self.bits) } else { number }
    }

    /// What a signed field is set to. As in the reference, one that saturates takes its largest number for one that is so
    /// small that 64 bits do not hold how far it is from there.
    fn target(&self, number: i64, overflow: Overflow) -> i128 {
        let most = (1i128 << (self.bits - 1)) - 1;
        let far = self.bits < 64 && most - i128::from(number) > i128::from(i64::MAX);
        if far && matches!(overflow, Overflow::Saturate) { most } else { i128::from(number) }
    }

    /// What is kept of a number, if anything is.
    fn hold(&self, number: i128, overflow: Overflow) -> Option<i128> {
        let (least, most) = if self.signed {
            (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
        } else {
            (0, (1 << self.bits) - 1)
        };
        match overflow {
            _ if (least..=most).contains(&number) => Some(number),
            Overflow::Wrap => Some(self.fold(number)),
            Overflow::Saturate => Some(number.clamp(least, most)),
            Overflow::Fail => None,
        }
    }
}

fn parse(context: &Context<'_>, args: &Args<'_>) -> Result<Vec<Step>, Failure> {
    let (mut steps, mut overflow, mut at) = (Vec::new(), Overflow::Wrap, 2);
    while at < args.len() {
        let (word, left) = (args.word(at).to_ascii_lowercase(), args.len() - at - 1);
        if word == b"overflow" && left >= 1 {
            overflow = match args.word(at + 1) {
                kind if kind.eq_ignore_ascii_case(b"WRAP") => Overflow::Wrap,
                kind if kind.eq_ignore_ascii_case(b"SAT") => Overflow::Saturate,
                kind if kind.eq_ignore_ascii_case(b"FAIL") => Overflow::Fail,
                _ => return Err(Failure::new("ERR Invalid OVERFLOW type specified")),
            };
            at += 2;
            continue;
        }
        let words = match word.as_slice() {
            b"get" => 2,
            b"set" | b"incrby" => 3,
            _ => return Err(errors::SYNTAX),
        };
        if left < words {
            return Err(errors::SYNTAX);
        }
        let field = Field::parse(context, args.word(at + 1), args.word(at + 2))?;
        let action = match word.as_slice() {
            b"get" => Action::Get,
            word => {
                let number = number::integer(args.word(at + 3)).ok_or(errors::NOT_INTEGER)?;
                if word == b"set" { Action::Set(number) } else { Action::Add(number) }
            }
        };
        steps.push(Step { field, action, overflow });
        at += 1 + words;
    }
    Ok(steps)
}

impl Step {
    /// The reply, and whether it changed something; if the string was `grown`, any write does.
    fn run(&self, context: &mut Context<'_>, key: &[u8], grown: bool) -> Result<(Reply, bool), Failure> {
        let (field, db) = (self.field, context.client.db);
        let mut scratch = itoa::Buffer::new();
        let bytes = context.find_string(key)?.map_or(&[][..], |string| string.bytes(&mut scratch));
        let before = field.get(bytes);
        let wanted = match self.action {
            Action::Get => return Ok((Reply::Int(before as i64), false)),
            // Of an unsigned field a negative number is a very large one.
            Action::Set(number) if !field.signed => i128::from(number as u64),
            Action::Set(number) => field.target(number, self.overflow),
            Action::Add(number) => before + i128::from(number),
        };
        let Some(after) = field.hold(wanted, self.overflow) else { return Ok((Reply::Null, false)) };
        let changes = grown || after != before;
        if changes {
            let value = field.with(bytes, after);
            context.keyspace.change(&Effect::SetRange { db, key, offset: field.offset / 8, value: &value });
        }
        let answer = if matches!(self.action, Action::Set(_)) { before } else { after };
        Ok((Reply::Int(answer as i64), changes))
    }
}

fn bitfield(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (steps, key) = (parse(context, args)?, args.word(1));
    let (writes, mut grown) = (steps.iter().filter(|step| !matches!(step.action, Action::Get)), false);
    if let Some(last) = writes.map(|step| step.field.last()).max() {
        let length = context.find_string(key)?.map_or(0, crate::value::Str::len) as u64;
        // The string reaches to the last field that may be written, even if none is; that alone changes nothing for
        // those who watch it.
        grown = length <= last;
        if grown {
            let grown = Effect::SetRange { db: context.client.db, key, offset: last + 1, value: &[] };
            context.keyspace.change_beside(&grown);
        } else {
            context.keyspace.loosen(context.client.db, key);
        }
    } else {
        context.read_string(key)?;
    }
    let (mut replies, mut changed) = (Vec::with_capacity(steps.len()), false);
    for step in &steps {
        let (reply, changes) = step.run(context, key, grown)?;
        replies.push(reply);
        changed |= changes;
    }
    if changed {
        context.notify(Class::String, "setbit", key);
    }
    Ok(Reply::Array(replies))
}

fn bitfield_ro(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let steps = parse(context, args)?;
    if steps.iter().any(|step| !matches!(step.action, Action::Get)) {
        return Err(Failure::new("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    let key = args.word(1);
    context.read_string(key)?;
    let replies = steps.iter().map(|step| step.run(context, key, false).map(|(reply, _)| reply));
    let replies = replies.collect::<Result<_, _>>()?;
    Ok(Reply::Array(replies))
}

pub static BITFIELD: Spec = Spec {
    name: "bitfield",
    full_name: "BITFIELD",
    summary: "Perform arbitrary bitfield integer operations on strings",
    since: "3.2.0",
    group: "bitmap",
    complexity: "O(1) for each subcommand specified",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::BITMAP, Acl::SLOW]),
    keys: &[KeySpec::range(
        1,
        0,
        1,
        KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE, KeyFlags::VARIABLE]),
    )
    .notes("This command allows both access and modification of the key")],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "operation",
            Kind::OneOf(&[
                Arg::new(
                    "encoding_offset",
                    Kind::Block(&[Arg::new("encoding", Kind::String), Arg::new("offset", Kind::Integer)]),
                )
                .token("GET"),
                Arg::new(
                    "write",
                    Kind::Block(&[
                        Arg::new(
                            "wrap_sat_fail",
                            Kind::OneOf(&[
                                Arg::flag("wrap", "WRAP"),
                                Arg::flag("sat", "SAT"),
                                Arg::flag("fail", "FAIL"),
                            ]),
                        )
                        .token("OVERFLOW")
                        .optional(),
                        Arg::new(
                            "write_operation",
                            Kind::OneOf(&[
                                Arg::new(
                                    "encoding_offset_value",
                                    Kind::Block(&[
                                        Arg::new("encoding", Kind::String),
                                        Arg::new("offset", Kind::Integer),
                                        Arg::new("value", Kind::Integer),
                                    ]),
                                )
                                .token("SET"),
                                Arg::new(
                                    "encoding_offset_increment",
                                    Kind::Block(&[
                                        Arg::new("encoding", Kind::String),
                                        Arg::new("offset", Kind::Integer),
                                        Arg::new("increment", Kind::Integer),
                                    ]),
                                )
                                .token("INCRBY"),
                            ]),
                        ),
                    ]),
                ),
            ]),
        )
        .optional()
        .multiple(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(bitfield),
    ..Spec::BASE
};

pub static BITFIELD_RO: Spec = Spec {
    name: "bitfield_ro",
    full_name: "BITFIELD_RO",
    summary: "Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD",
    since: "6.0.0",
    group: "bitmap",
    complexity: "O(1) for each subcommand specified",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::BITMAP, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "encoding_offset",
            Kind::Block(&[Arg::new("encoding", Kind::String), Arg::new("offset", Kind::Integer)]),
        )
        .token("GET")
        .optional()
        .multiple()
        .multiple_token(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(bitfield_ro),
    ..Spec::BASE
};
