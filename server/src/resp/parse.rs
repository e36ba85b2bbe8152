//! Bytes to requests: multibulk arrays of bulk strings, and inline commands.
//!
//! A parser keeps what a socket brought in one buffer. All complete requests in it become one [`Batch`] that
//! shares that buffer, so a pipeline of a hundred commands costs one allocation, not hundreds.

use bytes::{Buf, Bytes, BytesMut};

use crate::config::split_args;

/// What a client may send. The numbers are those of Redis.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most bytes of one argument (`proto-max-bulk-len`, 512 MiB).
    pub bulk_bytes_max: usize,
    /// Most bytes that wait for the rest of a request (`client-query-buffer-limit`, 1 GiB).
    pub query_bytes_max: usize,
    /// A client that has not authenticated may send 10 arguments of 16 KiB.
    pub authenticated: bool,
}

const INLINE_BYTES_MAX: usize = 64 * 1024;
const ARGS_MAX: i64 = i32::MAX as i64;
const ARGS_MAX_UNAUTHENTICATED: i64 = 10;
const BULK_MAX_UNAUTHENTICATED: i64 = 16 * 1024;

/// A broken frame. It is answered once and the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("ERR Protocol error: invalid multibulk length")]
    MultibulkLength,
    #[error("ERR Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulk,
    #[error("ERR Protocol error: invalid bulk length")]
    BulkLength,
    #[error("ERR Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulk,
    #[error("ERR Protocol error: expected '$', got '{}'", char::from(*.0))]
    ExpectedBulk(u8),
    #[error("ERR Protocol error: too big mbulk count string")]
    BigMultibulkCount,
    #[error("ERR Protocol error: too big bulk count string")]
    BigBulkCount,
    #[error("ERR Protocol error: too big inline request")]
    BigInline,
    #[error("ERR Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    /// More than `client-query-buffer-limit` bytes of one unfinished request: closed without a word, as in Redis.
    #[error("query buffer limit reached")]
    QueryLimit,
}

impl ParseError {
    /// A client that has authenticated could send this; the parser goes on where it stopped then.
    pub fn is_for_strangers(self) -> bool {
        matches!(self, ParseError::UnauthenticatedMultibulk | ParseError::UnauthenticatedBulk)
    }
}

/// The requests of one read, sharing the bytes that they came in.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Bytes,
    /// Start and end of each argument in `bytes`.
    args: Vec<(u32, u32)>,
    /// For each request, the index after its last argument in `args`.
    ends: Vec<u32>,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Let go of the bytes, so that the parser can use their memory again.
    pub fn clear(&mut self) {
        self.bytes = Bytes::new();
        self.args.clear();
        self.ends.clear();
    }

    pub fn get(&self, index: usize) -> Request<'_> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        Request { bytes: &self.bytes, args: &self.args[start..self.ends[index] as usize] }
    }

    /// A batch of one request, whose arguments are at these places of `bytes`.
    pub fn one(bytes: Vec<u8>, args: Vec<(u32, u32)>) -> Self {
        let ends = vec![args.len() as u32];
        Self { bytes: bytes.into(), args, ends }
    }

    /// A batch of one request, for tests and for requests that the server makes itself.
    pub fn of<A: AsRef<[u8]>>(args: &[A]) -> Self {
        let mut bytes = Vec::new();
        let mut batch = Batch::default();
        for arg in args {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(arg.as_ref());
            batch.args.push((start, bytes.len() as u32));
        }
        batch.ends.push(batch.args.len() as u32);
        batch.bytes = bytes.into();
        batch
    }
}

/// One request: its arguments, the command's name first. It has at least one.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    bytes: &'a Bytes,
    args: &'a [(u32, u32)],
}

impl<'a> Request<'a> {
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// About the bytes that it took on the wire: from its first argument to the end of its last.
    pub fn bytes(&self) -> usize {
        match self.args {
            [(start, _), .., (_, end)] | [(start, end)] => (end - start) as usize,
            [] => 0,
        }
    }

    pub fn arg(&self, index: usize) -> &'a [u8] {
        let (start, end) = self.args[index];
        &self.bytes[start as usize..end as usize]
    }

    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        (index < self.args.len()).then(|| self.arg(index))
    }

    /// The arguments from `index` on.
    pub fn rest(&self, index: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        self.args[index.min(self.args.len())..]
            .iter()
            .map(move |&(start, end)| &bytes[start as usize..end as usize])
    }

    /// A copy that outlives the batch (a queued command of a `MULTI`).
    pub fn to_batch(&self) -> Batch {
        let args: Vec<&[u8]> = self.rest(0).collect();
        Batch::of(&args)
    }
}

