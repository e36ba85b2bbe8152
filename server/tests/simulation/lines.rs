//! A client's connection, on both of its ends: the server's with the output and the gate of real connections, the
//! client's with the bytes that came.

use std::collections::VecDeque;
use std::task::Poll;

use botellier_server::node::simulate::{Output, Simulated, offset};
use botellier_server::replication::gate::Term;
use botellier_server::resp::Batch;
use botellier_server::session::{ClientId, Out};

use crate::client::Answer;
use crate::wishes::FLOOD;

/// Requests that may lie in the system's buffers.
const SENT_MAX: usize = 64;

/// The server or its process is done with the connection.
pub struct Over;

pub struct Line {
    pub host: usize,
    pub generation: u64,
    client: ClientId,
    /// Replies that are not on their way yet, and when they were made.
    unsettled: Option<(Term, Vec<Out>)>,
    output: Output,
    received: Vec<u8>,
    /// What the client sent and the server did not read yet.
    sent: VecDeque<Vec<String>>,
}

impl Line {
    pub fn open(host: usize, generation: u64, process: &Simulated) -> Self {
        let client = process.engine().connect("10.0.0.1:1".into(), "10.0.0.2:6379".into());
        Self {
            host,
            generation,
            client,
            unsettled: None,
            output: Output::default(),
            received: Vec::new(),
            sent: VecDeque::new(),
        }
    }

    pub fn close(&mut self, process: &Simulated) {
        self.output.end(process.gate());
        process.engine().disconnect(self.client);
    }

    /// Runs requests that came in; whether the node leads.
    pub fn execute(
        &mut self,
        process: &Simulated,
        requests: &[Vec<String>],
        wall_ms: u64,
    ) -> Result<bool, Over> {
        self.settle(process)?;
        let mut engine = process.engine();
        if engine.clients.get(self.client).is_none_or(|client| client.killed) {
            return Err(Over);
        }
        let leads = engine.server.status.role.leads();
        for words in requests {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            engine.execute(self.client, &Batch::of(&words), 0, wall_ms);
        }
        drop(engine);
        self.take(process)?;
        Ok(leads)
    }

    /// The client sends more without waiting; the server reads it while there is room for the replies.
    pub fn flood(
        &mut self,
        process: &Simulated,
        requests: Vec<Vec<String>>,
        wall_ms: u64,
    ) -> Result<bool, Over> {
        if self.sent.len() <= SENT_MAX {
            self.sent.extend(requests);
        }
        let mut leads = true;
        while !self.sent.is_empty() && self.has_room(process)? {
            let some: Vec<Vec<String>> = self.sent.drain(..self.sent.len().min(FLOOD)).collect();
            leads = self.execute(process, &some, wall_ms)?;
        }
        Ok(leads)
    }

    fn has_room(&mut self, process: &Simulated) -> Result<bool, Over> {
        self.settle(process)?;
        Ok(self.output.has_room(process.gate()))
    }

    /// Bytes of replies that wait.
    pub fn held(&self) -> u64 {
        self.output.waiting()
    }

    /// What the engine has for the client.
    fn take(&mut self, process: &Simulated) -> Result<(), Over> {
        let mut engine = process.engine();
        let term = process.gate().term();
        let mut outs = Vec::new();
        engine.output(self.client, &mut outs);
        if engine.clients.get(self.client).is_none_or(|client| client.killed) {
            return Err(Over);
        }
        if !outs.is_empty() {
            self.unsettled = Some((term, outs));
        }
        Ok(())
    }

    fn settle(&mut self, process: &Simulated) -> Result<(), Over> {
        let Some((term, mut outs)) = self.unsettled.take() else { return Ok(()) };
        self.output.settle(&mut outs, term, process.gate()).map_err(|_| Over)
    }

    /// Replies leave as the gate lets them; those that arrived whole.
    pub fn look(&mut self, process: &Simulated) -> Result<Vec<Answer>, Over> {
        self.settle(process)?;
        self.take(process)?;
        self.settle(process)?;
        let gate = process.gate();
        self.output.let_go(|hold| Poll::Ready(gate.pass(hold.term, offset(hold.after)))).map_err(|_| Over)?;
        while self.output.free() > 0 {
            let before = self.received.len();
            self.output.slices().iter().for_each(|slice| self.received.extend_from_slice(slice));
            let sent = self.received.len() - before;
            self.output.advance(sent);
        }
        self.output.has_room(gate);
        let mut rest = self.received.as_slice();
        let mut answers = Vec::new();
        while let Ok(answer) = Answer::read(&mut rest) {
            answers.push(answer);
        }
        // Replies go out whole, whatever their number.
        self.received.clear();
        let closing = process.engine().clients.get(self.client).is_some_and(|client| client.closing);
        if closing && answers.is_empty() { Err(Over) } else { Ok(answers) }
    }
}
