//! Clients: each asks one thing at a time of some node, and remembers what it was told.

use std::collections::BTreeSet;

use botellier_e2e::history::linear::{Operation, Reply, Step};
use botellier_server::replication::gate::{Pass, Term};
use botellier_server::resp::{self, Batch};
use botellier_server::session::{ClientId, LEASE_ONLY, Offset, Out};

use crate::rng::Rng;
use crate::world::{Item, MS, World};

/// A client gives up after this.
const PATIENCE: u64 = 2_000 * MS;
/// Operations after which other keys are used, so that no history of one key grows long.
const OPERATIONS_PER_KEY: u64 = 60;

#[derive(Default)]
pub struct Caller {
    connection: Option<Connection>,
    pending: Option<Pending>,
}

#[derive(Clone, Copy)]
struct Connection {
    host: usize,
    generation: u64,
    client: ClientId,
}

struct Pending {
    steps: Vec<Step>,
    invoked: u64,
    outs: Vec<Out>,
    /// How many replies there will be.
    expected: usize,
    term: Term,
    transaction: bool,
}

/// What became of an operation.
enum Fate {
    Answered(Vec<Reply>),
    /// The server said that it has not done it.
    Refused,
    Unknown,
}

fn choose(rng: &mut Rng, count: u64) -> Vec<Step> {
    let turn = count / OPERATIONS_PER_KEY;
    let value = count.to_string();
    let key = |kind: &str| format!("{kind}:{turn}");
    let register = |rng: &mut Rng| format!("register-{}:{turn}", rng.below(2));
    let write_or_read = rng.percent(50);
    match rng.below(6) {
        0 if write_or_read => vec![Step::Set(register(rng), value)],
        0 => vec![Step::Get(register(rng))],
        1 if write_or_read => vec![Step::Increment(key("counter"))],
        1 => vec![Step::Get(key("counter"))],
        2 if write_or_read => vec![Step::Push(key("list"), value)],
        2 => vec![Step::Range(key("list"))],
        3 if write_or_read => vec![Step::Push(key("queue"), value)],
        3 => vec![Step::Pop(key("queue"))],
        4 => match rng.below(3) {
            0 => vec![Step::Members(key("set"))],
            1 => vec![Step::Add(key("set"), rng.below(4).to_string())],
            _ => vec![Step::Remove(key("set"), rng.below(4).to_string())],
        },
        _ if write_or_read => {
            vec![
                Step::Set(format!("pair-0:{turn}"), value.clone()),
                Step::Set(format!("pair-1:{turn}"), value),
            ]
        }
        _ => vec![Step::Get(format!("pair-0:{turn}")), Step::Get(format!("pair-1:{turn}"))],
    }
}

fn words(step: &Step, blocking: bool) -> Vec<&str> {
    match step {
        Step::Get(key) => vec!["GET", key],
        Step::Set(key, value) => vec!["SET", key, value],
        Step::Increment(key) => vec!["INCR", key],
        Step::Push(key, value) => vec!["RPUSH", key, value],
        Step::Pop(key) if blocking => vec!["BLPOP", key, "0.5"],
        Step::Pop(key) => vec!["LPOP", key],
        Step::Range(key) => vec!["LRANGE", key, "0", "-1"],
        Step::Add(key, member) => vec!["SADD", key, member],
        Step::Remove(key, member) => vec!["SREM", key, member],
        Step::Members(key) => vec!["SMEMBERS", key],
        Step::Delete(key) => vec!["DEL", key],
    }
}

