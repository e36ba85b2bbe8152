//! What is asked of any bytes at each place where bytes come in from outside.
//!
//! Each module has one `run`: it panics when the bytes show a defect, and returns otherwise.

pub mod commands;
pub mod frames;
pub mod records;
pub mod requests;
pub mod values;
