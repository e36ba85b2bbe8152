//! A model of three nodes, checked by `stateright`: the real machines (`Candidate` with the leader, follower, lease and
//! registry view inside it, and the real gate), and around them the smallest world in which they can go wrong.
//!
//! # What is abstract
//!
//! A log is a list of writes to one register (`disk.rs`); frames carry it as bytes, which always fit. The engine is its
//! end. Time goes in units of half a lease (`world.rs`) and all clocks agree. Messages travel at once unless their route
//! is cut, then one step lets one pass, so interleavings cost steps and are all there. `held` means: the operating system
//! has it (`appendfsync everysec`); a power failure takes what no unit of time has passed over. At most one of the pair
//! may lose its data, as the promise says. Not modelled: a registry that is wiped or goes back in time, an operator's
//! orders that accept a loss, clocks that drift, partial records, more nodes than three: `tests/simulation` has those.
//!
//! # What is checked
//!
//! In every state, `Property`: each node that the configuration names, with that disk and a whole log, holds all that was
//! answered; answers are of one history, none forgets what was answered before it was asked for, replicas show nothing
//! that is taken back (rules 1 to 3); one node leads in an epoch, and none answers in an earlier one afterwards (rules 4
//! and 5); the pair serves on without a registry (rule 9), and nodes come to rest.
//!
//! # How far
//!
//! Each profile (`profiles.rs`) starts from a steady state or from a failure, allows the steps that go together, and is
//! searched breadth first: every sequence of so many steps. `MODEL_DEEPER=n` goes n steps further in each,
//! `MODEL_PROFILE=name` takes one, `MODEL_WALKS=seconds` adds random walks of 60 steps in which everything may happen.
//! What that found and how large it was is in `decisions/0007-model.md`.
//!
//! `every_planted_defect_is_found` has the model find the defects that `mutant.rs` plants in the very same machines; three
//! of them stand in the adapters, and are repeated where this world takes the adapter's place: the comparison of
//! checksums (12, in part), the floor of a new leader's answers (27), and the doubt after a power failure (9).

mod disk;
mod node;
mod profiles;
mod registry;
mod steps;
mod world;

use botellier_server::mutant;
use parking_lot::Mutex;
use profiles::Profile;
use stateright::{Checker, HasDiscoveries, Model, Property as Checked, UniformChooser};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use steps::Step;
use world::{Property, World};

/// A profile, with the defect of a trap planted; 0 is none.
#[derive(Clone)]
struct Run {
    profile: Arc<Profile>,
    trap: u8,
    depth: usize,
}

const FAILS_OVER: &str = "another leader answers";

impl Model for Run {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        mutant::plant(self.trap);
        vec![self.profile.start()]
    }

    fn actions(&self, world: &World, out: &mut Vec<Step>) {
        if world.failed.is_none() && world.steps.0 < self.depth {
            world.options(&self.profile.routes, &self.profile.targets, out);
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        mutant::plant(self.trap);
        let mut next = world.clone();
        next.step(step);
        Some(next)
    }

    fn properties(&self) -> Vec<Checked<Self>> {
        fn holds<const P: usize>(_: &Run, world: &World) -> bool {
            world.failed.as_ref().is_none_or(|(property, _)| *property != Property::ALL[P])
        }
        vec![
            Checked::always(Property::ALL[0].name(), holds::<0>),
            Checked::always(Property::ALL[1].name(), holds::<1>),
            Checked::always(Property::ALL[2].name(), holds::<2>),
            Checked::always(Property::ALL[3].name(), holds::<3>),
            Checked::sometimes(FAILS_OVER, |_, world: &World| world.seen.epoch > profiles::FIRST_EPOCH),
        ]
    }
}

/// What came of a search.
struct Found {
    transitions: usize,
    states: usize,
    /// Steps of the longest sequence that was tried.
    depth: usize,
    took: Duration,
    fails_over: bool,
    violation: Option<Violation>,
}

struct Violation {
    steps: Vec<Step>,
    property: Property,
    why: String,
}

impl Run {
    fn new(profile: &Arc<Profile>, trap: u8, deeper: usize) -> Self {
        Self { depth: profile.depth + deeper, profile: profile.clone(), trap }
    }

