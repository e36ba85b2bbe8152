//! The house rules of the operator's sources: rooms import only from rooms above them, files stay
//! under 600 lines and functions under 70.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::path::{Path, PathBuf};

/// From the top. `error` and `metrics` stand first, because everyone reports through them; `leader`
/// stands before `fetch`, because the router runs it without any of what follows.
const ROOMS: [&str; 12] = [
    "error",
    "metrics",
    "crd",
    "prepare",
    "leader",
    "fetch",
    "validate",
    "build",
    "apply",
    "status",
    "reconcile",
    "manifests",
];

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&root.join("src"), &mut found);
    sources(&root.join("tests"), &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The room that a source lies in, or nothing for the roots of the crate and for tests.
fn room_of(path: &Path) -> Option<usize> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    if matches!(name, "lib" | "main") {
        return None;
    }
    Some(ROOMS.iter().position(|room| *room == name).unwrap_or_else(|| panic!("{name} is not a room")))
}

#[test]
fn rooms_import_only_from_rooms_above() {
    let mut broken = Vec::new();
    for (path, text) in all_sources() {
        let Some(here) = room_of(&path) else {
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            for rest in line.split("crate::").skip(1) {
                let names = rest.trim_start_matches('{');
                let word: String =
                    names.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let there = ROOMS.iter().position(|room| *room == word);
                if there.is_none_or(|there| there > here) {
                    broken.push(format!("{}:{} imports {word}", path.display(), index + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for (path, text) in all_sources() {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > FILE_LINES_MAX {
            long.push(format!("{}: {} lines", path.display(), lines.len()));
        }
        for (start, line) in lines.iter().enumerate() {
            let trimmed = line.trim_start();
            let signature = trimmed.strip_prefix("pub ").unwrap_or(trimmed);
            let signature = signature.strip_prefix("async ").unwrap_or(signature);
            if !signature.starts_with("fn ") {
                continue;
            }
            // Formatted code closes a function at the indentation that it began with.
            let indentation = &line[..line.len() - trimmed.len()];
            let end = format!("{indentation}}}");
            let length = lines[start..].iter().position(|line| *line == end).unwrap_or(0);
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{}:{}: {length} lines", path.display(), start + 1));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}
