//! The commands that took long, or many bytes, newest first, shortened and without passwords.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::command::Spec;
use crate::resp::Request;
use crate::session::Client;

/// Words and bytes of a word that are kept, as in Redis.
const WORDS_MAX: usize = 32;
const WORD_BYTES_MAX: usize = 128;

#[derive(Debug, Clone)]
pub struct SlowEntry {
    pub id: i64,
    pub time_s: u64,
    /// Microseconds, or bytes.
    pub amount: u64,
    pub words: Vec<Bytes>,
    pub address: String,
    pub name: Bytes,
}

#[derive(Debug, Default)]
pub struct SlowLog {
    entries: VecDeque<SlowEntry>,
    next: i64,
}

impl SlowLog {
    pub fn newest(&self) -> impl ExactSizeIterator<Item = &SlowEntry> {
        self.entries.iter()
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub fn shorten(&mut self, most: u64) {
        self.entries.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    }

    /// A request of a client took so many microseconds or bytes, at this second since 1970.
    pub fn add(
        &mut self,
        (spec, request): (&Spec, Request<'_>),
        client: &Client,
        (amount, time_s): (u64, u64),
        most: u64,
    ) {
        let entry = SlowEntry {
            id: self.next,
            time_s,
            amount,
            words: words(spec, request),
            address: client.address.clone(),
            name: client.name.clone(),
        };
        self.next += 1;
        self.entries.push_front(entry);
        self.shorten(most);
    }
}

fn words(spec: &Spec, request: Request<'_>) -> Vec<Bytes> {
    let kept = if request.len() > WORDS_MAX { WORDS_MAX - 1 } else { request.len() };
    let secret = secrets(spec, request);
    let mut words: Vec<Bytes> =
        (0..kept)
            .map(|index| {
                if secret(index) { Bytes::from_static(b"(redacted)") } else { shortened(request.arg(index)) }
            })
            .collect();
    if request.len() > kept {
        words.push(format!("... ({} more arguments)", request.len() - kept).into());
    }
    words
}

/// The words of a request, but for those that are nobody's business.
pub fn shown<'r>(spec: &Spec, request: Request<'r>) -> impl Iterator<Item = &'r [u8]> + use<'r> {
    let secret = secrets(spec, request);
    (0..request.len()).map(move |index| if secret(index) { b"(redacted)" } else { request.arg(index) })
}

/// Which words of a request are nobody's business.
fn secrets<'r>(spec: &Spec, request: Request<'r>) -> impl Fn(usize) -> bool + use<'r> {
    let is = move |index: usize, word: &str| {
        request.get(index).is_some_and(|other| other.eq_ignore_ascii_case(word.as_bytes()))
    };
    let name = spec.full_name;
    move |index| match name {
        "AUTH" => index > 0,
        "ACL|SETUSER" => index >= 2,
        "HELLO" => index >= 2 && (is(index - 1, "AUTH") || is(index - 2, "AUTH")),
        "CONFIG|SET" => index >= 3 && (is(index - 1, "requirepass") || is(index - 1, "masterauth")),
        _ => false,
    }
}

fn shortened(word: &[u8]) -> Bytes {
    if word.len() <= WORD_BYTES_MAX {
        return Bytes::copy_from_slice(word);
    }
    let mut short = word[..WORD_BYTES_MAX].to_vec();
    short.extend_from_slice(format!("... ({} more bytes)", word.len() - WORD_BYTES_MAX).as_bytes());
    short.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Batch;

    fn logged(full_name: &'static str, request: &[&str]) -> Vec<String> {
        let spec = Spec { full_name, ..Spec::BASE };
        let batch = Batch::of(request);
        let mut log = SlowLog::default();
        log.add((&spec, batch.get(0)), &Client::new(1, "a".into(), "b".into()), (1, 2), 1);
        let words = &log.newest().next().unwrap().words;
        words.iter().map(|word| String::from_utf8(word.to_vec()).unwrap()).collect()
    }

    #[test]
    fn long_requests_are_shortened_and_secrets_left_out() {
        let long = "x".repeat(200);
        assert_eq!(logged("ECHO", &["ECHO", &long])[1], format!("{}... (72 more bytes)", "x".repeat(128)));
        let many = logged("DEL", &["k"; 40]);
        assert_eq!((many.len(), many[31].as_str()), (32, "... (9 more arguments)"));
        assert_eq!(logged("AUTH", &["AUTH", "me", "pw"]), ["AUTH", "(redacted)", "(redacted)"]);
        assert_eq!(
            logged("HELLO", &["HELLO", "3", "auth", "me", "pw", "SETNAME", "x"]),
            ["HELLO", "3", "auth", "(redacted)", "(redacted)", "SETNAME", "x"]
        );
        assert_eq!(
            logged("CONFIG|SET", &["CONFIG", "SET", "hz", "5", "requirepass", "pw"]),
            ["CONFIG", "SET", "hz", "5", "requirepass", "(redacted)"]
        );
    }

    #[test]
    fn only_the_newest_stay() {
        let spec = Spec { full_name: "PING", ..Spec::BASE };
        let (batch, client) = (Batch::of(&["PING"]), Client::new(1, "a".into(), "b".into()));
        let mut log = SlowLog::default();
        (0..5).for_each(|micros| log.add((&spec, batch.get(0)), &client, (micros, 0), 3));
        assert_eq!(log.newest().map(|entry| entry.id).collect::<Vec<_>>(), [4, 3, 2]);
    }
}
