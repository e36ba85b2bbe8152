//! The load: one thread, many connections, each of which sends a batch and waits for its replies.
//!
//! Contract: the same for both servers. It must be lighter than they are; the table shows how busy the server was, and a
//! row in which neither is busy says more about the load than about them.

use super::Outcome;
use super::options::Options;
use super::replies::Replies;
use super::rows::{Batch, Row, batches};
use super::server::Server;
use super::table::Measured;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long to wait for the last replies, and for any reply at all.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What a piece of a load saw.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    pub operations: u64,
    pub seconds: f64,
    /// The longest time from sending a batch to its last reply.
    pub slowest: Duration,
}

struct Client {
    stream: TcpStream,
    replies: Replies,
    batch: usize,
    /// Bytes of the batch that have been written.
    written: usize,
    /// Replies of the batch that have come.
    seen: usize,
    waiting: bool,
    sent: Instant,
}

pub struct Load {
    poll: Poll,
    clients: Vec<Client>,
    batches: Vec<Batch>,
    buffer: Vec<u8>,
    /// Operations that have been answered.
    done: u64,
    slowest: Duration,
    sending: bool,
}

/// One round against one server.
pub fn measure(server: &Server, row: Row, pipeline: usize, options: &Options) -> Outcome<Measured> {
    let mut load =
        Load::connect(server, batches(row, pipeline, server.flavour, options), options.connections)?;
    load.start()?;
    load.run_until(Instant::now() + Duration::from_secs_f64(options.seconds / 5.0))?;
    let (begin, cpu, done) = (Instant::now(), server.cpu_seconds()?, load.done);
    load.run_until(begin + Duration::from_secs_f64(options.seconds))?;
    let (seconds, cpu, operations) =
        (begin.elapsed().as_secs_f64(), server.cpu_seconds()? - cpu, load.done - done);
    load.drain()?;
    if operations == 0 {
        return Err(format!("{}: no answer in a whole round", row.title()).into());
    }
    Ok(Measured {
        operations_a_second: operations as f64 / seconds,
        cpu_micros: cpu * 1e6 / operations as f64,
        busy: cpu / seconds,
    })
}

impl Load {
    pub fn connect(server: &Server, batches: Vec<Batch>, connections: usize) -> Outcome<Load> {
        let poll = Poll::new()?;
        let address = SocketAddr::from(([127, 0, 0, 1], server.port));
        let mut clients = Vec::with_capacity(connections);
        for at in 0..connections {
            // Connecting waits here: only what comes after is measured.
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
            let batch = at * batches.len() / connections;
            clients.push(Client {
                stream,
                replies: Replies::default(),
                batch,
                written: 0,
                seen: 0,
                waiting: false,
                sent: Instant::now(),
            });
        }
        Ok(Load {
            poll,
            clients,
            batches,
            buffer: vec![0; 256 << 10],
            done: 0,
            slowest: Duration::ZERO,
            sending: true,
        })
    }

    /// Goes on until a time, or until `over`, which is asked now and then.
    pub fn watch(&mut self, end: Instant, over: impl Fn() -> bool) -> Outcome<Seen> {
        const STEP: Duration = Duration::from_millis(20);
        let (began, done) = (Instant::now(), self.done);
        self.slowest = Duration::ZERO;
        while !over() && Instant::now() < end {
            self.run_until(end.min(Instant::now() + STEP))?;
        }
        Ok(Seen {
            operations: self.done - done,
            seconds: began.elapsed().as_secs_f64(),
            slowest: self.slowest,
        })
    }

    pub fn start(&mut self) -> Outcome<()> {
        for client in &mut self.clients {
            (client.waiting, client.sent) = (true, Instant::now());
            client.write(&self.batches)?;
        }
        Ok(())
    }

    fn run_until(&mut self, end: Instant) -> Outcome<()> {
        let mut events = Events::with_capacity(self.clients.len());
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.turn(&mut events, left)?;
        }
        Ok(())
    }

    /// Sends no more and takes the replies that are on their way, so that the next round begins with a quiet server.
    pub fn drain(&mut self) -> Outcome<()> {
        self.sending = false;
        let mut events = Events::with_capacity(self.clients.len());
        let end = Instant::now() + SILENCE_MAX;
        while self.clients.iter().any(|client| client.waiting) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("the server does not answer".into());
            }
            self.turn(&mut events, left)?;
        }
        Ok(())
    }

    fn turn(&mut self, events: &mut Events, wait: Duration) -> Outcome<()> {
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in events.iter() {
            let client = &mut self.clients[event.token().0];
            if event.is_writable() {
                client.write(&self.batches)?;
            }
            if event.is_readable() {
                let (done, slowest) = client.read(&self.batches, &mut self.buffer, self.sending)?;
                self.done += done;
                self.slowest = self.slowest.max(slowest);
            }
        }
        Ok(())
    }
}

impl Client {
    fn write(&mut self, batches: &[Batch]) -> Outcome<()> {
        let bytes = &batches[self.batch].bytes;
        while self.waiting && self.written < bytes.len() {
            match self.stream.write(&bytes[self.written..]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there; gives the operations that it completed, and how long the slowest batch took.
    fn read(&mut self, batches: &[Batch], buffer: &mut [u8], sending: bool) -> Outcome<(u64, Duration)> {
        let (mut done, mut slowest) = (0, Duration::ZERO);
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((done, slowest)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let replies = self.replies.take(&buffer[..length])?;
            self.seen += replies;
            let batch = &batches[self.batch];
            // Where a WAIT ends the batch, its operations are done only then.
            let each = batch.replies == batch.operations;
            done += if each { replies as u64 } else { 0 };
            if self.seen >= batch.replies {
                done += if each { 0 } else { batch.operations as u64 };
                (self.seen, self.written) = (0, 0);
                self.batch = (self.batch + 1) % batches.len();
                slowest = slowest.max(self.sent.elapsed());
                (self.waiting, self.sent) = (sending, Instant::now());
                self.write(batches)?;
            }
            // Less than there was room for: nothing is left, and what comes next is a new event.
            if length < buffer.len() {
                return Ok((done, slowest));
            }
        }
    }
}
