//! Thousands of random commands, asked of our engine and of redis-server: every reply is the same, and so is all data
//! in the end, on a follower that replayed the records too.
//!
//! The seed is printed; `DIFFERENTIAL_SEED` sets it, `DIFFERENTIAL_STEPS` the number of commands.

mod oracle;

use oracle::{Ours, Redis, Shape, Value, show};

/// A small deterministic generator (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What a command is made of: `key`, `value`, `int`, `time`, ... are replaced by random words of that kind, `[x]` may be
/// left out, `x|y` is one of them, and `...` may repeat the word before.
const SHAPES: &[&str] = &[
    "APPEND key value",
    "DECR key",
    "DECRBY key int",
    "GET key",
    "GETDEL key",
    "GETEX key [option time]",
    "GETEX key [PERSIST]",
    "GETEX key [EX|PX|EXAT|PXAT time] [junk]",
    "GETRANGE key int int",
    "GETSET key value",
    "INCR key",
    "INCRBY key int",
    "INCRBYFLOAT key float",
    "LCS key key [LEN|IDX] [MINMATCHLEN int] [WITHMATCHLEN] [LEN|IDX|junk]",
    "MGET key key key",
    "MSET key value [key value]",
    "MSETNX key value [key value] [key]",
    "PSETEX key time value",
    "SET key value",
    "SET key value [NX|XX] [GET] [EX|PX|EXAT|PXAT time]",
    "SET key value [option] [option time] [option] [junk]",
    "SETEX key time value",
    "SETNX key value",
    "SETRANGE key small value",
    "STRLEN key",
    "SUBSTR key int int",
    "DEL key [key]",
    "UNLINK key [key]",
    "EXISTS key [key] [key]",
    "TOUCH key [key]",
    "TYPE key",
    "RENAME key key",
    "RENAMENX key key",
    "COPY key key [DB db] [REPLACE] [junk]",
    "MOVE key db",
    "RANDOMKEY",
    "KEYS pattern",
    "SCAN 0 [MATCH pattern] [COUNT 1000] [TYPE string|list|hash|nope] [junk]",
    "SCAN int",
    "OBJECT ENCODING key",
    "OBJECT FREQ key",
    "OBJECT junk key",
    "EXPIRE key time [condition] [condition]",
    "PEXPIRE key time [condition] [junk]",
    "EXPIREAT key time [condition]",
    "PEXPIREAT key time [condition]",
    "EXPIRETIME key",
    "PEXPIRETIME key",
    "TTL key",
    "PTTL key",
    "PERSIST key",
    "DBSIZE [junk]",
    "SWAPDB db db",
    "SELECT db",
    "RPUSH list value",
    "SADD set|key member [member] [member] [member]",
    "SADD set member member",
    "SREM set|key member [member] [member]",
    "SMOVE set|key set|key member",
    "SCARD set|key",
    "SISMEMBER set|key member",
    "SMISMEMBER set|key member [member]",
    "SMEMBERS set|key",
    "SPOP set 0|100|x|-1",
    "SPOP nowhere [int]",
    "SRANDMEMBER set|key 0|100|x|-9223372036854775808",
    "SRANDMEMBER nowhere [int]",
    "SINTER set|key [set|key] [set|key]",
    "SUNION set|key [set|key] [set|key]",
    "SDIFF set|key [set|key] [set|key]",
    "SINTERSTORE set|key set|key [set] [set|key]",
    "SUNIONSTORE set|key set|key [set] [set|key]",
    "SDIFFSTORE set|key set|key [set] [set|key]",
    "SINTERCARD 1|2|2|3|0|x set set [set|key] [LIMIT int]",
    "SSCAN set|key 0 [MATCH pattern] [COUNT 1000] [junk]",
    "ZADD zset|key score member",
    "ZADD zset score member score member score member score member",
    "ZADD zset|key [NX|XX] [GT|LT] [CH] [INCR] score member [score member] [junk]",
    "ZINCRBY zset|key score member",
    "ZREM zset|key member [member] [member]",
    "ZCARD zset|key",
    "ZSCORE zset|key member",
    "ZMSCORE zset|key member [member]",
    "ZRANK zset|key member",
    "ZREVRANK zset|key member",
    "ZCOUNT zset|key edge edge",
    "ZLEXCOUNT lex|list lexedge lexedge",
    "ZADD lex 0 member 0 member 0 member",
    "ZRANGE zset|key int int [REV] [WITHSCORES] [junk]",
    "ZRANGE zset edge edge BYSCORE [REV] [LIMIT int int] [WITHSCORES]",
    "ZRANGE lex lexedge lexedge BYLEX [REV] [LIMIT int int]",
    "ZRANGESTORE zset|key zset|key int int [REV]",
    "ZRANGESTORE zset|key zset edge edge BYSCORE [LIMIT int int]",
    "ZREVRANGE zset|key int int [WITHSCORES]",
    "ZRANGEBYSCORE zset|key edge edge [WITHSCORES] [LIMIT int int]",
    "ZREVRANGEBYSCORE zset|key edge edge [WITHSCORES] [LIMIT int int]",
    "ZRANGEBYLEX lex lexedge lexedge [LIMIT int int]",
    "ZREVRANGEBYLEX lex lexedge lexedge [LIMIT int int]",
    "ZREMRANGEBYRANK zset|key int int",
    "ZREMRANGEBYSCORE zset edge edge",
    "ZREMRANGEBYLEX lex lexedge lexedge",
    "ZPOPMIN zset|key [small] [junk]",
    "ZPOPMAX zset|key [0|1|2]",
    "ZMPOP 2 zset|key zset|lex MIN|MAX [COUNT small]",
    "BZPOPMIN zset|key zset|key x|-1",
    "ZUNION 2 zset|set|key zset|set [WEIGHTS score score] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]",
    "ZINTER 2 zset|set|key zset|set [WEIGHTS score score] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]",
    "ZDIFF 2 zset|set|key zset|set|lex [WITHSCORES] [junk]",
    "ZINTERCARD 2 zset|set|key zset|set [LIMIT small]",
    "ZUNIONSTORE zset|key 2 zset|set zset|set [WEIGHTS score score] [AGGREGATE SUM|MIN|MAX]",
    "ZINTERSTORE zset|key 2 zset|set zset|set [WEIGHTS score score] [AGGREGATE SUM|MIN|MAX]",
    "ZDIFFSTORE zset|key 2 zset|set|lex zset|set",
    "ZRANDMEMBER zset|key 0|100|x",
    "ZSCAN zset|key 0 [MATCH pattern] [COUNT 1000] [junk]",
    "GEOADD geo|key [NX|XX] [CH] degrees degrees member [degrees degrees member]",
    "GEODIST geo|key member member [km|mi|ft|x]",
    "GEOHASH geo|zset member member",
    "GEOSEARCH geo|key FROMLONLAT degrees degrees BYRADIUS radius km|mi [ASC|DESC] [COUNT small] [WITHDIST] [WITHHASH]",
    "GEOSEARCH geo|key FROMMEMBER member BYBOX radius radius km|ft [ASC|DESC] [WITHDIST]",
    "GEOSEARCHSTORE geo|zset geo FROMMEMBER member BYRADIUS radius km|m [ASC] [COUNT small]",
    "GEORADIUS geo|key degrees degrees radius km|x ASC|DESC|junk [STORE zset]",
    "GEORADIUSBYMEMBER_RO geo member radius km ASC|DESC [WITHDIST]",
    "SSCAN set|key int",
    "SORT list|set|hash|key [ALPHA] [DESC|ASC] [LIMIT small small] [GET #] [junk]",
    "SORT set|key BY *|h1->*|nosort|h*->a [ALPHA] [DESC] [GET h*->a]",
    "SORT set|list|key ALPHA STORE key|set",
    "SORT_RO set|key [ALPHA] [LIMIT small small] [DESC] [STORE] [junk]",
    "HSET hash|key member value [member value] [member value] [junk]",
    "HMSET hash member value [member value] [junk]",
    "HSETNX hash|key member value",
    "HGET hash|key member",
    "HMGET hash|key member [member]",
    "HGETALL hash|key",
    "HKEYS hash|key",
    "HVALS hash|key",
    "HLEN hash|key",
    "HSTRLEN hash|key member",
    "HEXISTS hash|key member",
    "HDEL hash|key member [member] [member]",
    "HINCRBY hash|key member int",
    "HINCRBYFLOAT hash|key member float",
    "HRANDFIELD hash|key 0|100|x [WITHVALUES] [junk]",
    "HRANDFIELD nowhere [int] [WITHVALUES] [junk]",
    "HSCAN hash|key 0 [MATCH pattern] [COUNT 1000] [junk]",
    "HSCAN hash|key int",
    "SETBIT key bit 0|1|2",
    "GETBIT key bit",
    "BITCOUNT key",
    "BITCOUNT key int int [BIT|BYTE|junk]",
    "BITPOS key 0|1|2 [int] [int] [BIT|BYTE]",
    "BITOP AND|OR|XOR|NOT|FOO key key [key] [key]",
    "BITFIELD key [OVERFLOW overflow] GET|SET field bit [int]",
    "BITFIELD key [OVERFLOW overflow] SET|INCRBY field bit int GET field bit [OVERFLOW overflow] INCRBY field bit int",
    "BITFIELD_RO key GET field bit [SET field bit int]",
    "PFADD hll [value] [value] [value]",
    "PFADD hll many many many many many",
    "PFCOUNT hll [hll]",
    "PFMERGE hll [hll] [hll]",
    "PFDEBUG ENCODING|DECODE hll",
    "GET hll",
    "XADD stream [NOMKSTREAM] [MAXLEN|MINID] [~|=] [many] [LIMIT small] id field value [field value]",
    "XADD stream later field value [field value]",
    "XADD stream later a many b value",
    "XADD stream MAXLEN ~ many later field value",
    "XLEN stream",
    "XRANGE stream from to [COUNT small]",
    "XREVRANGE stream to from [COUNT small]",
    "XDEL stream id [id] [id]",
    "XTRIM stream MAXLEN|MINID [~|=] many [LIMIT small]",
    "XREAD [COUNT small] STREAMS stream stream id $|id",
    "XGROUP CREATE stream group $|id [MKSTREAM] [ENTRIESREAD many]",
    "XGROUP SETID stream group $|id [ENTRIESREAD many]",
    "XGROUP DESTROY stream group",
    "XGROUP CREATECONSUMER|DELCONSUMER stream group consumer",
    "XREADGROUP GROUP group consumer [COUNT small] [NOACK] STREAMS stream >|>|id|0",
    "XREADGROUP GROUP group consumer COUNT 3 STREAMS stream >",
    "XACK stream group id [id] [id]",
    "XPENDING stream group",
    "XPENDING stream group [IDLE] [0] from to small [consumer]",
    "XCLAIM stream group consumer 0|90000 id [id] [id] [IDLE] [100000] [RETRYCOUNT] [5] [FORCE] [JUSTID]",
    "XAUTOCLAIM stream group consumer 0|90000 from [COUNT] [5] [JUSTID]",
    "XINFO STREAM stream",
    "XINFO GROUPS stream",
    "WAIT 0|x|-1 small",
    "COMMAND GETKEYS MSET key value [key value]",
    "COMMAND GETKEYSANDFLAGS SET key value [GET]",
];

