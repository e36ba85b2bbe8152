//! A reply as commands make it, before it knows which protocol version its client speaks.

use std::borrow::Cow;

use bytes::Bytes;

/// An error reply: its first word is the code (`ERR`, `WRONGTYPE`, ...), the rest the text, as on the wire
/// without the leading `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub Cow<'static, str>);

impl Failure {
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// An error made at run time. Line breaks would end the frame early, so they become spaces as in Redis.
    pub fn text(text: impl Into<String>) -> Self {
        let text: String = text.into();
        if text.contains(['\r', '\n']) {
            Self(Cow::Owned(text.replace(['\r', '\n'], " ")))
        } else {
            Self(text.into())
        }
    }

    /// The error code: the first word.
    pub fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

/// One reply. Types that RESP2 lacks are encoded as Redis does for old clients.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A status known at build time: `+OK`.
    Simple(&'static str),
    /// A status made at run time.
    Status(String),
    Error(Failure),
    Int(i64),
    Bulk(Bytes),
    /// An integer sent as a bulk string, without an allocation.
    BulkInt(i64),
    /// A null: `$-1` in RESP2, `_` in RESP3.
    Null,
    /// A null where an array would stand: `*-1` in RESP2, `_` in RESP3.
    NullArray,
    Array(Vec<Reply>),
    /// Flattened to an array in RESP2.
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    /// Out of band in RESP3, a plain array in RESP2.
    Push(Vec<Reply>),
    /// A bulk string in RESP2.
    Double(f64),
    /// 1 or 0 in RESP2.
    Bool(bool),
    /// A bulk string in RESP2.
    BigNumber(String),
    /// Text with a three-letter format (`txt`, `mkd`); a bulk string in RESP2.
    Verbatim(&'static str, String),
    /// Nothing at all is sent.
    None,
}

impl Reply {
    pub const OK: Reply = Reply::Simple("OK");

    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Reply::Bulk(Bytes::copy_from_slice(bytes.as_ref()))
    }

    pub fn text(text: impl Into<String>) -> Self {
        Reply::Bulk(Bytes::from(text.into().into_bytes()))
    }

    pub const fn error(text: &'static str) -> Self {
        Reply::Error(Failure::new(text))
    }

    pub const fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Reply::Error(failure)
    }
}

impl From<i64> for Reply {
    fn from(number: i64) -> Self {
        Reply::Int(number)
    }
}

impl From<usize> for Reply {
    fn from(number: usize) -> Self {
        Reply::Int(number as i64)
    }
}
