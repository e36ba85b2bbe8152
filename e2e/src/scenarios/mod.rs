//! The scenarios, in the order in which they run, and what runs them.
//!
//! Each starts from a healthy store, which the one before leaves behind; after a failure the store is made anew.

mod faults;
mod life;
mod session;

use crate::store::{Leader, Store};
use crate::writer::Report;
use session::Session;
use std::path::{Path, PathBuf};
use std::time::Instant;

const NAMESPACE: &str = "botellier-e2e";

/// What a scenario has to say: figures for its line in the summary.
type Outcome = Result<String, String>;

struct Scenario {
    name: &'static str,
    summary: &'static str,
    /// Only where the cluster can cut off a node.
    cuts: bool,
    run: fn(&Store) -> Outcome,
}

const SCENARIOS: [Scenario; 7] = [
    Scenario {
        name: "create",
        summary: "create, and use it through the Service",
        cuts: false,
        run: life::create,
    },
    Scenario {
        name: "kill-leader",
        summary: "SIGKILL the leader's process",
        cuts: false,
        run: faults::kill_leader,
    },
    Scenario {
        name: "delete-leader",
        summary: "delete the leader's pod by force",
        cuts: false,
        run: faults::delete_leader,
    },
    Scenario {
        name: "operator-away",
        summary: "kill the leader with the operator at zero",
        cuts: false,
        run: faults::operator_away,
    },
    Scenario {
        name: "zookeeper-member",
        summary: "kill a ZooKeeper member",
        cuts: false,
        run: faults::zookeeper_member,
    },
    Scenario {
        name: "cut-node",
        summary: "cut the leader's node off the network",
        cuts: true,
        run: faults::cut_node,
    },
    Scenario {
        name: "delete",
        summary: "delete the resource; its volumes are kept, then not",
        cuts: false,
        run: life::delete,
    },
];

pub struct Options {
    /// The cluster's script.
    cluster: String,
    /// Whether that cluster can cut off a node.
    cuts: bool,
    sample: PathBuf,
    /// Where to put logs and descriptions after a failure.
    artifacts: PathBuf,
    only: Vec<String>,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut cluster, mut sample, mut artifacts) = (None, None, PathBuf::from("e2e-artifacts"));
        let (mut only, mut cuts) = (Vec::new(), true);
        while let Some(argument) = arguments.next() {
            if argument == "--no-cuts" {
                cuts = false;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
            match argument.as_str() {
                "--cluster" => cluster = Some(value),
                "--sample" => sample = Some(value.into()),
                "--artifacts" => artifacts = value.into(),
                "--only" => only.push(value),
                _ => return Err(format!("unknown option {argument}")),
            }
        }
        if let Some(unknown) =
            only.iter().find(|name| SCENARIOS.iter().all(|scenario| scenario.name != **name))
        {
            let names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            return Err(format!("no scenario {unknown}; there are {}", names.join(", ")));
        }
        Ok(Self {
            cluster: cluster.ok_or("--cluster is missing")?,
            cuts,
            sample: sample.ok_or("--sample is missing")?,
            artifacts,
            only,
        })
    }
}

pub fn run(options: &Options) -> Result<(), String> {
    let sample = std::fs::read_to_string(&options.sample)
        .map_err(|error| format!("{}: {error}", options.sample.display()))?;
    let store = Store::new(NAMESPACE, options.cluster.clone(), sample);
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for scenario in &SCENARIOS {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == scenario.name) {
            continue;
        }
        if scenario.cuts && !options.cuts {
            println!("skip  {:17} {}: this cluster cannot", scenario.name, scenario.summary);
            skipped += 1;
            continue;
        }
        println!("run   {:17} {}", scenario.name, scenario.summary);
        let began = Instant::now();
        let outcome = (scenario.run)(&store).and_then(|figures| store.no_panics().map(|()| figures));
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(figures) => {
                println!("ok    {:17} {seconds:5.1} s  {figures}", scenario.name);
                passed += 1;
            }
            Err(why) => {
                println!("FAIL  {:17} {seconds:5.1} s  {why}", scenario.name);
                failed += 1;
                keep_artifacts(&store, &options.artifacts.join(scenario.name));
                store.wipe()?;
            }
        }
    }
    println!("scenarios: {passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { Ok(()) } else { Err("some scenarios failed".to_owned()) }
}

/// Saves what helps to understand a failure; what cannot be had is left out.
fn keep_artifacts(store: &Store, folder: &Path) {
    let keep = |name: &str, arguments: &[&str]| {
        let text = store.kubectl.run(arguments).unwrap_or_else(|error| error);
        if let Err(error) = std::fs::write(folder.join(name), text) {
            eprintln!("{name}: {error}");
        }
    };
    if let Err(error) = std::fs::create_dir_all(folder) {
        eprintln!("{}: {error}", folder.display());
        return;
    }
    println!("      what can be known of it is in {}", folder.display());
    keep("resource.yaml", &["get", "botelliers", "-o", "yaml"]);
    keep("objects.txt", &["get", "pods,statefulsets,services,endpointslices,pvc", "-o", "wide"]);
    keep("slices.yaml", &["get", "endpointslices", "-o", "yaml"]);
    keep("pods.txt", &["describe", "pods"]);
    keep("events.txt", &["get", "events", "--sort-by=.lastTimestamp"]);
    keep("nodes.txt", &["describe", "nodes"]);
    let operator = ["logs", "--all-containers", "--prefix", "--tail=-1", "-l"];
    keep(
        "operator.log",
        &[&operator[..], &[crate::store::OPERATOR_LABEL, "--namespace", crate::store::OPERATOR_NAMESPACE]]
            .concat(),
    );
    for pod in store.kubectl.list(&["pods"]).unwrap_or_default() {
        let name = crate::store::text(&pod["metadata"]["name"]);
        keep(&format!("{name}.log"), &["logs", name, "--all-containers", "--prefix", "--timestamps"]);
        keep(&format!("{name}.previous.log"), &["logs", name, "--all-containers", "--prefix", "--previous"]);
    }
}

/// The healthy store that a scenario starts from; it is made if there is none.
fn ready(store: &Store) -> Result<Leader, String> {
    if store.resource().is_err() {
        store.create()?;
    }
    store.wait_healthy()
}

/// Judges a writer's report and puts it into words.
fn judge(report: &Report) -> Outcome {
    let Report { writes, ambiguous, refused, lost, wrong, gaps, .. } = report;
    let figures = format!(
        "writes {writes}  ambiguous {ambiguous}  refused {refused}  lost {lost}  gap {} ms (one client {} ms, before {} ms)",
        gaps.fault_ms, gaps.fault_client_ms, gaps.before_ms
    );
    if *lost == 0 && *wrong == 0 {
        Ok(figures)
    } else {
        Err(format!("{figures}  wrong {wrong}: {}", report.examples.join("; ")))
    }
}

/// Writes while `fault` breaks something, until the store is healthy again; all acknowledged writes must be there.
fn under_writes(
    store: &Store,
    run: &str,
    avoided: &str,
    fault: impl FnOnce(&Session) -> Result<(), String>,
) -> Outcome {
    let mut session = Session::start(store, run, avoided)?;
    session.fault()?;
    fault(&session)?;
    session.wait_served()?;
    store.wait_healthy()?;
    session.wait_served()?;
    judge(&session.stop()?)
}
