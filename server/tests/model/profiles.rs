//! From where the model is explored, and with which steps: no run may have all of them, each has those that go together.

use crate::disk::Disk;
use crate::node::Node;
use crate::registry::{Fate, Registry};
use crate::steps::{Budget, Step, between, to_registry};
use crate::world::{REGISTRY, Steps, World, name};
use botellier_server::replication::member::{Config, Durability, FORMAT, Member};

#[derive(Clone)]
pub struct Profile {
    pub name: &'static str,
    pub durability: Durability,
    /// From the steady state on: n0 leads, n1 is synced, n2 is a replica, one write is answered.
    pub prefix: Vec<Step>,
    pub budget: Budget,
    /// What may be cut.
    pub routes: Vec<(usize, usize)>,
    /// Whom other faults may hit.
    pub targets: Vec<usize>,
    /// Whether the first leader must answer all the time.
    pub serving: bool,
    /// Whether another leader must come to answer in some of its runs, or it would show little.
    pub fails_over: bool,
    /// Steps from the start.
    pub depth: usize,
}

/// Three nodes that know each other from an earlier life, until n0 leads and one write is answered.
fn steady(durability: Durability) -> World {
    let member = |node| Member { id: name(node), incarnation: "1".into() };
    let config = Config {
        format: FORMAT,
        cluster: "c".into(),
        version: 1,
        epoch: 1,
        leader: member(1),
        synced: Some(member(0)),
        attempt: "first".into(),
    };
    let nodes = [0, 1, 2].map(|_| {
        let mut disk = Disk::new(1);
        disk.memory.cluster = Some(config.cluster.clone());
        disk.memory.config = Some(config.clone());
        disk.kept = disk.memory.clone();
        Node { disk, life: 0, process: None }
    });
    let registry = Registry { config: Some((config, 0)), ..Registry::default() };
    let mut world = World::new(durability, nodes, registry);
    for node in [0, 1, 2] {
        world.step(Step::Restart(node));
    }
    for _ in 0..8 {
        world.step(Step::Time);
    }
    world.step(Step::Write(0));
    for _ in 0..2 {
        world.step(Step::Time);
    }
    let (config, _) = world.registry.config.as_ref().expect("there is one");
    assert_eq!((&config.leader, config.synced.as_ref()), (&member(0), Some(&member(1))), "{world:?}");
    assert_eq!(world.seen.answered.len(), 1, "{world:?}");
    world
}

impl Profile {
    pub fn start(&self) -> World {
        let mut world = steady(self.durability);
        for step in &self.prefix {
            world.step(*step);
        }
        world.left = self.budget;
        world.serving = self.serving;
        world.steps = Steps::default();
        world
    }
}

/// In the steady state.
pub const FIRST_EPOCH: u64 = 2;

const NONE: Budget = Budget {
    time: 0,
    writes: 0,
    reads: 0,
    cuts: 0,
    pauses: 0,
    kills: 0,
    powers: 0,
    empties: 0,
    snaps: 0,
    losses: 0,
    handovers: 0,
};

fn times(units: usize) -> impl Iterator<Item = Step> {
    std::iter::repeat_n(Step::Time, units)
}

fn all_routes() -> Vec<(usize, usize)> {
    let pairs = [between(0, 1), between(0, 2), between(1, 2), to_registry(0), to_registry(1), to_registry(2)];
    pairs.concat()
}

fn required(name: &'static str, depth: usize, budget: Budget) -> Profile {
    Profile {
        name,
        durability: Durability::Required,
        prefix: Vec::new(),
        budget,
        routes: Vec::new(),
        targets: Vec::new(),
        serving: false,
        fails_over: true,
        depth,
    }
}

/// What is explored in every run of the tests.
pub fn all() -> Vec<Profile> {
    vec![
        Profile {
            routes: all_routes(),
            fails_over: false,
            ..required("slow routes", 5, Budget { time: 5, writes: 2, reads: 2, cuts: 3, ..NONE })
        },
        lease(),
        change(),
        undecided(),
        accused(),
        emptied(),
        outdated(),
        tail(),
        level(),
        late(),
        power(),
        alone(),
        handover(),
        unregistered(),
    ]
}

/// A leader that is cut off, paused, or hears its grants late (traps 1 and 2).
fn lease() -> Profile {
    Profile {
        prefix: vec![Step::Lose(0, Fate::Gone)],
        routes: vec![(0, 1), (1, 0)],
        targets: vec![0],
        ..required("lease", 10, Budget { time: 5, reads: 2, cuts: 2, pauses: 1, ..NONE })
    }
}

/// The synced replica falls silent and is changed, while writes are on their way (traps 5 and 6).
fn change() -> Profile {
    Profile {
        routes: vec![(0, 1), (1, 0), (0, 2), (0, REGISTRY), (REGISTRY, 0)],
        targets: vec![1],
        ..required("change", 7, Budget { time: 4, writes: 2, cuts: 3, kills: 1, ..NONE })
    }
}

