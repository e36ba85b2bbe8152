//! Replication: the log and its positions, the frames, and the leader's and the follower's side as pure machines.

pub mod check;
pub mod follower;
pub mod gate;
pub mod history;
pub mod leader;
pub mod lease;
pub mod log;
pub mod member;
pub mod meta;
pub mod pace;
pub mod position;
pub mod protocol;
pub mod snapshot;
pub mod storage;
pub mod stream;
pub mod time;
pub mod wire;

pub use position::{Epoch, EpochStart, Offset, Position};
