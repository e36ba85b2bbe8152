//! Dialogue tests: text files of requests and the replies they must get, run against the engine in this process, against
//! the server over TCP, and against Debian's redis-server, the reference. The format is in `../dialogues/README.md`.
//!
//! `DIALOGUES=list/` runs only files whose path contains that. A disagreement prints file, line, what was expected, what
//! came, and from whom.

mod engine;
mod notation;
mod process;
mod run;
mod script;
mod wire;

use std::path::{Path, PathBuf};

use run::{Peer, Who};
use script::Script;

#[test]
fn the_engine_agrees() {
    check(Who::Engine, |script| Ok(Box::new(engine::InProcess::start(&script.start)?)));
}

#[test]
fn the_server_agrees() {
    check(Who::Server, |script| Ok(Box::new(process::Process::server(&script.start)?)));
}

#[test]
fn redis_agrees() {
    check(Who::Redis, |script| Ok(Box::new(process::Process::redis(&script.start)?)));
}

fn check(who: Who, start: impl Fn(&Script) -> Result<Box<dyn Peer>, String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let wanted = std::env::var("DIALOGUES").unwrap_or_default();
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut disagreements = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).expect("below the root").display().to_string();
        if !name.contains(&wanted) {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a dialogue is text");
        match Script::parse(&text) {
            Ok(script) if script.skips(who) => {}
            Ok(script) => match start(&script) {
                Ok(mut peer) => disagreements.extend(run::run(&name, &script, who, peer.as_mut())),
                Err(error) => disagreements.push(format!("{name}: {who} did not start: {error}")),
            },
            Err(error) => disagreements.push(format!("{name}:{error}")),
        }
    }
    assert!(disagreements.is_empty(), "\n{}\n", disagreements.join("\n"));
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the directory of dialogues is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            collect(&entry, files);
        } else if entry.extension().is_some_and(|extension| extension == "txt") {
            files.push(entry);
        }
    }
}
