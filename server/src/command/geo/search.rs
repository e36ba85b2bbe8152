//! `GEOSEARCH` and `GEOSEARCHSTORE`, and what the older commands for radii have in common with them.

use super::super::sorted_set::{find, put, read};
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::ask::{distance, position};
use super::{place, unit};
use crate::resp::{Failure, Reply};
use crate::value::geo::{Extent, Place, Shape};
use crate::value::{ScoreRange, SortedSet, float, number};

/// Which of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Search,
    SearchStore,
    /// `GEORADIUS` and its likes; whether they may store.
    Radius(bool),
}

/// What is asked for, as far as it was read.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // options of the commands
pub(super) struct Query<'a> {
    pub center: Option<Place>,
    from_member: bool,
    from_place: bool,
    pub extent: Option<(Extent, f64)>,
    distances: bool,
    hashes: bool,
    positions: bool,
    descending: Option<bool>,
    /// At most so many; 0 is all.
    count: usize,
    any: bool,
    pub store: Option<&'a [u8]>,
    store_distances: bool,
}

/// A member that was found.
struct Found<'s> {
    member: &'s [u8],
    score: f64,
    place: Place,
    metres: f64,
}

const NO_MEMBER: Failure = Failure::new("ERR could not decode requested zset member");

/// Where a member is.
pub(super) fn place_of(set: &SortedSet, member: &[u8]) -> Result<Place, Failure> {
    set.score(member).map(Place::of_score).ok_or(NO_MEMBER)
}

