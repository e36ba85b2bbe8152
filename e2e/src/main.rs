//! The end-to-end tests' two programs in one binary:
//!
//! - `botellier-e2e scenarios ...`, on the host: drives a cluster through `kubectl`, breaks things, and judges;
//! - `botellier-e2e write ...`, in a pod of that cluster: writes through the Service, remembers what was
//!   acknowledged, and reads it all back at the end.
//!
//! Modules, each of which uses only those before it: `resp` (a client), `history` (what was acknowledged, and
//! whether it is still there), `writer`, `kubectl`, `store` (the resource under test), `scenarios`.

mod kubectl;
mod resp;
mod scenarios;
mod store;
mod writer;

use botellier_e2e::history;
use std::process::ExitCode;

const USAGE: &str = "usage: botellier-e2e scenarios --cluster SCRIPT --sample FILE [--only NAME]... [--list]
       botellier-e2e write --address HOST:PORT --run NAME   (password in $REDISCLI_AUTH)";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        Some("write") => writer::Options::parse(arguments).and_then(|options| writer::run(&options)),
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
