//! The commands about the connection itself: a file for each, or for a few that are one thing.

mod auth;
mod capa;
mod client;
mod hello;
mod kill;
mod list;
mod ping;
mod settings;
mod tracking;
mod wait;
mod waiting;

pub(super) use list::line;

use super::Spec;

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &auth::AUTH,
    &client::CLIENT,
    &ping::ECHO,
    &hello::HELLO,
    &ping::PING,
    &ping::QUIT,
    &ping::RESET,
    &ping::SELECT,
    &wait::WAIT,
    &wait::WAITAOF,
];

/// Whether a name can stand in `CLIENT LIST`: printable and without spaces.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| (b'!'..=b'~').contains(byte))
}