    fn search(self) -> Found {
        // One thread: only then is every state met first by the fewest steps.
        let builder = self.checker().finish_when(HasDiscoveries::AnyFailures).threads(1);
        found(Instant::now(), &builder.spawn_bfs().join())
    }

    /// Random walks for so long.
    fn walk(self, seed: u64, time: Duration) -> Found {
        let builder = self.checker().finish_when(HasDiscoveries::AnyFailures).timeout(time);
        found(Instant::now(), &builder.spawn_simulation(seed, UniformChooser).join())
    }
}

fn found(began: Instant, checker: &impl Checker<Run>) -> Found {
    let mut found = Found {
        transitions: checker.state_count(),
        states: checker.unique_state_count(),
        depth: checker.max_depth().saturating_sub(1),
        took: began.elapsed(),
        fails_over: false,
        violation: None,
    };
    for (name, path) in checker.discoveries() {
        match path.last_state().failed.clone() {
            _ if name == FAILS_OVER => found.fails_over = true,
            Some((property, why)) => {
                found.violation = Some(Violation { steps: path.into_actions(), property, why });
            }
            None => {}
        }
    }
    found
}

/// The steps again, told from inside.
fn tell(profile: &Profile, violation: &Violation) {
    let mut world = profile.start();
    world::telling(true);
    for step in &violation.steps {
        world.step(*step);
        println!("{world:?}");
    }
    world::telling(false);
}

fn number(variable: &str) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Has these done, two at a time.
fn each<T: Send>(jobs: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
    let jobs = Mutex::new(jobs.into_iter().collect::<VecDeque<_>>());
    let next = || jobs.lock().pop_front();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(job) = next() {
                    work(job);
                }
            });
        }
    });
}

/// For what went wrong.
#[derive(Default)]
struct Faults(Mutex<String>);

impl Faults {
    fn add(&self, what: &str) {
        let _ = writeln!(self.0.lock(), "{what}");
    }

    fn none(self) {
        let faults = self.0.into_inner();
        assert!(faults.is_empty(), "\n{faults}");
    }
}

#[test]
fn no_sequence_of_steps_breaks_the_promise() {
    let (deeper, only) = (number("MODEL_DEEPER"), std::env::var("MODEL_PROFILE").unwrap_or_default());
    let faults = Faults::default();
    let chosen = profiles::all().into_iter().filter(|profile| profile.name.contains(&only));
    each(chosen.map(Arc::new), |profile| {
        let run = Run::new(&profile, 0, deeper);
        let (name, most) = (profile.name, run.depth);
        let found = run.search();
        let whole = if found.depth < most { ", which is all there is" } else { "" };
        println!(
            "{name}: {} states, {} transitions, depth {}{whole}, {:.1?}",
            found.states, found.transitions, found.depth, found.took
        );
        if profile.fails_over && !found.fails_over {
            faults.add(&format!("{name}: in no run another leader answers"));
        }
        if let Some(violation) = found.violation {
            faults.add(&format!("{name}: {}: {:?}", violation.why, violation.steps));
            tell(&profile, &violation);
        }
    });
    faults.none();
}

#[test]
fn no_random_walk_breaks_the_promise() {
    let seconds = number("MODEL_WALKS");
    let (faults, profile) = (Faults::default(), Arc::new(profiles::anything()));
    // Only a moment of it, unless asked for.
    let time = if seconds == 0 { Duration::from_secs(5) } else { Duration::from_secs(seconds as u64) };
    each(1..=2, |seed| {
        let found = Run::new(&profile, 0, 0).walk(seed, time);
        println!("random walks from {seed}: {} steps, {:.1?}", found.transitions, found.took);
        if let Some(violation) = found.violation {
            faults.add(&format!("{}: {:?}", violation.why, violation.steps));
            tell(&profile, &violation);
        }
    });
    faults.none();
}

#[test]
fn every_planted_defect_is_found() {
    let faults = Faults::default();
    each(profiles::mutants(), |(trap, profile)| {
        let profile = Arc::new(profile);
        let found = Run::new(&profile, trap, 0).search();
        let Some(violation) = found.violation else {
            faults.add(&format!("the defect of trap {trap} is not found"));
            return;
        };
        println!(
            "trap {trap}: violates \"{}\" after {} states, {} steps, {:.1?}: {:?}",
            violation.property.name(),
            found.states,
            violation.steps.len(),
            found.took,
            violation.steps
        );
    });
    faults.none();
}
