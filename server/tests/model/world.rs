//! The world of three nodes: their connections, the registry, time in coarse units, and what was answered.
//!
//! Whatever can happen at once does happen at once, in a fixed order (`settle`), except over routes that are cut and at
//! nodes that are paused: there, messages wait for a step of their own. So every interleaving can be had, and those that
//! need few routes to be slow need few steps.

use crate::node::Node;
use crate::registry::{Answer, Registry, Request};
use botellier_server::replication::member::Durability;
use botellier_server::replication::protocol::{ConnectionId, Ending, Event, RegistryEvent, Settings};
use botellier_server::replication::time::Time;
use botellier_server::replication::wire::{Body, Frame};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// A unit of time. The leader's side of a lease lasts one unit after it was asked for and is over at the second; the
/// follower's side is over at the third, and so is its patience with a silent leader.
const UNIT: Duration = Duration::from_millis(50);
/// In the numbers of routes.
pub const REGISTRY: usize = 3;
/// More messages than this without a step in between: the nodes chatter without end.
const CHATTER_MAX: usize = 5_000;

/// What must always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Property {
    Held,
    Linearizable,
    OneLeader,
    Serving,
}

impl Property {
    pub const ALL: [Self; 4] = [Self::Held, Self::Linearizable, Self::OneLeader, Self::Serving];

    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "acknowledged implies held by every node that may lead",
            Self::Linearizable => "answers are linearizable, and none is taken back",
            Self::OneLeader => "one node answers in an epoch, and none in an earlier one afterwards",
            Self::Serving => "the pair serves without the registry, and nobody chatters without end",
        }
    }
}

#[derive(Clone, Debug, Hash)]
pub enum Parcel {
    Dial,
    Opened,
    Frame(Frame),
    End(Ending),
}

/// A connection. Side 0 dialled. Queues hold what comes to a side.
#[derive(Clone, Hash)]
pub struct Pipe {
    id: u64,
    pub hosts: [usize; 2],
    ids: [ConnectionId; 2],
    lives: [u8; 2],
    pub open: [bool; 2],
    pub queues: [VecDeque<Parcel>; 2],
}

/// What was answered, and by whom.
#[derive(Clone, Default, Hash)]
pub struct Seen {
    /// The longest history that an answer showed. All others are beginnings of it.
    pub answered: Vec<crate::disk::Record>,
    /// The highest epoch in which one left.
    pub epoch: u64,
    /// Who led in which epoch, by node and disk.
    pub leaders: BTreeMap<u64, (usize, u8)>,
}

#[derive(Clone, Hash)]
#[expect(clippy::derived_hash_with_manual_eq, reason = "equal if the hashes are, as to the checker")]
pub struct World {
    pub durability: Durability,
    pub now: u64,
    pub nodes: [Arc<Node>; 3],
    pub pipes: Vec<Pipe>,
    next_pipe: u64,
    /// Routes on which messages wait.
    pub cut: BTreeSet<(usize, usize)>,
    pub registry: Registry,
    pub seen: Seen,
    pub next_write: u8,
    pub left: crate::steps::Budget,
    /// Whether nothing may happen that keeps the first leader from answering.
    pub serving: bool,
    pub failed: Option<(Property, String)>,
    pub steps: Steps,
}

/// How many led here. A state that can be had by fewer is the same state.
#[derive(Clone, Copy, Default)]
pub struct Steps(pub usize);

