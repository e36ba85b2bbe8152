//! The leader's side of replication, pure: who is connected and how far, what is committed, until when the lease runs,
//! when the synced replica must be changed, and the handover.
//!
//! It writes nothing to the registry: it says what it wishes (`wish`), and is told of tries and outcomes. Between a try
//! and its outcome both the old and the new synced replica count (trap 5).

use super::lease::Granted;
use super::member::{Config, Durability, Member, Stamp};
use super::position::{Epoch, Offset, Position};
use super::protocol::{Action, ConnectionId, HandoverEnd, HandoverRequest, LogState, Settings};
use super::time::{Awake, Time};
use super::wire::{self, Ack, Body, Frame, Heartbeat, Hello, Plan, Reason, Refused, Welcome};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

mod handover;
#[cfg(test)]
mod tests;
use handover::Handover;

/// A change of the configuration that the leader wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    Name(Member),
    /// Go on without a synced replica.
    Alone,
    /// Fsync first: what the lost replica held may soon be held here only.
    Sync,
}

/// What the synced replica is being changed to; `None`: to nobody.
pub type Change = Option<Member>;

#[derive(Clone, Hash)]
pub struct Leader {
    settings: Settings,
    me: Member,
    zone: Option<String>,
    cluster: String,
    stamp: Stamp,
    synced: Option<Member>,
    /// The try whose outcome is not known.
    changing: Option<Change>,
    peers: BTreeMap<ConnectionId, Peer>,
    log: LogState,
    /// The end of the log at the takeover: anything up to here may have been acknowledged (trap 27).
    base: Offset,
    commit: Offset,
    /// Grants for heartbeats older than this went under with a handover.
    not_before: Time,
    surrendered: bool,
    published: (Option<Offset>, Option<Time>, Option<bool>),
    awake: Awake,
    /// Since when (awake) the pair is not in order.
    unhealthy: Option<Duration>,
    beat_at: Time,
    handover: Option<Handover>,
}

#[derive(Clone, Hash)]
struct Peer {
    member: Member,
    zone: Option<String>,
    /// Welcomed: it knows what it shares with this log, so its acks mean something.
    fed: bool,
    copying: bool,
    held: Offset,
    durable: Offset,
    whole: bool,
    granted: Granted,
    heard: Duration,
    progress: Duration,
}

/// A follower as INFO and WAIT see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    pub member: Member,
    pub held: Offset,
    pub durable: Offset,
    pub whole: bool,
    pub streaming: bool,
    pub silent: Duration,
}

impl Leader {
    pub fn new(
        now: Time,
        settings: Settings,
        me: Member,
        zone: Option<String>,
        config: &Config,
        log: LogState,
    ) -> Self {
        Self {
            settings,
            me,
            zone,
            cluster: config.cluster.clone(),
            stamp: config.stamp(),
            synced: config.synced.clone(),
            changing: None,
            peers: BTreeMap::new(),
            log,
            base: if crate::mutant::is_planted(27) { 0 } else { log.end.offset },
            commit: 0,
            not_before: Time::ZERO,
            surrendered: false,
            published: (None, None, None),
            awake: Awake::new(now),
            unhealthy: None,
            beat_at: now,
            handover: None,
        }
    }

    /// What is known to be committed from the life before.
    pub fn start(&mut self, now: Time, commit: Offset, out: &mut Vec<Action>) {
        self.commit = commit.min(self.log.end.offset);
        out.push(Action::Lead { epoch: self.stamp.epoch, base: self.base });
        self.publish(now, out);
    }

    pub fn epoch(&self) -> Epoch {
        self.stamp.epoch
    }

    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    pub fn commit(&self) -> Offset {
        self.commit
    }

    pub fn synced(&self) -> Option<&Member> {
        self.synced.as_ref()
    }

    /// What the synced replica is being changed to, while that is not known to have happened or not.
    pub fn changing(&self) -> Option<&Change> {
        self.changing.as_ref()
    }

    /// Whoever holds this much holds all that was ever acknowledged.
    fn needed(&self) -> Offset {
        self.base.max(self.commit)
    }

    pub fn tick(&mut self, now: Time, out: &mut Vec<Action>) {
        self.awake.advance(now);
        self.beat(now, out);
        self.publish(now, out);
        self.hand_on(now, out);
    }