fn text(reply: &resp::Reply) -> Option<String> {
    match reply {
        resp::Reply::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        resp::Reply::BulkInt(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `None`: an error.
fn understand(step: &Step, reply: &resp::Reply) -> Option<Reply> {
    if matches!(reply, resp::Reply::Error(_)) {
        return None;
    }
    let texts = |replies: &[resp::Reply]| replies.iter().filter_map(text).collect::<Vec<_>>();
    Some(match (step, reply) {
        (Step::Set(..), _) => Reply::Done,
        (Step::Pop(_), resp::Reply::Array(pair)) => Reply::Text(pair.last().and_then(text)),
        (Step::Get(_) | Step::Pop(_), reply) => Reply::Text(text(reply)),
        (Step::Range(_), resp::Reply::Array(elements)) => Reply::List(texts(elements)),
        (_, resp::Reply::Array(members) | resp::Reply::Set(members)) => {
            Reply::Set(texts(members).into_iter().collect::<BTreeSet<_>>())
        }
        (_, resp::Reply::Int(number)) => Reply::Number(*number),
        (step, reply) => unreachable!("{step:?} is not answered by {reply:?}"),
    })
}

/// What the gate is asked for.
fn offset(after: Offset) -> Offset {
    if after == LEASE_ONLY { 0 } else { after }
}

impl Pending {
    fn fate(&self) -> Fate {
        let replies = if self.transaction {
            match self.outs.last().map(|out| &out.reply) {
                Some(resp::Reply::Array(replies)) => replies.iter().collect(),
                _ => return Fate::Refused,
            }
        } else {
            self.outs.iter().map(|out| &out.reply).collect::<Vec<_>>()
        };
        let understood: Option<Vec<Reply>> =
            self.steps.iter().zip(replies).map(|(step, reply)| understand(step, reply)).collect();
        understood.map_or(Fate::Refused, Fate::Answered)
    }
}

impl World {
    /// A client does what it does next.
    pub fn call(&mut self, caller: usize) {
        let pause = self.rng.between(2, 60) * MS;
        self.after(pause, Item::Call(caller));
        if let Some(pending) = &self.callers[caller].pending {
            if self.now > pending.invoked + PATIENCE {
                self.give_up(caller);
            }
            return;
        }
        if self.quiet {
            return;
        }
        self.next_operation += 1;
        let steps = choose(&mut self.rng, self.next_operation);
        let any = self.rng.below(self.hosts.len() as u64) as usize;
        let host = if self.rng.percent(80) { self.leading().unwrap_or(any) } else { any };
        self.ask(caller, host, steps);
    }

    /// Asks this node, if it runs.
    pub fn ask(&mut self, caller: usize, host: usize, steps: Vec<Step>) {
        let it = &self.hosts[host];
        if it.paused_until > self.now || it.process.is_none() {
            return;
        }
        let (generation, wall_ms) = (it.generation, it.wall_ms(self.now));
        let connected = self.callers[caller]
            .connection
            .filter(|connection| connection.host == host && connection.generation == generation)
            .map(|connection| connection.client);
        if connected.is_none() {
            self.disconnect(caller);
        }
        let transaction = steps.len() > 1;
        let blocking = !transaction && self.rng.percent(30);
        let mut requests: Vec<Vec<&str>> = steps.iter().map(|step| words(step, blocking)).collect();
        if transaction {
            requests.insert(0, vec!["MULTI"]);
            requests.push(vec!["EXEC"]);
        }
        let batches: Vec<Batch> = requests.iter().map(|words| Batch::of(words)).collect();
        let expected = batches.len();
        let mut begun = None;
        self.with_quietly(host, |process| {
            let mut engine = process.engine();
            let client = connected
                .filter(|client| engine.clients.get(*client).is_some_and(|client| !client.killed))
                .unwrap_or_else(|| engine.connect("10.0.0.1:1".into(), "10.0.0.2:6379".into()));
            let leads = engine.server.status.role.leads();
            for batch in &batches {
                engine.execute(client, batch, 0, wall_ms);
            }
            drop(engine);
            begun = Some((client, process.gate().term(), leads));
        });
        let Some((client, term, leads)) = begun else {
            // The process ended by it.
            let operation = Operation { client: caller, invoked: self.now, returned: None, steps };
            self.history.push(operation);
            return;
        };
        self.callers[caller].connection = Some(Connection { host, generation, client });
        // What followers show may be old.
        if leads {
            let invoked = self.now;
            let outs = Vec::new();
            self.callers[caller].pending =
                Some(Pending { steps, invoked, outs, expected, term, transaction });
        } else {
            self.disconnect(caller);
        }
        let delay = self.rng.below(2 * MS);
        self.after(delay, Item::Flush(host, generation));
    }

    /// Replies leave as the gate lets them.
    pub fn release(&mut self, host: usize) {
        for caller in 0..self.callers.len() {
            self.release_one(host, caller);
            if self.failed.is_some() {
                return;
            }
        }
    }

    fn release_one(&mut self, host: usize, caller: usize) {
        let Some(connection) = self.callers[caller].connection.filter(|connection| connection.host == host)
        else {
            return;
        };
        let Some(mut pending) = self.callers[caller].pending.take() else { return };
        let it = &self.hosts[host];
        let Some(process) = it.process.as_ref().filter(|_| it.generation == connection.generation) else {
            return self.finish(caller, pending, Fate::Unknown);
        };
        let mut outs = Vec::new();
        let mut engine = process.engine();
        engine.output(connection.client, &mut outs);
        let killed =
            engine.clients.get(connection.client).is_none_or(|client| client.killed || client.closing);
        drop(engine);
        pending.outs.extend(outs);
        if killed {
            return self.finish(caller, pending, Fate::Unknown);
        }
        let after = pending.outs.iter().map(|out| out.after).max().unwrap_or(0);
        let pass = if after == 0 { Pass::Leave } else { process.gate().pass(pending.term, offset(after)) };
        match pass {
            Pass::Void => self.finish(caller, pending, Fate::Unknown),
            Pass::Leave if pending.outs.len() >= pending.expected => {
                let fate = pending.fate();
                self.finish(caller, pending, fate);
            }
            Pass::Leave | Pass::Wait => self.callers[caller].pending = Some(pending),
        }
    }

    fn finish(&mut self, caller: usize, pending: Pending, fate: Fate) {
        let returned = match fate {
            Fate::Answered(replies) => Some((self.now, replies)),
            Fate::Unknown => None,
            Fate::Refused => return,
        };
        if returned.is_none() {
            self.disconnect(caller);
            self.ambiguous += 1;
        } else {
            self.answered += 1;
            self.answered_after_healing |= self.healing;
        }
        let Pending { steps, invoked, .. } = pending;
        let operation = Operation { client: caller, invoked, returned, steps };
        self.tell(|| format!("client: {operation}"));
        self.history.push(operation);
    }

    fn give_up(&mut self, caller: usize) {
        if let Some(pending) = self.callers[caller].pending.take() {
            self.finish(caller, pending, Fate::Unknown);
        }
    }

    /// The process is gone, and with it its connections.
    pub fn hang_up(&mut self, host: usize) {
        for caller in 0..self.callers.len() {
            if self.callers[caller].connection.is_some_and(|connection| connection.host == host) {
                self.give_up(caller);
                self.callers[caller].connection = None;
            }
        }
    }

    fn disconnect(&mut self, caller: usize) {
        let Some(connection) = self.callers[caller].connection.take() else { return };
        let it = &self.hosts[connection.host];
        if let Some(process) = it.process.as_ref().filter(|_| it.generation == connection.generation) {
            process.engine().disconnect(connection.client);
        }
    }

    /// Nobody waits for a reply.
    pub fn is_answered(&self) -> bool {
        self.callers.iter().all(|caller| caller.pending.is_none())
    }

    /// Reads all keys that anybody wrote to at who leads.
    pub fn read_all(&mut self, leader: usize) {
        let steps: BTreeSet<Step> = self
            .history
            .iter()
            .flat_map(|operation| &operation.steps)
            .map(|step| match step {
                Step::Push(key, _) | Step::Pop(key) | Step::Range(key) => Step::Range(key.clone()),
                Step::Add(key, _) | Step::Remove(key, _) | Step::Members(key) => Step::Members(key.clone()),
                other => Step::Get(other.key().to_owned()),
            })
            .collect();
        for step in steps {
            let caller = self.callers.len();
            self.callers.push(Caller::default());
            self.ask(caller, leader, vec![step]);
        }
    }
}
