//! `GETLOG`: the log's records for a person to read. The node reads them; ours, Redis has nothing like it.

use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Handler, Order, Spec, Verdict, errors};
use crate::resp::Failure;

pub static GETLOG: Spec = Spec {
    name: "getlog",
    full_name: "GETLOG",
    summary: "Show records of the log: offset, epoch, time and effects",
    since: "7.2.4",
    group: "server",
    complexity: "O(N) where N is the number of records returned",
    arity: -1,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::NO_MULTI]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[
        Arg::new("offset", Kind::Integer).token("FROM").optional(),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
    ],
    hints: &["nondeterministic_output"],
    handler: Handler::Try(getlog),
    ..Spec::BASE
};

/// Records that are shown unasked.
const COUNT: usize = 100;

fn getlog(_context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    let natural = |name: &str| -> Result<Option<u64>, Failure> {
        args.integer(name)?.map(|number| u64::try_from(number).map_err(|_| errors::OUT_OF_RANGE)).transpose()
    };
    let count = natural("count")?.map_or(COUNT, |count| usize::try_from(count).unwrap_or(usize::MAX));
    Ok(Verdict::Order(Order::GetLog { from: natural("offset")?, count }))
}
