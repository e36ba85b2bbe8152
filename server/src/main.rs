//! `botellier-server [FILE] [--setting value ...]`, and `botellier-server check DIR [--repair]`

use std::process::ExitCode;
use std::sync::Arc;

use botellier_server::config::{self, Config, Start};
use botellier_server::node;
use botellier_server::replication::check;

fn main() -> ExitCode {
    end_with_panics();
    match config::start(std::env::args().skip(1)) {
        Ok(Start::Print(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Start::Check { dir, repair }) => {
            ExitCode::from(check::run(&dir, repair, &mut std::io::stdout()) as u8)
        }
        Ok(Start::Run(config)) => run(*config),
        Err(error) => fail(&error),
    }
}

/// A thread that is gone or half a command in memory: nothing may go on with that. What is kept is read anew.
fn end_with_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::abort();
    }));
}

fn run(config: Config) -> ExitCode {
    let log = match config::log::init(&config) {
        Ok(log) => log,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        port = config.port,
        config = config.file().map(tracing::field::debug),
        "botellier-server starts"
    );
    let ended = runtime.block_on(node::run(Arc::new(config), log));
    // What still waits for the engine waits for ever: nothing may be served any more.
    runtime.shutdown_background();
    match ended {
        Ok(()) => {
            tracing::info!("ended in order");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// One line on standard error, whatever the log does.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("botellier-server: {error}");
    ExitCode::FAILURE
}
