//! Who listens to what: channels and patterns.
//!
//! Deliberately absent: delivery. The engine queues the messages to the clients that this room names.
