//! (room)

pub mod position;
pub mod log;

pub use position::{Epoch, EpochStart, Offset, Position};
