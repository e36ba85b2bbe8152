//! Whether what clients were told is right, and the report.

use super::load::{REPLY_TIME_MAX, Told, find_leader};
use super::work::Work;
use super::{Episode, Options, Run};
use crate::ground::nodes::pair;
use crate::ground::{lock, wait_for};
use crate::history::linear::{self, Operation, Step};
use crate::history::{export, stall};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

/// As the client that reads everything at the end.
const READER: usize = 999;

/// Reads every key that was ever written, on the leader, as operations of the history.
pub fn read_all(run: &Run) -> Result<(), String> {
    let keys: BTreeSet<String> = {
        let told = run.load.told();
        told.history.iter().flat_map(|operation| &operation.steps).map(|step| step.key().to_owned()).collect()
    };
    let mut found = Told::default();
    let mut connection = None;
    for key in &keys {
        // Reads have no effect: one without an answer is asked again.
        wait_for("an answer at the end", Duration::from_secs(30), || {
            let mut open = connection.take().or_else(|| find_leader(0, REPLY_TIME_MAX).ok())?;
            run.load.operate(&mut open, READER, Work::read(key), &mut found).then(|| connection = Some(open))
        })?;
    }
    found.history.retain(|operation| operation.returned.is_some());
    run.load.told().history.append(&mut found.history);
    run.load.told().odd.append(&mut found.odd);
    Ok(())
}

