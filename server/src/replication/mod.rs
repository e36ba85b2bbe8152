//! (room)

pub mod gate;
pub mod position;
pub mod time;
pub mod log;

pub use position::{Epoch, EpochStart, Offset, Position};
