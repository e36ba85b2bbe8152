//! `SHUTDOWN`: the node ends in order.

use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Handler, Order, Spec, Verdict, errors};
use crate::resp::Failure;

pub static SHUTDOWN: Spec = Spec {
    name: "shutdown",
    full_name: "SHUTDOWN",
    summary: "Synchronously save the dataset to disk and then shut down the server",
    since: "1.0.0",
    group: "server",
    complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, \
         otherwise O(1)",
    arity: -1,
    flags: Flags::of(&[
        Flags::ADMIN,
        Flags::NOSCRIPT,
        Flags::LOADING,
        Flags::STALE,
        Flags::NO_MULTI,
        Flags::ALLOW_BUSY,
    ]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[
        Arg::new("nosave_save", Kind::OneOf(&[Arg::flag("nosave", "NOSAVE"), Arg::flag("save", "SAVE")]))
            .optional(),
        Arg::flag("now", "NOW").optional().since("7.0.0"),
        Arg::flag("force", "FORCE").optional().since("7.0.0"),
        Arg::flag("abort", "ABORT").optional().since("7.0.0"),
    ],
    history: &[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")],
    handler: Handler::Try(shutdown),
    ..Spec::BASE
};

fn shutdown(_context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    let abort = args.has("abort");
    if abort && args.len() > 2 {
        return Err(errors::SYNTAX);
    }
    let save = if args.has("save") { Some(true) } else { args.has("nosave").then_some(false) };
    Ok(Verdict::Order(Order::Shutdown { save, now: args.has("now"), force: args.has("force"), abort }))
}
