//! What this node believes of the registry, and the one write that it may have under way.
//!
//! A write is settled by what the registry answers or by what a later read shows: the same content is written again with
//! the same expected version until one or the other is known (rule 6). A read that shows the state from before proves
//! nothing but that it may be tried again.

use super::candidate::{Candidate, Role};
use crate::replication::member::{Config, Member, NodeInfo};
use crate::replication::protocol::{Action, Note, WriteOutcome};
use crate::replication::time::Time;
use std::collections::BTreeMap;

/// `/config` as read, with the znode's version; `None`: there is none.
pub type Read = Option<(Config, i32)>;

#[derive(Clone, Default, Hash)]
pub struct View {
    connected: bool,
    /// As read since the connection was last restored.
    config: Option<Read>,
    nodes: Option<BTreeMap<String, NodeInfo>>,
    /// Where members were last seen: a leader whose session expired is still where it was.
    addresses: BTreeMap<Member, (String, u16)>,
    pending: Option<Pending>,
    /// A fresh read is on its way.
    asked: bool,
}

#[derive(Clone, Hash)]
struct Pending {
    write: Config,
    expected: Option<i32>,
    /// The attempt of the configuration that it replaces.
    base: Option<Config>,
    claim: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Flying,
    Undecided,
    /// Somebody was first, perhaps an earlier try of the same write: a read will tell.
    Beaten,
}

impl View {
    pub fn lost(&mut self) {
        self.connected = false;
        self.config = None;
        self.nodes = None;
        self.asked = false;
        if let Some(pending) = &mut self.pending
            && pending.state == State::Flying
        {
            pending.state = State::Undecided;
        }
    }

    pub fn restored(&mut self) {
        self.lost();
        self.connected = true;
    }

    pub fn connected(&self) -> bool {
        self.connected
    }

    pub fn set_nodes(&mut self, nodes: Vec<NodeInfo>) {
        for node in &nodes {
            self.addresses.retain(|member, _| member.id != node.id || node.is(member));
            self.addresses.insert(node.member(), (node.host.clone(), node.replication_port));
        }
        self.nodes = Some(nodes.into_iter().map(|node| (node.id.clone(), node)).collect());
    }

    pub fn address_of(&self, member: &Member) -> Option<(String, u16)> {
        self.addresses.get(member).cloned()
    }

    pub fn nodes(&self) -> Option<&BTreeMap<String, NodeInfo>> {
        self.nodes.as_ref()
    }

    pub fn node(&self, member: &Member) -> Option<&NodeInfo> {
        self.nodes.as_ref()?.get(&member.id).filter(|info| info.is(member))
    }

    pub fn config(&self) -> Option<&Read> {
        self.config.as_ref()
    }

    /// Whether to ask for a fresh read now; at most one is under way.
    pub fn ask(&mut self) -> bool {
        self.connected && !std::mem::replace(&mut self.asked, true)
    }

    pub fn claiming(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.claim)
    }

    /// A claim is on its way, and its outcome is about to be known.
    pub fn deciding(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.claim && pending.state == State::Flying)
    }

    pub fn busy(&self) -> bool {
        self.pending.is_some()
    }

    pub fn undecided(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.state != State::Flying)
    }

    /// The leader that wanted the change is none any more.
    pub fn forget_change(&mut self) {
        self.pending.take_if(|pending| !pending.claim);
    }
}

impl Candidate {
    /// Begins a write. A claim makes this node the leader if it is won.
    pub(super) fn write(
        &mut self,
        config: Config,
        expected: Option<i32>,
        claim: bool,
        out: &mut Vec<Action>,
    ) {
        let base = self.view.config.clone().flatten().map(|(config, _)| config);
        out.push(Action::Write { config: config.clone(), expected });
        self.view.pending = Some(Pending { write: config, expected, base, claim, state: State::Flying });
    }

    pub(super) fn config_read(&mut self, now: Time, read: Option<(Config, i32)>, out: &mut Vec<Action>) {
        self.view.asked = false;
        let accepted = read.as_ref().is_some_and(|(config, _)| self.accept(config, out));
        self.view.config = Some(read);
        self.settle(now, out);
        if accepted {
            self.take_place(now, out);
        }
    }

