//! When a node writes `/config`, and what. There are exactly these writes: form, take over, change the synced replica, go
//! on alone, recreate what was wiped, and an operator's order.

use super::candidate::{Candidate, Role};
use crate::replication::Epoch;
use crate::replication::leader::Wish;
use crate::replication::member::{Config, Durability, FORMAT, Member, NodeInfo, Stamp};
use crate::replication::protocol::{Action, Loss, Note};
use crate::replication::time::Time;
use std::cmp::Reverse;
use std::time::Duration;

/// Patience, in time that this process was awake.
#[derive(Clone, Default, Hash)]
pub(super) struct Waiting {
    /// Since when the node has its place.
    placed: Duration,
    /// Since when the registry holds no configuration that can be followed.
    absent: Option<Duration>,
    /// Takeovers in a row from leaders that this node never reached.
    misses: u32,
    /// An operator accepts what may be lost, now.
    forced: bool,
    told: bool,
    /// An fsync was ordered.
    syncing: bool,
}

impl Waiting {
    pub fn place(&mut self, awake: Duration) {
        self.placed = awake;
    }
}

/// How long others have to register before the first election: nodes that hold data forbid it, and after a registry was
/// wiped they may come a little later than empty ones.
const FORM_GRACE: Duration = Duration::from_millis(500);
/// The same for one that would form alone.
const ALONE_GRACE: Duration = Duration::from_secs(2);
const MISSES_MAX: u32 = 4;
/// No session of a node that is gone lasts longer.
const EXPIRY_MAX: Duration = Duration::from_secs(10);

