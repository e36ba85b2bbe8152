//! Our server and redis-server side by side: operations a second and server CPU time for each operation.
//!
//! `cargo bench -p botellier-server --bench versus -- [--quick] [--rows get,set,...]`; `--help` lists the options.
//! Both servers run at once with the same settings for durability, pinned to one core; the load runs on the other. Rounds
//! go back and forth between them, and the table shows the median of the rounds. Each row starts both afresh in empty
//! directories. The load is the same code and the same bytes for both, but for `sync`: there ours answers when its
//! replica has the write, and Redis is asked with WAIT 1 after the writes of each batch.
//!
//! `--copy` measures instead what it costs a leader to copy everything to a new replica.

mod copy;
mod load;
mod options;
mod replicated;
mod replies;
mod rows;
mod server;
mod table;

use options::Options;
use replicated::ZooKeeper;
use rows::Row;
use server::{Flavour, Server};
use std::error::Error;
use std::process::ExitCode;
use table::{Line, Measured};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match Options::from_args(std::env::args().skip(1)).map_err(Into::into).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("versus: {error}");
            ExitCode::from(2)
        }
    }
}

/// Measures everything and prints the table; false when a ratio is under the mark.
fn run(options: &Options) -> Outcome<bool> {
    if options.help {
        println!("{}", options::HELP);
        return Ok(true);
    }
    server::pin_self();
    if options.copy {
        copy::run(options)?;
        return Ok(true);
    }
    let mut lines = Vec::new();
    for row in options.rows.iter().copied() {
        for &pipeline in &options.pipelines {
            let line = compare(row, pipeline, options)?;
            eprintln!("{}", table::progress(&line));
            lines.push(line);
        }
    }
    println!("{}", table::render(&lines, options));
    Ok(table::under_mark(&lines, options.mark).is_empty())
}

/// Both servers of a comparison: ours first. What is in it ends with it.
pub struct Pair {
    pub ours: Server,
    pub redis: Server,
    /// Their replicas.
    pub others: Vec<Server>,
    pub zookeeper: Option<ZooKeeper>,
}

fn compare(row: Row, pipeline: usize, options: &Options) -> Outcome<Line> {
    let pair = if row == Row::Sync { replicated::start(options)? } else { start_alone(options)? };
    for server in [&pair.ours, &pair.redis] {
        rows::fill(row, server, options)?;
    }
    let (mut ours, mut redis) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let once = |server: &Server, measured: &mut Vec<Measured>| -> Outcome<()> {
            measured.push(load::measure(server, row, pipeline, options)?);
            Ok(())
        };
        // Who goes first changes, so that neither always runs on the warmer or the more worn machine.
        if round % 2 == 0 {
            once(&pair.ours, &mut ours)?;
            once(&pair.redis, &mut redis)?;
        } else {
            once(&pair.redis, &mut redis)?;
            once(&pair.ours, &mut ours)?;
        }
    }
    Ok(Line { row, pipeline, ours: table::median(&ours), redis: table::median(&redis) })
}

fn start_alone(options: &Options) -> Outcome<Pair> {
    let ours = Server::start(Flavour::of(&options.server), &options.server, options, &[])?;
    let redis = Server::start(Flavour::Redis, &options.redis, options, &[])?;
    Ok(Pair { ours, redis, others: Vec::new(), zookeeper: None })
}
