//! The checker on bad snippets, and on good ones that look bad.

use super::check::{Source, check, child_tests};
use std::fmt::Write as _;

const ROOMS: &[&str] = &["low", "middle", "high"];

fn findings(path: &str, body: &str) -> Vec<String> {
    check(&Source::new(path, &format!("//! A room.\n{body}")), ROOMS)
}

#[test]
fn imports_from_below_are_found_in_every_spelling() {
    for body in [
        "use crate::high::X;",
        "use crate::{low::Y, high::X};",
        "use crate::{\n    low::{a, b},\n    high::{c, d},\n};",
        "fn f() { crate::high::g(); }",
        "fn f() -> Vec<crate::high::X> { Vec::new() }",
        "use super::high::X;",
        "mod inner { use super::super::high::X; }",
        "#[cfg(test)] mod tests { use crate::high::X; }",
        "pub(crate) use crate::high;",
        "macro_rules! m { () => { $crate::high::g() } }",
        "const S: &str = \"\\\"\"; use crate::high::X;",
        "const R: &str = r#\" \" \"#; use crate::high::X;",
        "const C: char = '\"'; use crate::high::X;",
        "fn f<'a>(x: &'a str) { crate::high::g(x) }",
    ] {
        let found = findings("src/middle/mod.rs", body);
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert!(found[0].ends_with("middle imports high, a room below it"), "{found:?}");
    }
    let deeper = findings("src/middle/part.rs", "use super::super::high::X;");
    assert_eq!(deeper, ["src/middle/part.rs:2: middle imports high, a room below it"]);
}

#[test]
fn what_is_allowed_is_not_found() {
    for body in [
        "use crate::low::X;",
        "use crate::middle::X;",
        "use crate::{low, middle::{self, high}};",
        "use super::low::X;",
        "pub(crate) fn high() {}",
        "// use crate::high::X;",
        "/* use crate::high::X; /* */ use crate::high::X; */",
        "const T: &str = \"crate::high::X\";",
        "const T: &[u8] = br##\"crate::high\"# \"##;",
        "mod inner { use super::high; mod high {} }",
        "crate::some_macro!(x);",
    ] {
        assert_eq!(findings("src/middle/mod.rs", body), Vec::<String>::new(), "{body}");
    }
    assert!(findings("src/middle/part.rs", "use super::high::X;").is_empty(), "a module of the room itself");
    assert!(findings("src/lib.rs", "pub use crate::high::X;").is_empty(), "the crate's root is no room");
    assert!(findings("tests/x.rs", "use crate::high::X;").is_empty(), "tests have no rooms");
}

#[test]
fn rooms_that_nobody_listed_are_found() {
    assert_eq!(findings("src/other/mod.rs", "").len(), 1);
    assert_eq!(findings("src/other.rs", "").len(), 1);
    assert!(
        findings("src/middle/mod.rs", "use crate::other::X;")[0].ends_with("imports other, which is no room")
    );
}

#[test]
fn unwrap_is_found_outside_tests_only() {
    let call = "fn f() { Some(1).unwrap(); }";
    assert_eq!(findings("src/low/mod.rs", call), ["src/low/mod.rs:2: unwrap() outside tests"]);
    assert_eq!(findings("benches/x.rs", call).len(), 1);
    for allowed in [
        format!("#[cfg(test)] mod tests {{ {call} }}"),
        format!("#[cfg(all(test, unix))] mod tests {{ {call} }}"),
        "#[cfg(test)] fn f() { Some(1).unwrap(); }".into(),
        "fn f() { Some(1).unwrap_or(2); \".unwrap()\"; }".into(),
    ] {
        assert!(findings("src/low/mod.rs", &allowed).is_empty(), "{allowed}");
    }
    for refused in [
        format!("#[cfg(test)] use x::y; {call}"),
        format!("#[cfg(not(test))] mod a {{ {call} }}"),
        format!("#[cfg(test)] mod tests {{ }} {call}"),
        format!("#[derive(Debug)] struct A {{ }} {call}"),
    ] {
        assert_eq!(findings("src/low/mod.rs", &refused).len(), 1, "{refused}");
    }
    assert!(findings("tests/x.rs", call).is_empty());
}

#[test]
fn a_module_in_its_own_file_may_be_for_tests() {
    let declaring = Source::new("src/low/mod.rs", "//! x\n#[cfg(test)]\nmod sim;\nmod real;");
    assert_eq!(child_tests(&declaring), ["low/sim"]);
    assert!(Source::new("src/low/sim.rs", "").is_below("low/sim"));
    assert!(Source::new("src/low/sim/net.rs", "").is_below("low/sim"));
    assert!(!Source::new("src/low/simple.rs", "").is_below("low/sim"));
}

#[test]
fn long_functions_and_files_are_found() {
    let function = |lines: usize| {
        let mut text = String::from("fn long(a: [u8; 4]) -> Vec<u8>\nwhere\n    u8: Copy,\n{\n");
        (0..lines - 5).for_each(|line| _ = writeln!(text, "    if a[0] == {line} {{ g(); }}"));
        text + "}\n"
    };
    assert!(findings("src/low/mod.rs", &function(70)).is_empty());
    assert_eq!(
        findings("src/low/mod.rs", &function(71)),
        ["src/low/mod.rs:2: fn long has 71 lines; at most 70"]
    );
    let method = format!("impl A {{\n{}}}", function(71));
    assert_eq!(findings("src/low/mod.rs", &method).len(), 1);
    assert!(findings("src/low/mod.rs", &"\n".repeat(599)).is_empty());
    assert_eq!(findings("src/low/mod.rs", &"\n".repeat(600)).len(), 1);
}

#[test]
fn a_missing_header_is_found() {
    let source = Source::new("src/low/mod.rs", "// A room.\n");
    assert_eq!(check(&source, ROOMS), ["src/low/mod.rs:1: no header: the first line begins with //!"]);
}
