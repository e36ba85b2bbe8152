//! What may happen next: the steps of the model, and how many of each kind a profile allows.

use crate::disk::Disk;
use crate::registry::{Fate, Request};
use crate::world::{REGISTRY, World, name};
use botellier_server::replication::protocol::{Event, HandoverRequest, RegistryEvent, WriteOutcome};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A unit passes for everybody: disks are synced, and nodes that are not paused get their tick.
    Time,
    Write(usize),
    Read(usize),
    /// What is sent from here to there waits from now on. 3 is the registry.
    Cut(usize, usize),
    Heal(usize, usize),
    /// The next message passes a route that is cut.
    Let(usize, usize),
    Pause(usize),
    Resume(usize),
    /// kill -9.
    Kill(usize),
    /// The machine goes down: what its disk did not have yet is gone, and nobody hears a close.
    Power(usize),
    /// As `Power`, and the disk comes back empty.
    Empty(usize),
    Restart(usize),
    /// The connection from here to there breaks.
    Snap(usize, usize),
    /// The link to the registry ends.
    Lose(usize, Fate),
    Reach(usize),
    /// A write whose link was lost arrives.
    Land,
    /// The announcement of a process that is gone goes.
    Expire(usize),
    HandOver(usize),
}

/// How many more steps of a kind there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    pub time: u8,
    pub writes: u8,
    pub reads: u8,
    pub cuts: u8,
    pub pauses: u8,
    pub kills: u8,
    pub powers: u8,
    pub empties: u8,
    pub snaps: u8,
    pub losses: u8,
    pub handovers: u8,
}

impl World {
    pub fn options(&self, routes: &[(usize, usize)], targets: &[usize], out: &mut Vec<Step>) {
        let left = &self.left;
        if left.time > 0 {
            out.push(Step::Time);
        }
        for node in 0..3 {
            self.asks(node, out);
            self.life(node, targets.contains(&node), out);
            self.link(node, targets.contains(&node), out);
        }
        for &(from, to) in routes {
            if self.cut.contains(&(from, to)) {
                out.push(Step::Heal(from, to));
                if self.is_waiting(from, to) && !self.paused(to) {
                    out.push(Step::Let(from, to));
                }
            } else if left.cuts > 0 {
                out.push(Step::Cut(from, to));
            }
        }
        if left.snaps > 0 {
            let open = self.pipes.iter().filter(|pipe| pipe.open == [true, true]);
            out.extend(open.map(|pipe| Step::Snap(pipe.hosts[0], pipe.hosts[1])));
        }
        if !self.registry.air.is_empty() {
            out.push(Step::Land);
        }
    }

    fn asks(&self, node: usize, out: &mut Vec<Step>) {
        let Some(process) = &self.nodes[node].process else { return };
        if process.leading.is_none() || process.paused || process.draining {
            return;
        }
        if self.left.writes > 0 && process.writable {
            out.push(Step::Write(node));
        }
        if self.left.reads > 0 {
            out.push(Step::Read(node));
        }
    }

    fn life(&self, node: usize, target: bool, out: &mut Vec<Step>) {
        let left = &self.left;
        let Some(process) = &self.nodes[node].process else {
            out.push(Step::Restart(node));
            if self.registry.nodes.contains_key(&name(node)) && left.losses > 0 {
                out.push(Step::Expire(node));
            }
            return;
        };
        if process.paused {
            out.push(Step::Resume(node));
        } else if target && left.pauses > 0 {
            out.push(Step::Pause(node));
        }
        if !target {
            return;
        }
        if left.kills > 0 {
            out.push(Step::Kill(node));
        }
        if left.powers > 0 && self.is_expendable(node, true) {
            out.push(Step::Power(node));
        }
        if left.empties > 0 && self.is_expendable(node, false) {
            out.push(Step::Empty(node));
        }
        if left.handovers > 0 && process.leading.is_some() && !process.paused {
            out.push(Step::HandOver(node));
        }
    }

    fn link(&self, node: usize, target: bool, out: &mut Vec<Step>) {
        if !self.alive(node) || self.paused(node) {
            return;
        }
        let link = &self.registry.links[node];
        if !link.connected {
            out.push(Step::Reach(node));
        } else if target && self.left.losses > 0 {
            out.push(Step::Lose(node, Fate::Gone));
            if link.requests.iter().any(|request| matches!(request, Request::Write(..))) {
                out.push(Step::Lose(node, Fate::Arrived));
                out.push(Step::Lose(node, Fate::Later));
            }
        }
    }