impl Hash for Steps {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Where a message waits.
#[derive(Clone, Copy, Debug)]
enum Route {
    Pipe(usize, usize),
    Request(usize),
    Answer(usize),
}

thread_local! {
    static TOLD: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread tells what happens.
pub fn telling(on: bool) {
    TOLD.set(on);
}

pub fn tell(what: impl FnOnce() -> String) {
    if TOLD.get() {
        println!("{}", what());
    }
}

pub fn name(node: usize) -> String {
    if node == REGISTRY { "registry".into() } else { format!("n{node}") }
}

impl World {
    pub fn new(durability: Durability, nodes: [Node; 3], registry: Registry) -> Self {
        Self {
            durability,
            now: 20,
            nodes: nodes.map(Arc::new),
            pipes: Vec::new(),
            next_pipe: 0,
            cut: BTreeSet::new(),
            registry,
            seen: Seen::default(),
            next_write: 1,
            left: crate::steps::Budget::default(),
            serving: false,
            failed: None,
            steps: Steps::default(),
        }
    }

    pub fn settings(&self) -> Settings {
        Settings {
            durability: self.durability,
            lease: UNIT * 2,
            margin: UNIT * 2 / 5,
            heartbeat: UNIT,
            grace: UNIT * 4,
            level_bytes: 1 << 20,
            announce: UNIT * 2,
        }
    }

    pub fn time(&self) -> Time {
        Time::ZERO.plus(UNIT * self.now as u32)
    }

    pub fn fail(&mut self, property: Property, why: String) {
        self.failed.get_or_insert((property, why));
    }

    pub fn alive(&self, node: usize) -> bool {
        self.nodes[node].process.is_some()
    }

    pub fn paused(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| node.process.as_ref().is_some_and(|process| process.paused))
    }

    fn free(&self, from: usize, to: usize) -> bool {
        !self.cut.contains(&(from, to)) && !self.paused(to)
    }

    /// Everything that can happen now happens.
    pub fn settle(&mut self) {
        for _ in 0..CHATTER_MAX {
            let Some(route) = self.waiting(Self::free) else { return };
            self.pass(route);
            if self.failed.is_some() {
                return;
            }
        }
        self.fail(Property::Serving, "the nodes chatter without end".into());
    }

    /// One message passes a route that is cut.
    pub fn let_pass(&mut self, from: usize, to: usize) {
        if let Some(route) = self.waiting(|_, f, t| (f, t) == (from, to)) {
            self.pass(route);
        }
    }

    pub fn is_waiting(&self, from: usize, to: usize) -> bool {
        self.waiting(|_, f, t| (f, t) == (from, to)).is_some()
    }

    fn waiting(&self, may: impl Fn(&Self, usize, usize) -> bool) -> Option<Route> {
        for (node, link) in self.registry.links.iter().enumerate() {
            if !link.requests.is_empty() && may(self, node, REGISTRY) {
                return Some(Route::Request(node));
            }
            if !link.answers.is_empty() && may(self, REGISTRY, node) {
                return Some(Route::Answer(node));
            }
        }
        self.pipes.iter().enumerate().find_map(|(index, pipe)| {
            let side = (0..2).find(|side| {
                !pipe.queues[*side].is_empty() && may(self, pipe.hosts[1 - side], pipe.hosts[*side])
            });
            side.map(|side| Route::Pipe(index, side))
        })
    }

    fn pass(&mut self, route: Route) {
        match route {
            Route::Request(node) => self.registry.serve(node),
            Route::Answer(node) => {
                let link = &mut self.registry.links[node];
                match link.answers.pop_front() {
                    Some(Answer::Event(event)) => {
                        if let RegistryEvent::Written { attempt, .. } = &event {
                            link.flying.retain(|flying| flying != attempt);
                        }
                        self.deliver(node, Event::Registry(event));
                    }
                    Some(Answer::Changed) => self.registry.request(node, Request::Refresh),
                    None => {}
                }
            }
            Route::Pipe(index, side) => {
                let id = self.pipes[index].id;
                self.arrive(index, side);
                self.pipes.retain(|pipe| pipe.id != id || pipe.open[0] || pipe.open[1] || pipe.is_late());
            }
        }
    }

    pub fn connect(&mut self, node: usize, connection: ConnectionId, host: &str) {
        let target = (0..3).find(|node| name(*node) == host).expect("a node's name");
        self.next_pipe += 1;
        self.pipes.push(Pipe {
            id: self.next_pipe,
            hosts: [node, target],
            ids: [connection, ConnectionId::incoming(self.next_pipe)],
            lives: [self.nodes[node].life, 0],
            open: [true, false],
            queues: [VecDeque::new(), VecDeque::from([Parcel::Dial])],
        });
    }

    fn find(&mut self, node: usize, connection: ConnectionId) -> Option<(&mut Pipe, usize)> {
        let life = self.nodes[node].life;
        self.pipes.iter_mut().find_map(|pipe| {
            let mine = |side: usize| {
                pipe.open[side]
                    && pipe.hosts[side] == node
                    && pipe.ids[side] == connection
                    && pipe.lives[side] == life
            };
            let side = (0..2).find(|side| mine(*side))?;
            Some((pipe, side))
        })
    }

    /// Small frames overtake bulk that was not sent yet, as the real streams let them (trap 22).
    pub fn send(&mut self, node: usize, connection: ConnectionId, parcel: Parcel) {
        let Some((pipe, side)) = self.find(node, connection) else { return };
        let queue = &mut pipe.queues[1 - side];
        let bulk = |parcel: &Parcel| {
            let Parcel::Frame(frame) = parcel else { return false };
            matches!(
                frame.body,
                Body::Records { .. } | Body::CopyBegin { .. } | Body::CopyChunk { .. } | Body::CopyEnd
            )
        };
        let mut place = queue.len();
        if matches!(parcel, Parcel::Frame(_)) && !bulk(&parcel) {
            place -= queue.iter().rev().take_while(|waiting| bulk(waiting)).count();
        }
        queue.insert(place, parcel);
    }

    pub fn close(&mut self, node: usize, connection: ConnectionId) {
        let Some((pipe, side)) = self.find(node, connection) else { return };
        pipe.open[side] = false;
        pipe.queues[1 - side].push_back(Parcel::End(Ending::Orderly));
    }

    fn arrive(&mut self, index: usize, side: usize) {
        let pipe = &mut self.pipes[index];
        let Some(parcel) = pipe.queues[side].pop_front() else { return };
        let (node, connection) = (pipe.hosts[side], pipe.ids[side]);
        if matches!(parcel, Parcel::Dial) {
            let Some(target) = self.nodes[node].process.is_some().then_some(self.nodes[node].life) else {
                pipe.queues[0].push_back(Parcel::End(Ending::Broken));
                return;
            };
            if pipe.open[0] {
                (pipe.open[1], pipe.lives[1]) = (true, target);
                pipe.queues[0].push_back(Parcel::Opened);
            }
            return;
        }
        if self.nodes[node].process.is_none() || self.nodes[node].life != pipe.lives[side] {
            return;
        }
        match parcel {
            Parcel::Dial => {}
            Parcel::Opened if pipe.open[side] => self.deliver(node, Event::Opened { connection }),
            // What was under way when a follower closed a connection may be in its hands already (trap 13).
            Parcel::Frame(frame) if pipe.open[side] || side == 0 => {
                self.deliver(node, Event::Frame { connection, frame });
            }
            Parcel::End(ending) if pipe.open[side] => {
                // The event is seen before the socket is let go.
                pipe.open[side] = false;
                let id = pipe.id;
                self.deliver(node, Event::Closed { connection, ending });
                if let Some(pipe) = self.pipes.iter_mut().find(|pipe| pipe.id == id && pipe.open[1 - side]) {
                    pipe.queues[1 - side].push_back(Parcel::End(Ending::Orderly));
                }
            }
            _ => {}
        }
    }

    /// The process ends. Its kernel closes its connections, unless the power is gone.
    pub fn end(&mut self, node: usize, power: bool) {
        self.node(node).process = None;
        let later = self.cut.contains(&(node, REGISTRY));
        let fate = if later { crate::registry::Fate::Later } else { crate::registry::Fate::Gone };
        self.registry.disconnect(node, fate);
        for pipe in &mut self.pipes {
            for side in 0..2 {
                if pipe.hosts[side] == node && pipe.open[side] {
                    pipe.open[side] = false;
                    pipe.queues[side].clear();
                    if !power {
                        pipe.queues[1 - side].push_back(Parcel::End(Ending::Orderly));
                    }
                }
            }
        }
        self.pipes.retain(|pipe| pipe.open[0] || pipe.open[1] || pipe.is_late());
    }

    /// A connection breaks: what was under way is gone, and both sides will hear.
    pub fn snap(&mut self, one: usize, other: usize) {
        for pipe in
            self.pipes.iter_mut().filter(|pipe| pipe.hosts == [one, other] && pipe.open == [true, true])
        {
            for queue in &mut pipe.queues {
                *queue = VecDeque::from([Parcel::End(Ending::Broken)]);
            }
        }
    }

    /// Every node that the configuration allows to lead holds what was answered.
    pub fn check(&mut self) {
        if self.serving {
            let process = self.nodes[0].process.as_ref();
            let serves =
                process.is_some_and(|it| it.leading.is_some() && it.writable && it.replies.is_empty());
            if !serves {
                self.fail(Property::Serving, "the leader does not answer".into());
            }
        }
        let Some((config, _)) = &self.registry.config else { return };
        let pair: Vec<_> = config.pair().cloned().collect();
        for node in 0..3 {
            let disk = &self.nodes[node].disk;
            let named = pair
                .iter()
                .any(|member| member.id == name(node) && member.incarnation == disk.incarnation.to_string());
            if named && disk.memory.whole {
                self.check_holds(node);
            }
        }
    }
}

impl Pipe {
    /// Frames of a connection that is closed already.
    fn is_late(&self) -> bool {
        self.queues[0].iter().any(|parcel| matches!(parcel, Parcel::Frame(_)))
    }
}

fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        fingerprint(self) == fingerprint(other)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.registry.config.as_ref().map(|(config, version)| {
            let synced = config.synced.as_ref().map(ToString::to_string);
            format!("epoch {} version {version}: {} {synced:?}", config.epoch, config.leader)
        });
        writeln!(f, "at {} {config:?}, answered {:?}, cut {:?}", self.now, self.seen.answered, self.cut)?;
        for (index, node) in self.nodes.iter().enumerate() {
            let role = node.process.as_ref().map(|process| {
                let status = process.machine.status();
                (status.role, status.epoch, process.leading, process.replies.len())
            });
            let records = &node.disk.log.records;
            writeln!(f, "  n{index} {role:?} whole {} log {records:?}", node.disk.memory.whole)?;
        }
        write!(f, "  {:?}", self.failed)
    }
}