/// The outcome of a change is not known (trap 3).
fn undecided() -> Profile {
    Profile {
        prefix: vec![Step::Cut(1, 0), Step::Cut(0, REGISTRY)],
        routes: vec![(1, 0), (0, 2), (0, REGISTRY)],
        targets: vec![0],
        fails_over: false,
        ..required("undecided", 8, Budget { time: 3, writes: 1, cuts: 1, losses: 2, ..NONE })
    }
}

/// Leader and synced replica both want to lead (trap 7).
fn accused() -> Profile {
    Profile {
        routes: vec![(0, REGISTRY), (1, REGISTRY)],
        targets: vec![0],
        ..required("accused", 9, Budget { time: 6, reads: 1, cuts: 2, kills: 1, ..NONE })
    }
}

/// The leader comes back with an empty disk (trap 8).
fn emptied() -> Profile {
    Profile {
        routes: vec![(1, REGISTRY)],
        targets: vec![0, 1],
        ..required("emptied", 10, Budget { time: 7, writes: 1, cuts: 1, pauses: 1, empties: 1, ..NONE })
    }
}

/// What a node announced of its log in an earlier life (trap 4). n0 comes back from a power failure.
fn outdated() -> Profile {
    let begin = [Step::Kill(2), Step::Power(0)].into_iter().chain(times(4));
    Profile {
        prefix: begin.chain([Step::Cut(1, 0), Step::Restart(0)]).collect(),
        routes: vec![(1, 0), (0, REGISTRY)],
        targets: vec![1],
        ..required("outdated announcement", 8, Budget { time: 3, writes: 1, cuts: 1, powers: 1, ..NONE })
    }
}

/// A leader takes the lead again with a tail that nobody else has (trap 27).
fn tail() -> Profile {
    let begin =
        [Step::Kill(2), Step::Cut(0, 1), Step::Write(0), Step::Pause(1), Step::Kill(0), Step::Restart(0)];
    Profile {
        prefix: begin.into_iter().chain(times(6)).collect(),
        routes: vec![(0, 1)],
        targets: vec![0, 1],
        ..required("tail", 10, Budget { time: 3, reads: 1, kills: 1, ..NONE })
    }
}

/// An old leader comes back with as much log as the new one has, but another (traps 10 and 12).
fn level() -> Profile {
    Profile {
        prefix: vec![Step::Kill(2), Step::Cut(0, 1)],
        routes: vec![(0, 1), (1, 0)],
        targets: vec![0],
        ..required("as long, but another", 10, Budget { time: 5, writes: 4, cuts: 1, ..NONE })
    }
}

/// Records of a connection that was closed come late (trap 13).
fn late() -> Profile {
    Profile {
        prefix: vec![Step::Cut(0, 2), Step::Cut(0, 1), Step::Write(0)],
        routes: vec![(0, 2), (1, 2)],
        targets: vec![],
        ..required("late frames", 10, Budget { time: 4, writes: 1, cuts: 1, ..NONE })
    }
}

/// Power fails here and there, and processes end (trap 9).
fn power() -> Profile {
    Profile {
        routes: vec![(0, 1)],
        targets: vec![0, 1, 2],
        ..required("power", 9, Budget { time: 5, writes: 1, powers: 1, kills: 1, ..NONE })
    }
}

/// A leader may go on alone (rule 7).
fn alone() -> Profile {
    Profile {
        durability: Durability::Preferred,
        prefix: vec![Step::Kill(2)],
        routes: vec![(0, 1), (1, 0), (0, REGISTRY), (REGISTRY, 0)],
        targets: vec![0, 1],
        ..required("alone", 7, Budget { time: 5, writes: 2, cuts: 2, kills: 1, losses: 1, ..NONE })
    }
}

/// The lead is handed over while routes are slow.
fn handover() -> Profile {
    Profile {
        routes: vec![(0, 1), (1, 0), (0, REGISTRY), (1, REGISTRY), (REGISTRY, 0)],
        targets: vec![0],
        ..required(
            "handover",
            7,
            Budget { time: 4, writes: 2, reads: 1, cuts: 2, kills: 1, handovers: 1, ..NONE },
        )
    }
}

/// The registry goes away and comes back for anybody (rule 9, trap 29).
fn unregistered() -> Profile {
    Profile {
        targets: vec![0, 1, 2],
        serving: true,
        fails_over: false,
        ..required("no registry", 7, Budget { time: 4, writes: 2, reads: 1, losses: 3, ..NONE })
    }
}

/// Everything at once, for random walks.
pub fn anything() -> Profile {
    Profile {
        routes: all_routes(),
        targets: vec![0, 1, 2],
        ..required(
            "anything",
            60,
            Budget {
                time: 25,
                writes: 8,
                reads: 6,
                cuts: 6,
                pauses: 2,
                kills: 2,
                powers: 2,
                empties: 1,
                snaps: 2,
                losses: 3,
                handovers: 1,
            },
        )
    }
}

/// The planted defects that the model finds, and in which profile.
pub fn mutants() -> Vec<(u8, Profile)> {
    vec![
        (1, lease()),
        (2, lease()),
        (3, undecided()),
        (5, change()),
        (6, change()),
        (7, accused()),
        (8, emptied()),
        (9, power()),
        (12, level()),
        (13, late()),
        (27, tail()),
        (29, unregistered()),
    ]
}