impl Candidate {
    /// Looks whether there is something to write, after each event.
    pub(super) fn try_registry(&mut self, now: Time, out: &mut Vec<Action>) {
        if !self.view.connected() || self.view.busy() || self.foreign {
            return;
        }
        let log = self.common.log;
        if !matches!(self.role, Role::Leader(_)) && log.held < log.end.offset {
            // A leader's tail must be on its disk, which is slow or full.
            return;
        }
        let Some(read) = self.view.config() else { return };
        let newest = self.newest();
        let behind = match (read, newest) {
            (Some((config, _)), Some(newest)) => config.stamp() < newest.stamp(),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let epoch = read.as_ref().map(|(config, _)| config.epoch).filter(|_| !behind);
        if epoch.is_some_and(|epoch| self.is_content(now, epoch)) {
            // So it is almost always, and this is asked after each event.
            return;
        }
        let (read, newest) = (self.view.config().cloned().flatten(), self.newest().cloned());
        match (read, newest) {
            (read, Some(newest)) if behind => {
                let absent = *self.waiting.absent.get_or_insert(self.awake.total());
                self.recreate(now, &newest, read.map(|(_, version)| version), absent, out);
            }
            (None, _) => {
                let absent = *self.waiting.absent.get_or_insert(self.awake.total());
                self.form(absent, out);
            }
            (Some((config, version)), _) => {
                self.waiting.absent = None;
                if matches!(self.role, Role::Leader(_)) {
                    self.change(now, &config, version, out);
                } else {
                    self.claim(now, &config, version, out);
                }
            }
        }
    }

    /// Whether there is nothing to write while the registry's configuration, of this epoch, is the newest one.
    fn is_content(&mut self, now: Time, epoch: Epoch) -> bool {
        let content = match &self.role {
            Role::Leader(_) => self.wish(now).is_none(),
            _ => epoch >= self.common.epoch_seen && (self.common.log_busy || !self.lapsed(now)),
        };
        if content {
            self.waiting.absent = None;
            match &self.role {
                Role::Leader(_) => self.waiting.syncing = false,
                Role::Follower(follower) if follower.attached() => self.waiting.misses = 0,
                _ => {}
            }
        }
        content
    }

    fn lapsed(&self, now: Time) -> bool {
        self.common.promises.lapsed(now) || crate::mutant::is_planted(4)
    }

    /// The last configuration that this node or any registered one remembers.
    fn newest(&self) -> Option<&Config> {
        let cluster = self.common.memory.cluster.as_ref();
        let nodes = self.view.nodes().into_iter().flat_map(|nodes| nodes.values());
        let remembered = nodes.filter_map(|node| node.remembered.as_ref());
        let all = remembered.chain(self.common.memory.config.as_ref());
        all.filter(|config| cluster.is_none_or(|cluster| *cluster == config.cluster))
            .max_by_key(|c| c.stamp())
    }

    fn change(&mut self, now: Time, config: &Config, version: i32, out: &mut Vec<Action>) {
        let Some(wish) = self.wish(now) else {
            self.waiting.syncing = false;
            return;
        };
        let Role::Leader(leader) = &mut self.role else { return };
        if config.stamp() != leader.stamp() || config.epoch < self.common.epoch_seen {
            return;
        }
        let synced = match wish {
            Wish::Name(member) => Some(member),
            Wish::Alone => None,
            Wish::Sync => {
                if !std::mem::replace(&mut self.waiting.syncing, true) {
                    out.push(Action::Sync);
                }
                return;
            }
        };
        self.waiting.syncing = false;
        // From the try on both count.
        leader.trying(now, synced.clone(), out);
        out.push(Action::Note(Note::ChangingSynced { from: config.synced.clone(), to: synced.clone() }));
        let attempt = self.ids.next();
        let next = Config { version: config.version + 1, synced, attempt, ..config.clone() };
        self.write(next, Some(version), false, out);
    }

    fn claim(&mut self, now: Time, config: &Config, version: i32, out: &mut Vec<Action>) {
        if config.epoch < self.common.epoch_seen {
            // Somebody knows of a later one: read until it shows.
            if self.view.ask() {
                out.push(Action::Refresh);
            }
            return;
        }
        if let Role::Follower(follower) = &self.role
            && follower.attached()
        {
            self.waiting.misses = 0;
        }
        if self.common.log_busy || !self.lapsed(now) {
            return;
        }
        let Some(why) = self.reason_to_claim(config) else { return };
        if !self.waiting.forced && !self.may_lead(config) {
            if !std::mem::replace(&mut self.waiting.told, true) {
                out.push(Action::Note(Note::NotWhole));
            }
            return;
        }
        let synced = if self.waiting.forced { None } else { config.counterpart_of(&self.common.me).cloned() };
        let base = Base { cluster: config.cluster.clone(), stamp: config.stamp(), version: Some(version) };
        self.begin_claim(now, &base, synced, why, out);
    }

    /// Why this node should take the lead, if it is named in the configuration and nobody else seems to be there.
    fn reason_to_claim(&mut self, config: &Config) -> Option<&'static str> {
        if self.waiting.forced {
            return Some("ordered by the operator");
        }
        let settings = &self.common.settings;
        let me = &self.common.me;
        let is_me = |member: &Member| *member == *me || crate::mutant::is_planted(8) && member.id == me.id;
        match &self.role {
            Role::Follower(follower) if config.synced.as_ref().is_some_and(is_me) => {
                if follower.released() {
                    return Some("the leader gave its lease up");
                }
                if crate::mutant::is_planted(4) && self.view.node(&config.leader).is_none() {
                    return Some("its session expired");
                }
                if follower.attached() {
                    let silent = follower.silence() > settings.lease + settings.margin;
                    return silent.then_some("the leader fell silent");
                }
                let patience = settings.grace * 2u32.pow(self.waiting.misses);
                if follower.silence() > patience {
                    self.waiting.misses = (self.waiting.misses + 1).min(MISSES_MAX);
                    return Some("the leader was never reached");
                }
                None
            }
            Role::Idle if is_me(&config.leader) => {
                // The other one may be about to take over, and need not wait for anything.
                let other = config.counterpart_of(me).and_then(|other| self.view.node(other));
                let waited = self.awake.since(self.waiting.placed) > settings.grace;
                (waited || other.is_none_or(|other| !other.whole)).then_some("it led before it was restarted")
            }
            _ => None,
        }
    }

