//! `TIME`: the server's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::spec::Acl;
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::resp::{Failure, Reply};

pub static TIME: Spec = Spec {
    name: "time",
    full_name: "TIME",
    summary: "Return the current server time",
    since: "2.6.0",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
    acl: Acl::of(&[Acl::FAST]),
    hints: &["nondeterministic_output"],
    handler: Handler::Run(time),
    ..Spec::BASE
};

/// The engine's clock stands still while a batch runs and counts milliseconds; this is asked for microseconds, and
/// changes nothing by them, so it may look at the real one.
fn time(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = |number: u64| Reply::text(number.to_string());
    Ok(Reply::Array(vec![text(now.as_secs()), text(u64::from(now.subsec_micros()))]))
}
