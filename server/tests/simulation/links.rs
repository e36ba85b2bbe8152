//! What a node sends to another: by the code that decides it in real nodes, over wires that may be slow.

use botellier_server::replication::Offset;
use botellier_server::replication::member::Stamp;
use botellier_server::replication::protocol::{ConnectionId, Ending, Event};
use botellier_server::replication::stream::outlet::{Copying, Next, Outlet, log_chunk};
use botellier_server::replication::stream::{Copy, Damage, UNSENT_MAX};
use botellier_server::replication::wire::{BULK_MAX, Body, Frame};
use bytes::BytesMut;

use crate::host::caught;
use crate::network::Parcel;
use crate::world::{Item, MS, World};

/// Bytes of a snapshot that one frame carries, where wires are fast.
const COPY_CHUNK: usize = 400;

/// Where bulk data for another node comes from.
pub enum Bulk {
    Log { stamp: Stamp, from: Offset },
    Copy { stamp: Stamp, copying: Copying, copy: Box<Copy> },
}

pub type Sender = Outlet<Bulk>;

impl World {
    pub fn say(&mut self, host: usize, connection: ConnectionId, frame: Frame) {
        self.tell(|| format!("n{host} -> {connection:?} {:.300}", format!("{frame:?}")));
        if let Body::Hello(hello) = &frame.body
            && let Some((pipe, _)) = self.pipe_of(host, connection)
            && let Some(pipe) = self.pipes.get_mut(&pipe)
        {
            pipe.hello = Some((hello.copy, hello.history.clone()));
        }
        self.hosts[host].senders.entry(connection).or_default().order(frame);
        self.push(host, connection);
    }

    pub fn feed(&mut self, host: usize, connection: ConnectionId, bulk: Bulk) {
        self.hosts[host].senders.entry(connection).or_default().feed(bulk);
        self.push(host, connection);
    }

    /// Followers get what the log has more.
    pub fn pump(&mut self, host: usize) {
        let connections: Vec<ConnectionId> = self.hosts[host].senders.keys().copied().collect();
        for connection in connections {
            self.push(host, connection);
        }
    }

    /// Sends whatever the sender gives, for as long as the system takes it.
    pub fn push(&mut self, host: usize, connection: ConnectionId) {
        loop {
            let chunk = self.has_chunk(host, connection);
            let wall_ms = self.hosts[host].wall_ms(self.now);
            let Some(sender) = self.hosts[host].senders.get_mut(&connection) else { return };
            let next = sender.next(chunk);
            if matches!(next, Next::Close | Next::Wait) || !self.takes(host, connection) {
                return;
            }
            if next == Next::Orders {
                let Some(sender) = self.hosts[host].senders.get_mut(&connection) else { return };
                let output = sender.take_orders(wall_ms);
                self.send_bytes(host, connection, output);
            } else if !self.send_chunk(host, connection) {
                return;
            }
            self.watch_sender(host, connection);
        }
    }

    /// What was ordered before the close goes out.
    pub fn close_sender(&mut self, host: usize, connection: ConnectionId) {
        let wall_ms = self.hosts[host].wall_ms(self.now);
        if let Some(mut sender) = self.hosts[host].senders.remove(&connection) {
            sender.close();
            let output = sender.take_orders(wall_ms);
            self.send_bytes(host, connection, output);
        }
    }

    /// Whether the system takes more for this connection now; if not, the sender goes on when it does.
    fn takes(&mut self, host: usize, connection: ConnectionId) -> bool {
        let (Some(rate), Some((id, side))) = (self.rate, self.pipe_of(host, connection)) else { return true };
        let now = self.now;
        let Some(pipe) = self.pipes.get_mut(&id) else { return true };
        let room = u64::from(UNSENT_MAX) * 1_000 * MS / rate;
        let at = pipe.busy[1 - side].saturating_sub(room);
        if at <= now {
            return true;
        }
        if !std::mem::replace(&mut pipe.waits[side], true) {
            self.at(at, Item::Room { host, pipe: id, side });
        }
        false
    }

    pub fn room(&mut self, host: usize, id: u64, side: usize) {
        if self.postpone(host, Item::Room { host, pipe: id, side }) {
            return;
        }
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        pipe.waits[side] = false;
        let (connection, generation) = (pipe.ids[side], pipe.generations[side]);
        if self.alive(host, generation) {
            self.push(host, connection);
        }
    }

    /// As it comes out of the other end of a wire.
    fn send_bytes(&mut self, host: usize, connection: ConnectionId, mut output: BytesMut) {
        while !output.is_empty() {
            let before = output.len();
            let frame = Frame::decode(&mut output).expect("what was written can be read");
            let frame = frame.expect("it is whole");
            self.send(host, connection, Parcel::Frame(frame), before - output.len());
        }
    }