/// Words of each kind.
fn word(random: &mut Random, kind: &str) -> String {
    match kind {
        "key" => random.pick(&["a", "b", "c", "d", "e", "f", "list", "", "missing"]).into(),
        "list" => "list".into(),
        "hash" => random.pick(&["h1", "h2", "h3"]).into(),
        "small" => random.pick(&["0", "1", "5", "40", "-1", "x", "536870912", "9223372036854775807"]).into(),
        "float" => number(random),
        "time" => match random.below(4) {
            0 => random
                .pick(&["0", "-1", "x", "9223372036854775807", "9223372036854775", "9000000000000000000"])
                .into(),
            // Relative ones far enough from each other that milliseconds between the servers change nothing.
            _ => (100_000 + random.below(1_000_000_000) * 10).to_string(),
        },
        "db" => random.pick(&["0", "0", "0", "1", "1", "15", "16", "-1", "x", "4294967296"]).into(),
        "option" => {
            random.pick(&["NX", "XX", "GET", "EX", "PX", "EXAT", "PXAT", "KEEPTTL", "PERSIST", "xx"]).into()
        }
        "condition" => random.pick(&["NX", "XX", "GT", "LT", "gt"]).into(),
        "pattern" => random.pick(&["*", "a*", "?", "[a-c]", "", "nothing", "\\a"]).into(),
        "junk" => random.pick(&["FOO", "", "EX"]).into(),
        _ => word_of_type(random, kind),
    }
}

