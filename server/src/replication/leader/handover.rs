//! Giving the lead away in order: name whom it goes to, execute nothing more, wait until that one holds everything,
//! give the lease up, say so. If nothing comes of it, the old leader goes on where it was, under a new lease.

use super::super::position::Offset;
use super::super::protocol::{Action, HandoverEnd, HandoverRequest};
use super::super::time::Time;
use super::super::wire::Body;
use super::Leader;
use std::time::Duration;

#[derive(Clone, Hash)]
pub struct Handover {
    request: HandoverRequest,
    deadline: Time,
    stage: Stage,
}

#[derive(Clone, Hash)]
enum Stage {
    Naming,
    Draining,
    Leveling {
        end: Offset,
    },
    /// The other may take over at any moment, or never.
    Sent {
        until: Time,
    },
}

impl Handover {
    pub fn new(now: Time, request: HandoverRequest) -> Self {
        let deadline = now.plus(request.timeout);
        Self { request, deadline, stage: Stage::Naming }
    }

    /// Who is to be named synced first.
    pub fn naming(&self) -> Option<&str> {
        match self.stage {
            Stage::Naming => self.request.to.as_deref(),
            _ => None,
        }
    }
}

/// How long the other has to write the registry before the old leader goes on.
const TAKEOVER_MAX: Duration = Duration::from_secs(2);

impl Leader {
    pub fn drained(&mut self, now: Time, end: Offset, out: &mut Vec<Action>) {
        if let Some(handover) = self.handover.as_mut()
            && matches!(handover.stage, Stage::Draining)
        {
            handover.stage = Stage::Leveling { end };
            self.hand_on(now, out);
        }
    }

    /// Takes the handover as far as it goes now.
    pub(super) fn hand_on(&mut self, now: Time, out: &mut Vec<Action>) {
        let Some(handover) = &self.handover else { return };
        let late = now >= handover.deadline;
        match handover.stage {
            Stage::Naming => {
                let named = self.changing.is_none()
                    && self.synced.as_ref().is_some_and(|synced| {
                        self.peer(synced).is_some()
                            && handover.request.to.as_ref().is_none_or(|to| *to == synced.id)
                    });
                if named {
                    self.stage(Stage::Draining);
                    out.push(Action::Drain);
                } else if late {
                    self.end_handover(HandoverEnd::TimedOut, out);
                }
            }
            Stage::Draining if late => self.resume(now, HandoverEnd::TimedOut, out),
            Stage::Leveling { end } => {
                let level = self.committable() >= end && self.changing.is_none();
                if level || (late && handover.request.force) {
                    self.send_handover(now, if level { end } else { self.commit }, out);
                } else if late {
                    self.resume(now, HandoverEnd::TimedOut, out);
                } else if !self.synced.as_ref().is_some_and(|synced| self.healthy(synced)) {
                    // Clients would wait for somebody who may never come back, and nobody else is named meanwhile.
                    self.resume(now, HandoverEnd::NoSuchReplica, out);
                }
            }
            Stage::Sent { until } if now >= until => self.resume(now, HandoverEnd::TimedOut, out),
            Stage::Draining | Stage::Sent { .. } => {}
        }
    }

    fn stage(&mut self, stage: Stage) {
        if let Some(handover) = self.handover.as_mut() {
            handover.stage = stage;
        }
    }

    fn send_handover(&mut self, now: Time, end: Offset, out: &mut Vec<Action>) {
        let synced = self.synced.clone();
        let found = self.peers.iter().find(|(_, peer)| peer.fed && Some(&peer.member) == synced.as_ref());
        let Some(connection) = found.map(|(connection, _)| *connection) else {
            self.resume(now, HandoverEnd::NoSuchReplica, out);
            return;
        };
        // No lease is left before the frame that says so is sent, and no earlier grant counts again.
        self.surrendered = true;
        self.publish(now, out);
        self.stage(Stage::Sent { until: now.plus(TAKEOVER_MAX) });
        out.push(Action::Send { connection, frame: self.frame(Body::Handover { end }) });
    }

    pub fn abort_handover(&mut self, now: Time, out: &mut Vec<Action>) {
        match self.handover.as_ref().map(|handover| &handover.stage) {
            None => out.push(Action::HandoverEnded(HandoverEnd::NotLeader)),
            Some(Stage::Naming) => self.end_handover(HandoverEnd::Aborted, out),
            Some(_) => self.resume(now, HandoverEnd::Aborted, out),
        }
    }

    /// Goes on leading: only grants for heartbeats that are sent from now on count.
    fn resume(&mut self, now: Time, why: HandoverEnd, out: &mut Vec<Action>) {
        self.end_handover(why, out);
        out.push(Action::Undrain);
        if self.surrendered {
            self.surrendered = false;
            self.not_before = now.plus(Duration::from_nanos(1));
            for peer in self.peers.values_mut() {
                peer.granted.revoke();
            }
            self.beat_at = self.not_before;
        }
        self.publish(now, out);
    }

    fn end_handover(&mut self, why: HandoverEnd, out: &mut Vec<Action>) {
        self.handover = None;
        out.push(Action::HandoverEnded(why));
    }
}
