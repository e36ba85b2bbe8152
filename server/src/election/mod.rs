//! Who leads: the node's pure machine, and the adapter to the registry.

pub mod candidate;
mod claims;
mod registry;
pub mod zookeeper;
