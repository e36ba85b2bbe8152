//! The rows of the table: what is sent, and what has to be there before.

use super::Outcome;
use super::options::Options;
use super::replies::Replies;
use super::server::{Flavour, Server};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

const LISTS: usize = 1000;
const ITEM: &[u8] = b"sixteen-byte-val";
const RANGE: usize = 100;
const MSET_KEYS: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    Get,
    Set,
    Incr,
    Lpush,
    Lrange,
    Mset,
    /// SET, answered when a replica has it.
    Sync,
}

impl Row {
    pub const ALL: [Row; 7] = [Row::Get, Row::Set, Row::Incr, Row::Lpush, Row::Lrange, Row::Mset, Row::Sync];

    pub fn named(name: &str) -> Result<Row, String> {
        let row = Row::ALL.into_iter().find(|row| row.option() == name);
        row.ok_or_else(|| format!("there is no row {name}"))
    }

    pub fn option(self) -> &'static str {
        match self {
            Row::Get => "get",
            Row::Set => "set",
            Row::Incr => "incr",
            Row::Lpush => "lpush",
            Row::Lrange => "lrange",
            Row::Mset => "mset",
            Row::Sync => "sync",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Row::Get => "GET",
            Row::Set => "SET",
            Row::Incr => "INCR",
            Row::Lpush => "LPUSH",
            Row::Lrange => "LRANGE 100",
            Row::Mset => "MSET 10",
            Row::Sync => "SET, on two nodes",
        }
    }
}

/// Requests that are sent at once, and what comes back.
pub struct Batch {
    pub bytes: Vec<u8>,
    pub replies: usize,
    pub operations: usize,
}

/// A small generator of numbers; the same sequence for both servers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

pub fn command(words: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn key(number: usize) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

fn list(number: usize) -> Vec<u8> {
    format!("list:{number:011}").into_bytes()
}

fn counter(number: usize) -> Vec<u8> {
    format!("count:{number:010}").into_bytes()
}

/// The batches of a row, which all connections go through in a circle.
pub fn batches(row: Row, pipeline: usize, flavour: Flavour, options: &Options) -> Vec<Batch> {
    let mut numbers = Numbers(0x5eed_0003);
    let operations = options.keys.min(20_000).max(pipeline);
    let value = vec![b'v'; options.value_bytes];
    let one = || {
        let mut bytes = Vec::new();
        for _ in 0..pipeline {
            operation(row, &mut numbers, &value, options.keys, &mut bytes);
        }
        let waits = usize::from(row == Row::Sync && flavour == Flavour::Redis);
        if waits > 0 {
            command(&[b"WAIT", b"1", b"0"], &mut bytes);
        }
        Batch { bytes, replies: pipeline + waits, operations: pipeline }
    };
    std::iter::repeat_with(one).take(operations.div_ceil(pipeline)).collect()
}

fn operation(row: Row, numbers: &mut Numbers, value: &[u8], keys: usize, out: &mut Vec<u8>) {
    match row {
        Row::Get => command(&[b"GET", &key(numbers.below(keys))], out),
        Row::Set | Row::Sync => command(&[b"SET", &key(numbers.below(keys)), value], out),
        Row::Incr => command(&[b"INCR", &counter(numbers.below(keys))], out),
        Row::Lpush => command(&[b"LPUSH", &list(numbers.below(LISTS)), ITEM], out),
        Row::Lrange => {
            let last = (RANGE - 1).to_string();
            command(&[b"LRANGE", &list(numbers.below(LISTS)), b"0", last.as_bytes()], out);
        }
        Row::Mset => {
            let keys: Vec<Vec<u8>> = (0..MSET_KEYS).map(|_| key(numbers.below(keys))).collect();
            let pairs = keys.iter().flat_map(|key| [key.as_slice(), value]);
            command(&std::iter::once(&b"MSET"[..]).chain(pairs).collect::<Vec<_>>(), out);
        }
    }
}

/// Puts into a fresh server what the row reads or overwrites.
pub fn fill(row: Row, server: &Server, options: &Options) -> Outcome<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
    let value = vec![b'v'; options.value_bytes];
    let (names, words): (Vec<Vec<u8>>, Vec<&[u8]>) = match row {
        Row::Lrange => ((0..LISTS).map(list).collect(), vec![ITEM; RANGE]),
        // These begin with nothing.
        Row::Lpush | Row::Incr => return Ok(()),
        _ => ((0..options.keys).map(key).collect(), vec![&value]),
    };
    let verb: &[u8] = if row == Row::Lrange { b"RPUSH" } else { b"SET" };
    for some in names.chunks(200) {
        let mut bytes = Vec::new();
        for name in some {
            command(&[&[verb, name], &words[..]].concat(), &mut bytes);
        }
        stream.write_all(&bytes)?;
        receive(&mut stream, some.len())?;
    }
    Ok(())
}

fn receive(stream: &mut TcpStream, replies: usize) -> Outcome<()> {
    let mut reader = Replies::default();
    let mut buffer = vec![0; 64 << 10];
    let mut seen = 0;
    while seen < replies {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err("the server closed the connection while it was being filled".into());
        }
        seen += reader.take(&buffer[..length])?;
    }
    Ok(())
}