    fn settle(&mut self, now: Time, out: &mut Vec<Action>) {
        let Some(read) = &self.view.config else { return };
        let Some(pending) = &mut self.view.pending else { return };
        let before = pending.base.as_ref().map(|base| (&base.attempt, pending.expected));
        let found = read.as_ref().map(|(config, version)| (&config.attempt, Some(*version)));
        if let Some((config, version)) = read
            && config.attempt == pending.write.attempt
        {
            let version = *version;
            self.won(now, version, out);
        } else if found == before {
            if pending.state == State::Undecided {
                pending.state = State::Flying;
                out.push(Action::Write { config: pending.write.clone(), expected: pending.expected });
            }
        } else if read.is_none() && !pending.claim {
            // The registry was wiped. The change may have happened before: the leader goes on counting both, until it
            // has written anew.
            self.view.pending = None;
        } else if read.as_ref().map(|(config, _)| config.stamp()) < pending.base.as_ref().map(Config::stamp)
            && read.is_some()
        {
            // Older than what the write builds on. A server that lags, unless a fresh read after a write that was beaten
            // says so: then the registry went back in time, and the write with it.
            match pending.state {
                State::Flying => {}
                State::Undecided => {
                    pending.state = State::Flying;
                    out.push(Action::Write { config: pending.write.clone(), expected: pending.expected });
                }
                State::Beaten => self.gone(now, out),
            }
        } else {
            self.gone(now, out);
        }
    }

    /// Another configuration is in place: the write can't be won any more.
    fn gone(&mut self, now: Time, out: &mut Vec<Action>) {
        let Some(pending) = self.view.pending.take() else { return };
        if pending.claim {
            out.push(Action::Note(Note::ClaimLost { epoch: pending.write.epoch }));
        } else if let (Role::Leader(leader), Some(config)) = (&mut self.role, &self.common.memory.config)
            && leader.epoch() == config.epoch
        {
            leader.settled(now, config, out);
        }
        self.take_place(now, out);
    }

    fn won(&mut self, now: Time, version: i32, out: &mut Vec<Action>) {
        let Some(pending) = self.view.pending.take() else { return };
        let config = pending.write;
        if self.view.connected {
            self.view.config = Some(Some((config.clone(), version)));
        }
        if !self.accept(&config, out) {
            return;
        }
        if !pending.claim {
            self.take_place(now, out);
        } else if self.common.epoch_seen > config.epoch {
            // Won, but over already.
            if self.view.ask() {
                out.push(Action::Refresh);
            }
        } else {
            self.lead(now, &config, out);
        }
    }

    /// A write was beaten, and the last read did not show by what.
    pub(super) fn read_again(&mut self, out: &mut Vec<Action>) {
        let beaten = self.view.pending.as_ref().is_some_and(|pending| pending.state == State::Beaten);
        if beaten && self.view.ask() {
            out.push(Action::Refresh);
        }
    }

    pub(super) fn written(&mut self, now: Time, attempt: &str, outcome: WriteOutcome, out: &mut Vec<Action>) {
        let known = self.view.pending.as_mut().filter(|pending| pending.write.attempt == attempt);
        let Some(pending) = known else {
            // Of a try that was given up: whatever it did is for a read to tell.
            if self.view.ask() {
                out.push(Action::Refresh);
            }
            return;
        };
        match outcome {
            WriteOutcome::Won { version } => self.won(now, version, out),
            WriteOutcome::Lost if crate::mutant::is_planted(7) && pending.claim => {
                let version = pending.expected.map_or(0, |expected| expected + 1);
                self.won(now, version, out);
            }
            WriteOutcome::Lost => {
                pending.state = State::Beaten;
                self.view.asked = true;
                out.push(Action::Refresh);
            }
            WriteOutcome::Undecided if crate::mutant::is_planted(3) => self.gone(now, out),
            WriteOutcome::Undecided => {
                pending.state = State::Undecided;
                if self.view.ask() {
                    out.push(Action::Refresh);
                }
            }
        }
    }
}
