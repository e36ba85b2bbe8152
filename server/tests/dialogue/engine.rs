//! The engine in this process: no sockets, and time passes only when somebody waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use botellier_server::config::Config;
use botellier_server::engine::{Engine, Forgetful, Progress};
use botellier_server::resp::{Batch, Failure, Limits, Parser, encode};
use botellier_server::session::ClientId;

use crate::run::{Instead, PATIENCE, Peer};
use crate::wire::{self, Value};

pub struct InProcess {
    engine: Engine,
    now_ms: u64,
    connections: BTreeMap<String, Connection>,
}

#[derive(Default)]
struct Connection {
    id: ClientId,
    parser: Parser,
    /// Requests that were read and not run yet, and the index of the next.
    batches: VecDeque<(Batch, usize)>,
    blocked: bool,
    output: Vec<u8>,
    ended: bool,
}

impl InProcess {
    pub fn start(args: &[String]) -> Result<Self, String> {
        let config = Config::from_args(args).map_err(|error| error.to_string())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let engine = Engine::new(Arc::new(config), Box::new(Forgetful::default()), 1);
        Ok(Self { engine, now_ms: now.as_millis() as u64, connections: BTreeMap::new() })
    }

    fn connection(&mut self, name: &str) -> &mut Connection {
        let engine = &mut self.engine;
        self.connections.entry(name.to_owned()).or_insert_with(|| {
            let needs_password = engine.server.needs_password();
            let client = engine.clients.connect("127.0.0.1:1".into(), "127.0.0.1:2".into());
            client.authenticated = !needs_password;
            Connection { id: client.id, ..Connection::default() }
        })
    }

    /// Everything that can go on goes on.
    fn turn(&mut self) {
        let mut again = true;
        while again {
            again = false;
            for connection in self.connections.values_mut() {
                again |= connection.go_on(&mut self.engine, self.now_ms);
            }
        }
    }

    fn advance(&mut self, time: Duration) {
        self.now_ms += time.as_millis() as u64;
        self.engine.tick(self.now_ms);
        self.turn();
    }
}

impl Connection {
    fn go_on(&mut self, engine: &mut Engine, now_ms: u64) -> bool {
        self.blocked = engine.clients.get(self.id).is_some_and(|client| client.blocked.is_some());
        let mut moved = false;
        while !self.blocked && !self.ended {
            let Some((batch, from)) = self.batches.pop_front() else { break };
            moved = true;
            match engine.execute(self.id, &batch, from, now_ms) {
                Progress::Done => {}
                Progress::Blocked(next) => self.batches.push_front((batch, next)),
                Progress::Close => self.ended = true,
                Progress::Forward(next) => {
                    self.output.extend_from_slice(b"-ERR nothing is forwarded here\r\n");
                    self.batches.push_front((batch, next + 1));
                }
            }
            for (id, _) in engine.take_orders() {
                engine.answer(id, Failure::new("ERR no node is here to carry out an order").into());
            }
            self.blocked = engine.clients.get(self.id).is_some_and(|client| client.blocked.is_some());
        }
        let mut outs = Vec::new();
        engine.output(self.id, &mut outs);
        for out in outs {
            moved = true;
            encode(&out.reply, out.protocol, &mut self.output);
        }
        let gone = engine.clients.get(self.id).is_none_or(|client| client.killed || client.closing);
        self.ended |= gone;
        moved
    }
}

impl Peer for InProcess {
    fn send(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let id = self.connection(name).id;
        let config = self.engine.server.config.clone();
        let authenticated = self.engine.clients.get(id).is_some_and(|client| client.authenticated);
        let limits = Limits {
            bulk_bytes_max: config.proto_max_bulk_len as usize,
            query_bytes_max: config.client_query_buffer_limit as usize,
            authenticated: authenticated || !self.engine.server.needs_password(),
        };
        let connection = self.connection(name);
        connection.parser.buffer.extend_from_slice(bytes);
        let mut batch = Batch::default();
        let parsed = connection.parser.parse(&limits, &mut batch);
        connection.batches.push_back((batch, 0));
        self.turn();
        if let Err(error) = parsed {
            let connection = self.connection(name);
            connection.output.extend_from_slice(format!("-{error}\r\n").as_bytes());
            connection.ended = true;
        }
        Ok(())
    }

    fn receive(&mut self, name: &str) -> Result<Value, Instead> {
        let mut waited = Duration::ZERO;
        loop {
            let connection = self.connection(name);
            match wire::decode(&connection.output) {
                Ok(Some((value, length))) => {
                    connection.output.drain(..length);
                    return Ok(value);
                }
                Ok(None) if connection.ended => return Err(Instead::Closed),
                Ok(None) if waited > PATIENCE => return Err(Instead::Nothing),
                Ok(None) => {
                    let step = Duration::from_millis(10);
                    waited += step;
                    self.advance(step);
                }
                Err(error) => return Err(Instead::Garbage(error)),
            }
        }
    }

    fn blocked(&mut self, count: usize) -> Result<(), String> {
        let blocked = self.connections.values().filter(|connection| connection.blocked).count();
        if blocked == count {
            Ok(())
        } else {
            Err(format!("expected {count} blocked clients, found {blocked}"))
        }
    }

    fn close(&mut self, name: &str, _half: bool) {
        if let Some(connection) = self.connections.remove(name) {
            self.engine.disconnect(connection.id);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.advance(time);
    }
}