/// Words of one type of data only.
fn word_of_type(random: &mut Random, kind: &str) -> String {
    match kind {
        "hll" => random.pick(&["p1", "p2", "p3", "a"]).into(),
        "many" => random.below(300).to_string(),
        "bit" => match random.below(8) {
            0 => random.pick(&["-1", "x", "#1", "#3", "4294967296"]).into(),
            _ => random.below(150).to_string(),
        },
        "overflow" => random.pick(&["WRAP", "SAT", "FAIL", "sat"]).into(),
        "stream" => random.pick(&["x1", "x2", "x2", "a"]).into(),
        "group" => random.pick(&["g", "h"]).into(),
        "consumer" => random.pick(&["c", "d", "e"]).into(),
        "id" => match random.below(12) {
            0 => random.pick(&["0", "x", "-", "5-*", "300-300", "1-1-1"]).into(),
            _ => format!("{}-{}", random.below(60), random.below(4)),
        },
        // Higher than most, now and then.
        "later" => format!("{}-*", 20 + random.below(40)),
        "from" | "to" => match random.below(6) {
            0 => if kind == "from" { "-" } else { "+" }.into(),
            1 => format!("({}", random.below(60)),
            _ => random.below(60).to_string(),
        },
        "set" => random.pick(&["s1", "s2", "s3", "s4"]).into(),
        "member" => match random.below(3) {
            0 => random.below(40).to_string(),
            1 => random.pick(&["70000", "-3", "9223372036854775807", "9223372036854775808"]).into(),
            _ => random.pick(&["a", "b", "ab", "", "c", "01"]).into(),
        },
        "value" => match random.below(4) {
            0 => random.below(30_000).to_string(),
            1 => "x".repeat(random.below(60)),
            2 => number(random),
            _ => random
                .pick(&["", "abcabba", "cbabac", "10.5", "3.0e3", " 1", "-0", "9223372036854775807"])
                .into(),
        },
        "int" => match random.below(3) {
            0 => random.pick(&[
                "x",
                "",
                "9223372036854775807",
                "-9223372036854775808",
                "1.5",
                "01",
                "99999999999999999999",
            ]),
            1 => random.pick(&["0", "1", "2", "5"]),
            _ => random.pick(&["-1", "-2", "-3", "100"]),
        }
        .into(),
        "field" => match random.below(8) {
            0 => random.pick(&["u64", "i65", "x8", "i0"]).into(),
            _ => format!("{}{}", random.pick(&["i", "u"]), 1 + random.below(63)),
        },
        "db" => random.pick(&["0", "0", "0", "1", "1", "15", "16", "-1", "x", "4294967296"]).into(),
        "option" => {
            random.pick(&["NX", "XX", "GET", "EX", "PX", "EXAT", "PXAT", "KEEPTTL", "PERSIST", "xx"]).into()
        }
        "condition" => random.pick(&["NX", "XX", "GT", "LT", "gt"]).into(),
        "pattern" => random.pick(&["*", "a*", "?", "[a-c]", "", "nothing", "\\a"]).into(),
        "junk" => random.pick(&["FOO", "", "EX"]).into(),
        other => sorted_set_word(random, other),
    }
}