/// A radius and its unit.
pub(super) fn radius(radius: &[u8], word: &[u8]) -> Result<(Extent, f64), Failure> {
    let radius = float::number(radius).ok_or(Failure::new("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(Failure::new("ERR radius cannot be negative"));
    }
    Ok((Extent::Radius(radius), unit(word)?))
}

fn bounding_box(width: &[u8], height: &[u8], word: &[u8]) -> Result<(Extent, f64), Failure> {
    let width = float::number(width).ok_or(Failure::new("ERR need numeric width"))?;
    let height = float::number(height).ok_or(Failure::new("ERR need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err(Failure::new("ERR height or width cannot be negative"));
    }
    Ok((Extent::Box { width, height }, unit(word)?))
}

impl<'a> Query<'a> {
    /// What is around a place.
    pub fn around(center: Place, extent: (Extent, f64)) -> Self {
        Self { center: Some(center), extent: Some(extent), ..Self::default() }
    }

    /// Read the options from a word on. `set` is what is searched.
    pub fn options(
        &mut self,
        args: &Args<'a>,
        at: usize,
        form: Form,
        set: Option<&SortedSet>,
    ) -> Result<(), Failure> {
        let mut at = at;
        while at < args.len() {
            let left = args.len() - at - 1;
            let word = args.word(at).to_ascii_lowercase();
            at += 1;
            match word.as_slice() {
                b"withdist" => self.distances = true,
                b"withhash" => self.hashes = true,
                b"withcoord" => self.positions = true,
                b"any" => self.any = true,
                b"asc" => self.descending = Some(false),
                b"desc" => self.descending = Some(true),
                b"count" if left >= 1 => {
                    self.count = count(args.word(at))?;
                    at += 1;
                }
                b"store" | b"storedist" if form == Form::Radius(true) && left >= 1 => {
                    self.store = Some(args.word(at));
                    self.store_distances = word == b"storedist";
                    at += 1;
                }
                b"storedist" if form == Form::SearchStore => self.store_distances = true,
                _ if !matches!(form, Form::Radius(_)) => at += self.area(&word, args, at, set)?,
                _ => return Err(errors::SYNTAX),
            }
        }
        Ok(())
    }

    /// Read an option of the searches that says where; how many words follow it.
    fn area(
        &mut self,
        word: &[u8],
        args: &Args<'a>,
        at: usize,
        set: Option<&SortedSet>,
    ) -> Result<usize, Failure> {
        let left = args.len() - at;
        match word {
            b"frommember" if left >= 1 && !self.from_place => {
                // Without a set the other words are still read.
                if let Some(set) = set {
                    self.center = Some(place_of(set, args.word(at))?);
                }
                self.from_member = true;
                Ok(1)
            }
            b"fromlonlat" if left >= 2 && !self.from_member => {
                self.center = Some(place(args.word(at), args.word(at + 1))?);
                self.from_place = true;
                Ok(2)
            }
            b"byradius" if left >= 2 && !matches!(self.extent, Some((Extent::Box { .. }, _))) => {
                self.extent = Some(radius(args.word(at), args.word(at + 1))?);
                Ok(2)
            }
            b"bybox" if left >= 3 && !matches!(self.extent, Some((Extent::Radius(_), _))) => {
                self.extent = Some(bounding_box(args.word(at), args.word(at + 1), args.word(at + 2))?);
                Ok(3)
            }
            _ => Err(errors::SYNTAX),
        }
    }

    /// Whether the options go together.
    fn check(&self, args: &Args<'_>, form: Form) -> Result<(), Failure> {
        let name = String::from_utf8_lossy(args.word(0));
        if self.store.is_some() && (self.distances || self.hashes || self.positions) {
            let what = if form == Form::SearchStore { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(Failure::text(format!(
                "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        let search = !matches!(form, Form::Radius(_));
        if search && !self.from_member && !self.from_place {
            return Err(Failure::text(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
            )));
        }
        if search && self.extent.is_none() {
            return Err(Failure::text(format!(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"
            )));
        }
        if self.any && self.count == 0 {
            return Err(Failure::new("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// Search, and answer or store. The set was read before, which counted as one access.
    pub fn run(
        self,
        context: &mut Context<'_>,
        args: &Args<'_>,
        key: &[u8],
        form: Form,
    ) -> Result<Reply, Failure> {
        self.check(args, form)?;
        let forms = context.keyspace.forms;
        let (mut replies, mut result) = (Vec::new(), SortedSet::default());
        if let (Some(set), Some(center), Some((extent, unit))) =
            (find(context, key)?, self.center, self.extent)
        {
            for found in self.search(set, &Shape { center, extent, unit }) {
                let distance = found.metres / unit;
                if self.store.is_some() {
                    let score = if self.store_distances { distance } else { found.score };
                    result.set(found.member, score, &forms);
                } else {
                    replies.push(self.reply(&found, distance));
                }
            }
        }
        Ok(match self.store {
            Some(to) if form == Form::SearchStore => put(context, to, result, "geosearchstore"),
            Some(to) => put(context, to, result, "georadiusstore"),
            None => Reply::Array(replies),
        })
    }

    fn search<'s>(&self, set: &'s SortedSet, shape: &Shape) -> Vec<Found<'s>> {
        let enough = |found: &Vec<Found<'_>>| self.any && found.len() >= self.count;
        let mut all: Vec<Found<'s>> = Vec::new();
        for (min, max) in shape.ranges() {
            let range = ScoreRange { min, min_excluded: false, max, max_excluded: true }.ranks(set);
            for (member, score) in set.range(range.start, range.end, false) {
                if enough(&all) {
                    break;
                }
                let place = Place::of_score(score);
                if let Some(metres) = shape.distance(&place) {
                    all.push(Found { member, score, place, metres });
                }
            }
        }
        // The nearest ones are meant, unless any will do.
        let descending = self.descending.or((self.count > 0 && !self.any).then_some(false));
        match descending {
            Some(false) => all.sort_by(|a, b| a.metres.total_cmp(&b.metres)),
            Some(true) => all.sort_by(|a, b| b.metres.total_cmp(&a.metres)),
            None => {}
        }
        if self.count > 0 {
            all.truncate(self.count);
        }
        all
    }

    fn reply(&self, found: &Found<'_>, away: f64) -> Reply {
        let member = Reply::bulk(found.member);
        if !self.distances && !self.hashes && !self.positions {
            return member;
        }
        let parts = [
            self.distances.then(|| distance(away)),
            self.hashes.then_some(Reply::Int(found.score as i64)),
            self.positions.then(|| position(found.place)),
        ];
        Reply::Array(std::iter::once(member).chain(parts.into_iter().flatten()).collect())
    }
}

/// How many are wanted.
fn count(word: &[u8]) -> Result<usize, Failure> {
    let count = number::integer(word).ok_or(errors::NOT_INTEGER)?;
    let count = usize::try_from(count).ok().filter(|count| *count > 0);
    count.ok_or(Failure::new("ERR COUNT must be > 0"))
}

fn geosearch(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, mut query) = (args.word(1), Query::default());
    query.options(args, 2, Form::Search, read(context, key)?)?;
    query.run(context, args, key, Form::Search)
}

fn geosearchstore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, mut query) = (args.word(2), Query { store: Some(args.word(1)), ..Query::default() });
    query.options(args, 3, Form::SearchStore, read(context, key)?)?;
    query.run(context, args, key, Form::SearchStore)
}

pub static GEOSEARCH: Spec = Spec {
    name: "geosearch",
    full_name: "GEOSEARCH",
    summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a \
         circle.",
    since: "6.2.0",
    group: "geo",
    complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the \
         shape provided as the filter and M is the number of items inside the shape",
    arity: -7,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::GEO, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "from",
            Kind::OneOf(&[
                Arg::new("member", Kind::String).token("FROMMEMBER"),
                Arg::new(
                    "longitude_latitude",
                    Kind::Block(&[Arg::new("longitude", Kind::Double), Arg::new("latitude", Kind::Double)]),
                )
                .token("FROMLONLAT"),
            ]),
        ),
        Arg::new(
            "by",
            Kind::OneOf(&[
                Arg::new(
                    "circle",
                    Kind::Block(&[
                        Arg::new("radius", Kind::Double).token("BYRADIUS"),
                        Arg::new(
                            "unit",
                            Kind::OneOf(&[
                                Arg::flag("m", "M"),
                                Arg::flag("km", "KM"),
                                Arg::flag("ft", "FT"),
                                Arg::flag("mi", "MI"),
                            ]),
                        ),
                    ]),
                ),
                Arg::new(
                    "box",
                    Kind::Block(&[
                        Arg::new("width", Kind::Double).token("BYBOX"),
                        Arg::new("height", Kind::Double),
                        Arg::new(
                            "unit",
                            Kind::OneOf(&[
                                Arg::flag("m", "M"),
                                Arg::flag("km", "KM"),
                                Arg::flag("ft", "FT"),
                                Arg::flag("mi", "MI"),
                            ]),
                        ),
                    ]),
                ),
            ]),
        ),
        Arg::new("order", Kind::OneOf(&[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")])).optional(),
        Arg::new(
            "count",
            Kind::Block(&[
                Arg::new("count", Kind::Integer).token("COUNT"),
                Arg::flag("any", "ANY").optional(),
            ]),
        )
        .optional(),
        Arg::flag("withcoord", "WITHCOORD").optional(),
        Arg::flag("withdist", "WITHDIST").optional(),
        Arg::flag("withhash", "WITHHASH").optional(),
    ],
    history: &[("7.0.0", "Added support for uppercase unit names.")],
    grammar: Grammar::Own,
    handler: Handler::Run(geosearch),
    ..Spec::BASE
};

pub static GEOSEARCHSTORE: Spec = Spec {
    name: "geosearchstore",
    full_name: "GEOSEARCHSTORE",
    summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a \
         circle, and store the result in another key.",
    since: "6.2.0",
    group: "geo",
    complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the \
         shape provided as the filter and M is the number of items inside the shape",
    arity: -8,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::GEO, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
    ],
    args: &[
        Arg::new("destination", Kind::Key(0)),
        Arg::new("source", Kind::Key(1)),
        Arg::new(
            "from",
            Kind::OneOf(&[
                Arg::new("member", Kind::String).token("FROMMEMBER"),
                Arg::new(
                    "longitude_latitude",
                    Kind::Block(&[Arg::new("longitude", Kind::Double), Arg::new("latitude", Kind::Double)]),
                )
                .token("FROMLONLAT"),
            ]),
        ),
        Arg::new(
            "by",
            Kind::OneOf(&[
                Arg::new(
                    "circle",
                    Kind::Block(&[
                        Arg::new("radius", Kind::Double).token("BYRADIUS"),
                        Arg::new(
                            "unit",
                            Kind::OneOf(&[
                                Arg::flag("m", "M"),
                                Arg::flag("km", "KM"),
                                Arg::flag("ft", "FT"),
                                Arg::flag("mi", "MI"),
                            ]),
                        ),
                    ]),
                ),
                Arg::new(
                    "box",
                    Kind::Block(&[
                        Arg::new("width", Kind::Double).token("BYBOX"),
                        Arg::new("height", Kind::Double),
                        Arg::new(
                            "unit",
                            Kind::OneOf(&[
                                Arg::flag("m", "M"),
                                Arg::flag("km", "KM"),
                                Arg::flag("ft", "FT"),
                                Arg::flag("mi", "MI"),
                            ]),
                        ),
                    ]),
                ),
            ]),
        ),
        Arg::new("order", Kind::OneOf(&[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")])).optional(),
        Arg::new(
            "count",
            Kind::Block(&[
                Arg::new("count", Kind::Integer).token("COUNT"),
                Arg::flag("any", "ANY").optional(),
            ]),
        )
        .optional(),
        Arg::flag("storedist", "STOREDIST").optional(),
    ],
    history: &[("7.0.0", "Added support for uppercase unit names.")],
    grammar: Grammar::Own,
    handler: Handler::Run(geosearchstore),
    ..Spec::BASE
};
