//! A string: bytes, or a small integer kept as one.

use bytes::Bytes;

use super::number;

/// A string value in one of three representations, which `OBJECT ENCODING` names as Redis does.
#[derive(Debug, Clone)]
pub enum Str {
    /// `int`: the canonical decimal text of this number.
    Int(i64),
    /// `embstr` up to 44 bytes, else `raw`; shared with the replies that carry it.
    Shared(Bytes),
    /// `raw`: has been changed in place and may be again.
    Grown(Vec<u8>),
}

/// Longest string that Redis embeds into its object.
const EMBEDDED_MAX: usize = 44;

impl Str {
    /// The representation that `SET` gives to `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= 20
            && let Some(number) = number::integer(bytes)
        {
            return Str::Int(number);
        }
        Str::Shared(Bytes::copy_from_slice(bytes))
    }

    pub fn len(&self) -> usize {
        match self {
            Str::Int(number) => itoa::Buffer::new().format(*number).len(),
            Str::Shared(bytes) => bytes.len(),
            Str::Grown(bytes) => bytes.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes; an integer is printed into `scratch`.
    pub fn bytes<'a>(&'a self, scratch: &'a mut itoa::Buffer) -> &'a [u8] {
        match self {
            Str::Int(number) => scratch.format(*number).as_bytes(),
            Str::Shared(bytes) => bytes,
            Str::Grown(bytes) => bytes,
        }
    }

    pub fn to_bytes(&self) -> Bytes {
        match self {
            Str::Int(number) => Bytes::copy_from_slice(itoa::Buffer::new().format(*number).as_bytes()),
            Str::Shared(bytes) => bytes.clone(),
            Str::Grown(bytes) => Bytes::copy_from_slice(bytes),
        }
    }

    /// The value as a 64-bit integer, if it is written as one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Str::Int(number) => Some(*number),
            Str::Shared(bytes) => number::integer(bytes),
            Str::Grown(bytes) => number::integer(bytes),
        }
    }

    pub fn encoding(&self) -> &'static str {
        match self {
            Str::Int(_) => "int",
            Str::Shared(bytes) if bytes.len() <= EMBEDDED_MAX => "embstr",
            Str::Shared(_) | Str::Grown(_) => "raw",
        }
    }

    /// Keep an integer as its text.
    pub fn spell_out(&mut self) {
        if let Str::Int(_) = self {
            *self = Str::Shared(self.to_bytes());
        }
    }

    /// The bytes, to be changed in place.
    pub fn grow(&mut self) -> &mut Vec<u8> {
        if !matches!(self, Str::Grown(_)) {
            *self = Str::Grown(self.bytes(&mut itoa::Buffer::new()).to_vec());
        }
        match self {
            Str::Grown(bytes) => bytes,
            Str::Int(_) | Str::Shared(_) => unreachable!("it was made to grow"),
        }
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.bytes(&mut itoa::Buffer::new()) == other.bytes(&mut itoa::Buffer::new())
    }
}