/// The same for sorted sets and places.
fn sorted_set_word(random: &mut Random, kind: &str) -> String {
    match kind {
        "zset" => random.pick(&["zset", "zset2"]).into(),
        "lex" => "lex".into(),
        "geo" => "geo".into(),
        // Those that 17 digits and the shortest text say alike.
        "score" => match random.below(8) {
            0 => random.pick(&["inf", "-inf", "x", "nan", "0"]).into(),
            1 => format!("{}.5", random.below(100)),
            _ => (random.below(40) as i64 - 20).to_string(),
        },
        "edge" => match random.below(6) {
            0 => random.pick(&["-inf", "+inf", "(inf", "x", "(x"]).into(),
            1 => format!("({}", random.below(40) as i64 - 20),
            _ => (random.below(40) as i64 - 20).to_string(),
        },
        "lexedge" => match random.below(5) {
            0 => random.pick(&["-", "+", "x", "(", "["]).into(),
            _ => format!("{}{}", random.pick(&["(", "["]), random.below(30)),
        },
        "degrees" => match random.below(12) {
            0 => random.pick(&["180", "-180.5", "85.05112878", "-85.1", "x", "0"]).into(),
            _ => format!("{}.{}", random.below(160) as i64 - 80, random.below(100_000)),
        },
        "radius" => random.pick(&["0", "-1", "x", "10", "500", "3000.5", "9000", "25000"]).into(),
        other => other.into(),
    }
}