/// Where the parser stands inside an unfinished request.
#[derive(Debug, Default)]
struct Progress {
    /// Arguments still to come; 0 between requests.
    missing: i64,
    /// The length of the bulk string that is being read, once its header was.
    bulk: Option<usize>,
    /// Bytes of the buffer that the unfinished request has consumed.
    position: usize,
    /// Its arguments so far.
    args: Vec<(u32, u32)>,
}

/// An incremental parser: bytes go into [`Parser::buffer`], batches come out of [`Parser::parse`].
#[derive(Debug, Default)]
pub struct Parser {
    pub buffer: BytesMut,
    progress: Progress,
}

impl Parser {
    /// Take all complete requests out of the buffer into `batch` (whose vectors are reused). On an error, the
    /// requests before the broken one are in `batch`, to be answered first.
    pub fn parse(&mut self, limits: &Limits, batch: &mut Batch) -> Result<(), ParseError> {
        batch.args.clear();
        batch.ends.clear();
        batch.bytes = Bytes::new();
        let mut complete = 0;
        let result = loop {
            match self.request(limits) {
                Ok(true) => {
                    complete = self.progress.position;
                    if !self.progress.args.is_empty() {
                        batch.args.append(&mut self.progress.args);
                        batch.ends.push(batch.args.len() as u32);
                    }
                }
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.take(complete, batch);
        if result.is_ok() && self.buffer.len() > limits.query_bytes_max {
            return Err(ParseError::QueryLimit);
        }
        result
    }

    /// Move the first `complete` bytes to the batch and shift what is known of the unfinished request.
    fn take(&mut self, complete: usize, batch: &mut Batch) {
        if complete == 0 {
            return;
        }
        if batch.ends.is_empty() {
            self.buffer.advance(complete);
        } else {
            batch.bytes = self.buffer.split_to(complete).freeze();
        }
        self.progress.position -= complete;
        for (start, end) in &mut self.progress.args {
            *start -= complete as u32;
            *end -= complete as u32;
        }
    }

    /// Parse on; true when a request (perhaps an empty one) is complete.
    fn request(&mut self, limits: &Limits) -> Result<bool, ParseError> {
        let Progress { missing, position, .. } = &mut self.progress;
        if *missing == 0 {
            match self.buffer.get(*position) {
                None => return Ok(false),
                Some(b'*') => {}
                Some(_) => return self.inline(),
            }
            let start = *position;
            let Some(count) = number_line(&self.buffer, position, ParseError::BigMultibulkCount)? else {
                return Ok(false);
            };
            let count = count.filter(|n| *n <= ARGS_MAX).ok_or(ParseError::MultibulkLength)?;
            if count > ARGS_MAX_UNAUTHENTICATED && !limits.authenticated {
                *position = start;
                return Err(ParseError::UnauthenticatedMultibulk);
            }
            if count <= 0 {
                return Ok(true);
            }
            *missing = count;
        }
        while self.progress.missing > 0 {
            if !self.bulk(limits)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One bulk string; false when bytes are missing.
    fn bulk(&mut self, limits: &Limits) -> Result<bool, ParseError> {
        let Progress { missing, bulk, position, args } = &mut self.progress;
        let length = if let Some(length) = *bulk {
            length
        } else {
            match self.buffer.get(*position) {
                None => return Ok(false),
                Some(b'$') => {}
                Some(other) => return Err(ParseError::ExpectedBulk(*other)),
            }
            let start = *position;
            let Some(length) = number_line(&self.buffer, position, ParseError::BigBulkCount)? else {
                return Ok(false);
            };
            let length = length
                .filter(|n| *n >= 0 && *n as usize <= limits.bulk_bytes_max)
                .ok_or(ParseError::BulkLength)?;
            if length > BULK_MAX_UNAUTHENTICATED && !limits.authenticated {
                *position = start;
                return Err(ParseError::UnauthenticatedBulk);
            }
            length as usize
        };
        if self.buffer.len() < *position + length + 2 {
            if bulk.is_none() {
                // A big value: make room for it once instead of growing step by step.
                self.buffer.reserve((*position + length + 2).saturating_sub(self.buffer.len()).min(1 << 26));
            }
            *bulk = Some(length);
            return Ok(false);
        }
        *bulk = None;
        args.push((*position as u32, (*position + length) as u32));
        *position += length + 2;
        *missing -= 1;
        Ok(true)
    }

    /// An inline command: words on a line, with the quoting of redis-cli.
    fn inline(&mut self) -> Result<bool, ParseError> {
        let Progress { position, args, .. } = &mut self.progress;
        let Some(length) = memchr::memchr(b'\n', &self.buffer[*position..]) else {
            return if self.buffer.len() - *position > INLINE_BYTES_MAX {
                Err(ParseError::BigInline)
            } else {
                Ok(false)
            };
        };
        let line = &self.buffer[*position..*position + length];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let words = split_args(line).map_err(|_| ParseError::UnbalancedQuotes)?;
        let size: usize = words.iter().map(Vec::len).sum();
        // Unquoting only ever shortens: the words are written back over the line that they came from.
        debug_assert!(size <= length);
        let mut at = *position;
        for word in &words {
            self.buffer[at..at + word.len()].copy_from_slice(word);
            args.push((at as u32, (at + word.len()) as u32));
            at += word.len();
        }
        *position += length + 1;
        Ok(true)
    }
}

/// The number of a header line at `position` (after its type byte); moves `position` past the line. `None` when
/// the line is unfinished, `Some(None)` when it is no number.
fn number_line(
    buffer: &[u8],
    position: &mut usize,
    too_long: ParseError,
) -> Result<Option<Option<i64>>, ParseError> {
    let rest = &buffer[*position + 1..];
    if let Some((number, length)) = short_number(rest) {
        *position += length + 3;
        return Ok(Some(Some(number)));
    }
    let Some(length) = memchr::memchr(b'\r', rest) else {
        return if rest.len() > INLINE_BYTES_MAX { Err(too_long) } else { Ok(None) };
    };
    if rest.len() < length + 2 {
        return Ok(None);
    }
    *position += length + 3;
    Ok(Some(integer(&rest[..length])))
}

/// The number of a complete line of a few digits, as nearly all are, and how many digits.
fn short_number(rest: &[u8]) -> Option<(i64, usize)> {
    let mut number = 0;
    for (index, byte) in rest.iter().take(8).enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + i64::from(byte - b'0'),
            b'\r' if index > 0 && rest.len() > index + 1 && (rest[0] != b'0' || index == 1) => {
                return Some((number, index));
            }
            _ => return None,
        }
    }
    None
}

fn integer(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 || (digits[0] == b'0' && (digits.len() > 1 || negative)) {
        return None;
    }
    let mut number = 0i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { bulk_bytes_max: 512 << 20, query_bytes_max: 1 << 30, authenticated: true };

    /// Feed `input` in pieces of `step` bytes and list the requests.
    fn requests(input: &[u8], step: usize, limits: &Limits) -> (Vec<Vec<String>>, Option<ParseError>) {
        let (mut parser, mut batch, mut all) = (Parser::default(), Batch::default(), Vec::new());
        for piece in input.chunks(step) {
            parser.buffer.extend_from_slice(piece);
            let result = parser.parse(limits, &mut batch);
            for index in 0..batch.len() {
                let words = batch.get(index).rest(0).map(|word| String::from_utf8_lossy(word).into_owned());
                all.push(words.collect());
            }
            if let Err(error) = result {
                return (all, Some(error));
            }
        }
        (all, None)
    }

    #[test]
    fn requests_come_out_whole_however_they_are_cut() {
        let input =
            b"*2\r\n$4\r\nECHO\r\n$5\r\na\r\nbc\r\nPING \"x y\" 'z'\r\n\r\n*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n";
        let whole = requests(input, input.len(), &LIMITS);
        assert_eq!(whole.0, [vec!["ECHO", "a\r\nbc"], vec!["PING", "x y", "z"], vec!["PING"]]);
        for step in 1..20 {
            assert_eq!(requests(input, step, &LIMITS), whole, "cut every {step} bytes");
        }
    }

    #[test]
    fn broken_frames_are_named_after_the_requests_before_them() {
        let error = |input: &[u8]| requests(input, input.len(), &LIMITS);
        assert_eq!(
            error(b"PING\r\n*1\r\n!x\r\n"),
            (vec![vec!["PING".into()]], Some(ParseError::ExpectedBulk(b'!')))
        );
        assert_eq!(error(b"*x\r\n").1, Some(ParseError::MultibulkLength));
        assert_eq!(error(b"*1\r\n$-1\r\n").1, Some(ParseError::BulkLength));
        assert_eq!(error(b"*1\r\n$600000000\r\n").1, Some(ParseError::BulkLength));
        assert_eq!(error(b"SET \"a\r\n").1, Some(ParseError::UnbalancedQuotes));
        assert_eq!(error(&vec![b'a'; 70_000]).1, Some(ParseError::BigInline));
    }

    #[test]
    fn strangers_may_send_little() {
        let stranger = Limits { authenticated: false, ..LIMITS };
        let error = |input: &[u8]| requests(input, input.len(), &stranger).1;
        assert_eq!(error(b"*11\r\n"), Some(ParseError::UnauthenticatedMultibulk));
        assert_eq!(error(b"*1\r\n$16385\r\n"), Some(ParseError::UnauthenticatedBulk));
        assert_eq!(error(b"*1\r\n$4\r\nPING\r\n"), None);
    }
}
