//! `GEOPOS`, `GEODIST` and `GEOHASH`.

use super::super::sorted_set::read;
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::unit;
use crate::resp::{Failure, Reply};
use crate::value::geo::Place;

/// For each member asked about its place, as an answer; `missing` if it has none.
fn each(
    context: &mut Context<'_>,
    args: &Args<'_>,
    missing: &Reply,
    answer: impl Fn(Place) -> Reply,
) -> Result<Reply, Failure> {
    let set = read(context, args.word(1))?;
    let score = |member| set.and_then(|set| set.score(member));
    let found = args
        .request()
        .rest(2)
        .map(|member| score(member).map_or_else(|| missing.clone(), |score| answer(Place::of_score(score))));
    Ok(Reply::Array(found.collect()))
}

fn geopos(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    each(context, args, &Reply::NullArray, position)
}

/// The two coordinates of a place.
pub(super) fn position(place: Place) -> Reply {
    Reply::Array(vec![Reply::Double(place.longitude), Reply::Double(place.latitude)])
}

fn geohash(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    each(context, args, &Reply::Null, |place| Reply::text(place.geohash()))
}

fn geodist(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let unit = match args.len() {
        4 => 1.0,
        5 => unit(args.word(4))?,
        _ => return Err(errors::SYNTAX),
    };
    let Some(set) = read(context, args.word(1))? else { return Ok(Reply::Null) };
    let (Some(a), Some(b)) = (set.score(args.word(2)), set.score(args.word(3))) else {
        return Ok(Reply::Null);
    };
    Ok(distance(Place::of_score(a).distance(&Place::of_score(b)) / unit))
}

/// A distance is told with four digits behind the point.
pub(super) fn distance(distance: f64) -> Reply {
    Reply::text(format!("{distance:.4}"))
}

pub static GEOPOS: Spec = Spec {
    name: "geopos",
    full_name: "GEOPOS",
    summary: "Returns longitude and latitude of members of a geospatial index",
    since: "3.2.0",
    group: "geo",
    complexity: "O(N) where N is the number of members requested.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::GEO, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("member", Kind::String).multiple()],
    grammar: Grammar::Own,
    handler: Handler::Run(geopos),
    ..Spec::BASE
};

pub static GEOHASH: Spec = Spec {
    name: "geohash",
    full_name: "GEOHASH",
    summary: "Returns members of a geospatial index as standard geohash strings",
    since: "3.2.0",
    group: "geo",
    complexity: "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::GEO, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("member", Kind::String).multiple()],
    grammar: Grammar::Own,
    handler: Handler::Run(geohash),
    ..Spec::BASE
};

pub static GEODIST: Spec = Spec {
    name: "geodist",
    full_name: "GEODIST",
    summary: "Returns the distance between two members of a geospatial index",
    since: "3.2.0",
    group: "geo",
    complexity: "O(log(N))",
    arity: -4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::GEO, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("member1", Kind::String),
        Arg::new("member2", Kind::String),
        Arg::new(
            "unit",
            Kind::OneOf(&[
                Arg::flag("m", "M"),
                Arg::flag("km", "KM"),
                Arg::flag("ft", "FT"),
                Arg::flag("mi", "MI"),
            ]),
        )
        .optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(geodist),
    ..Spec::BASE
};
