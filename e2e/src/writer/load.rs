//! One client: a command at a time, at a steady pace, a new connection after every error.

use super::Shared;
use crate::history::{Kind, Operation, Outcome, value};
use crate::resp::{Client, Reply};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const CONNECT_TIME_MAX: Duration = Duration::from_millis(250);
/// A reply may take a failover's time; a client of today would hardly wait longer.
const REPLY_TIME_MAX: Duration = Duration::from_secs(1);
/// A client begins an operation no sooner than this after the one before.
const PACE: Duration = Duration::from_millis(4);
const OPERATIONS_MAX: u64 = 250_000;
/// Errors by which a server says that it has not carried out the command.
const REFUSALS: [&str; 5] = ["READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "WRONGPASS"];

#[derive(Default)]
pub struct History {
    pub operations: Vec<Operation>,
    pub errors: BTreeMap<String, u64>,
}

pub fn run(shared: &Shared, client: usize) -> History {
    let mut history = History::default();
    let mut connection = None;
    let mut number = 0;
    while !shared.stopped.load(Ordering::Relaxed) && number < OPERATIONS_MAX {
        let began = Instant::now();
        match connection.take().map_or_else(|| connect(shared), Ok) {
            Ok(mut open) => {
                let (outcome, error) = operate(shared, &mut open, client, number);
                let at_ms = shared.elapsed_ms();
                history.operations.push(Operation { client, number, kind: Kind::of(number), outcome, at_ms });
                number += 1;
                match error {
                    None => {
                        shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                        connection = Some(open);
                    }
                    Some(error) => *history.errors.entry(error).or_default() += 1,
                }
            }
            Err(error) => *history.errors.entry(format!("connect: {}", error.kind())).or_default() += 1,
        }
        thread::sleep(PACE.saturating_sub(began.elapsed()));
    }
    history
}

pub fn connect(shared: &Shared) -> io::Result<Client> {
    let mut client = Client::connect(shared.address, CONNECT_TIME_MAX, REPLY_TIME_MAX)?;
    if let Some(password) = &shared.password {
        match client.call(&["AUTH", password])? {
            Reply::Status(_) => {}
            other => return Err(io::Error::other(format!("AUTH was answered by {other:?}"))),
        }
    }
    Ok(client)
}

/// One write: what became of it, and the error's name if it was not acknowledged.
fn operate(
    shared: &Shared,
    connection: &mut Client,
    client: usize,
    number: u64,
) -> (Outcome, Option<String>) {
    let kind = Kind::of(number);
    let key = kind.key(&shared.run, client, number);
    let reply = match kind {
        Kind::Set => connection.call(&["SET", &key, &value(client, number)]),
        Kind::Register => connection.call(&["SET", &key, &number.to_string()]),
        Kind::Increment => connection.call(&["INCR", &key]),
        Kind::Push => connection.call(&["RPUSH", &key, &number.to_string()]),
    };
    match (kind, reply) {
        (Kind::Set | Kind::Register, Ok(Reply::Status(_))) => (Outcome::Acknowledged(0), None),
        (Kind::Increment | Kind::Push, Ok(Reply::Integer(reply))) => (Outcome::Acknowledged(reply), None),
        (_, Ok(Reply::Error(message))) => {
            let code = message.split(' ').next().unwrap_or_default().to_owned();
            let refused = REFUSALS.contains(&code.as_str());
            (if refused { Outcome::Refused } else { Outcome::Ambiguous }, Some(code))
        }
        (_, Ok(other)) => (Outcome::Ambiguous, Some(format!("odd reply {other:?}"))),
        (_, Err(error)) => (Outcome::Ambiguous, Some(error.kind().to_string())),
    }
}
