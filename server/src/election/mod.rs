//! Who leads: the node's pure machine, and the adapter to the registry.

pub mod candidate;
mod claims;
mod early;
mod registry;
pub mod zookeeper;