/// A number as `INCRBYFLOAT` may get it.
fn number(random: &mut Random) -> String {
    let sign = random.pick(&["", "", "-", "+"]);
    let digits = (random.next() >> random.below(64)).to_string();
    let fraction = match random.below(3) {
        0 => String::new(),
        1 => format!(".{}", random.below(1000)),
        _ => format!(".{:0>20}", random.next() >> random.below(64)),
    };
    let exponent =
        if random.one_in(6) { format!("e{}", random.below(60) as i64 - 30) } else { String::new() };
    format!("{sign}{digits}{fraction}{exponent}")
}

fn command(random: &mut Random) -> Vec<String> {
    let shape = random.pick(SHAPES);
    let mut words = Vec::new();
    let mut left_out = false;
    for part in shape.split(' ') {
        if part.starts_with('[') {
            left_out = random.one_in(2) || (part.starts_with("[junk") && !random.one_in(8));
        }
        let ends = part.ends_with(']');
        let part = part.trim_matches(['[', ']']);
        if !left_out {
            let alternatives: Vec<&str> = part.split('|').collect();
            let kind = random.pick(&alternatives);
            words.push(word(random, kind));
        }
        left_out &= !ends;
    }
    words
}

/// Whether two replies to a command say the same, although clocks differ a little and order is free.
fn agree(words: &[String], ours: &Value, theirs: &Value) -> bool {
    let near = |most: i64| match (ours, theirs) {
        (Value::Int(a), Value::Int(b)) if *a > 0 && *b > 0 => (a - b).abs() <= most,
        _ => ours == theirs,
    };
    match words[0].as_str() {
        "TTL" | "EXPIRETIME" => near(10),
        "PTTL" | "PEXPIRETIME" => near(10_000),
        "KEYS" | "SMEMBERS" | "SPOP" | "SRANDMEMBER" | "SINTER" | "SUNION" | "SDIFF" | "HKEYS" | "HVALS" => {
            sorted(ours) == sorted(theirs)
        }
        // 7.0 prints 17 digits of a score.
        name if name.starts_with("GEO") => numbers(&sorted(ours)) == numbers(&sorted(theirs)),
        name if name.starts_with('Z') || name.starts_with("BZ") => {
            numbers(&[show(ours)]) == numbers(&[show(theirs)])
        }
        "SSCAN" | "HSCAN" if words[2] == "0" => match (ours, theirs) {
            (Value::Many(_, a), Value::Many(_, b)) => {
                sorted(&a[1]) == sorted(&b[1]) || show(&a[0]) != "\"0\"" || show(&b[0]) != "\"0\""
            }
            _ => ours == theirs,
        },
        // Later versions read fewer texts as numbers; equal weights leave sets as they are kept.
        "SORT" | "SORT_RO" if show(ours).ends_with("into double") => true,
        "SORT" if words.iter().any(|word| word == "BY") => sorted(ours) == sorted(theirs),
        "HGETALL" | "HRANDFIELD" => pairs(ours) == pairs(theirs),
        // Any other cursor means what its server made of it.
        "SSCAN" | "HSCAN" => (show(ours).starts_with('-')) == (show(theirs).starts_with('-')),
        "SCAN" => match (ours, theirs) {
            (Value::Many(_, a), Value::Many(_, b)) => {
                let whole = words[1] == "0" && show(&a[0]) == "\"0\"" && show(&b[0]) == "\"0\"";
                sorted(&a[1]) == sorted(&b[1]) || !whole
            }
            _ => ours == theirs,
        },
        // Later versions read the arguments before they look for the key.
        "BITCOUNT" | "BITPOS" => {
            let late = matches!(theirs, Value::Int(-1..=0) | Value::Error(_));
            ours == theirs || (matches!(ours, Value::Error(_)) && late)
        }
        // What a group has not read is counted better by later versions.
        "XINFO" if words[1] == "GROUPS" => fields(ours, 12, &[1, 5, 7]) == fields(theirs, 12, &[1, 5, 7]),
        // Later versions make the consumer even if there is nothing for it.
        "XGROUP" if words[1] == "CREATECONSUMER" => ours == theirs || *ours == Value::Int(0),
        "XPENDING" => fields(ours, 4, &[0, 1, 3]) == fields(theirs, 4, &[0, 1, 3]),
        "RANDOMKEY" => (*ours == Value::Nil) == (*theirs == Value::Nil),
        // A whole number that INCRBYFLOAT made is kept as one here.
        // 7.0 packs only sets of integers.
        "OBJECT" if show(ours) == "\"listpack\"" && show(theirs) == "\"hashtable\"" => true,
        // The form of a stored result is that of its members, whatever it came of.
        "OBJECT" if show(ours) == "\"intset\"" && show(theirs) == "\"hashtable\"" => true,
        "OBJECT" if show(ours) == "\"int\"" => matches!(show(theirs).as_str(), "\"int\"" | "\"embstr\""),
        _ => ours == theirs,
    }
}

