//! Clients: each asks one thing at a time of some node, and remembers what it was told.

use std::collections::BTreeSet;

use botellier_e2e::history::linear::{Operation, Reply, Step};

use crate::client::Answer;
use crate::lines::{Line, Over};
use crate::wishes::{NEWS, Wish, flood, replies};
use crate::world::{Item, MS, World};

/// A client gives up after this.
const PATIENCE: u64 = 2_000 * MS;

#[derive(Default)]
pub struct Caller {
    line: Option<Line>,
    pending: Option<Pending>,
    /// Hears of the news instead of asking.
    listens: bool,
    /// Asks on and on without waiting for replies, which nobody looks at.
    floods: bool,
}

impl Caller {
    pub fn listener() -> Self {
        Self { listens: true, ..Self::default() }
    }

    pub fn flood() -> Self {
        Self { floods: true, ..Self::default() }
    }
}

struct Pending {
    number: u64,
    host: usize,
    wish: Wish,
    invoked: u64,
    answers: Vec<Answer>,
}

/// What became of an operation.
enum Fate {
    Answered(Vec<Reply>),
    /// The server said that it has not done it.
    Refused,
    Unknown,
}

impl Pending {
    fn fate(&self) -> Fate {
        replies(&self.wish.steps, &self.answers).map_or(Fate::Refused, Fate::Answered)
    }
}

impl World {
    /// A client does what it does next.
    pub fn call(&mut self, caller: usize) {
        let pause = self.rng.between(2, 60) * MS;
        self.after(pause, Item::Call(caller));
        if self.callers[caller].listens {
            self.listen(caller);
            return;
        }
        if self.callers[caller].floods {
            self.flood(caller);
            return;
        }
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
        let huge = self.rate.is_some() && self.rng.below(300) == 0;
        let wish =
            if huge { Wish::huge(&mut self.rng) } else { Wish::choose(&mut self.rng, self.next_operation) };
        let any = self.rng.below(self.hosts.len() as u64) as usize;
        // Clients stay where they are, look for who leads, or try their luck.
        let host = match (self.rng.below(10), &self.callers[caller].line) {
            (0..5, Some(line)) => line.host,
            (0..9, _) => self.leading().unwrap_or(any),
            _ => any,
        };
        self.ask(caller, host, wish);
    }

    /// Asks this node, if it runs; a paused one finds it when it wakes.
    pub fn ask(&mut self, caller: usize, host: usize, wish: Wish) {
        if self.hosts[host].process.is_none() {
            self.disconnect(caller);
            return;
        }
        let number = self.next_operation;
        let pending = Pending { number, host, wish, invoked: self.now, answers: Vec::new() };
        self.callers[caller].pending = Some(pending);
        let generation = self.hosts[host].generation;
        self.reach(caller, host, generation, number);
    }

    /// The requests are there.
    pub fn reach(&mut self, caller: usize, host: usize, generation: u64, number: u64) {
        if !self.alive(host, generation)
            || self.postpone(host, Item::Reach { caller, host, generation, number })
        {
            return;
        }
        // Whoever gave up meanwhile has closed the connection: what it sent is not read any more.
        if self.callers[caller].pending.as_ref().is_none_or(|pending| pending.number != number) {
            return;
        }
        let here = |line: &Line| line.host == host && line.generation == generation;
        if !self.callers[caller].line.as_ref().is_some_and(here) {
            self.disconnect(caller);
        }
        let wall_ms = self.hosts[host].wall_ms(self.now);
        let Caller { line, pending, .. } = &mut self.callers[caller];
        let (mut used, Some(pending)) = (line.take(), pending.take()) else { return };
        let mut done = None;
        self.with_quietly(host, |process| {
            let line = used.get_or_insert_with(|| Line::open(host, generation, process));
            done = Some(line.execute(process, &pending.wish.requests, wall_ms));
        });
        match done {
            Some(Ok(leads)) => {
                let it = &mut self.callers[caller];
                it.line = used;
                // What followers show may be old, and says nothing.
                if leads {
                    let parts = pending.wish.steps.len();
                    it.pending = Some(pending);
                    self.interrupt(host, parts);
                } else {
                    self.disconnect(caller);
                }
            }
            Some(Err(Over)) => {
                if let (Some(mut line), Some(process)) = (used, &self.hosts[host].process) {
                    line.close(process);
                }
            }
            // The process ended by it.
            None => self.finish(caller, pending, Fate::Unknown),
        }
        let delay = self.rng.below(2 * MS);
        self.after(delay, Item::Flush(host, generation));
    }

