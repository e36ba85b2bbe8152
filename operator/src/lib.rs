//! The operator of Botellier.
//!
//! A reconciliation runs fetch → validate → build → apply → status; only the ends hold a client.
//! Beside it stands `leader`, which the router in each store pod runs too.
//!
//! Rooms, each of which imports only from those above it (`tests/tidy.rs` holds this).

pub mod apply;
pub mod build;
pub mod crd;
pub mod error;
pub mod fetch;
pub mod leader;
pub mod manifests;
pub mod metrics;
pub mod prepare;
pub mod reconcile;
pub mod status;
pub mod validate;
