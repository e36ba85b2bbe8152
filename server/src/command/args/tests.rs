//! The parser with declarations of its own, shaped as those of many commands are.
#![allow(clippy::items_after_statements)] // a declaration stands where it is used

use super::*;
use crate::command::spec::{KeyFlags, KeySpec};
use crate::resp::Batch;

const KEY: Arg = Arg::new("key", Kind::Key(0));
const COUNTED: KeySpec = KeySpec {
    flags: KeyFlags::RO,
    begin: Begin::Index(1),
    find: Find::Count { index: 0, first: 1, step: 1 },
    notes: None,
};

/// What each name got of a request, or the error.
fn read(spec: &'static Spec, request: &str, names: &[&str]) -> Result<String, String> {
    let words: Vec<&str> = request.split(' ').collect();
    let batch = Batch::of(&words);
    let args = Args::parse(spec, batch.get(0), 1).map_err(|failure| failure.0.into_owned())?;
    let show = |name: &&str| {
        let values: Vec<_> = args.values(name).map(String::from_utf8_lossy).collect();
        args.has(name).then(|| format!("{name}={}", values.join(",")))
    };
    Ok(names.iter().filter_map(show).collect::<Vec<_>>().join(" "))
}

fn ok(spec: &'static Spec, request: &str, names: &[&str]) -> String {
    read(spec, request, names).unwrap_or_else(|error| panic!("{request}: {error}"))
}

fn fails(spec: &'static Spec, request: &str) {
    assert_eq!(read(spec, request, &[]), Err("ERR syntax error".into()), "{request}");
}

#[test]
fn options_come_in_any_order() {
    static SET: Spec = Spec {
        args: &[
            KEY,
            Arg::new("value", Kind::String),
            Arg::new("condition", Kind::OneOf(&[Arg::flag("nx", "NX"), Arg::flag("xx", "XX")])).optional(),
            Arg::flag("get", "GET").optional(),
            Arg::new(
                "expiration",
                Kind::OneOf(&[
                    Arg::new("seconds", Kind::Integer).token("EX"),
                    Arg::new("milliseconds", Kind::Integer).token("PX"),
                    Arg::flag("keepttl", "KEEPTTL"),
                ]),
            )
            .optional(),
        ],
        ..Spec::BASE
    };
    let names = ["key", "value", "nx", "xx", "get", "seconds", "milliseconds", "keepttl"];
    assert_eq!(ok(&SET, "set k v", &names), "key=k value=v");
    assert_eq!(ok(&SET, "set k v nx EX 5", &names), "key=k value=v nx= seconds=5");
    assert_eq!(ok(&SET, "set k v px 5 GET XX", &names), "key=k value=v xx= get= milliseconds=5");
    assert_eq!(ok(&SET, "set k v EX 5 NX EX 6 NX", &["seconds"]), "seconds=6");
    assert_eq!(ok(&SET, "set NX EX", &names), "key=NX value=EX");
    for wrong in
        ["set k", "set k v NX XX", "set k v EX", "set k v EX 1 PX 1", "set k v KEEPTTL EX 1", "set k v x"]
    {
        fails(&SET, wrong);
    }
}

#[test]
fn an_optional_word_may_end_a_request() {
    static POP: Spec = Spec {
        full_name: "LPOP",
        args: &[KEY, Arg::new("count", Kind::Integer).optional()],
        grammar: Grammar::Bounded,
        ..Spec::BASE
    };
    assert_eq!(ok(&POP, "lpop k", &["key", "count"]), "key=k");
    assert_eq!(ok(&POP, "lpop k 2", &["key", "count"]), "key=k count=2");
    let arity = "ERR wrong number of arguments for 'lpop' command";
    assert_eq!(read(&POP, "lpop k 2 3", &[]), Err(arity.into()));
}

#[test]
fn repeated_arguments_leave_words_for_later_ones() {
    static BLPOP: Spec = Spec { args: &[KEY.multiple(), Arg::new("timeout", Kind::Double)], ..Spec::BASE };
    assert_eq!(ok(&BLPOP, "blpop a b 0", &["key", "timeout"]), "key=a,b timeout=0");
    fails(&BLPOP, "blpop 0");
}

#[test]
fn blocks_are_repeated_as_a_whole() {
    static ZADD: Spec = Spec {
        args: &[
            KEY,
            Arg::flag("change", "CH").optional(),
            Arg::new(
                "data",
                Kind::Block(&[Arg::new("score", Kind::Double), Arg::new("member", Kind::String)]),
            )
            .multiple(),
        ],
        ..Spec::BASE
    };
    assert_eq!(ok(&ZADD, "zadd k ch 1 a 2 b", &["change", "data"]), "change= data=1,a,2,b");
    fails(&ZADD, "zadd k 1 a 2");
    fails(&ZADD, "zadd k ch");
}

#[test]
fn as_many_ids_as_keys() {
    static XREAD: Spec = Spec {
        keys: &[KeySpec {
            flags: KeyFlags::RO,
            begin: Begin::Keyword("STREAMS", 1),
            find: Find::Range { last: -1, step: 1, limit: 2 },
            notes: None,
        }],
        args: &[
            Arg::new("count", Kind::Integer).token("COUNT").optional(),
            Arg::new("streams", Kind::Block(&[KEY.multiple(), Arg::new("id", Kind::String).multiple()]))
                .token("STREAMS"),
        ],
        ..Spec::BASE
    };
    assert_eq!(
        ok(&XREAD, "xread count 2 streams a b 1 2", &["count", "key", "id"]),
        "count=2 key=a,b id=1,2"
    );
}

