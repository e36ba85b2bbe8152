//! Holds a dialogue with a peer.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use crate::notation::{Captured, show};
use crate::script::{Request, Script, Side, Step, What};
use crate::wire::{self, Value};

/// With whom the dialogue is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Engine,
    Server,
    Redis,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Who::Engine => "our engine",
            Who::Server => "our server",
            Who::Redis => "redis-server",
        })
    }
}

/// What came instead of a reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Instead {
    Nothing,
    Closed,
    Garbage(String),
}

/// How long a reply, or a condition, is waited for before that is a disagreement.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who answers requests on connections with names.
pub trait Peer {
    fn send(&mut self, connection: &str, bytes: &[u8]) -> Result<(), String>;
    /// The next reply; waits for it.
    fn receive(&mut self, connection: &str) -> Result<Value, Instead>;
    /// Waits until so many connections are blocked.
    fn blocked(&mut self, count: usize) -> Result<(), String>;
    fn close(&mut self, connection: &str, half: bool);
    /// Lets a little time pass between tries.
    fn pass(&mut self, time: Duration);
}

pub fn run(name: &str, script: &Script, who: Who, peer: &mut dyn Peer) -> Vec<String> {
    let mut dialogue =
        Dialogue { who, peer, captured: Captured::new(), blocked: BTreeSet::new(), only: None };
    let mut disagreements = Vec::new();
    let mut steps = script.steps.iter().peekable();
    while let Some((line, step)) = steps.next() {
        let outcome = match step {
            Step::Send { connection, request, until: true } if dialogue.takes_part() => {
                let replies: Vec<&Step> = std::iter::from_fn(|| {
                    steps.next_if(|(_, step)| matches!(step, Step::Expect { .. })).map(|(_, step)| step)
                })
                .collect();
                dialogue.until(connection, request, &replies)
            }
            _ => dialogue.step(step),
        };
        if let Err(error) = outcome {
            disagreements.push(format!("{name}:{line}: {who}: {error}"));
            if disagreements.len() >= 12 {
                disagreements.push(format!("{name}: {who}: and so on"));
                break;
            }
        }
    }
    disagreements
}

struct Dialogue<'p> {
    who: Who,
    peer: &'p mut dyn Peer,
    captured: Captured,
    blocked: BTreeSet<String>,
    only: Option<Side>,
}

impl Dialogue<'_> {
    fn takes_part(&self) -> bool {
        self.only.is_none_or(|side| side.includes(self.who))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        if let Step::Only(side) = step {
            self.only = *side;
            return Ok(());
        }
        if !self.takes_part() {
            return Ok(());
        }
        match step {
            Step::Send { connection, request, .. } => self.send(connection, request),
            Step::Expect { side: Some(side), .. } if !side.includes(self.who) => Ok(()),
            Step::Expect { connection, what, .. } => self.expect(connection, what),
            Step::Close { connection, half } => {
                self.blocked.remove(connection);
                self.peer.close(connection, *half);
                Ok(())
            }
            Step::Only(_) => Ok(()),
        }
    }

    fn send(&mut self, connection: &str, request: &Request) -> Result<(), String> {
        let bytes = match request {
            Request::Raw(bytes) => bytes.clone(),
            Request::Words(words) => {
                wire::encode(&words.iter().map(|word| self.filled(word)).collect::<Vec<_>>())
            }
        };
        self.peer.send(connection, &bytes)
    }

    /// A word with captured texts in the place of `${name}`.
    fn filled(&self, word: &[u8]) -> Vec<u8> {
        let mut text = word.to_vec();
        for (name, value) in &self.captured {
            let mark = format!("${{{name}}}").into_bytes();
            while let Some(at) = text.windows(mark.len()).position(|window| window == mark) {
                text.splice(at..at + mark.len(), value.iter().copied());
            }
        }
        text
    }

    fn expect(&mut self, connection: &str, what: &What) -> Result<(), String> {
        match what {
            What::Blocked => {
                self.blocked.insert(connection.to_owned());
                self.peer.blocked(self.blocked.len())
            }
            What::Nothing => {
                // A request whose reply would come after any that is on its way.
                self.peer.send(connection, &wire::encode(&["PING"]))?;
                match self.peer.receive(connection) {
                    Ok(Value::Status(text)) if text == b"PONG" => Ok(()),
                    Ok(Value::Many(_, items)) if items.first() == Some(&Value::Bulk(b"pong".to_vec())) => {
                        Ok(())
                    }
                    other => Err(format!("expected nothing, got {}", came(&other))),
                }
            }
            What::Closed => match self.peer.receive(connection) {
                Err(Instead::Closed) => Ok(()),
                other => Err(format!("expected the end of the connection, got {}", came(&other))),
            },
            What::Reply(pattern) => {
                self.blocked.remove(connection);
                let reply = self.peer.receive(connection);
                match &reply {
                    Ok(value) if pattern.matches(value, &mut self.captured) => Ok(()),
                    other => Err(format!("\n  expected {}\n  got      {}", expected(pattern), came(other))),
                }
            }
        }
    }

    /// Sends a request again and again until it is answered as expected.
    fn until(&mut self, connection: &str, request: &Request, replies: &[&Step]) -> Result<(), String> {
        let start = Instant::now();
        loop {
            self.send(connection, request)?;
            let mut outcome = Ok(());
            for step in replies {
                let tried = self.step(step);
                outcome = outcome.and(tried);
            }
            if outcome.is_ok() || start.elapsed() > PATIENCE {
                return outcome;
            }
            self.peer.pass(Duration::from_millis(5));
        }
    }
}

fn came(reply: &Result<Value, Instead>) -> String {
    match reply {
        Ok(value) => show(value),
        Err(Instead::Nothing) => "nothing".into(),
        Err(Instead::Closed) => "the end of the connection".into(),
        Err(Instead::Garbage(what)) => format!("garbage: {what}"),
    }
}

fn expected(pattern: &crate::notation::Pattern) -> String {
    use crate::notation::Pattern;
    match pattern {
        Pattern::Anything => "*".into(),
        Pattern::Exactly(value) => show(value),
        Pattern::Like(value) => format!("~{}", show(value)),
        Pattern::Between(i64::MIN, i64::MAX) => "~:".into(),
        Pattern::Between(low, high) => format!("~:{low}..{high}"),
        Pattern::Capture(name) => format!("${name}"),
        Pattern::Many { shape, items, any_order, more } => {
            let open = show(&Value::Many(*shape, Vec::new()));
            let open = open.trim_end_matches(" ]");
            let mark = if *any_order { "?" } else { "" };
            let items: Vec<String> = items.iter().map(expected).collect();
            format!("{open}{mark} {}{} ]", items.join(" "), if *more { " ..." } else { "" })
        }
    }
}
