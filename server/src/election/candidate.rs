//! One node's part in the cluster, pure: which role it has, what it believes of the registry, what it writes there, and
//! the leader or follower inside it.
//!
//! It is the only one that changes roles. `/config` decides; frames and silence only give reasons to try. Every write is
//! version-checked, and while one is undecided neither outcome is acted on (rule 6). Deliberately absent: clocks,
//! sockets, disks, tasks, and randomness other than the seed it is given.

use crate::replication::follower::{Common, Follower};
use crate::replication::leader::{Leader, PeerView, Wish};
use crate::replication::lease::Promises;
use crate::replication::member::{Config, Member, Memory, NodeInfo, RoleName, Stamp};
use crate::replication::position::{Epoch, Offset, Position};
use crate::replication::protocol::{
    Action, ConnectionId, Ending, Event, HandoverEnd, LogState, Note, RegistryEvent, Settings,
};
use crate::replication::time::{Awake, Time};
use crate::replication::wire::{Body, Frame};
use std::time::Duration;

use super::claims::Waiting;
use super::early::Early;
use super::registry::View;

#[derive(Clone, Hash)]
pub struct Candidate {
    pub(super) common: Common,
    pub(super) info: NodeInfo,
    pub(super) role: Role,
    pub(super) view: View,
    pub(super) waiting: Waiting,
    pub(super) ids: Ids,
    /// The registry belongs to another cluster than this node's data.
    pub(super) foreign: bool,
    pub(super) awake: Awake,
    pub(super) met: Option<Met>,
    announced: Option<(NodeInfo, Duration)>,
    followed: Option<Followed>,
    pub(super) early: Early,
}

/// Whom clients were told to look for.
type Followed = Option<Member>;

#[derive(Clone, Hash)]
pub(super) enum Role {
    /// Follows nobody, as nobody is known to lead, or as this node is trying to.
    Idle,
    Follower(Box<Follower>),
    Leader(Box<Leader>),
}

/// What a node said of its log, in person: announcements may be those of a former life (trap 4).
#[derive(Clone, Hash)]
pub(super) struct Met {
    pub member: Member,
    pub whole: bool,
    pub position: Position,
    /// The configuration under which it said so.
    pub under: Stamp,
}

/// What the node is given when it starts.
pub struct Birth {
    pub settings: Settings,
    /// Where it can be reached; role, offsets and the like are filled in by the machine.
    pub info: NodeInfo,
    pub log: LogState,
    /// How far the keyspace holds what is surely committed: a snapshot's offset, or what was applied.
    pub commit: Offset,
    pub memory: Memory,
    /// From the operating system's randomness; from the simulator's seed in tests.
    pub seed: u128,
}

/// Ids that no other write or cluster has: a counter behind a random start.
#[derive(Clone, Hash)]
pub(super) struct Ids {
    seed: u128,
    count: u128,
}

impl Ids {
    pub fn next(&mut self) -> String {
        self.count += 1;
        let id = self.seed.wrapping_add(self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        format!("{id:032x}")
    }
}

/// What INFO, ROLE, readiness and metrics tell.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each shown on its own")]
pub struct Status {
    pub role: RoleName,
    pub epoch: Epoch,
    pub config: Option<Config>,
    pub leader: Option<Member>,
    /// A follower: records flow from the leader.
    pub streaming: bool,
    /// A follower: for how long nothing came from the leader.
    pub silence: Duration,
    pub commit: Offset,
    pub whole: bool,
    pub damaged: bool,
    pub registry: bool,
    pub foreign: bool,
    pub undecided: bool,
    pub peers: Vec<PeerView>,
}

impl Candidate {
    pub fn new(now: Time, birth: Birth) -> Self {
        let Birth { settings, info, log, commit, memory, seed } = birth;
        let promises = Promises::after_start(now, settings.lease, settings.margin);
        let mut common = Common::new(settings, info.member(), log, memory, promises);
        common.commit = commit.min(log.end.offset);
        Self {
            common,
            info,
            role: Role::Idle,
            view: View::default(),
            waiting: Waiting::default(),
            ids: Ids { seed, count: 0 },
            foreign: false,
            awake: Awake::new(now),
            met: None,
            announced: None,
            followed: None,
            early: Early::default(),
        }
    }