    /// Heartbeats that are due, and nothing else.
    pub fn beat(&mut self, now: Time, out: &mut Vec<Action>) {
        if now >= self.beat_at {
            self.beat_at = now.plus(self.settings.heartbeat);
            for (connection, peer) in &self.peers {
                if peer.fed {
                    out.push(self.heartbeat(now, *connection, self.hears(peer)));
                }
            }
        }
    }

    /// Whether it answered lately. If only its answers are lost it must know, by being asked for no lease: else it would
    /// go on hearing a leader that can't commit, and never take over.
    fn hears(&self, peer: &Peer) -> bool {
        self.awake.since(peer.heard) <= self.settings.lease / 2
    }

    fn heartbeat(&self, now: Time, connection: ConnectionId, hears: bool) -> Action {
        let lease = if self.surrendered || !hears { Duration::ZERO } else { self.settings.lease };
        let (commit, needed) = (self.commit, self.needed());
        let beat = Heartbeat { stamp: now, commit, needed, lease, wall_ms: 0 };
        Action::Send { connection, frame: self.frame(Body::Heartbeat(beat)) }
    }

    fn frame(&self, body: Body) -> Frame {
        Frame { epoch: self.stamp.epoch, version: self.stamp.version, body }
    }

    /// A node wants to follow.
    pub fn hello(&mut self, now: Time, connection: ConnectionId, hello: &Hello, out: &mut Vec<Action>) {
        if let Some((reason, detail)) = self.objection(hello) {
            let (by, position) = (self.me.clone(), self.log.end);
            let body = Body::Refused(Refused { reason, by, whole: true, position, detail });
            out.push(Action::Send { connection, frame: self.frame(body) });
            out.push(Action::Close { connection });
            return;
        }
        // One connection a node: what the older one granted goes before it is closed.
        let older: Vec<_> =
            self.peers.iter().filter(|(_, p)| p.member.id == hello.id).map(|(c, _)| *c).collect();
        for old in older {
            self.peers.remove(&old);
            self.publish(now, out);
            out.push(Action::Close { connection: old });
        }
        let awake = self.awake.total();
        let peer = Peer {
            member: hello.member(),
            zone: hello.zone.clone(),
            fed: false,
            copying: false,
            held: 0,
            durable: 0,
            whole: hello.whole,
            granted: Granted::default(),
            heard: awake,
            progress: awake,
        };
        self.peers.insert(connection, peer);
        if hello.copy {
            self.welcome(now, connection, Plan::Copy, out);
        } else {
            out.push(Action::Compare { connection, history: hello.history.clone() });
        }
    }

    fn objection(&self, hello: &Hello) -> Option<(Reason, String)> {
        if hello.protocol != wire::PROTOCOL {
            return Some((Reason::Protocol, format!("protocol {} is spoken here", wire::PROTOCOL)));
        }
        if hello.id == self.me.id {
            return Some((Reason::Identity, format!("the leader itself is {}", self.me)));
        }
        match &hello.cluster {
            Some(cluster) if *cluster != self.cluster => {
                Some((Reason::Cluster, format!("cluster {cluster} is not {}", self.cluster)))
            }
            None if hello.history.end.offset > 0 => {
                Some((Reason::Data, "data that belongs to no cluster would be lost".into()))
            }
            _ => None,
        }
    }

    pub fn compared(
        &mut self,
        now: Time,
        connection: ConnectionId,
        shared: Option<Position>,
        out: &mut Vec<Action>,
    ) {
        if self.peers.get(&connection).is_some_and(|peer| !peer.fed) {
            self.welcome(now, connection, shared.map_or(Plan::Copy, Plan::Resume), out);
        }
    }

