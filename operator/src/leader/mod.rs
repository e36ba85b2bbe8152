//! Who leads, by ZooKeeper's word, and the EndpointSlice that says so to Kubernetes.
//!
//! The router in each store pod and the operator run the same code. Any number of writers is safe:
//! the slice carries the epoch that wrote it, a write names the resourceVersion it was computed
//! from, and a lower epoch never replaces a higher one. Absent on purpose: any opinion of
//! Kubernetes about health. ZooKeeper decides.

pub mod record;
pub mod route;
pub mod sidecar;
pub mod watch;