/// Words, and numbers as they are whatever digits say them.
fn numbers(texts: &[String]) -> Vec<String> {
    let word = |word: &str| match word.parse::<f64>() {
        Ok(number) => format!("{number:?}"),
        Err(_) => word.to_owned(),
    };
    texts
        .iter()
        .flat_map(|text| text.split([' ', ',', '"', '[', ']']).map(word).collect::<Vec<_>>())
        .collect()
}

/// Some fields of each item that has so many: others tell times, or are counted better by later versions.
fn fields(value: &Value, length: usize, told: &[usize]) -> Vec<String> {
    let Value::Many(Shape::Array, items) = value else { return vec![show(value)] };
    let some =
        |fields: &[Value]| told.iter().map(|index| show(&fields[*index])).collect::<Vec<_>>().join(" ");
    let of = |item: &Value| match item {
        Value::Many(_, fields) if fields.len() == length => some(fields),
        other => show(other),
    };
    items.iter().map(of).collect()
}

fn sorted(value: &Value) -> Vec<String> {
    let Value::Many(Shape::Array, items) = value else { return vec![show(value)] };
    let mut items: Vec<String> = items.iter().map(show).collect();
    items.sort();
    items
}

/// Fields with their values, or whatever comes in twos, in one order.
fn pairs(value: &Value) -> Vec<String> {
    match value {
        Value::Many(Shape::Array, items) => vec![show(&Value::Many(Shape::Map, items.clone()))],
        _ => vec![show(value)],
    }
}

fn members(value: Value) -> Vec<Value> {
    let Value::Many(_, items) = value else { panic!("{value:?} are no members") };
    items
}