    /// The data directory is damaged: before the first event.
    pub fn set_damaged(&mut self) {
        (self.common.damaged, self.common.copy_next, self.common.memory.whole) = (true, true, false);
    }

    /// One event in, orders out. `now` never goes back.
    pub fn on(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        self.awake.advance(now);
        match event {
            Event::Tick => match &mut self.role {
                Role::Leader(leader) => leader.tick(now, out),
                Role::Follower(follower) => follower.tick(now),
                Role::Idle => {}
            },
            Event::Opened { connection } => self.opened(connection, out),
            Event::Closed { connection, ending } => self.closed(now, connection, ending, out),
            Event::Frame { connection, frame } => self.frame(now, connection, frame, out),
            Event::Log { end, held, durable } => self.logged(now, LogState { end, held, durable }, out),
            Event::Rejected => {
                if let Role::Follower(follower) = &mut self.role {
                    follower.rejected(now, &mut self.common, out);
                }
            }
            Event::NoRoom => {
                if let Role::Follower(follower) = &mut self.role {
                    follower.no_room(now, &self.common, out);
                }
            }
            Event::Compared { connection, shared } => {
                if let Role::Leader(leader) = &mut self.role {
                    leader.compared(now, connection, shared, out);
                }
            }
            Event::Truncated { done } => self.common.truncated(done.then_some(self.common.log.end)),
            Event::Installed { position } => self.installed(now, position.is_some(), out),
            Event::Registry(event) => self.registry(now, event, out),
            Event::Handover(request) => match &mut self.role {
                Role::Leader(_) if !self.view.connected() => {
                    out.push(Action::HandoverEnded(HandoverEnd::NoRegistry));
                }
                Role::Leader(leader) => leader.hand_over(now, request, out),
                _ => out.push(Action::HandoverEnded(HandoverEnd::NotLeader)),
            },
            Event::AbortHandover => match &mut self.role {
                Role::Leader(leader) => leader.abort_handover(now, out),
                _ => out.push(Action::HandoverEnded(HandoverEnd::NotLeader)),
            },
            Event::Drained { end } => {
                if let Role::Leader(leader) = &mut self.role {
                    leader.drained(now, end, out);
                }
            }
            Event::ForceLead => self.force_lead(now, out),
        }
        self.answer_early(now, out);
        self.read_again(out);
        self.try_registry(now, out);
        if let Role::Follower(follower) = &mut self.role {
            // Not only at the next tick: a failover is made of such steps.
            follower.look(now, &mut self.common, out);
        }
        self.announce(out);
    }

    /// As [`Leader::is_heir`], if this node leads.
    pub fn has_heir(&self, connection: ConnectionId) -> bool {
        matches!(&self.role, Role::Leader(leader) if leader.is_heir(connection))
    }

    /// The heartbeats of a leader that are due, while the node waits for its disk and takes no events.
    pub fn beat(&mut self, now: Time, out: &mut Vec<Action>) {
        if let Role::Leader(leader) = &mut self.role {
            leader.beat(now, out);
        }
    }

    fn opened(&mut self, connection: ConnectionId, out: &mut Vec<Action>) {
        match &mut self.role {
            Role::Follower(follower) if follower.is_link(connection) => {
                follower.opened(connection, &self.common, out);
            }
            _ => out.push(Action::Close { connection }),
        }
    }

    fn closed(&mut self, now: Time, connection: ConnectionId, ending: Ending, out: &mut Vec<Action>) {
        match &mut self.role {
            Role::Follower(follower) => follower.closed(now, connection, ending, &mut self.common, out),
            Role::Leader(leader) => leader.closed(now, connection, out),
            Role::Idle => self.early.forget(connection),
        }
    }

