//! The follower's side of replication, pure: finding the leader, agreeing on where to start, keeping what it sends,
//! acknowledging it, promising it time, and noticing that it is gone.
//!
//! What was received is applied only up to what the leader says is committed: so nothing dirty is ever read here, and a
//! truncation does not reach the keyspace. After a truncation or a full copy the follower greets anew, so that streaming
//! always starts from a log that both sides have just compared.

use super::lease::Promises;
use super::member::{Member, Memory, Stamp};
use super::position::{Epoch, Offset, Position};
use super::protocol::{Action, ConnectionId, Ending, LogState, Note, Settings};
use super::time::{Awake, Time};
use super::wire::{Ack, Body, Frame, Heartbeat, Plan, Reason, Refused, Welcome};
use bytes::Bytes;
use std::time::Duration;

/// What a follower shares with whatever the node becomes next.
#[derive(Clone, Hash)]
pub struct Common {
    pub settings: Settings,
    pub me: Member,
    pub log: LogState,
    pub memory: Memory,
    pub promises: Promises,
    /// What is known to be committed.
    pub commit: Offset,
    /// The highest epoch that anybody told of.
    pub epoch_seen: Epoch,
    /// The log can't be resumed: ask for a copy.
    pub copy_next: bool,
    /// Records that this node held can't be read any more: it says nothing of what was acknowledged, and leads only by
    /// an operator's order, until it has a copy.
    pub damaged: bool,
    /// The log is being cut or replaced: nobody may lead with it meanwhile.
    pub log_busy: bool,
    rejections: u32,
    connections: u64,
}

impl Common {
    pub fn new(settings: Settings, me: Member, log: LogState, memory: Memory, promises: Promises) -> Self {
        let epoch_seen = memory.stamp().epoch.max(log.end.epoch);
        Self {
            settings,
            me,
            log,
            memory,
            promises,
            commit: 0,
            epoch_seen,
            copy_next: false,
            damaged: false,
            log_busy: false,
            rejections: 0,
            connections: 0,
        }
    }

    fn connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId::outgoing(self.connections)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Link {
    Down { retry_at: Time },
    Opening(ConnectionId),
    Greeted(ConnectionId),
    Streaming(ConnectionId),
    Copying(ConnectionId),
    Installing(ConnectionId),
}

impl Link {
    fn connection(self) -> Option<ConnectionId> {
        match self {
            Self::Down { .. } => None,
            Self::Opening(c)
            | Self::Greeted(c)
            | Self::Streaming(c)
            | Self::Copying(c)
            | Self::Installing(c) => Some(c),
        }
    }
}

#[derive(Clone, Hash)]
pub struct Follower {
    leader: Member,
    epoch: Epoch,
    address: Option<(String, u16)>,
    link: Link,
    awake: Awake,
    /// When (awake) a leader that hears this node was last heard, or first looked for.
    heard: Duration,
    /// The last heartbeat asked for no lease: the leader gave it up, or does not hear this node. It can commit nothing
    /// with it then, so whatever else it sends is no sign of life.
    unheard: bool,
    /// When (awake) the link last got anywhere.
    link_heard: Duration,
    /// It was a replica of this leader in this epoch: silence now means something.
    attached: bool,
    /// The leader gave its lease up and is not expected back.
    released: bool,
    received: Offset,
    /// From the last heartbeat of this link.
    needed: Option<Offset>,
    /// A link that broke; its watch may yet tell that the leader is gone.
    lost: Option<ConnectionId>,
    /// How often the leader said that it does not lead.
    early: u32,
}

/// What does not fit this often in a row never will: the logs differ where they were thought to agree.
const REJECTIONS_MAX: u32 = 3;
/// Between tries to reach a leader.
const RETRY: Duration = Duration::from_millis(50);
/// Between the first tries at one that does not lead yet: whoever heard of its claim before itself is early by
/// milliseconds, and it may commit nothing until this node is back.
const RETRY_SOON: Duration = Duration::from_millis(3);
const SOON_MAX: u32 = 20;

impl Follower {
    pub fn new(now: Time, leader: Member, epoch: Epoch, address: Option<(String, u16)>) -> Self {
        Self {
            leader,
            epoch,
            address,
            link: Link::Down { retry_at: now },
            awake: Awake::new(now),
            heard: Duration::ZERO,
            unheard: false,
            link_heard: Duration::ZERO,
            attached: false,
            released: false,
            received: 0,
            needed: None,
            lost: None,
            early: 0,
        }
    }

