//! The Redis serialization protocol: bytes to requests, replies to bytes (RESP2 and RESP3), and its limits.
//!
//! Deliberately absent: what a command means. This room knows frames only.

mod encode;
mod parse;
mod reply;
mod scan;

pub use encode::{Protocol, double, encode, length};
pub use parse::{Batch, Limits, ParseError, Parser, Request};
pub use reply::{Failure, Reply};
pub use scan::{NoReply, reply_length};
