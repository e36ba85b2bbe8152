//! What clients may ask: no command panics, whatever its words are, and a node that replays what was logged holds the same
//! data.
//!
//! The bytes are requests as a socket brings them, so a corpus reads as lines of commands. A line that is a digit goes on
//! with that client, and `+250` lets 250 ms pass.

use std::sync::Arc;

use botellier_server::config::Config;
use botellier_server::engine::{Engine, Keeping, Progress, Records};
use botellier_server::resp::{Batch, Failure, Limits, Parser, Request};
use botellier_server::session::ClientId;
use botellier_server::value::rdb;

const CLIENTS: usize = 4;
const NOW_MS: u64 = 1_700_000_000_000;
/// Replies to `SRANDMEMBER` and its like are as long as was asked for.
const RANDOM_COUNT_MIN: i64 = -1000;
/// Lua has no part in this: what a script runs are these commands.
const SCRIPTS: &[&str] =
    &["eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro", "function", "script"];
const RANDOM: &[&str] = &["hrandfield", "srandmember", "zrandmember"];

pub fn run(data: &[u8]) {
    let batch = requests(data);
    let mut node = Node::start();
    for index in 0..batch.len() {
        node.take(&batch.get(index));
    }
    node.compare_with_a_follower();
}

/// The requests before the first broken one.
pub fn requests(data: &[u8]) -> Batch {
    let limits = Limits { bulk_bytes_max: 1 << 20, query_bytes_max: 1 << 20, authenticated: true };
    let (mut parser, mut batch) = (Parser::default(), Batch::default());
    parser.buffer.extend_from_slice(data);
    let _ = parser.parse(&limits, &mut batch);
    batch
}

/// An engine with its clients, and what it logged.
pub struct Node {
    engine: Engine,
    records: Records,
    clients: [ClientId; CLIENTS],
    chosen: usize,
    now_ms: u64,
}

impl Node {
    #[must_use]
    pub fn start() -> Self {
        let config = Config::from_args(["--proto-max-bulk-len", "1mb"]).expect("valid settings");
        let journal = Keeping::default();
        let records = journal.records.clone();
        let engine = Engine::new(Arc::new(config), Box::new(journal), 1);
        let mut node = Self { engine, records, clients: [0; CLIENTS], chosen: 0, now_ms: NOW_MS };
        node.clients = std::array::from_fn(|_| node.connect());
        node
    }

    fn connect(&mut self) -> ClientId {
        self.engine.clients.connect("127.0.0.1:1".into(), "127.0.0.1:2".into()).id
    }

    pub fn take(&mut self, request: &Request<'_>) {
        match request.arg(0) {
            [digit @ b'0'..=b'9'] => self.chosen = usize::from(digit - b'0') % CLIENTS,
            [b'+', ms @ ..] => self.pass(ms),
            _ if too_much(request) => {}
            _ => self.ask(request),
        }
    }

    fn pass(&mut self, ms: &[u8]) {
        let ms = std::str::from_utf8(ms).ok().and_then(|ms| ms.parse::<u32>().ok()).unwrap_or_default();
        self.now_ms += u64::from(ms);
        self.engine.tick(self.now_ms);
    }

    /// A client that waits asks nothing more until it is served.
    fn ask(&mut self, request: &Request<'_>) {
        let Some(client) = self.engine.clients.get(self.clients[self.chosen]) else {
            self.clients[self.chosen] = self.connect();
            return;
        };
        if client.blocked.is_some() {
            return;
        }
        let id = client.id;
        let progress = self.engine.execute(id, &request.to_batch(), 0, self.now_ms);
        for (id, _) in self.engine.take_orders() {
            self.engine.answer(id, Failure::new("ERR no node is here to carry out an order").into());
        }
        for id in self.clients {
            self.engine.output(id, &mut Vec::new());
        }
        if progress == Progress::Close {
            self.engine.disconnect(id);
            self.clients[self.chosen] = self.connect();
        }
    }

    /// The payloads of all records.
    pub fn payloads(&self) -> impl Iterator<Item = Vec<u8>> + use<> {
        self.records.lock().clone().into_iter().map(|(_, payload)| payload)
    }

    /// All values as [`super::values::run`] takes them.
    pub fn values(&self) -> impl Iterator<Item = Vec<u8>> {
        let entries = self.engine.keyspace.databases().iter().flat_map(|database| database.table().iter());
        entries.map(|entry| {
            let mut bytes = vec![rdb::type_byte(&entry.value)];
            rdb::encode(&entry.value, &mut bytes);
            bytes
        })
    }

    fn compare_with_a_follower(&self) {
        let mut follower = Self::start();
        for (time_ms, payload) in self.records.lock().iter() {
            follower.engine.replay(*time_ms, payload, 0).expect("what was logged can be replayed");
        }
        assert_eq!(self.engine.keyspace.digest(), follower.engine.keyspace.digest(), "on a follower");
    }
}

fn too_much(request: &Request<'_>) -> bool {
    let name = String::from_utf8_lossy(request.arg(0)).to_ascii_lowercase();
    let number = |word: &[u8]| std::str::from_utf8(word).ok().and_then(|word| word.parse::<i64>().ok());
    SCRIPTS.contains(&name.as_str())
        || RANDOM.contains(&name.as_str())
            && request.rest(1).filter_map(number).any(|number| number < RANDOM_COUNT_MIN)
}