    pub fn leader(&self) -> &Member {
        &self.leader
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn streaming(&self) -> bool {
        matches!(self.link, Link::Streaming(_))
    }

    /// The leader said or showed that it holds no lease any more.
    pub fn released(&self) -> bool {
        self.released
    }

    pub fn attached(&self) -> bool {
        self.attached
    }

    /// For how long no leader that hears this node has been heard of, as far as this process could listen.
    pub fn silence(&self) -> Duration {
        self.awake.since(self.heard)
    }

    pub fn is_link(&self, connection: ConnectionId) -> bool {
        self.link.connection() == Some(connection)
    }

    /// The node announced another address.
    pub fn found(&mut self, address: Option<(String, u16)>) {
        if address.is_some() {
            self.address = address;
        }
    }

    /// The same leader leads on in a higher epoch.
    pub fn go_on(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        // What it gave up was the lease of the epoch before.
        self.released = false;
        self.attached = self.streaming();
        self.heard = self.awake.total();
    }

    pub fn tick(&mut self, now: Time) {
        self.awake.advance(now);
    }

    /// Opens a link that is due, gives up one that is silent.
    pub fn look(&mut self, now: Time, common: &mut Common, out: &mut Vec<Action>) {
        let limit = common.settings.lease + common.settings.margin;
        match self.link {
            Link::Down { retry_at } => {
                if now >= retry_at
                    && !common.log_busy
                    && let Some((host, port)) = self.address.clone()
                {
                    let connection = common.connection();
                    self.link = Link::Opening(connection);
                    self.link_heard = self.awake.total();
                    out.push(Action::Connect { connection, host, port });
                }
            }
            Link::Installing(_) => {}
            _ if self.awake.since(self.link_heard) > limit => self.drop_link(now.plus(RETRY), out),
            _ => {}
        }
    }

    fn drop_link(&mut self, retry_at: Time, out: &mut Vec<Action>) {
        if matches!(self.link, Link::Copying(_)) {
            out.push(Action::CopyAbort);
        }
        if let Some(connection) = self.link.connection() {
            out.push(Action::Close { connection });
        }
        self.link = Link::Down { retry_at };
        self.needed = None;
    }

    /// Follows nobody from here on; nothing is acknowledged or granted any more.
    pub fn stop(mut self, now: Time, out: &mut Vec<Action>) {
        self.drop_link(now, out);
    }

    pub fn opened(&mut self, connection: ConnectionId, common: &Common, out: &mut Vec<Action>) {
        if self.link != Link::Opening(connection) {
            return;
        }
        self.link = Link::Greeted(connection);
        self.link_heard = self.awake.total();
        let stamp = Stamp { epoch: common.epoch_seen, version: common.memory.stamp().version };
        let (whole, copy) = (common.memory.whole, common.copy_next);
        out.push(Action::Greet { connection, stamp, whole, copy, cluster: common.memory.cluster.clone() });
    }

    pub fn closed(
        &mut self,
        now: Time,
        connection: ConnectionId,
        ending: Ending,
        common: &mut Common,
        out: &mut Vec<Action>,
    ) {
        let link = self.is_link(connection);
        let welcomed = link && !matches!(self.link, Link::Opening(_) | Link::Greeted(_));
        // A leader closes in order only when it has no lease by this connection any more: it died, or it stepped down.
        // One that never welcomed this connection may still have a lease by an earlier one, and once it has welcomed a
        // later one, that counts.
        if ending == Ending::Orderly && self.attached && (welcomed || self.lost == Some(connection)) {
            self.released = true;
            common.promises.released_by(&self.leader);
        }
        if !link {
            return;
        }
        if matches!(self.link, Link::Copying(_)) {
            out.push(Action::CopyAbort);
        }
        if welcomed {
            self.lost = Some(connection);
        }
        let retry_at = if self.streaming() { now } else { now.plus(RETRY) };
        if !matches!(self.link, Link::Installing(_)) {
            self.link = Link::Down { retry_at };
        }
        self.needed = None;
    }

    /// A frame of the present link, of no lower an epoch than is known.
    pub fn frame(&mut self, now: Time, frame: Frame, common: &mut Common, out: &mut Vec<Action>) {
        self.awake.advance(now);
        self.link_heard = self.awake.total();
        match (frame.body, self.link) {
            (Body::Refused(refused), _) => self.refused(now, frame.epoch, &refused, common, out),
            (Body::Welcome(welcome), Link::Greeted(connection)) => {
                self.welcomed(now, connection, &welcome, common, out);
            }
            (Body::Heartbeat(beat), Link::Streaming(c) | Link::Copying(c) | Link::Installing(c)) => {
                self.unheard = beat.lease.is_zero();
                self.alive();
                self.heartbeat(now, c, &beat, common, out);
            }
            (Body::Records { start, commit, bytes }, Link::Streaming(connection)) => {
                self.alive();
                if start == self.received && start > common.log.end.offset {
                    // A record that takes long to come in: what is held stands still, and must not look stuck (trap 22).
                    out.push(ack(connection, self.epoch, common, true, Time::ZERO, Duration::ZERO));
                }
                self.records(now, start, commit, bytes, common, out);
            }
            (Body::Commit { offset }, Link::Streaming(_)) => committed(offset, common, out),
            (Body::Handover { end }, Link::Streaming(_)) => {
                if common.log.end.offset >= end {
                    self.released = true;
                    common.promises.released_by(&self.leader);
                }
            }
            (Body::CopyBegin { position, bytes }, Link::Copying(_)) => {
                out.push(Action::CopyBegin { position, bytes });
            }
            (Body::CopyChunk { bytes }, Link::Copying(_)) => {
                self.alive();
                out.push(Action::CopyChunk { bytes });
            }
            (Body::CopyEnd, Link::Copying(connection)) => {
                // The copy may end before what the old data held: until it has caught up this node can't lead.
                common.memory.whole = false;
                common.log_busy = true;
                out.push(Action::Remember(common.memory.clone()));
                out.push(Action::Install);
                self.link = Link::Installing(connection);
            }
            _ => self.drop_link(now.plus(RETRY), out),
        }
    }

    fn alive(&mut self) {
        if !self.unheard {
            self.heard = self.awake.total();
        }
    }

    fn refused(
        &mut self,
        now: Time,
        epoch: Epoch,
        refused: &Refused,
        common: &mut Common,
        out: &mut Vec<Action>,
    ) {
        if refused.reason == Reason::NotLeader && refused.by == self.leader && epoch <= self.epoch {
            // It was restarted, or stepped down: either way its lease is gone.
            self.released = true;
            common.promises.released_by(&self.leader);
        }
        let soon =
            matches!(refused.reason, Reason::NotLeader | Reason::Trying | Reason::Epoch | Reason::Busy);
        if !soon {
            out.push(Action::Note(Note::Refused { by: refused.by.clone(), detail: refused.detail.clone() }));
        }
        self.early = self.early.saturating_add(1);
        let pause = match soon {
            true if self.early <= SOON_MAX => RETRY_SOON,
            true => RETRY,
            false => common.settings.grace,
        };
        self.drop_link(now.plus(pause), out);
    }

    fn welcomed(
        &mut self,
        now: Time,
        connection: ConnectionId,
        welcome: &Welcome,
        common: &mut Common,
        out: &mut Vec<Action>,
    ) {
        if common.memory.cluster.as_ref().is_some_and(|cluster| *cluster != welcome.cluster) {
            self.drop_link(now.plus(common.settings.grace), out);
            return;
        }
        self.unheard = false;
        self.alive();
        self.lost = None;
        let end = common.log.end;
        match welcome.plan {
            Plan::Copy => self.link = Link::Copying(connection),
            Plan::Resume(at) if at == end || crate::mutant::is_planted(12) && at.offset == end.offset => {
                self.link = Link::Streaming(connection);
                self.attached = true;
                self.received = at.offset;
                common.copy_next = false;
                // Cutting the log back stopped the application of what was known before.
                out.push(Action::Apply { upto: common.commit.min(end.offset) });
                out.push(ack(connection, self.epoch, common, true, Time::ZERO, Duration::ZERO));
            }
            Plan::Resume(at) if at.offset < end.offset => {
                common.log_busy = true;
                self.drop_link(now, out);
                out.push(Action::Truncate { to: at });
            }
            // Same offset, another history.
            Plan::Resume(_) => {
                common.copy_next = true;
                self.drop_link(now, out);
            }
        }
    }

    fn records(
        &mut self,
        now: Time,
        start: Offset,
        commit: Offset,
        bytes: Bytes,
        common: &mut Common,
        out: &mut Vec<Action>,
    ) {
        if start != self.received {
            self.drop_link(now.plus(RETRY), out);
            return;
        }
        self.received += bytes.len() as u64;
        out.push(Action::Append { bytes });
        committed(commit, common, out);
    }

    fn heartbeat(
        &mut self,
        now: Time,
        connection: ConnectionId,
        beat: &Heartbeat,
        common: &mut Common,
        out: &mut Vec<Action>,
    ) {
        let granted = beat.lease.min(common.settings.lease);
        if granted > Duration::ZERO {
            common.promises.promise(now, &self.leader, granted, common.settings.margin);
            self.released = false;
        }
        self.needed = Some(beat.needed);
        self.mend(common, out);
        if self.streaming() {
            committed(beat.commit, common, out);
        }
        out.push(ack(connection, self.epoch, common, self.streaming(), beat.stamp, granted));
    }

    /// A log that lost something is whole again when it holds all that was acknowledged.
    fn mend(&self, common: &mut Common, out: &mut Vec<Action>) {
        let caught_up = self.needed.is_some_and(|needed| common.log.held >= needed);
        if !common.memory.whole && self.streaming() && caught_up {
            common.memory.whole = true;
            out.push(Action::Remember(common.memory.clone()));
        }
    }

    /// The own log moved on.
    pub fn logged(&mut self, before: LogState, common: &mut Common, out: &mut Vec<Action>) {
        let Link::Streaming(connection) = self.link else { return };
        self.mend(common, out);
        if common.log.held != before.held || common.log.durable != before.durable {
            out.push(ack(connection, self.epoch, common, true, Time::ZERO, Duration::ZERO));
        }
        if common.log.end.offset > before.end.offset {
            common.rejections = 0;
            out.push(Action::Apply { upto: common.commit.min(common.log.end.offset) });
        }
    }

    /// What was received does not fit the log: compare anew.
    pub fn rejected(&mut self, now: Time, common: &mut Common, out: &mut Vec<Action>) {
        common.rejections += 1;
        if common.rejections > REJECTIONS_MAX {
            common.copy_next = true;
        }
        self.drop_link(now.plus(RETRY), out);
    }

    /// The disk is full: the leader does without this node for a while.
    pub fn no_room(&mut self, now: Time, common: &Common, out: &mut Vec<Action>) {
        self.drop_link(now.plus(common.settings.lease), out);
    }

    /// The leader of the link is one of the past.
    pub fn outdated(&mut self, now: Time, out: &mut Vec<Action>) {
        self.drop_link(now.plus(RETRY), out);
    }

    pub fn installed(&mut self, now: Time, done: bool, common: &mut Common, out: &mut Vec<Action>) {
        common.copy_next = !done;
        self.drop_link(if done { now } else { now.plus(common.settings.grace) }, out);
    }
}

fn committed(offset: Offset, common: &mut Common, out: &mut Vec<Action>) {
    if offset > common.commit {
        common.commit = offset;
        out.push(Action::Apply { upto: offset.min(common.log.end.offset) });
    }
}

fn ack(
    connection: ConnectionId,
    epoch: Epoch,
    common: &Common,
    shared: bool,
    stamp: Time,
    granted: Duration,
) -> Action {
    let (held, durable) = if shared { (common.log.held, common.log.durable) } else { (0, 0) };
    let ack = Ack { held, durable, whole: common.memory.whole, stamp, granted };
    let version = common.memory.stamp().version;
    Action::Send {
        connection,
        frame: Frame { epoch: epoch.max(common.epoch_seen), version, body: Body::Ack(ack) },
    }
}

impl Common {
    /// The log was cut back to `to`.
    pub fn truncated(&mut self, to: Option<Position>) {
        self.log_busy = false;
        match to {
            Some(position) => self.commit = self.commit.min(position.offset),
            None => self.copy_next = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::member::Durability;

    /// Greets anew and is told to resume from there; the orders that follow.
    fn resume(follower: &mut Follower, common: &mut Common, at: Position) -> Vec<Action> {
        let (now, mut out) = (Time::ZERO, Vec::new());
        follower.look(now, common, &mut out);
        let Some(Action::Connect { connection, .. }) = out.last().cloned() else {
            panic!("it connects: {out:?}")
        };
        follower.opened(connection, common, &mut out);
        out.clear();
        let welcome = Welcome { cluster: "c".into(), plan: Plan::Resume(at), token: 1 };
        follower.frame(now, Frame { epoch: 1, version: 1, body: Body::Welcome(welcome) }, common, &mut out);
        out
    }

    fn member(id: &str) -> Member {
        Member { id: id.into(), incarnation: "1".into() }
    }

    fn position(offset: Offset) -> Position {
        Position { epoch: 1, offset, crc: 0 }
    }

    fn common() -> Common {
        let settings = Settings::new(Durability::Required, Duration::from_millis(400));
        let promises = Promises::after_start(Time::ZERO, settings.lease, settings.margin);
        let log = LogState { end: position(100), held: 100, durable: 100 };
        Common::new(settings, member("a"), log, Memory::default(), promises)
    }

    /// Connects and is refused; after what time it connects again.
    fn refused(follower: &mut Follower, common: &mut Common, now: Time) -> Duration {
        let mut out = Vec::new();
        follower.look(now, common, &mut out);
        let connection = follower.link.connection().expect("it connects");
        follower.opened(connection, common, &mut out);
        let refused = Refused {
            reason: Reason::Trying,
            by: member("b"),
            whole: true,
            position: position(100),
            detail: String::new(),
        };
        let frame = Frame { epoch: 1, version: 1, body: Body::Refused(refused) };
        follower.frame(now, frame, common, &mut out);
        let Link::Down { retry_at } = follower.link else { panic!("it goes on with {:?}", follower.link) };
        retry_at.since(now)
    }

    #[test]
    fn a_leader_that_does_not_lead_yet_is_asked_again_at_once_but_not_for_ever() {
        let mut common = common();
        let mut follower = Follower::new(Time::ZERO, member("b"), 1, Some(("b".into(), 1)));
        let mut now = Time::ZERO;
        let pauses: Vec<Duration> = (0..=SOON_MAX)
            .map(|_| {
                let pause = refused(&mut follower, &mut common, now);
                now = now.plus(pause);
                pause
            })
            .collect();
        let (last, first) = pauses.split_last().expect("there are some");
        assert!(first.iter().all(|pause| *pause == RETRY_SOON), "{first:?}");
        assert_eq!(*last, RETRY);
    }

    #[test]
    fn what_is_known_to_be_committed_is_applied_on_after_the_log_was_cut_back() {
        let mut common = common();
        common.commit = 60;
        let mut follower = Follower::new(Time::ZERO, member("b"), 1, Some(("b".into(), 1)));
        let orders = resume(&mut follower, &mut common, position(80));
        assert!(orders.contains(&Action::Truncate { to: position(80) }), "{orders:?}");
        common.log.end = position(80);
        common.truncated(Some(position(80)));
        let orders = resume(&mut follower, &mut common, position(80));
        assert!(orders.contains(&Action::Apply { upto: 60 }), "{orders:?}");
    }
}