    /// Sends more than is answered, to who leads.
    fn flood(&mut self, caller: usize) {
        if self.quiet {
            self.disconnect(caller);
            return;
        }
        let there = self.callers[caller].line.as_ref().map(|line| line.host);
        let Some(host) = there.or_else(|| self.leading()) else { return };
        let it = &self.hosts[host];
        if it.process.is_none() || it.paused_until > self.now {
            return;
        }
        self.next_operation += 1;
        let (generation, wall_ms, number) = (it.generation, it.wall_ms(self.now), self.next_operation);
        let mut line = self.callers[caller].line.take().filter(|line| line.generation == generation);
        let mut done = None;
        self.with_quietly(host, |process| {
            let line = line.get_or_insert_with(|| Line::open(host, generation, process));
            done = Some(line.flood(process, flood(number), wall_ms));
        });
        if done.is_some() {
            self.callers[caller].line = line;
        }
        if !matches!(done, Some(Ok(true))) {
            self.disconnect(caller);
        }
        self.watch_held(host);
        let delay = self.rng.below(2 * MS);
        self.after(delay, Item::Flush(host, generation));
    }

    /// Bytes of replies that wait at this node, of each who asks there.
    pub fn held_at(&self, host: usize) -> impl Iterator<Item = u64> {
        let generation = self.hosts[host].generation;
        let asking = self.callers.iter().filter(|caller| !caller.listens);
        let lines = asking.filter_map(|caller| caller.line.as_ref());
        lines.filter(move |line| line.host == host && line.generation == generation).map(Line::held)
    }

    /// Listens at some node that runs, if it does not yet.
    fn listen(&mut self, caller: usize) {
        let host = self.rng.below(self.hosts.len() as u64) as usize;
        let it = &self.hosts[host];
        if self.callers[caller].line.is_some() || it.process.is_none() || it.paused_until > self.now {
            return;
        }
        let (generation, wall_ms) = (it.generation, it.wall_ms(self.now));
        let mut line = None;
        self.with_quietly(host, |process| {
            let mut opened = Line::open(host, generation, process);
            let subscribe = [vec!["SUBSCRIBE".to_owned(), NEWS.to_owned()]];
            if opened.execute(process, &subscribe, wall_ms).is_ok() {
                line = Some(opened);
            }
        });
        self.callers[caller].line = line;
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
        let it = &mut self.callers[caller];
        let Some(line) = it.line.as_mut().filter(|line| line.host == host) else { return };
        let Some(process) = &self.hosts[host].process else { return };
        if line.generation != self.hosts[host].generation {
            return;
        }
        match line.look(process) {
            Ok(answers) if it.listens => self.hear(&answers),
            Ok(_) if it.floods => {}
            Ok(answers) => {
                let Some(pending) = &mut it.pending else { return };
                pending.answers.extend(answers);
                if pending.answers.len() >= pending.wish.requests.len() {
                    let Some(pending) = it.pending.take() else { return };
                    let fate = pending.fate();
                    self.finish(caller, pending, fate);
                }
            }
            Err(Over) => {
                if let Some(pending) = it.pending.take() {
                    self.finish(caller, pending, Fate::Unknown);
                }
                self.disconnect(caller);
            }
        }
    }

    /// Whoever hears of a write knows that it happened.
    fn hear(&mut self, answers: &[Answer]) {
        for answer in answers {
            if let Answer::Array(Some(message)) = answer
                && let [kind, _, value] = &message[..]
                && let (Some("message"), Some(value)) = (kind.text(), value.text())
            {
                self.news.entry(value.to_owned()).or_insert(self.now);
            }
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
        let Pending { wish, invoked, .. } = pending;
        if wish.steps.is_empty() {
            return;
        }
        let operation = Operation { client: caller, invoked, returned, steps: wish.steps };
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
            let it = &self.callers[caller];
            if it.pending.as_ref().is_some_and(|pending| pending.host == host) {
                self.give_up(caller);
            }
            self.callers[caller].line.take_if(|line| line.host == host);
        }
    }

    fn disconnect(&mut self, caller: usize) {
        let Some(mut line) = self.callers[caller].line.take() else { return };
        let it = &self.hosts[line.host];
        if let Some(process) = it.process.as_ref().filter(|_| it.generation == line.generation) {
            line.close(process);
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
            let wish = Wish::judged(vec![step], &mut self.rng);
            self.ask(caller, leader, wish);
        }
    }

    /// The history as it is judged: what was heard of had happened by then.
    pub fn told_history(&self) -> Result<Vec<Operation>, String> {
        let value = |operation: &Operation| match operation.steps.first() {
            Some(Step::Set(_, value)) if operation.steps.len() > 1 => Some(value.clone()),
            _ => None,
        };
        let told: BTreeSet<String> = self.history.iter().filter_map(value).collect();
        if let Some(value) = self.news.keys().find(|value| !told.contains(*value)) {
            return Err(format!("a transaction that was refused told of {value}"));
        }
        let mut history = self.history.clone();
        for operation in &mut history {
            let Some(heard) = value(operation).and_then(|value| self.news.get(&value)) else { continue };
            let done = || (*heard, operation.steps.iter().map(|_| Reply::Done).collect());
            let (returned, replies) = operation.returned.take().unwrap_or_else(done);
            operation.returned = Some((returned.min(*heard), replies));
        }
        Ok(history)
    }
}