    fn frame(&mut self, now: Time, connection: ConnectionId, frame: Frame, out: &mut Vec<Action>) {
        let known = self.common.epoch_seen;
        if frame.epoch > known && !self.foreign_frame(&frame.body) {
            self.newer_epoch(now, frame.epoch, out);
        }
        self.meet(connection, &frame.body);
        match (&mut self.role, &frame.body) {
            (Role::Leader(leader), Body::Hello(hello)) => leader.hello(now, connection, hello, out),
            (_, Body::Hello(hello)) => self.greeted(connection, hello, out),
            // The peer's epoch is checked: what it acknowledged in an older one is not this leader's log (trap 13).
            (Role::Leader(leader), Body::Ack(ack))
                if frame.epoch == leader.epoch() || crate::mutant::is_planted(13) =>
            {
                leader.ack(now, connection, ack, out);
            }
            (Role::Follower(follower), _)
                if follower.is_link(connection) || crate::mutant::is_planted(13) =>
            {
                let refused = matches!(frame.body, Body::Refused(_));
                if frame.epoch < known && !refused && !crate::mutant::is_planted(13) {
                    // A leader of the past: what it sends is worth nothing, and it may learn so at the next greeting.
                    follower.outdated(now, out);
                    return;
                }
                let newer = frame.version > self.common.memory.stamp().version;
                follower.frame(now, frame, &mut self.common, out);
                if newer && self.view.ask() {
                    out.push(Action::Refresh);
                }
            }
            // Connections of former roles.
            _ => out.push(Action::Close { connection }),
        }
    }

    fn meet(&mut self, connection: ConnectionId, body: &Body) {
        let under = self.common.memory.stamp();
        match (&self.role, body) {
            (Role::Leader(_), _) => {}
            (_, Body::Hello(hello)) => {
                let (member, whole, position) = (hello.member(), hello.whole, hello.history.end);
                self.met = Some(Met { member, whole, position, under });
            }
            (Role::Follower(follower), Body::Refused(refused)) if follower.is_link(connection) => {
                let (member, whole, position) = (refused.by.clone(), refused.whole, refused.position);
                self.met = Some(Met { member, whole, position, under });
            }
            _ => {}
        }
    }

    /// Epochs of another cluster mean nothing here.
    fn foreign_frame(&self, body: &Body) -> bool {
        let theirs = match body {
            Body::Hello(hello) => hello.cluster.as_ref(),
            Body::Welcome(welcome) => Some(&welcome.cluster),
            _ => None,
        };
        let ours = self.common.memory.cluster.as_ref();
        theirs.is_some_and(|theirs| ours.is_some_and(|ours| ours != theirs))
    }

    /// Somebody knows a higher epoch: whatever this node leads is over.
    fn newer_epoch(&mut self, now: Time, epoch: Epoch, out: &mut Vec<Action>) {
        self.common.epoch_seen = epoch;
        self.step_down(now, out);
        if self.view.ask() {
            out.push(Action::Refresh);
        }
    }

    fn logged(&mut self, now: Time, log: LogState, out: &mut Vec<Action>) {
        let before = std::mem::replace(&mut self.common.log, log);
        match &mut self.role {
            Role::Leader(leader) => leader.log(now, log, out),
            Role::Follower(follower) => follower.logged(before, &mut self.common, out),
            Role::Idle => {}
        }
    }

    fn installed(&mut self, now: Time, done: bool, out: &mut Vec<Action>) {
        self.common.log_busy = false;
        self.common.copy_next = !done;
        if done {
            self.common.commit = self.common.log.end.offset;
            self.common.damaged = false;
        }
        if let Role::Follower(follower) = &mut self.role {
            follower.installed(now, done, &mut self.common, out);
        }
    }

    fn registry(&mut self, now: Time, event: RegistryEvent, out: &mut Vec<Action>) {
        match event {
            RegistryEvent::Lost => {
                self.view.lost();
                if crate::mutant::is_planted(29) {
                    self.step_down(now, out);
                }
            }
            RegistryEvent::Restored => {
                self.view.restored();
                self.announced = None;
            }
            RegistryEvent::Nodes(nodes) => {
                let ours =
                    |node: &&NodeInfo| node.cluster.is_some() && node.cluster == self.common.memory.cluster;
                let epoch = nodes.iter().filter(ours).map(|node| node.epoch).max();
                self.view.set_nodes(nodes);
                // A registry that was wiped tells of it in no other way: nobody may remember the configuration, while a
                // log goes on into its epoch.
                if let Some(epoch) = epoch.filter(|epoch| *epoch > self.common.epoch_seen) {
                    self.newer_epoch(now, epoch, out);
                }
                if let Role::Follower(follower) = &mut self.role {
                    follower.found(self.view.address_of(follower.leader()));
                }
            }
            RegistryEvent::Config(read) => self.config_read(now, read, out),
            RegistryEvent::Written { attempt, outcome } => self.written(now, &attempt, outcome, out),
        }
    }

