//! The law of the house, held by reading the sources: a room imports only from rooms listed above it; files have at most
//! 600 lines and a header; functions have at most 70 lines; nothing is unwrapped outside tests.
//!
//! The checker is generic: each crate has a line in `CRATES`. `tidy/bad.rs` shows that it finds what it should.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod bad;
mod check;
mod tokens;

use check::{Source, check, child_tests};
use std::path::{Path, PathBuf};

/// A crate and its rooms in the order of imports. Without rooms there is no such law, and the rest holds.
struct Crate {
    folder: &'static str,
    rooms: &'static [&'static str],
}

const CRATES: &[Crate] = &[
    Crate {
        folder: "server",
        rooms: &[
            "mutant",
            "config",
            "metrics",
            "resp",
            "value",
            "keyspace",
            "acl",
            "pubsub",
            "script",
            "session",
            "command",
            "engine",
            "replication",
            "election",
            "net",
            "node",
        ],
    },
    Crate {
        folder: "operator",
        rooms: &[
            "error",
            "metrics",
            "crd",
            "manifests",
            "prepare",
            "leader",
            "fetch",
            "validate",
            "build",
            "apply",
            "status",
            "reconcile",
        ],
    },
    Crate { folder: "e2e", rooms: &[] },
    Crate { folder: "server/fuzz", rooms: &[] },
];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources(folder: &Path) -> Vec<Source> {
    let mut paths = Vec::new();
    for part in ["src", "tests", "benches"] {
        rust_files(&folder.join(part), &mut paths);
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
        Source::new(name, &std::fs::read_to_string(path).unwrap())
    };
    let mut sources: Vec<Source> = paths.iter().map(read).collect();
    let children: Vec<String> = sources.iter().flat_map(child_tests).collect();
    for source in &mut sources {
        source.is_test |= children.iter().any(|child| source.is_below(child));
    }
    sources
}

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut findings = Vec::new();
    let mut files = 0;
    for each in CRATES {
        for source in sources(&root.join(each.folder)) {
            files += 1;
            let found = check(&source, each.rooms);
            findings.extend(found.into_iter().map(|finding| format!("{}/{finding}", each.folder)));
        }
    }
    assert!(files > 30, "only {files} files read: the paths are wrong");
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}
