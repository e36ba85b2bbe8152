//! Places. The nearest ones of several are not stored: of those that are as far away, any may be among them.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("geo", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "GEOADD geo|any [NX|XX] [CH] degrees degrees member [degrees degrees member]",
    "GEOADD geo degrees degrees member degrees degrees member",
    "GEODIST geo|key member member [km|mi|ft|x]",
    "GEOHASH geo|zset member member",
    "GEOSEARCH geo|key FROMLONLAT degrees degrees BYRADIUS radius km|mi [ASC|DESC] [COUNT small] [WITHDIST] [WITHHASH]",
    "GEOSEARCH geo|key FROMMEMBER member BYBOX radius radius km|ft [ASC|DESC] [WITHDIST]",
    "GEOSEARCHSTORE geo|zset geo FROMMEMBER member BYRADIUS radius km|m [ASC]",
    "GEORADIUS geo|key degrees degrees radius km|x ASC|DESC|junk [STORE zset]",
    "GEORADIUSBYMEMBER_RO geo member radius km ASC|DESC [WITHDIST]",
    "ZREM geo member member",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    Some(match kind {
        "degrees" => match random.below(12) {
            0 => random.word(&["180", "-180.5", "85.05112878", "-85.1", "x", "0"]),
            _ => format!("{}.{}", random.below(160) as i64 - 80, random.below(100_000)),
        },
        "radius" => random.word(&["0", "-1", "x", "10", "500", "3000.5", "9000", "25000"]),
        _ => return None,
    })
}
