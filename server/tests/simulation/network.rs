//! Connections between the nodes: slow, cut, broken, ended in order or by a reset, and the watch beside each.

use std::collections::VecDeque;

use botellier_server::replication::history::History;
use botellier_server::replication::protocol::{ConnectionId, Ending, Event};
use botellier_server::replication::wire::Frame;

use crate::world::{Item, MS, World};

/// For how long frames of a closed connection may still be looked at.
const LATE: u64 = 20 * MS;

pub enum Parcel {
    Frame(Frame),
    Fin,
}

/// A TCP connection.
pub struct Pipe {
    pub hosts: [usize; 2],
    pub generations: [u64; 2],
    pub ids: [ConnectionId; 2],
    pub open: [bool; 2],
    /// When each side closed it by its own order.
    closed: [u64; 2],
    pub queues: [VecDeque<Parcel>; 2],
    pub last: [u64; 2],
    /// Until when the wire towards each side carries what was sent before.
    pub busy: [u64; 2],
    /// Whether each side waits until the system takes more from it.
    pub waits: [bool; 2],
    pub broken: bool,
    /// What the last greeting on it asked for and said of its log.
    pub hello: Option<(bool, History)>,
}

impl World {
    pub fn connect(&mut self, host: usize, connection: ConnectionId, target: usize) {
        self.next_pipe += 1;
        let pipe = Pipe {
            hosts: [host, target],
            generations: [self.hosts[host].generation, 0],
            ids: [connection, ConnectionId::incoming(self.next_pipe)],
            open: [true, false],
            closed: [0, 0],
            queues: [VecDeque::new(), VecDeque::new()],
            last: [0, 0],
            busy: [0, 0],
            waits: [false, false],
            broken: false,
            hello: None,
        };
        self.pipes.insert(self.next_pipe, pipe);
        let delay = self.rng.between(1, 4) * MS;
        self.after(delay, Item::Dial { pipe: self.next_pipe, since: self.now });
    }

    pub fn dial(&mut self, id: u64, since: u64) {
        let Some(pipe) = self.pipes.get(&id) else { return };
        let [from, to] = pipe.hosts;
        if !pipe.open[0] {
            return;
        }
        let blocked = self.cut[from][to] > 0 || self.cut[to][from] > 0;
        if blocked && self.now < since + 1_000 * MS {
            self.after(50 * MS, Item::Dial { pipe: id, since });
            return;
        }
        if blocked || self.hosts[to].process.is_none() {
            self.after(MS, Item::Ended { pipe: id, side: 0, ending: Ending::Broken });
            return;
        }
        let generation = self.hosts[to].generation;
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        pipe.generations[1] = generation;
        pipe.open[1] = true;
        let (connection, mine) = (pipe.ids[0], pipe.generations[0]);
        self.after(MS, Item::Event(from, mine, Box::new(Event::Opened { connection })));
    }

    pub fn pipe_of(&self, host: usize, connection: ConnectionId) -> Option<(u64, usize)> {
        let generation = self.hosts[host].generation;
        self.pipes.iter().rev().find_map(|(id, pipe)| {
            let is = |side: usize| {
                pipe.hosts[side] == host
                    && pipe.ids[side] == connection
                    && pipe.generations[side] == generation
            };
            (0..2).find(|side| is(*side) && pipe.open[*side]).map(|side| (*id, side))
        })
    }

    pub fn send(&mut self, host: usize, connection: ConnectionId, parcel: Parcel, bytes: usize) {
        let Some((id, side)) = self.pipe_of(host, connection) else { return };
        let latency = self.rng.between(300_000, 3 * MS);
        let takes = self.rate.map_or(0, |rate| bytes as u64 * 1_000 * MS / rate);
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        if pipe.broken {
            return;
        }
        let other = 1 - side;
        pipe.busy[other] = pipe.busy[other].max(self.now) + takes;
        let time = pipe.last[other].max(pipe.busy[other] + latency);
        pipe.last[other] = time;
        pipe.queues[other].push_back(parcel);
        let since = self.now;
        self.at(time, Item::Arrive { pipe: id, side: other, since });
    }