    /// Accepts a configuration that the registry holds, if it is not older than what is known.
    pub(super) fn accept(&mut self, config: &Config, out: &mut Vec<Action>) -> bool {
        let memory = &mut self.common.memory;
        let foreign = match &memory.cluster {
            Some(cluster) => *cluster != config.cluster,
            None => self.common.log.end.offset > 0 || self.common.damaged,
        };
        if foreign {
            if !std::mem::replace(&mut self.foreign, true) {
                out.push(Action::Note(Note::ForeignCluster {
                    ours: memory.cluster.clone(),
                    theirs: config.cluster.clone(),
                }));
            }
            return false;
        }
        self.foreign = false;
        let (theirs, ours) = (config.stamp(), memory.stamp());
        if theirs < ours {
            out.push(Action::Note(Note::RegistryBehind { theirs, ours }));
            return false;
        }
        if memory.config.as_ref() != Some(config) {
            memory.cluster = Some(config.cluster.clone());
            memory.config = Some(config.clone());
            out.push(Action::Remember(memory.clone()));
        }
        self.common.epoch_seen = self.common.epoch_seen.max(config.epoch);
        true
    }

    /// Takes the place that the configuration gives to this node; leading is begun only by a write of its own.
    pub(super) fn take_place(&mut self, now: Time, out: &mut Vec<Action>) {
        let Some(config) = self.common.memory.config.clone() else { return };
        if self.view.claiming() {
            return;
        }
        match &mut self.role {
            Role::Leader(leader) if config.epoch == leader.epoch() => {
                if config.stamp() > leader.stamp() {
                    leader.settled(now, &config, out);
                }
                return;
            }
            Role::Leader(_) => self.step_down(now, out),
            Role::Follower(follower) if *follower.leader() == config.leader => {
                if follower.epoch() != config.epoch {
                    follower.go_on(config.epoch);
                }
                return;
            }
            _ => {}
        }
        let follower = std::mem::replace(&mut self.role, Role::Idle);
        if let Role::Follower(follower) = follower {
            follower.stop(now, out);
        }
        if config.leader.id != self.common.me.id {
            let address = self.view.address_of(&config.leader);
            let follower = Follower::new(now, config.leader.clone(), config.epoch, address);
            self.role = Role::Follower(Box::new(follower));
        }
        self.waiting.place(self.awake.total());
        self.follow(out);
    }

    fn follow(&mut self, out: &mut Vec<Action>) {
        let leader = match &self.role {
            Role::Follower(follower) => Some(follower.leader().clone()),
            _ => None,
        };
        if self.followed.as_ref() != Some(&leader) {
            self.followed = Some(leader.clone());
            out.push(Action::Follow { leader });
        }
    }

    pub(super) fn step_down(&mut self, _now: Time, out: &mut Vec<Action>) {
        if !matches!(self.role, Role::Leader(_)) {
            return;
        }
        if let Role::Leader(leader) = std::mem::replace(&mut self.role, Role::Idle) {
            self.common.commit = self.common.commit.max(leader.commit());
            leader.stop(out);
        }
        self.view.forget_change();
        self.waiting.place(self.awake.total());
        self.followed = None;
        self.follow(out);
    }

    /// The write that makes this node the leader was won.
    pub(super) fn lead(&mut self, now: Time, config: &Config, out: &mut Vec<Action>) {
        if let Role::Follower(follower) = std::mem::replace(&mut self.role, Role::Idle) {
            follower.stop(now, out);
        }
        let common = &mut self.common;
        common.epoch_seen = common.epoch_seen.max(config.epoch);
        (common.copy_next, common.damaged) = (false, false);
        let mut leader =
            Leader::new(now, common.settings, common.me.clone(), self.info.zone.clone(), config, common.log);
        leader.start(now, common.commit, out);
        self.role = Role::Leader(Box::new(leader));
        self.waiting.place(self.awake.total());
        self.followed = None;
        // What this node holds is from now on what the cluster holds.
        if !common.memory.whole {
            common.memory.whole = true;
            out.push(Action::Remember(common.memory.clone()));
        }
    }

