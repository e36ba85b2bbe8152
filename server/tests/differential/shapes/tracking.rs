//! Client side caching: who is told of which key.
//!
//! Broadcasts are left out: the reference sends them when it next waits for sockets, so that what stands in one message
//! depends on how requests came in. So is switching off: once it is on again, the reference tells of keys that were read
//! before.

use super::Group;

pub fn group() -> Group {
    Group::new("tracking", SHAPES, |_, _| None)
}

const SHAPES: &[&str] = &[
    "CLIENT TRACKING ON [NOLOOP] [OPTIN|OPTOUT]",
    "CLIENT TRACKING ON [NOLOOP]",
    "CLIENT CACHING YES|NO",
    "CLIENT TRACKINGINFO",
    "CLIENT GETREDIR",
    "GET key",
    "MGET key key key",
    "SET key value",
    "DEL key key",
];