    fn welcome(&mut self, now: Time, connection: ConnectionId, plan: Plan, out: &mut Vec<Action>) {
        let welcome = Welcome { cluster: self.cluster.clone(), plan, token: connection.0 };
        out.push(Action::Send { connection, frame: self.frame(Body::Welcome(welcome)) });
        out.push(match plan {
            Plan::Resume(from) => Action::Stream { connection, stamp: self.stamp, from: from.offset },
            Plan::Copy => Action::CopyTo { connection, stamp: self.stamp },
        });
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.fed = true;
            peer.copying = plan == Plan::Copy;
            // It could answer nothing before.
            peer.heard = self.awake.total();
        }
        out.push(self.heartbeat(now, connection, true));
    }

    pub fn ack(&mut self, now: Time, connection: ConnectionId, ack: &Ack, out: &mut Vec<Action>) {
        self.awake.advance(now);
        // An ack may overtake the report of the own log: what it says beyond the known end counts once that is known.
        let end = self.log.end.offset;
        let Some(peer) = self.peers.get_mut(&connection).filter(|peer| peer.fed) else { return };
        let awake = self.awake.total();
        peer.heard = awake;
        peer.whole = ack.whole;
        // One that answers no heartbeat and says nothing new says that a part of a huge record came in.
        let part = ack.stamp == Time::ZERO && ack.held == peer.held && ack.durable == peer.durable;
        if ack.held > peer.held || ack.held >= end || part {
            peer.progress = awake;
        }
        peer.durable = peer.durable.max(ack.durable);
        peer.held = peer.held.max(ack.held);
        if ack.stamp != Time::ZERO {
            let granted = ack.granted.min(self.settings.lease);
            peer.granted.grant(now, ack.stamp, granted, self.settings.margin, self.not_before);
        }
        self.publish(now, out);
        self.hand_on(now, out);
    }

    pub fn closed(&mut self, now: Time, connection: ConnectionId, out: &mut Vec<Action>) {
        if self.peers.remove(&connection).is_some() {
            self.publish(now, out);
        }
    }

    pub fn log(&mut self, now: Time, log: LogState, out: &mut Vec<Action>) {
        let awake = self.awake.total();
        for peer in self.peers.values_mut() {
            if peer.held >= self.log.end.offset {
                peer.progress = awake;
            }
        }
        self.log = log;
        self.publish(now, out);
        self.hand_on(now, out);
    }

    /// Those whose hold and whose lease count.
    fn required(&self) -> impl Iterator<Item = &Member> {
        let old = self.synced.iter().filter(|_| !(crate::mutant::is_planted(5) && self.changing.is_some()));
        let both = old.chain(self.changing.iter().flatten());
        both.filter(|member| !crate::mutant::is_planted(6) || self.peer(member).is_some())
    }

    fn peer(&self, member: &Member) -> Option<&Peer> {
        self.peers.values().find(|peer| peer.fed && peer.member == *member)
    }

    fn lease(&self) -> Time {
        if self.surrendered {
            return Time::ZERO;
        }
        let ends =
            self.required().map(|member| self.peer(member).map_or(Time::ZERO, |peer| peer.granted.until()));
        ends.min().unwrap_or(Time::MAX)
    }

    fn committable(&self) -> Offset {
        let others = self.required().map(|member| self.peer(member).map_or(0, |peer| peer.held));
        // A leader that is about to be alone, and may lose its power before it knows, must not lose what the other holds.
        let mine =
            if self.changing == Some(None) { self.log.durable.min(self.log.held) } else { self.log.held };
        others.chain(std::iter::once(mine)).min().unwrap_or(0)
    }

    /// Tells of what changed: the lease first when it shrinks, the commit index first when it grows.
    fn publish(&mut self, _now: Time, out: &mut Vec<Action>) {
        if !self.surrendered {
            self.commit = self.commit.max(self.committable());
        }
        let lease = self.lease();
        if self.published.1 != Some(lease) {
            self.published.1 = Some(lease);
            out.push(Action::Lease { until: lease });
        }
        if self.published.0 != Some(self.commit) {
            self.published.0 = Some(self.commit);
            out.push(Action::Commit { offset: self.commit });
        }
        let healthy = self.required().all(|member| self.healthy(member)) && !self.lonely();
        self.unhealthy = if healthy { None } else { self.unhealthy.or(Some(self.awake.total())) };
        let writable = self.unhealthy.is_none_or(|since| self.awake.since(since) < self.settings.lease);
        if self.published.2 != Some(writable) {
            self.published.2 = Some(writable);
            out.push(Action::Writable(writable));
        }
    }

    /// Alone, where that is not allowed: only an operator's order to lead leaves a leader so.
    fn lonely(&self) -> bool {
        self.synced.is_none() && self.settings.durability == Durability::Required
    }

    fn healthy(&self, member: &Member) -> bool {
        self.peer(member).is_some_and(|peer| self.keeps_up(peer))
    }

    /// Whether who is there may take over, and holds all that is committed.
    pub fn is_heir(&self, connection: ConnectionId) -> bool {
        let peer = self.peers.get(&connection);
        peer.is_some_and(|peer| peer.whole && Some(&peer.member) == self.synced.as_ref())
    }

    /// It answers, and what it does not hold yet it is about to.
    fn keeps_up(&self, peer: &Peer) -> bool {
        let level = peer.held >= self.log.end.offset;
        self.awake.since(peer.heard) < self.settings.lease
            && (level || self.awake.since(peer.progress) < self.settings.lease)
    }

    pub fn wish(&self, now: Time) -> Option<Wish> {
        if self.changing.is_some() || self.surrendered {
            return None;
        }
        if let Some(handover) = &self.handover {
            let to = handover.naming()?;
            let peer = self.peers.values().find(|peer| peer.member.id == to && self.level(now, peer))?;
            return (Some(&peer.member) != self.synced.as_ref()).then(|| Wish::Name(peer.member.clone()));
        }
        match &self.synced {
            Some(synced) if self.healthy(synced) => None,
            Some(_) => self.best(now).map(Wish::Name).or_else(|| self.alone()),
            None => self.best(now).map(Wish::Name),
        }
    }

    fn alone(&self) -> Option<Wish> {
        let since = self.unhealthy?;
        let long = self.awake.since(since) >= self.settings.lease;
        let safe = self.log.durable >= self.needed();
        (self.settings.durability == Durability::Preferred && long).then_some(if safe {
            Wish::Alone
        } else {
            Wish::Sync
        })
    }

    /// It holds all that was acknowledged, has lost nothing, keeps up, and is close enough not to stall writes. Nobody is
    /// named who would have to be replaced at once: two that both stall would take turns as fast as the registry writes.
    fn level(&self, now: Time, peer: &Peer) -> bool {
        peer.fed
            && self.keeps_up(peer)
            && peer.whole
            && peer.held >= self.needed()
            && self.log.end.offset.saturating_sub(peer.held) <= self.settings.level_bytes
            && peer.granted.until() > now
    }

    fn best(&self, now: Time) -> Option<Member> {
        let others =
            self.peers.values().filter(|p| Some(&p.member) != self.synced.as_ref() && self.level(now, p));
        let best =
            others.max_by_key(|p| (p.zone.is_none() || p.zone != self.zone, p.held, Reverse(&p.member)));
        best.map(|peer| peer.member.clone())
    }

    /// A write that changes the synced replica is under way.
    pub fn trying(&mut self, now: Time, synced: Change, out: &mut Vec<Action>) {
        self.changing = Some(synced);
        self.publish(now, out);
    }

    /// Its outcome is known, and this is the configuration.
    pub fn settled(&mut self, now: Time, config: &Config, out: &mut Vec<Action>) {
        self.changing = None;
        self.stamp = config.stamp();
        self.synced.clone_from(&config.synced);
        self.unhealthy = None;
        self.publish(now, out);
        self.hand_on(now, out);
    }

    /// Stops leading. No lease is left when the connections are closed.
    pub fn stop(mut self, out: &mut Vec<Action>) {
        self.surrendered = true;
        out.push(Action::Lease { until: Time::ZERO });
        out.push(Action::StepDown);
        if self.handover.is_some() {
            out.push(Action::HandoverEnded(HandoverEnd::Done));
        }
        out.extend(self.peers.keys().map(|connection| Action::Close { connection: *connection }));
    }

    pub fn hand_over(&mut self, now: Time, request: HandoverRequest, out: &mut Vec<Action>) {
        if self.handover.is_some() {
            out.push(Action::HandoverEnded(HandoverEnd::AlreadyRunning));
            return;
        }
        let known = match &request.to {
            Some(id) => self.peers.values().any(|peer| peer.member.id == *id),
            None => self.synced.is_some() || !self.peers.is_empty(),
        };
        if !known {
            out.push(Action::HandoverEnded(HandoverEnd::NoSuchReplica));
            return;
        }
        self.handover = Some(Handover::new(now, request));
        self.hand_on(now, out);
    }

    pub fn peers(&self) -> impl Iterator<Item = PeerView> {
        self.peers.values().map(|peer| PeerView {
            member: peer.member.clone(),
            held: peer.held,
            durable: peer.durable,
            whole: peer.whole,
            streaming: peer.fed && !peer.copying,
            silent: self.awake.since(peer.heard),
        })
    }
}
