//! (room)

pub mod gate;
pub mod position;
pub mod time;
pub mod log;
pub mod snapshot;
pub mod meta;
pub mod storage;

pub use position::{Epoch, EpochStart, Offset, Position};
