//! `LOLWUT`: a drawing, and the version. Redis draws another thing for each of its versions; here is a bottle.

use crate::command::server::REDIS_VERSION;
use crate::command::spec::{Acl, Arg, Grammar, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec, errors};
use crate::resp::{Failure, Reply};
use crate::value::number;

const BOTTLE: &str = "\
      _
     |_|
     | |
    /   \\
   |     |
   |-----|
   | log |
   |-----|
   |     |
   |_____|

Botellier, a drawer full of bottles: what you put in is kept twice.
";

fn lolwut(_context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let mut words = args.request().rest(1);
    let mut art = BOTTLE;
    if args.len() >= 3 && words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"version")) {
        number::integer(args.word(2)).ok_or(errors::NOT_INTEGER)?;
        // Redis' drawings of that version are not here: it is answered as one that has none.
        art = "";
    }
    Ok(Reply::Verbatim("txt", format!("{art}Redis ver. {REDIS_VERSION}\n")))
}

pub static LOLWUT: Spec = Spec {
    name: "lolwut",
    full_name: "LOLWUT",
    summary: "Display some computer art and the Redis version",
    since: "5.0.0",
    group: "server",
    arity: -1,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::FAST]),
    args: &[Arg::new("version", Kind::Integer).token("VERSION").optional()],
    grammar: Grammar::Own,
    handler: Handler::Run(lolwut),
    ..Spec::BASE
};
