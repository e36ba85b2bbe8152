//! Reads back what one client wrote, through the same Service, as often as it takes.

use super::Shared;
use super::load::connect;
use crate::history::{Found, Kind, Operation};
use crate::resp::{Client, Reply};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

const TIME_MAX: Duration = Duration::from_mins(1);
const RETRY_EVERY: Duration = Duration::from_millis(200);
const KEYS_AT_ONCE: usize = 200;
const ELEMENTS_AT_ONCE: usize = 1_000;

pub fn read(shared: &Shared, client: usize, operations: &[Operation]) -> Result<Found, String> {
    let deadline = Instant::now() + TIME_MAX;
    loop {
        match connect(shared).and_then(|mut open| read_once(shared, &mut open, client, operations)) {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() > deadline => return Err(format!("could not read back: {error}")),
            Err(_) => thread::sleep(RETRY_EVERY),
        }
    }
}

fn read_once(
    shared: &Shared,
    open: &mut Client,
    client: usize,
    operations: &[Operation],
) -> io::Result<Found> {
    let mut found = Found::default();
    let numbers: Vec<u64> = operations
        .iter()
        .filter(|operation| operation.kind == Kind::Set)
        .map(|operation| operation.number)
        .collect();
    for numbers in numbers.chunks(KEYS_AT_ONCE) {
        let keys: Vec<String> =
            numbers.iter().map(|&number| Kind::Set.key(&shared.run, client, number)).collect();
        let command: Vec<&str> = ["MGET"].into_iter().chain(keys.iter().map(String::as_str)).collect();
        let values = strings(open.call(&command)?)?;
        if values.len() != numbers.len() {
            return Err(io::Error::other("MGET answered another number of values"));
        }
        let held = numbers.iter().zip(values).filter_map(|(&number, value)| Some((number, value?)));
        found.sets.extend(held);
    }
    found.register = string(open.call(&["GET", &Kind::Register.key(&shared.run, client, 0)])?)?;
    found.counter = string(open.call(&["GET", &Kind::Increment.key(&shared.run, client, 0)])?)?;
    let key = Kind::Push.key(&shared.run, client, 0);
    loop {
        let first = found.list.len().to_string();
        let last = (found.list.len() + ELEMENTS_AT_ONCE - 1).to_string();
        let elements = strings(open.call(&["LRANGE", &key, &first, &last])?)?;
        if elements.is_empty() {
            return Ok(found);
        }
        found.list.extend(elements.into_iter().flatten());
    }
}

fn string(reply: Reply) -> io::Result<Option<String>> {
    match reply {
        Reply::Bulk(text) => Ok(text),
        other => Err(io::Error::other(format!("unexpected {other:?}"))),
    }
}

fn strings(reply: Reply) -> io::Result<Vec<Option<String>>> {
    match reply {
        Reply::Array(elements) => elements.into_iter().map(string).collect(),
        other => Err(io::Error::other(format!("unexpected {other:?}"))),
    }
}
