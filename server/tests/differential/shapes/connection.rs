//! What a connection asks about itself.

use super::Group;

pub fn group() -> Group {
    Group::new("connection", SHAPES, |_, _| None)
}

const SHAPES: &[&str] = &[
    "PING [value]",
    "ECHO value",
    "HELLO 2|3",
    "HELLO 3",
    "HELLO 4|x",
    "CLIENT SETNAME a|b|",
    "CLIENT GETNAME",
    "CLIENT NO-EVICT on|off|x",
    "CLIENT GETREDIR",
    "CLIENT junk",
    "RESET",
    "SELECT db",
    "WATCH any [any]",
    "UNWATCH",
    "EXEC",
    "DISCARD",
    "NOPE value",
    "GET",
];