/// Judges and reports; whether anything is wrong.
pub fn judge(run: &Run, episodes: &[Episode], options: &Options) -> Result<bool, String> {
    let mut wrong = std::mem::take(&mut *lock(&run.wrong));
    let told = std::mem::take(&mut *run.load.told());
    let history = &told.history;
    let began = std::time::Instant::now();
    wrong.extend(anomalies(history));
    wrong.extend(told.odd.iter().take(10).map(|odd| format!("an odd answer: {odd}")));
    for node in &run.world.nodes {
        wrong.extend(node.process.panic().map(|line| format!("{}: {line}", node.process.name)));
    }
    if !history.iter().any(|operation| operation.returned.is_some()) {
        wrong.push("nothing was acknowledged".into());
    }
    if let Some(folder) = &options.export {
        export_to(folder, history).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    report(run, episodes, &told);
    println!("judged in {:.1} s, anomalies {}", began.elapsed().as_secs_f64(), wrong.len());
    if wrong.is_empty() {
        return Ok(false);
    }
    for each in &wrong {
        println!("WRONG {each}");
    }
    let kept = options.folder.join("kept");
    keep(run, history, &kept).map_err(|error| format!("{}: {error}", kept.display()))?;
    println!(
        "seed {}; logs are in {}, the history and data in {}",
        options.seed,
        options.folder.join("logs").display(),
        kept.display()
    );
    Ok(true)
}

/// Keys of different generations have nothing to do with each other.
fn anomalies(history: &[Operation]) -> Vec<String> {
    let mut generations: BTreeMap<&str, Vec<Operation>> = BTreeMap::new();
    for operation in history {
        let generation = operation.steps.first().and_then(|step| step.key().split(':').next());
        generations.entry(generation.unwrap_or_default()).or_default().push(operation.clone());
    }
    generations
        .values()
        .filter_map(|history| linear::check(history).err())
        .map(|error| error.to_string())
        .collect()
}

fn export_to(folder: &Path, history: &[Operation]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    export::edn(history, BufWriter::new(File::create(folder.join("history.edn"))?))?;
    export::json_lines(history, BufWriter::new(File::create(folder.join("history.jsonl"))?))
}

/// The history and the nodes' data.
fn keep(run: &Run, history: &[Operation], folder: &Path) -> std::io::Result<()> {
    export_to(folder, history)?;
    for node in &run.world.nodes {
        let (from, to) =
            (node.data().display().to_string(), folder.join(&node.process.name).display().to_string());
        if let Err(error) = crate::ground::run(&["cp", "-r", &from, &to]) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn report(run: &Run, episodes: &[Episode], told: &Told) {
    let mut injected: BTreeMap<&str, u64> = BTreeMap::new();
    for drawn in episodes.iter().flat_map(|episode| &episode.faults) {
        *injected.entry(drawn.name).or_default() += 1;
    }
    println!("faults injected: {} in {} episodes", injected.values().sum::<u64>(), episodes.len());
    let acknowledged = told.history.iter().filter(|operation| operation.returned.is_some()).count();
    let refused: u64 = told.refused.values().sum();
    println!(
        "operations {acknowledged}, ambiguous {}, refused {refused} {:?}, odd {}",
        told.ambiguous,
        told.refused,
        told.odd.len()
    );
    let epoch = pair(&run.world.nodes).map_or(0, |(.., status)| status.epoch);
    let ended: Vec<String> = run
        .world
        .nodes
        .iter()
        .filter(|node| !node.process.endings().is_empty())
        .map(|node| format!("{} {:?}", node.process.name, node.process.endings()))
        .collect();
    println!("changes of leader {}, ended by themselves: [{}]", epoch.saturating_sub(1), ended.join(", "));
    let stalls = stalls(run, &told.history, episodes);
    println!(
        "longest time without an acknowledged write, and how long it went on when all was healed, in ms, of the faults \
         that came alone and of mixed ones:"
    );
    println!(
        "  {:28} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "fault", "injected", "alone", "healed", "mixed", "healed"
    );
    for (name, count) in injected {
        let text = |ns: Option<u64>| ns.map_or("-".to_owned(), |ns| (ns / 1_000_000).to_string());
        let [alone, mixed] = [true, false].map(|alone| stalls.get(&(name, alone)));
        let [alone_all, mixed_all] = [alone, mixed].map(|stall| text(stall.map(|stall| stall.all)));
        let [alone_after, mixed_after] =
            [alone, mixed].map(|stall| text(stall.map(|stall| stall.after_healing)));
        println!("  {name:28} {count:8} {alone_all:>8} {alone_after:>8} {mixed_all:>8} {mixed_after:>8}");
    }
}

/// The longest of each, in nanoseconds.
#[derive(Clone, Copy, Default)]
struct Longest {
    all: u64,
    after_healing: u64,
}

/// By fault, and by whether it came alone.
fn stalls<'e>(
    run: &Run,
    history: &[Operation],
    episodes: &'e [Episode],
) -> BTreeMap<(&'e str, bool), Longest> {
    let writes = |operation: &&Operation| {
        !operation.steps.iter().all(|step| matches!(step, Step::Get(_) | Step::Range(_) | Step::Members(_)))
    };
    let mut acknowledged: Vec<u64> = history
        .iter()
        .filter(writes)
        .filter_map(|operation| operation.returned.as_ref().map(|(at, _)| *at))
        .collect();
    acknowledged.sort_unstable();
    let mut stalls = BTreeMap::new();
    for episode in episodes {
        // What goes on after the end is the next one's: at the end writes were acknowledged.
        let until = acknowledged.partition_point(|at| *at < episode.to);
        let (began, ended) = stall(&acknowledged[..until], episode.from, episode.to);
        let (all, after_healing) = (ended - began, ended.saturating_sub(began.max(episode.healed)));
        let names: Vec<_> = episode.faults.iter().map(|drawn| drawn.name).collect();
        let [began, all_ms, after_ms] = [began, all, after_healing].map(|ns| ns / 1_000_000);
        run.tell(&format!(
            "without an acknowledged write for {all_ms} ms from {began} ms on, {after_ms} ms of it after healing: {}",
            names.join(" + ")
        ));
        for drawn in &episode.faults {
            let longest: &mut Longest = stalls.entry((drawn.name, episode.faults.len() == 1)).or_default();
            longest.all = longest.all.max(all);
            longest.after_healing = longest.after_healing.max(after_healing);
        }
    }
    stalls
}