#[test]
fn a_number_says_how_many_keys_there_are() {
    const FEW: &str = "ERR numkeys should be greater than 0";
    static LMPOP: Spec = Spec {
        keys: &[COUNTED],
        args: &[
            Arg::new("numkeys", Kind::Integer).least(1, FEW),
            KEY.multiple(),
            Arg::new("where", Kind::OneOf(&[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")])),
            Arg::new("count", Kind::Integer).token("COUNT").least_or(1, FEW, "ERR no number").optional(),
        ],
        ..Spec::BASE
    };
    let names = ["key", "where", "left", "count"];
    assert_eq!(ok(&LMPOP, "lmpop 2 a left LEFT COUNT 3", &names), "key=a,left where=LEFT left= count=3");
    for wrong in ["lmpop 3 a LEFT", "lmpop 1 a", "lmpop 1 a b LEFT", "lmpop 9223372036854775807 a LEFT"] {
        fails(&LMPOP, wrong);
    }
    // Numbers are refused where they stand, before what is wrong further on.
    for (wrong, error) in [
        ("lmpop 0 a x", FEW),
        ("lmpop x a x", FEW),
        ("lmpop 1 a LEFT COUNT 0 x", FEW),
        ("lmpop 1 a LEFT COUNT x x", "ERR no number"),
    ] {
        assert_eq!(read(&LMPOP, wrong, &[]), Err(error.into()), "{wrong}");
    }
}

#[test]
fn tokens_may_be_repeated_with_their_values() {
    static SORT: Spec = Spec {
        args: &[
            KEY,
            Arg::new(
                "limit",
                Kind::Block(&[Arg::new("offset", Kind::Integer), Arg::new("count", Kind::Integer)]),
            )
            .token("LIMIT")
            .optional(),
            Arg::new("get", Kind::Pattern).token("GET").optional().multiple().multiple_token(),
            Arg::new("weights", Kind::Integer).token("WEIGHTS").optional().multiple(),
            Arg::flag("sorting", "ALPHA").optional(),
        ],
        ..Spec::BASE
    };
    let request = "sort k get a weights 1 2 3 ALPHA limit 0 5 GET b";
    assert_eq!(ok(&SORT, request, &["offset", "count", "sorting"]), "offset=0 count=5 sorting=");
    assert_eq!(ok(&SORT, request, &["weights"]), "weights=1,2,3");
    let words: Vec<&str> = request.split(' ').collect();
    let batch = Batch::of(&words);
    let args = Args::parse(&SORT, batch.get(0), 1).unwrap();
    assert_eq!(args.each("get").collect::<Vec<_>>(), [b"a", b"b"]);
    fails(&SORT, "sort k LIMIT 1");
    fails(&SORT, "sort k GET");
}

#[test]
fn alternatives_with_and_without_tokens() {
    static XADD: Spec = Spec {
        args: &[
            KEY,
            Arg::new(
                "trim",
                Kind::Block(&[
                    Arg::new(
                        "strategy",
                        Kind::OneOf(&[Arg::flag("maxlen", "MAXLEN"), Arg::flag("minid", "MINID")]),
                    ),
                    Arg::new("operator", Kind::OneOf(&[Arg::flag("equal", "="), Arg::flag("about", "~")]))
                        .optional(),
                    Arg::new("threshold", Kind::String),
                ]),
            )
            .optional(),
            Arg::new("id", Kind::OneOf(&[Arg::flag("auto", "*"), Arg::new("given", Kind::String)])),
            Arg::new(
                "field_value",
                Kind::Block(&[Arg::new("field", Kind::String), Arg::new("value", Kind::String)]),
            )
            .multiple(),
        ],
        ..Spec::BASE
    };
    let names = ["strategy", "about", "threshold", "auto", "given", "field_value"];
    assert_eq!(ok(&XADD, "xadd k * f v", &names), "auto= field_value=f,v");
    let all = "strategy=MAXLEN about= threshold=9 given=5-1 field_value=f,v,g,w";
    assert_eq!(ok(&XADD, "xadd k MAXLEN ~ 9 5-1 f v g w", &names), all);
    fails(&XADD, "xadd k * f");
}

#[test]
fn required_options_stand_anywhere() {
    static GEOSEARCH: Spec = Spec {
        args: &[
            KEY,
            Arg::new("member", Kind::String).token("FROMMEMBER").anywhere(),
            Arg::new("radius", Kind::Double).token("BYRADIUS").anywhere(),
            Arg::flag("any", "ANY").optional(),
        ],
        ..Spec::BASE
    };
    assert_eq!(ok(&GEOSEARCH, "g k ANY BYRADIUS 5 FROMMEMBER m", &["member", "radius"]), "member=m radius=5");
    fails(&GEOSEARCH, "g k ANY BYRADIUS 5");
}

#[test]
fn every_declaration_can_be_read() {
    /// The options of one run are few enough, wherever they stand.
    fn check(spec: &Spec, args: &[Arg]) {
        assert!(args.len() <= OPTIONS_MAX, "{}", spec.full_name);
        for arg in args {
            if let Kind::OneOf(parts) | Kind::Block(parts) = arg.kind {
                check(spec, parts);
            }
        }
    }
    for spec in crate::command::all() {
        for spec in std::iter::once(spec).chain(spec.subcommands.iter().copied()) {
            check(spec, spec.args);
        }
    }
}
