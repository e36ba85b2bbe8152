//! The shard as clients know it from elsewhere: as a cluster of one shard, or as one that Sentinels watch. Both follow the
//! leader from node to node without a proxy.

mod cluster;
mod sentinel;
mod view;

use super::Spec;

pub use view::{leader_address, moved};

/// In the order of their names.
pub static COMMANDS: &[&Spec] =
    &[&cluster::ASKING, &cluster::CLUSTER, &cluster::READONLY, &cluster::READWRITE, &sentinel::SENTINEL];
