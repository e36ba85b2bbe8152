//! Drives the protocol's pure machine: feeds it events, one at a time, and carries out its orders in order.
//!
//! Whatever an order needs, disk included, is done before the next one begins; what takes long and need not be waited
//! for (applying records, sending data, asking the registry) goes on elsewhere and comes back as an event.
//!
//! It never waits for a script that has the engine, or the lease would lapse meanwhile: what the engine is only told
//! it is told later, and what can't wait (another part in the store) ends the script.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::applier::Applier;
use super::outside::Outside;
use super::{Node, status};
use crate::election::candidate::Candidate;
use crate::replication::member::Config;
use crate::replication::position::{Offset, Position};
use crate::replication::protocol::{Action, Event, HandoverEnd, LogState, Loss};
use crate::replication::snapshot::Receiver;
use crate::replication::time::Time;

pub(super) const TICK: Duration = Duration::from_millis(10);
/// How long a handover waits at once for the engine.
const DRAIN_WAIT: Duration = Duration::from_millis(2);
/// Ticks between two pictures of the status, when nothing changed in between.
const TICKS_PER_STATUS: u32 = 10;

pub(super) struct Driver {
    pub node: Arc<Node>,
    pub machine: Candidate,
    pub outside: Box<dyn Outside>,
    pub applier: Applier,
    pub state: State,
}

/// What the driver knows beside the machine.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // independent facts, each with a name
pub(super) struct State {
    /// Events that orders gave rise to: they come before all others.
    pub follow_up: VecDeque<Event>,
    pub log: LogState,
    /// A full copy that is being received.
    pub copy: Option<Receiver>,
    pub copy_at: u64,
    pub handover: Option<oneshot::Sender<HandoverEnd>>,
    /// Who waits to hear what an order to lead came to.
    pub order: Option<oneshot::Sender<Result<Loss, String>>>,
    pub leading: bool,
    pub writable: bool,
    /// What was executed up to here may yet turn out not to be: nothing is read until it is committed or undone.
    pub unsettled: Option<Offset>,
    /// Something was applied or led since the start: the data is there to be read.
    pub attached: bool,
    /// The configuration that was remembered last.
    pub remembered: Option<Config>,
    /// The status changed and is to be shown at once.
    pub show: bool,
    /// The engine could not be told of the status.
    pub late: bool,
    /// The engine is to execute nothing more, as soon as it can be had.
    pub draining: bool,
    pub status_ticks: u32,
}

impl Driver {
    pub(super) fn turn(&mut self, event: Event) {
        let ticked = matches!(event, Event::Tick);
        if ticked {
            self.drain();
        }
        self.feed(event);
        self.settle();
        if ticked {
            self.state.status_ticks += 1;
            status::publish_acks(self);
        }
        let again = ticked && self.state.late;
        if self.state.show || again || self.state.status_ticks >= TICKS_PER_STATUS {
            self.state.status_ticks = 0;
            self.state.show = false;
            status::publish(self);
        }
    }

    /// Let the engine execute nothing more, if that was ordered and the engine can be had.
    fn drain(&mut self) {
        if !self.state.draining {
            return;
        }
        if let Some(mut engine) = self.node.net.engine.try_lock_for(DRAIN_WAIT) {
            self.state.draining = false;
            self.state.follow_up.push_back(Event::Drained { end: engine.drain() });
        }
    }

    /// What was ordered of the engine no longer is.
    fn undrain(&mut self) {
        if !std::mem::replace(&mut self.state.draining, false) {
            self.node.net.engine.lock().undrain();
        }
    }

    /// One event, and what follows from it.
    pub(super) fn feed(&mut self, event: Event) {
        let mut actions = Vec::new();
        let mut next = Some(event);
        while let Some(event) = next {
            let ended = match event {
                Event::Closed { connection, .. } => Some(connection),
                _ => None,
            };
            self.machine.on(Time::now(), event, &mut actions);
            for action in actions.drain(..) {
                self.perform(action);
            }
            if let Some(connection) = ended {
                // The protocol has heard of it: only now its sockets may go.
                self.outside.close(connection);
            }
            next = self.state.follow_up.pop_front();
        }
    }

    /// What was appended goes to the disk, and the machine hears how far the log is.
    pub(super) fn settle(&mut self) {
        loop {
            if self.node.log.pending_bytes() > 0 {
                (self.node.net.flush)();
            }
            let log = LogState {
                end: self.node.log.end(),
                held: self.node.log.held(),
                durable: self.node.log.synced(),
            };
            if log == self.state.log {
                return;
            }
            self.state.log = log;
            self.feed(Event::Log { end: log.end, held: log.held, durable: log.durable });
        }
    }

    /// An orderly end: whoever waits for this node need not wait for a lease.
    pub(super) fn stop(&mut self) {
        self.step_down();
        self.outside.close_all();
    }

    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Connect { connection, host, port } => self.outside.connect(connection, host, port),
            Action::Greet { connection, stamp, whole, copy, cluster } => {
                self.greet(connection, stamp, whole, copy, cluster);
            }
            Action::Send { connection, frame } => self.outside.send(connection, frame),
            Action::Close { connection } => self.outside.close(connection),
            Action::Compare { connection, history } => self.compare(connection, &history),
            Action::Stream { connection, stamp, from } => self.outside.stream(connection, stamp, from),
            Action::CopyTo { connection, stamp } => self.copy_to(connection, stamp),
            Action::Append { bytes } => self.append(&bytes),
            Action::Truncate { to } => self.truncate(to),
            Action::Sync => self.sync(),
            Action::CopyBegin { position, bytes } => self.copy_begin(position, bytes),
            Action::CopyChunk { bytes } => self.copy_chunk(&bytes),
            Action::Install => self.install(),
            Action::CopyAbort => self.state.copy = None,
            Action::Apply { upto } => self.apply(upto),
            Action::Commit { offset } => self.commit(offset),
            Action::Lease { until } => self.lease(until),
            Action::Writable(writable) => {
                self.state.writable = writable;
                status::publish(self);
            }
            Action::Lead { epoch, base } => self.lead(epoch, base),
            Action::StepDown => self.step_down(),
            Action::Follow { .. } => self.state.show = true,
            Action::Drain => {
                self.state.draining = true;
                self.drain();
            }
            Action::Undrain => self.undrain(),
            Action::HandoverEnded(end) => {
                if let Some(answer) = self.state.handover.take() {
                    let _ = answer.send(end);
                }
            }
            Action::Forced(result) => {
                if let Some(answer) = self.state.order.take() {
                    let _ = answer.send(result);
                }
            }
            Action::Write { config, expected } => self.outside.write(config, expected),
            Action::Refresh => self.outside.refresh(),
            Action::Announce(info) => self.outside.announce(*info),
            Action::Remember(memory) => self.remember(&memory),
            Action::Note(note) => status::note(&note),
        }
    }

    fn commit(&mut self, offset: Offset) {
        self.node.net.gate.commit(offset);
        self.settled_up_to(offset);
    }

    /// What is committed can't be undone.
    pub(super) fn settled_up_to(&mut self, offset: Offset) {
        if self.state.unsettled.is_some_and(|unsettled| unsettled <= offset) {
            self.state.unsettled = None;
            self.state.show = true;
        }
    }

    fn lease(&mut self, until: Time) {
        if self.state.leading {
            self.node.net.gate.set_lease(until);
        }
    }

    pub(super) fn end(&self) -> Position {
        self.node.log.end()
    }
}
