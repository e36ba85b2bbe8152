//! What the fuzzers kept (`server/fuzz`), asked again: each input of the corpus passes its target.

#[allow(dead_code, reason = "the program that makes seeds uses the rest")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("there is a corpus") {
        let path = entry.expect("it can be listed").path();
        println!("{}", path.display());
        run(&std::fs::read(&path).expect("it can be read"));
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn requests() {
    replay("requests", fuzz::requests::run);
}

#[test]
fn values() {
    replay("values", fuzz::values::run);
}

#[test]
fn records() {
    replay("records", fuzz::records::run);
}

#[test]
fn frames() {
    replay("frames", fuzz::frames::run);
}

#[test]
fn commands() {
    replay("commands", fuzz::commands::run);
}