/// All keys of all databases with their values and deadlines.
fn contents(mut ask: impl FnMut(&[&str]) -> Value) -> Vec<String> {
    let mut lines = Vec::new();
    for db in ["0", "1", "15"] {
        ask(&["SELECT", db]);
        let Value::Many(_, keys) = ask(&["KEYS", "*"]) else { panic!("KEYS") };
        for key in keys {
            let Value::Bulk(key) = key else { panic!("a key is a string") };
            let key = String::from_utf8(key).expect("keys are text here");
            let value = match show(&ask(&["TYPE", &key])).as_str() {
                "+list" => ask(&["LRANGE", &key, "0", "-1"]),
                "+hash" => Value::Many(Shape::Map, members(ask(&["HGETALL", &key]))),
                "+zset" => {
                    let scores = ask(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]);
                    let scores = numbers(&[show(&scores)]).join(" ");
                    lines.push(format!("{db} {key:?} {scores}"));
                    continue;
                }
                "+stream" => Value::Many(
                    Shape::Array,
                    vec![
                        ask(&["XRANGE", &key, "-", "+"]),
                        ask(&["XINFO", "STREAM", &key]),
                        ask(&["XPENDING", &key, "g"]),
                        ask(&["XPENDING", &key, "h"]),
                    ],
                ),
                "+set" => Value::Many(Shape::Set, members(ask(&["SMEMBERS", &key]))),
                _ => ask(&["GET", &key]),
            };
            let expires = ask(&["TTL", &key]) != Value::Int(-1);
            lines.push(format!("{db} {key:?} {} {expires}", show(&value)));
        }
    }
    lines.sort();
    lines
}

#[test]
fn random_commands_are_answered_as_redis_answers_them() {
    let seed = setting("DIFFERENTIAL_SEED", 20_261_122);
    let steps = setting("DIFFERENTIAL_STEPS", 10_000);
    println!("DIFFERENTIAL_SEED={seed}");
    let (mut ours, mut redis, mut random) = (Ours::start(), Redis::start(), Random(seed));
    let (mut disagreements, mut history) = (Vec::new(), Vec::new());
    for step in 0..steps {
        if random.one_in(500) {
            ours.ask(&["FLUSHALL"]);
            redis.ask(&["FLUSHALL"]);
        }
        let words = command(&mut random);
        let (mine, theirs) = (ours.ask(&words), redis.ask(&words));
        if !agree(&words, &mine, &theirs) {
            let before = history.iter().rev().filter(|other: &&Vec<String>| {
                words[1..].iter().any(|word| !word.is_empty() && other.contains(word))
            });
            let before: Vec<String> = before.take(6).map(|words| words.join(" ")).collect();
            let (mine, theirs) = (show(&mine), show(&theirs));
            disagreements.push(format!(
                "{step}: {words:?}\n  ours   {mine}\n  theirs {theirs}\n  before {}",
                before.join("; ")
            ));
            assert!(disagreements.len() < 20, "seed {seed}\n{}", disagreements.join("\n"));
        }
        history.push(words);
    }
    assert!(disagreements.is_empty(), "seed {seed}\n{}", disagreements.join("\n"));
    let theirs = contents(|words| redis.ask(words));
    let mut follower = ours.follower();
    assert_eq!(contents(|words| ours.ask(words)), theirs);
    assert_eq!(contents(|words| follower.ask(words)), theirs, "on a follower");
}

#[test]
fn incrbyfloat_counts_as_redis_counts() {
    let seed = setting("DIFFERENTIAL_SEED", 20_261_122);
    println!("DIFFERENTIAL_SEED={seed}");
    let (mut ours, mut redis, mut random) = (Ours::start(), Redis::start(), Random(seed));
    for _ in 0..10_000 {
        if random.one_in(10) {
            let start = number(&mut random);
            ours.ask(&["SET", "k", &start]);
            redis.ask(&["SET", "k", &start]);
        }
        let mut increment = number(&mut random);
        if random.one_in(50) {
            increment = random
                .pick(&[
                    "inf",
                    "-Infinity",
                    "nan",
                    "1e4932",
                    "-1.18e4932",
                    "3e-4950",
                    "0x1.8p3",
                    "0x1p-16445",
                    "1e-17",
                    "5e-18",
                    "15e-18",
                    "1e5000",
                    "0x",
                    ".",
                    "1.e2",
                    "-0",
                    "infinit",
                ])
                .into();
        }
        let (mine, theirs) =
            (ours.ask(&["INCRBYFLOAT", "k", &increment]), redis.ask(&["INCRBYFLOAT", "k", &increment]));
        assert_eq!(show(&mine), show(&theirs), "seed {seed}: INCRBYFLOAT k {increment}");
    }
}
