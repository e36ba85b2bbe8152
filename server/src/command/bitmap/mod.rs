//! The bitmap commands: strings as rows of bits, the highest bit of the first byte being bit 0.

mod bit;
mod count;
mod field;
mod operation;

use super::{Context, Spec};
use crate::resp::Failure;
use crate::value::number;

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &count::BITCOUNT,
    &field::BITFIELD,
    &field::BITFIELD_RO,
    &operation::BITOP,
    &count::BITPOS,
    &bit::GETBIT,
    &bit::SETBIT,
];

/// The number of a bit; `field` is the size of a field, whose number may be given instead, after a `#`.
fn offset(context: &Context<'_>, word: &[u8], field: Option<u32>) -> Result<u64, Failure> {
    const OFFSET: Failure = Failure::new("ERR bit offset is not an integer or out of range");
    let (word, unit) = match (word, field) {
        ([b'#', number @ ..], Some(bits)) => (number, u64::from(bits)),
        _ => (word, 1),
    };
    let number = number::integer(word).and_then(|number| u64::try_from(number).ok());
    let offset = number.and_then(|number| number.checked_mul(unit));
    offset.filter(|offset| offset / 8 < context.server.config.proto_max_bulk_len).ok_or(OFFSET)
}
