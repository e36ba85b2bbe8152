//! (room)

pub mod position;

pub use position::{Epoch, EpochStart, Offset, Position};
