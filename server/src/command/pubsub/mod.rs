//! The pub/sub commands.

mod ask;
mod publish;
mod subscribe;

use super::Spec;

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &subscribe::PSUBSCRIBE,
    &publish::PUBLISH,
    &ask::PUBSUB,
    &subscribe::PUNSUBSCRIBE,
    &publish::SPUBLISH,
    &subscribe::SSUBSCRIBE,
    &subscribe::SUBSCRIBE,
    &subscribe::SUNSUBSCRIBE,
    &subscribe::UNSUBSCRIBE,
];