    /// The promise holds while one of the pair survives: somebody else must hold all that was answered, whichever of the
    /// writes under way come to be.
    fn is_expendable(&self, node: usize, power: bool) -> bool {
        let requests = self.registry.links.iter().flat_map(|link| &link.requests);
        let flying = requests.filter_map(|request| match request {
            Request::Write(config, _) => Some(config),
            _ => None,
        });
        let flying = flying.chain(self.registry.air.iter().map(|(config, _)| config));
        // A leader that is about to be alone has fsynced what it may lose.
        let flying = flying.filter(|config| !(power && config.synced.is_none()));
        flying.chain(self.registry.config.iter().map(|(config, _)| config)).all(|config| {
            let mut pair = config.pair();
            if pair.all(|member| member.id != name(node)) {
                return true;
            }
            config.pair().any(|member| {
                (0..3).any(|other| {
                    let disk = &self.nodes[other].disk;
                    other != node
                        && name(other) == member.id
                        && disk.incarnation.to_string() == member.incarnation
                        && disk.memory.whole
                })
            })
        })
    }

    pub fn step(&mut self, step: Step) {
        crate::world::tell(|| format!("{step:?} at {}", self.now));
        self.time().pretend(self.time());
        self.pay(step);
        self.steps.0 += 1;
        match step {
            Step::Time => self.pass_time(),
            Step::Write(node) => self.ask(node, true),
            Step::Read(node) => self.ask(node, false),
            Step::Cut(from, to) => drop(self.cut.insert((from, to))),
            Step::Heal(from, to) => drop(self.cut.remove(&(from, to))),
            Step::Let(from, to) => self.let_pass(from, to),
            Step::Pause(node) => self.set_paused(node, true),
            Step::Resume(node) => {
                self.set_paused(node, false);
                self.release(node);
            }
            Step::Kill(node) => self.end(node, false),
            Step::Power(node) => {
                self.end(node, true);
                self.node(node).disk.power_failed();
            }
            Step::Empty(node) => {
                self.end(node, true);
                let next = self.nodes[node].disk.incarnation + 1;
                self.node(node).disk = Disk::new(next);
            }
            Step::Restart(node) => self.start(node),
            Step::Snap(one, other) => self.snap(one, other),
            Step::Lose(node, fate) => {
                for attempt in self.registry.disconnect(node, fate) {
                    let event = RegistryEvent::Written { attempt, outcome: WriteOutcome::Undecided };
                    self.deliver(node, Event::Registry(event));
                }
                self.deliver(node, Event::Registry(RegistryEvent::Lost));
            }
            Step::Reach(node) => self.registry.connect(node),
            Step::Land => self.registry.land(0),
            Step::Expire(node) => self.registry.expire(&name(node)),
            Step::HandOver(node) => {
                let request = HandoverRequest { to: None, timeout: Duration::from_secs(1), force: false };
                self.deliver(node, Event::Handover(request));
            }
        }
        self.settle();
        self.check();
    }

    fn pay(&mut self, step: Step) {
        let left = &mut self.left;
        let budget = match step {
            Step::Time => &mut left.time,
            Step::Write(_) => &mut left.writes,
            Step::Read(_) => &mut left.reads,
            Step::Cut(..) => &mut left.cuts,
            Step::Pause(_) => &mut left.pauses,
            Step::Kill(_) => &mut left.kills,
            Step::Power(_) => &mut left.powers,
            Step::Empty(_) => &mut left.empties,
            Step::Snap(..) => &mut left.snaps,
            Step::Lose(..) => &mut left.losses,
            Step::HandOver(_) => &mut left.handovers,
            _ => return,
        };
        *budget = budget.saturating_sub(1);
    }

    fn pass_time(&mut self) {
        self.now += 1;
        self.time().pretend(self.time());
        for node in 0..3 {
            if self.alive(node) && !self.paused(node) {
                self.synced(node);
                self.deliver(node, Event::Tick);
            }
        }
    }

    fn set_paused(&mut self, node: usize, paused: bool) {
        if let Some(process) = &mut self.node(node).process {
            process.paused = paused;
        }
    }
}

/// All routes between these two, both ways.
pub const fn between(one: usize, other: usize) -> [(usize, usize); 2] {
    [(one, other), (other, one)]
}

/// Both ways between a node and the registry.
pub const fn to_registry(node: usize) -> [(usize, usize); 2] {
    between(node, REGISTRY)
}
