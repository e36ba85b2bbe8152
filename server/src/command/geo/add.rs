//! `GEOADD`.

use smallvec::SmallVec;

use super::super::sorted_set::{AddOptions, add_scores};
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::place;
use crate::resp::{Failure, Reply};

fn geoadd(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (mut options, mut at) = (AddOptions::default(), 2);
    while at < args.len() {
        match args.word(at).to_ascii_lowercase().as_slice() {
            b"nx" => options.only_new = true,
            b"xx" => options.only_old = true,
            b"ch" => options.changed = true,
            _ => break,
        }
        at += 1;
    }
    let words = args.len() - at;
    if words == 0 || !words.is_multiple_of(3) || (options.only_new && options.only_old) {
        return Err(errors::SYNTAX);
    }
    let mut pairs = SmallVec::<[(&[u8], f64); 2]>::new();
    for at in (at..args.len()).step_by(3) {
        pairs.push((args.word(at + 2), place(args.word(at), args.word(at + 1))?.score()));
    }
    add_scores(context, args.word(1), &options, pairs)
}

pub static GEOADD: Spec = Spec {
    name: "geoadd",
    full_name: "GEOADD",
    summary: "Add one or more geospatial items in the geospatial index represented using a sorted set",
    since: "3.2.0",
    group: "geo",
    complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::GEO, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("condition", Kind::OneOf(&[Arg::flag("nx", "NX"), Arg::flag("xx", "XX")]))
            .optional()
            .since("6.2.0"),
        Arg::new("change", Kind::Flag).token("CH").optional().since("6.2.0"),
        Arg::new(
            "longitude_latitude_member",
            Kind::Block(&[
                Arg::new("longitude", Kind::Double),
                Arg::new("latitude", Kind::Double),
                Arg::new("member", Kind::String),
            ]),
        )
        .multiple(),
    ],
    history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")],
    grammar: Grammar::Own,
    handler: Handler::Run(geoadd),
    ..Spec::BASE
};