    /// Whether this node's log can be trusted to hold everything that was acknowledged, or nobody's can and this one is
    /// the best there is.
    fn may_lead(&self, config: &Config) -> bool {
        if self.common.memory.whole {
            return true;
        }
        if self.common.damaged {
            // Whoever was acknowledged by this node may be served by nobody else: that is for an operator to say.
            return false;
        }
        let Some(other) = config.counterpart_of(&self.common.me) else { return true };
        let mine = self.common.log.end.rank();
        self.met.as_ref().is_some_and(|met| {
            met.member == *other && met.under == config.stamp() && !met.whole && met.position.rank() <= mine
        })
    }

    fn begin_claim(
        &mut self,
        now: Time,
        base: &Base,
        synced: Option<Member>,
        why: &'static str,
        out: &mut Vec<Action>,
    ) {
        // From here on nothing of the old epoch is acknowledged and nobody is promised anything (rule 3).
        self.let_go(now, out);
        let epoch = self.common.epoch_seen.max(base.stamp.epoch) + 1;
        out.push(Action::Note(Note::Claiming { epoch, why }));
        let config = Config {
            format: FORMAT,
            cluster: base.cluster.clone(),
            version: base.stamp.version + 1,
            epoch,
            leader: self.common.me.clone(),
            synced,
            attempt: self.ids.next(),
        };
        self.write(config, base.version, true, out);
    }

    /// Every log is empty and nobody remembers anything: the first election.
    fn form(&mut self, absent: Duration, out: &mut Vec<Action>) {
        let Some(nodes) = self.view.nodes() else { return };
        let memory = &self.common.memory;
        let empty = self.common.log.end.offset == 0 && !self.common.damaged;
        let fresh = empty && memory.cluster.is_none() && memory.config.is_none();
        let all_fresh =
            nodes.values().all(|n| n.offset == 0 && n.cluster.is_none() && n.remembered.is_none());
        let here = nodes.get(&self.common.me.id).is_some_and(|node| node.is(&self.common.me));
        if !fresh || !all_fresh || !here || nodes.keys().next() != Some(&self.common.me.id) {
            return;
        }
        let synced = nodes.values().nth(1).map(NodeInfo::member);
        let alone = synced.is_none();
        if alone && self.common.settings.durability == Durability::Required {
            return;
        }
        if self.awake.since(absent) <= if alone { ALONE_GRACE } else { FORM_GRACE } {
            return;
        }
        out.push(Action::Note(Note::Forming));
        let config = Config {
            format: FORMAT,
            cluster: self.ids.next(),
            version: 1,
            epoch: 1,
            leader: self.common.me.clone(),
            synced,
            attempt: self.ids.next(),
        };
        self.write(config, None, true, out);
    }

    /// The registry lost what it held, while nodes remember it. Only nodes of the last configuration may write, and only
    /// when all of them are there, so that nothing later than `newest` can have been forgotten.
    fn recreate(
        &mut self,
        now: Time,
        newest: &Config,
        version: Option<i32>,
        absent: Duration,
        out: &mut Vec<Action>,
    ) {
        // A registry that went back in time lists nodes of then, until their sessions expire.
        if version.is_some() && self.awake.since(absent) <= EXPIRY_MAX {
            return;
        }
        if newest.stamp() > self.common.memory.stamp() {
            // What another node remembers did happen.
            if self.accept(newest, out) {
                self.take_place(now, out);
            }
            return;
        }
        let me = self.common.me.clone();
        // Whoever an undecided change names may know of what came after it.
        let named = match &self.role {
            Role::Leader(leader) => leader.changing().cloned(),
            _ => None,
        };
        let known = |member: &Member| *member == me || self.view.node(member).is_some();
        let there = newest.pair().chain(named.iter().flatten()).all(known);
        let here = newest.pair().any(|member| *member == me);
        let forced = self.waiting.forced;
        if !forced && (!there || !here) {
            return;
        }
        if let Role::Leader(leader) = &self.role {
            if leader.epoch() == newest.epoch {
                out.push(Action::Note(Note::Recreating { epoch: newest.epoch }));
                let attempt = self.ids.next();
                let synced = named.unwrap_or_else(|| newest.synced.clone());
                let next = Config { version: newest.version + 1, attempt, synced, ..newest.clone() };
                self.write(next, version, false, out);
            }
            return;
        }
        // A leader that is still there does it better, and one that is heard need not be replaced.
        let patient = self.awake.since(absent) > self.common.settings.grace;
        if self.common.log_busy || !self.common.promises.lapsed(now) || self.hears_a_leader() || !patient {
            return;
        }
        if !forced && (self.best_of(newest) != Some(&me) || !self.may_lead(newest)) {
            return;
        }
        let synced = if forced { None } else { newest.counterpart_of(&me).cloned() };
        let base = Base { cluster: newest.cluster.clone(), stamp: newest.stamp(), version };
        out.push(Action::Note(Note::Recreating { epoch: base.stamp.epoch + 1 }));
        self.begin_claim(now, &base, synced, "the registry was wiped", out);
    }

