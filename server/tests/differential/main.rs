//! Random commands on several connections, asked of our engine and of redis-server: every reply and message is the same,
//! and so is all data in the end, on a follower and on a recovered engine too.
//!
//! `DIFFERENTIAL_SEED` is the first seed; each seed is a case, and the one after it the next seed. `DIFFERENTIAL_STEPS` is
//! how many commands there are at least, `DIFFERENTIAL_SECONDS` how long it goes on instead. `REDIS_SERVER` names another
//! reference; what only a later one has takes part if it has it. A case that shows a difference is made small, and printed
//! with its seed: `DIFFERENTIAL_SEED=that DIFFERENTIAL_STEPS=1` holds it again.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod agree;
mod bout;
mod case;
#[path = "../common/mod.rs"]
mod common;
mod data;
mod floats;
mod nodes;
#[path = "../oracle/mod.rs"]
mod oracle;
mod random;
mod shapes;
mod shrink;
mod unfit;

use std::time::{Duration, Instant};

use agree::Judge;
use bout::{Bout, Difference};
use case::Case;
use oracle::{Redis, show};
use shapes::Table;

/// How long the reference may take for a reply before it counts as none, and when it is known that one is missing.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_SHRINKING: Duration = Duration::from_millis(300);
/// Commands if nothing else is said: about 20 seconds.
const STEPS: u64 = 100_000;
/// Differences after which there is no point in going on.
const DIFFERENCES_MAX: usize = 5;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// A reference that keeps running from case to case.
struct Reference {
    redis: Redis,
    judge: Judge,
    table: Table,
}

impl Reference {
    fn start() -> Self {
        let mut redis = Redis::start();
        let mut knows = |name: &str| {
            let own = matches!(name, "TRAVEL" | "NOPE");
            own || !matches!(
                show(&redis.ask(&["COMMAND", "INFO", name])).as_str(),
                "Array[nil]" | "Array[nil[]]"
            )
        };
        let old = !knows("HGETDEL");
        let (judge, table) = (Judge { old }, Table::known(knows, old));
        Self { redis, judge, table }
    }

    fn hold(&mut self, case: &Case, patience: Duration) -> Result<usize, Difference> {
        Bout::new(&mut self.redis, case, self.judge, patience).hold(&case.steps)
    }

    /// What a case that shows a difference comes down to.
    fn explain(&mut self, case: &Case, found: &Difference) -> String {
        let again = self.hold(case, PATIENCE_SHRINKING).err();
        let Some(again) = again else {
            return format!("seed {}, but not when it was held again\n  {found}", case.seed);
        };
        let (case, found) =
            shrink::shrink(case, again, |smaller| self.hold(smaller, PATIENCE_SHRINKING).err());
        let low = case.settings.iter().map(|(name, value)| format!("{name} {value}"));
        let settings: Vec<String> = low.collect();
        let steps: Vec<String> = case.steps.iter().map(|step| format!("  {step}\n")).collect();
        format!("seed {} ({})\n{}  {found}", case.seed, settings.join(", "), steps.concat())
    }
}

#[test]
fn random_commands_are_answered_as_redis_answers_them() {
    let first = setting("DIFFERENTIAL_SEED").unwrap_or(20_261_122);
    let steps = setting("DIFFERENTIAL_STEPS").unwrap_or(STEPS);
    let seconds = setting("DIFFERENTIAL_SECONDS").map(Duration::from_secs);
    println!("DIFFERENTIAL_SEED={first}");
    let (mut reference, start) = (Reference::start(), Instant::now());
    let (mut differences, mut compared, mut seed) = (Vec::new(), 0u64, first);
    while seconds.map_or(compared < steps, |limit| start.elapsed() < limit) {
        let case = Case::of(seed, &reference.table);
        match reference.hold(&case, PATIENCE) {
            Ok(count) => compared += count as u64,
            Err(found) => {
                differences.push(reference.explain(&case, &found));
                println!("{}", differences[differences.len() - 1]);
            }
        }
        seed += 1;
        if differences.len() >= DIFFERENCES_MAX {
            break;
        }
    }
    let rate = compared as f64 / start.elapsed().as_secs_f64();
    let (seeds, different) = (seed - first, differences.len());
    println!(
        "{compared} commands of {seeds} seeds compared, {rate:.0} a second, {different} seeds with differences"
    );
    assert!(differences.is_empty(), "the differences are printed above");
}

#[test]
fn the_same_seed_is_the_same_case() {
    let table = Table::known(|_| true, false);
    let said = |seed| Case::of(seed, &table).steps.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(said(7), said(7));
    assert_ne!(said(7), said(8));
}

#[test]
fn a_case_shrinks_to_what_it_takes() {
    let case = Case::of(7, &Table::known(|_| true, false));
    let needed = [case.steps[20].to_string(), case.steps[250].to_string()];
    let found = Difference { of: "x".into(), ours: "a".into(), theirs: "b".into() };
    let (small, _) = shrink::shrink(&case, found.clone(), |case| {
        let said: Vec<String> = case.steps.iter().map(ToString::to_string).collect();
        needed.iter().all(|step| said.contains(step)).then(|| found.clone())
    });
    assert!(small.steps.len() <= 2);
}
