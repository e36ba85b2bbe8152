//! The end-to-end tests' programs in one binary:
//!
//! - `botellier-e2e scenarios ...`, on the host: drives a cluster through `kubectl`, breaks things, and judges;
//! - `botellier-e2e write ...`, in a pod of that cluster: writes through the Service, remembers what was
//!   acknowledged, and reads it all back at the end;
//! - `botellier-e2e faults ...`, inside of namespaces that `e2e/faults` enters: real processes under real faults;
//! - `botellier-e2e failover ...`, in the same way by `e2e/failover`: how long failures interrupt writes.
//!
//! Modules, each of which uses only those before it: `resp` (a client), `history` (what was acknowledged, and
//! whether it is still there), `writer`, `kubectl`, `store` (the resource under test), `scenarios`; and `ground`
//! (machines of our own), `faults`, `failover`.

mod failover;
mod faults;
mod ground;
mod kubectl;
mod resp;
mod scenarios;
mod store;
mod writer;

use botellier_e2e::history;
use std::process::ExitCode;

const USAGE: &str = "usage: botellier-e2e scenarios --cluster SCRIPT --sample FILE [--only NAME]... [--list]
       botellier-e2e faults --server PROGRAM --zookeeper FOLDER --folder FOLDER [--shim LIBRARY] [--seconds N]
                            [--seed N] [--export FOLDER] [--only FAULT]...
       botellier-e2e failover --server PROGRAM --zookeeper FOLDER --folder FOLDER [--rounds N] [--peer-rounds N]
                              [--gone SECONDS] [--sentinel tuned|default] [--only FAILURE]...
       botellier-e2e write --address HOST:PORT --run NAME   (password in $REDISCLI_AUTH)";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        Some("write") => writer::Options::parse(arguments).and_then(|options| writer::run(&options)),
        Some("faults") => faults::Options::parse(arguments).and_then(|options| faults::run(&options)),
        Some("failover") => failover::Options::parse(arguments).and_then(|options| failover::run(&options)),
        Some("scenarios") => {
            scenarios::Options::parse(arguments).and_then(|options| scenarios::run(&options))
        }
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("botellier-e2e: {message}");
            ExitCode::FAILURE
        }
    }
}
