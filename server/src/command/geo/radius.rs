//! `GEORADIUS` and `GEORADIUSBYMEMBER`, and their forms that only read.

use super::super::sorted_set::read;
use super::super::spec::{Acl, Arg, Begin, Find, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use super::place;
use super::search::{Form, Query, place_of, radius};
use crate::resp::{Failure, Reply};

fn georadius(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    around_place(context, args, true)
}

fn georadius_ro(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    around_place(context, args, false)
}

fn georadiusbymember(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    around_member(context, args, true)
}

fn georadiusbymember_ro(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    around_member(context, args, false)
}

fn around_place(context: &mut Context<'_>, args: &Args<'_>, stores: bool) -> Result<Reply, Failure> {
    let (key, form) = (args.word(1), Form::Radius(stores));
    let set = read(context, key)?;
    let center = place(args.word(2), args.word(3))?;
    let mut query = Query::around(center, radius(args.word(4), args.word(5))?);
    query.options(args, 6, form, set)?;
    query.run(context, args, key, form)
}

fn around_member(context: &mut Context<'_>, args: &Args<'_>, stores: bool) -> Result<Reply, Failure> {
    let (key, form, mut query) = (args.word(1), Form::Radius(stores), Query::default());
    let set = read(context, key)?;
    if let Some(set) = set {
        query = Query::around(place_of(set, args.word(2))?, radius(args.word(3), args.word(4))?);
    }
    query.options(args, 5, form, set)?;
    query.run(context, args, key, form)
}

pub static GEORADIUS: Spec = Spec {
    name: "georadius",
    full_name: "GEORADIUS",
    summary: "Query a sorted set representing a geospatial index to fetch members matching a given maximum \
         distance from a point",
    since: "3.2.0",
    group: "geo",
    complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area \
         delimited by center and radius and M is the number of items inside the index.",
    arity: -6,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::GEO, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE]),
            begin: Begin::Keyword("STORE", 6),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            notes: None,
        },
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE]),
            begin: Begin::Keyword("STOREDIST", 6),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            notes: None,
        },
    ],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("longitude", Kind::Double),
        Arg::new("latitude", Kind::Double),
        Arg::new("radius", Kind::Double),
        Arg::new(
            "unit",
            Kind::OneOf(&[
                Arg::flag("m", "M"),
                Arg::flag("km", "KM"),
                Arg::flag("ft", "FT"),
                Arg::flag("mi", "MI"),
            ]),
        ),
        Arg::flag("withcoord", "WITHCOORD").optional(),
        Arg::flag("withdist", "WITHDIST").optional(),
        Arg::flag("withhash", "WITHHASH").optional(),
        Arg::new(
            "count",
            Kind::Block(&[
                Arg::new("count", Kind::Integer).token("COUNT"),
                Arg::flag("any", "ANY").optional().since("6.2.0"),
            ]),
        )
        .optional(),
        Arg::new("order", Kind::OneOf(&[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")])).optional(),
        Arg::new("store", Kind::Key(1)).token("STORE").display("key").optional(),
        Arg::new("storedist", Kind::Key(2)).token("STOREDIST").display("key").optional(),
    ],
    history: &[
        ("6.2.0", "Added the `ANY` option for `COUNT`."),
        ("7.0.0", "Added support for uppercase unit names."),
    ],
    deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")),
    grammar: Grammar::Own,
    handler: Handler::Run(georadius),
    ..Spec::BASE
};

pub static GEORADIUS_RO: Spec = Spec {
    name: "georadius_ro",
    full_name: "GEORADIUS_RO",
    summary: "A read-only variant for GEORADIUS",
    since: "3.2.10",
    group: "geo",
    complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area \
         delimited by center and radius and M is the number of items inside the index.",
    arity: -6,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::GEO, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("longitude", Kind::Double),
        Arg::new("latitude", Kind::Double),
        Arg::new("radius", Kind::Double),
        Arg::new(
            "unit",
            Kind::OneOf(&[
                Arg::flag("m", "M"),
                Arg::flag("km", "KM"),
                Arg::flag("ft", "FT"),
                Arg::flag("mi", "MI"),
            ]),
        ),
        Arg::flag("withcoord", "WITHCOORD").optional(),
        Arg::flag("withdist", "WITHDIST").optional(),
        Arg::flag("withhash", "WITHHASH").optional(),
        Arg::new(
            "count",
            Kind::Block(&[
                Arg::new("count", Kind::Integer).token("COUNT"),
                Arg::flag("any", "ANY").optional().since("6.2.0"),
            ]),
        )
        .optional(),
        Arg::new("order", Kind::OneOf(&[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")])).optional(),
    ],
    history: &[("6.2.0", "Added the `ANY` option for `COUNT`.")],
    deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
    grammar: Grammar::Own,
    handler: Handler::Run(georadius_ro),
    ..Spec::BASE
};

pub static GEORADIUSBYMEMBER: Spec = Spec {
    name: "georadiusbymember",
    full_name: "GEORADIUSBYMEMBER",
    summary: "Query a sorted set representing a geospatial index to fetch members matching a given maximum \
         distance from a member",
    since: "3.2.0",
    group: "geo",
    complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area \
         delimited by center and radius and M is the number of items inside the index.",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::GEO, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE]),
            begin: Begin::Keyword("STORE", 5),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            notes: None,
        },
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE]),
            begin: Begin::Keyword("STOREDIST", 5),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            notes: None,
        },
    ],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("member", Kind::String),
        Arg::new("radius", Kind::Double),
        Arg::new(
            "unit",
            Kind::OneOf(&[
                Arg::flag("m", "M"),
                Arg::flag("km", "KM"),
                Arg::flag("ft", "FT"),
                Arg::flag("mi", "MI"),
            ]),
        ),
        Arg::flag("withcoord", "WITHCOORD").optional(),
        Arg::flag("withdist", "WITHDIST").optional(),
        Arg::flag("withhash", "WITHHASH").optional(),
        Arg::new(
            "count",
            Kind::Block(&[
                Arg::new("count", Kind::Integer).token("COUNT"),
                Arg::flag("any", "ANY").optional(),
            ]),
        )
        .optional(),
        Arg::new("order", Kind::OneOf(&[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")])).optional(),
        Arg::new("store", Kind::Key(1)).token("STORE").display("key").optional(),
        Arg::new("storedist", Kind::Key(2)).token("STOREDIST").display("key").optional(),
    ],
    history: &[("7.0.0", "Added support for uppercase unit names.")],
    deprecated: Some((
        "6.2.0",
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    )),
    grammar: Grammar::Own,
    handler: Handler::Run(georadiusbymember),
    ..Spec::BASE
};

pub static GEORADIUSBYMEMBER_RO: Spec = Spec {
    name: "georadiusbymember_ro",
    full_name: "GEORADIUSBYMEMBER_RO",
    summary: "A read-only variant for GEORADIUSBYMEMBER",
    since: "3.2.10",
    group: "geo",
    complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area \
         delimited by center and radius and M is the number of items inside the index.",
    arity: -5,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::GEO, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("member", Kind::String),
        Arg::new("radius", Kind::Double),
        Arg::new(
            "unit",
            Kind::OneOf(&[
                Arg::flag("m", "M"),
                Arg::flag("km", "KM"),
                Arg::flag("ft", "FT"),
                Arg::flag("mi", "MI"),
            ]),
        ),
        Arg::flag("withcoord", "WITHCOORD").optional(),
        Arg::flag("withdist", "WITHDIST").optional(),
        Arg::flag("withhash", "WITHHASH").optional(),
        Arg::new(
            "count",
            Kind::Block(&[
                Arg::new("count", Kind::Integer).token("COUNT"),
                Arg::flag("any", "ANY").optional(),
            ]),
        )
        .optional(),
        Arg::new("order", Kind::OneOf(&[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")])).optional(),
    ],
    deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")),
    grammar: Grammar::Own,
    handler: Handler::Run(georadiusbymember_ro),
    ..Spec::BASE
};