    pub fn arrive(&mut self, id: u64, side: usize, since: u64) {
        let Some(pipe) = self.pipes.get(&id) else { return };
        let (to, from) = (pipe.hosts[side], pipe.hosts[1 - side]);
        if self.cut[from][to] > 0 {
            if self.now > since + 1_500 * MS {
                self.snap(id);
            } else {
                self.after(20 * MS, Item::Arrive { pipe: id, side, since });
            }
            return;
        }
        if self.postpone(to, Item::Arrive { pipe: id, side, since }) {
            return;
        }
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let Some(parcel) = pipe.queues[side].pop_front() else { return };
        // What came in before this side closed it may still be waiting to be looked at.
        if !pipe.open[side] && (pipe.closed[side] + LATE < self.now || matches!(parcel, Parcel::Fin)) {
            return;
        }
        let (connection, generation) = (pipe.ids[side], pipe.generations[side]);
        if !self.alive(to, generation) {
            return;
        }
        match parcel {
            Parcel::Frame(frame) => self.deliver(to, Event::Frame { connection, frame }),
            Parcel::Fin => self.ended(id, side, Ending::Orderly),
        }
    }

    pub fn ended(&mut self, id: u64, side: usize, ending: Ending) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        if !pipe.open[side] {
            return;
        }
        let (host, connection, generation) = (pipe.hosts[side], pipe.ids[side], pipe.generations[side]);
        if self.postpone(host, Item::Ended { pipe: id, side, ending }) {
            return;
        }
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        pipe.open[side] = false;
        let both = !pipe.open[0] && !pipe.open[1];
        if self.alive(host, generation) {
            self.deliver(host, Event::Closed { connection, ending });
            // The event was seen; only now the other side learns of it.
            self.end_other(id, side, false);
        }
        if both {
            self.pipes.remove(&id);
        }
    }

    /// One side is done: the other sees an orderly end after all that was sent, or a reset.
    pub fn close(&mut self, host: usize, connection: ConnectionId) {
        let Some((id, side)) = self.pipe_of(host, connection) else { return };
        let abrupt = self.rng.percent(25);
        self.end_other(id, side, abrupt);
        let now = self.now;
        if let Some(pipe) = self.pipes.get_mut(&id) {
            pipe.open[side] = false;
            pipe.closed[side] = now;
        }
    }

    pub fn end_other(&mut self, id: u64, side: usize, abrupt: bool) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let other = 1 - side;
        if !pipe.open[other] || pipe.broken {
            return;
        }
        if abrupt {
            let keep = self.rng.below(pipe.queues[other].len() as u64 + 1) as usize;
            pipe.queues[other].truncate(keep);
            let (host, connection, generation) =
                (pipe.hosts[other], pipe.ids[other], pipe.generations[other]);
            let reaches = self.cut[pipe.hosts[side]][host] == 0;
            let delay = self.rng.between(1, 4) * MS;
            self.after(delay, Item::Ended { pipe: id, side: other, ending: Ending::Broken });
            // The watch ends in order all the same.
            if other == 0 && reaches && self.rng.percent(70) {
                let delay = self.rng.between(1, 10) * MS;
                let event = Event::Closed { connection, ending: Ending::Orderly };
                self.after(delay, Item::Event(host, generation, Box::new(event)));
            }
        } else {
            pipe.queues[other].push_back(Parcel::Fin);
            let time = pipe.last[other].max(self.now + MS);
            pipe.last[other] = time;
            let since = self.now;
            self.at(time, Item::Arrive { pipe: id, side: other, since });
        }
    }

    /// The connection is gone; the two sides notice when they notice.
    pub fn snap(&mut self, id: u64) {
        let (one, two) = (self.rng.below(1_000 * MS), self.rng.below(1_000 * MS));
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        if pipe.broken {
            return;
        }
        pipe.broken = true;
        for queue in &mut pipe.queues {
            let keep = self.rng.below(queue.len() as u64 + 1) as usize;
            queue.truncate(keep);
        }
        self.after(one, Item::Ended { pipe: id, side: 0, ending: Ending::Broken });
        self.after(two, Item::Ended { pipe: id, side: 1, ending: Ending::Broken });
    }

    /// The process is gone: its sockets are closed by its kernel.
    pub fn drop_pipes(&mut self, host: usize, generation: u64, power: bool) {
        let mine: Vec<(u64, usize)> = self
            .pipes
            .iter()
            .flat_map(|(id, pipe)| {
                (0..2)
                    .filter(|side| pipe.hosts[*side] == host && pipe.generations[*side] == generation)
                    .filter(|side| pipe.open[*side])
                    .map(|side| (*id, side))
            })
            .collect();
        for (id, side) in mine {
            if power {
                self.snap(id);
            } else {
                let abrupt = self.rng.percent(40);
                self.end_other(id, side, abrupt);
            }
            if let Some(pipe) = self.pipes.get_mut(&id) {
                pipe.open[side] = false;
            }
        }
    }
}
