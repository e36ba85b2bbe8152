//! Botellier's server: a store that speaks the Redis protocol and never loses a write that it acknowledged.
//!
//! The rooms are listed in the order of the one law of imports: a room imports only from rooms above it.

pub mod mutant;
pub mod config;
pub mod metrics;
pub mod resp;
pub mod value;
pub mod keyspace;
pub mod acl;
pub mod pubsub;
pub mod script;
pub mod session;
pub mod command;
pub mod engine;
pub mod replication;
pub mod election;
pub mod net;
pub mod node;