    /// Gives up following (and with it acknowledging and promising) before a try to lead.
    pub(super) fn let_go(&mut self, now: Time, out: &mut Vec<Action>) {
        if let Role::Follower(follower) = std::mem::replace(&mut self.role, Role::Idle) {
            follower.stop(now, out);
        }
        self.follow(out);
    }

    pub(super) fn wish(&self, now: Time) -> Option<Wish> {
        match &self.role {
            Role::Leader(leader) => leader.wish(now),
            _ => None,
        }
    }

    fn announce(&mut self, out: &mut Vec<Action>) {
        let (common, info) = (&self.common, &mut self.info);
        info.epoch = common.epoch_seen;
        info.offset = common.log.end.offset;
        info.position = common.log.end;
        info.whole = common.memory.whole;
        // After each event: it has mostly been the same before.
        if info.cluster != common.memory.cluster || info.remembered != common.memory.config {
            info.cluster.clone_from(&common.memory.cluster);
            info.remembered.clone_from(&common.memory.config);
        }
        let named =
            common.memory.config.as_ref().and_then(|config| config.synced.as_ref()) == Some(&common.me);
        info.role = match &self.role {
            Role::Leader(_) => RoleName::Leader,
            Role::Follower(follower) if named && follower.streaming() => RoleName::Synced,
            _ => RoleName::Replica,
        };
        // Not while the registry decides: it would do this at the same time, and a failover waits for it.
        if !self.view.connected() || self.view.deciding() {
            return;
        }
        let awake = self.awake.total();
        let due = match &mut self.announced {
            None => true,
            Some((last, at)) => {
                let (offset, position) = (last.offset, last.position);
                let moved = position != self.info.position;
                (last.offset, last.position) = (self.info.offset, self.info.position);
                let same = *last == self.info;
                (last.offset, last.position) = (offset, position);
                !same || (moved && awake.saturating_sub(*at) >= self.common.settings.announce)
            }
        };
        if due {
            self.announced = Some((self.info.clone(), awake));
            out.push(Action::Announce(Box::new(self.info.clone())));
        }
    }

    /// Whom clients should look for.
    pub fn leader(&self) -> Option<&Member> {
        match &self.role {
            Role::Leader(_) => Some(&self.common.me),
            Role::Follower(follower) => Some(follower.leader()),
            Role::Idle => None,
        }
    }

    /// What a member announces of itself, if it is registered.
    pub fn info_of(&self, member: &Member) -> Option<&NodeInfo> {
        self.view.node(member)
    }

    /// Who is registered, by id, as far as that is known.
    pub fn registered(&self) -> impl Iterator<Item = &NodeInfo> {
        self.view.nodes().into_iter().flat_map(|nodes| nodes.values())
    }

    pub fn me(&self) -> &Member {
        &self.common.me
    }

    pub fn memory(&self) -> &Memory {
        &self.common.memory
    }

    pub fn stamp(&self) -> Stamp {
        self.common.memory.stamp()
    }

    /// The followers of a leader.
    pub fn peers(&self) -> Vec<PeerView> {
        match &self.role {
            Role::Leader(leader) => leader.peers().collect(),
            _ => Vec::new(),
        }
    }

    pub fn epoch(&self) -> Epoch {
        self.common.epoch_seen
    }

    pub fn status(&self) -> Status {
        let (streaming, silence) = match &self.role {
            Role::Follower(follower) => (follower.streaming(), follower.silence()),
            _ => (false, Duration::ZERO),
        };
        let commit = match &self.role {
            Role::Leader(leader) => leader.commit(),
            _ => self.common.commit,
        };
        Status {
            role: self.info.role,
            epoch: self.common.epoch_seen,
            config: self.common.memory.config.clone(),
            leader: self.leader().cloned(),
            streaming,
            silence,
            commit,
            whole: self.common.memory.whole,
            damaged: self.common.damaged,
            registry: self.view.connected(),
            foreign: self.foreign,
            undecided: self.view.undecided(),
            peers: self.peers(),
        }
    }
}

#[cfg(test)]
mod tests;