    fn has_chunk(&mut self, host: usize, connection: ConnectionId) -> bool {
        let it = &mut self.hosts[host];
        let (Some(process), Some(sender)) = (&it.process, it.senders.get_mut(&connection)) else {
            return false;
        };
        match sender.bulk() {
            _ if it.reads_from > self.now => false,
            Some(Bulk::Log { from, .. }) => process.log().written() > *from,
            Some(Bulk::Copy { .. }) => true,
            None => false,
        }
    }

    /// False if there is nothing after all.
    fn send_chunk(&mut self, host: usize, connection: ConnectionId) -> bool {
        let slow = self.rate.is_some();
        let most = if slow { BULK_MAX } else { self.rng.between(20, self.chunk_max) as usize };
        let it = &mut self.hosts[host];
        let (Some(process), Some(sender)) = (&it.process, it.senders.get_mut(&connection)) else {
            return false;
        };
        let mut output = BytesMut::new();
        let mut damage = None;
        let sent = match sender.bulk() {
            Some(Bulk::Log { stamp, from }) => {
                let read = process.log().sender(*from);
                let read = read.and_then(|mut sender| log_chunk(&mut sender, *stamp, process.gate(), most));
                match read {
                    Ok(Some((head, bytes))) => {
                        *from += bytes.len() as u64;
                        output.extend_from_slice(&head);
                        output.extend_from_slice(&bytes);
                        true
                    }
                    // It was cut or trimmed meanwhile, or is damaged.
                    Ok(None) => false,
                    Err(error) => {
                        damage = error.is_damage().then_some(Damage::Log);
                        false
                    }
                }
            }
            Some(Bulk::Copy { stamp, copying, copy }) => {
                let (stamp, from) = (*stamp, copy.position.offset);
                let most = if slow { BULK_MAX } else { COPY_CHUNK };
                match copying.next(most) {
                    Ok(Some(body)) => {
                        Frame { epoch: stamp.epoch, version: stamp.version, body }.encode(&mut output);
                        true
                    }
                    Ok(None) => {
                        sender.feed(Bulk::Log { stamp, from });
                        true
                    }
                    Err(error) => {
                        assert!(error.is_damage(), "the snapshot can be read: {error}");
                        damage = Some(Damage::Snapshot(copy.info.clone(), error));
                        false
                    }
                }
            }
            None => return false,
        };
        if sent {
            self.send_bytes(host, connection, output);
        } else {
            self.break_off(host, connection);
        }
        if let Some(damage) = damage {
            self.find_damage(host, damage);
        }
        sent
    }

    fn break_off(&mut self, host: usize, connection: ConnectionId) {
        self.hosts[host].senders.remove(&connection);
        self.close(host, connection);
        let closed = Event::Closed { connection, ending: Ending::Broken };
        let generation = self.hosts[host].generation;
        self.at(self.now, Item::Event(host, generation, Box::new(closed)));
    }

    /// Sends a snapshot, then the log from there. One is taken if there is none, as soon as all in it is committed.
    pub fn copy_to(&mut self, host: usize, connection: ConnectionId, stamp: Stamp) {
        let Some(process) = &self.hosts[host].process else { return };
        let Ok(copied) = caught(|| process.copy()) else {
            self.kill(host, None);
            return;
        };
        let Ok(Some(copy)) = copied else {
            // There is no room for one, or it has to be taken first.
            let generation = self.hosts[host].generation;
            if copied.is_ok() {
                self.at(self.now, Item::Mend(host, generation));
            }
            self.after(20 * MS, Item::Copy(host, generation, connection, stamp));
            return;
        };
        let copying = Copying::open(&copy).expect("the snapshot is there");
        let copy = Box::new(copy);
        self.feed(host, connection, Bulk::Copy { stamp, copying, copy });
    }

    /// What lies in memory to be sent to another node is bounded, whatever there is to be sent (trap 25).
    fn watch_sender(&mut self, host: usize, connection: ConnectionId) {
        let chunk = if self.rate.is_some() { BULK_MAX } else { COPY_CHUNK };
        let Some(sender) = self.hosts[host].senders.get_mut(&connection) else { return };
        let orders = sender.waiting();
        let copied = match sender.bulk() {
            Some(Bulk::Copy { copying, .. }) => copying.memory_bytes(),
            _ => 0,
        };
        if copied > chunk {
            self.fail(format!("n{host} has {copied} bytes of a copy in memory (trap 25)"));
        }
        if orders > ORDERS_MAX {
            self.fail(format!("{orders} frames wait at n{host} to be sent to another"));
        }
    }
}

/// Frames that may wait for a wire.
const ORDERS_MAX: usize = 500;