    fn hears_a_leader(&self) -> bool {
        match &self.role {
            Role::Follower(follower) => {
                follower.attached()
                    && !follower.released()
                    && follower.silence() <= self.common.settings.lease + self.common.settings.margin
            }
            _ => false,
        }
    }

    /// An operator's order holds for what there is now: it is carried out at once or not at all.
    pub(super) fn force_lead(&mut self, now: Time, out: &mut Vec<Action>) {
        let pair = self.newest().map(|config| config.pair().cloned().collect()).unwrap_or_default();
        let answer = self.force(now, pair, out);
        if let Ok(loss) = &answer {
            out.push(Action::Note(Note::LeadsByOrder(loss.clone())));
        }
        out.push(Action::Forced(answer));
    }

    fn force(&mut self, now: Time, mut pair: Vec<Member>, out: &mut Vec<Action>) -> Result<Loss, String> {
        pair.retain(|member| *member != self.common.me);
        let better = pair.iter().find(|other| self.view.node(other).is_some_and(|info| info.whole));
        if matches!(self.role, Role::Leader(_)) {
            return Err("this node leads".into());
        } else if !self.view.connected() {
            return Err("there is no connection to ZooKeeper".into());
        } else if self.foreign {
            return Err("ZooKeeper holds the roles of another cluster than this data".into());
        } else if let Some(other) = better {
            return Err(format!("{other} is registered and lacks nothing that was acknowledged"));
        } else if self.hears_a_leader() || !self.common.promises.lapsed(now) {
            return Err("a leader was heard a moment ago".into());
        } else if self.view.busy() {
            return Err("a change of roles is under way".into());
        }
        let (from, known) = (self.common.log.end, self.common.commit);
        self.waiting.forced = true;
        self.try_registry(now, out);
        self.waiting.forced = false;
        let claimed = out.iter().find_map(|action| match action {
            Action::Write { config, .. } => Some(config.epoch),
            _ => None,
        });
        let Some(epoch) = claimed else {
            return Err("the roles in ZooKeeper, or the end of this node's log, are not settled yet".into());
        };
        Ok(Loss { epoch, from, by: pair, known })
    }

    /// Who of the pair leads after a wipe: a whole log before one that is not, then the further one.
    fn best_of<'a>(&'a self, newest: &'a Config) -> Option<&'a Member> {
        newest.pair().max_by_key(|member| {
            let (whole, rank) = if **member == self.common.me {
                (self.common.memory.whole, self.common.log.end.rank())
            } else {
                self.view.node(member).map_or((false, (0, 0)), |info| (info.whole, info.position.rank()))
            };
            (whole, rank, Reverse(&member.id))
        })
    }
}

/// What a claim builds on.
struct Base {
    cluster: String,
    stamp: Stamp,
    /// Of the znode; `None`: there is none.
    version: Option<i32>,
}
