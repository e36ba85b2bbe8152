//! Whether two replies say the same, although clocks differ a little, order is free here and there, and the reference may
//! be older than what ours follows.

use std::rc::Rc;

use crate::oracle::{Shape, Value, show};

/// What the reference is.
#[derive(Debug, Clone, Copy)]
pub struct Judge {
    /// It is older than the version that ours follows: what changed since is told apart below.
    pub old: bool,
}

impl Judge {
    /// Whether the replies to a command agree; `queued` are those that `EXEC` runs.
    pub fn agree(self, words: &[String], queued: &[Rc<Vec<String>>], ours: &Value, theirs: &Value) -> bool {
        if ours == theirs || show(ours) == show(theirs) {
            return true;
        }
        let name = words[0].to_ascii_uppercase();
        if name == "EXEC"
            && let (Value::Many(_, ours), Value::Many(_, theirs)) = (ours, theirs)
        {
            return ours.len() == theirs.len()
                && queued.len() == ours.len()
                && queued
                    .iter()
                    .zip(ours.iter().zip(theirs))
                    .all(|(words, (ours, theirs))| self.agree(words, &[], ours, theirs));
        }
        if agree_at_all(&name, words, ours, theirs) {
            return true;
        }
        if self.old {
            agree_with_old(&name, words, ours, theirs)
        } else {
            agree_with_new(&name, ours, theirs)
        }
    }
}

/// What holds for references of every age.
fn agree_at_all(name: &str, words: &[String], ours: &Value, theirs: &Value) -> bool {
    match name {
        "TTL" | "EXPIRETIME" | "HTTL" | "HEXPIRETIME" => near(ours, theirs, 10),
        "PTTL" | "PEXPIRETIME" | "HPTTL" | "HPEXPIRETIME" => near(ours, theirs, 10_000),
        "KEYS" | "SMEMBERS" | "SPOP" | "SRANDMEMBER" | "SINTER" | "SUNION" | "SDIFF" | "HKEYS" | "HVALS"
        | "PUBSUB" => sorted(ours) == sorted(theirs),
        // Each version has its own commands.
        "ACL" if words[1] == "CAT" && words.len() == 3 => {
            matches!((ours, theirs), (Value::Many(..), Value::Many(..)))
        }
        "ACL" => sorted(ours) == sorted(theirs),
        // Neither libraries nor their functions have an order.
        "FUNCTION" => unordered(ours) == unordered(theirs),
        // Of places that are as far away, any may be the nearest ones.
        name if name.starts_with("GEO") && words.iter().any(|word| word == "COUNT") => {
            sorted(ours).len() == sorted(theirs).len()
        }
        // What is not sorted has no order.
        name if name.starts_with("GEO") => sorted(ours) == sorted(theirs),
        "SSCAN" | "HSCAN" | "ZSCAN" if words[2] == "0" => match (ours, theirs) {
            (Value::Many(_, a), Value::Many(_, b)) => {
                pairs(&a[1]) == pairs(&b[1])
                    || sorted(&a[1]) == sorted(&b[1])
                    || show(&a[0]) != "\"0\""
                    || show(&b[0]) != "\"0\""
            }
            _ => false,
        },
        // Which elements of a set that is not sorted come first is not said.
        "SORT" if words.iter().any(|word| word == "nosort") && words.iter().any(|word| word == "LIMIT") => {
            sorted(ours).len() == sorted(theirs).len()
        }
        // Equal weights, and sets that are not sorted at all, are left as they are kept.
        "SORT" if words.iter().any(|word| word == "BY") => sorted(ours) == sorted(theirs),
        "HRANDFIELD" if words.len() == 3 => sorted(ours) == sorted(theirs),
        "HGETALL" | "HRANDFIELD" => {
            pairs(ours) == pairs(theirs) || (sorted(ours) == sorted(theirs) && nested(ours))
        }
        // Any other cursor means what its server made of it.
        "SSCAN" | "HSCAN" => (show(ours).starts_with('-')) == (show(theirs).starts_with('-')),
        "SCAN" => match (ours, theirs) {
            (Value::Many(_, a), Value::Many(_, b)) => {
                let whole = words[1] == "0" && show(&a[0]) == "\"0\"" && show(&b[0]) == "\"0\"";
                sorted(&a[1]) == sorted(&b[1]) || !whole
            }
            _ => false,
        },
        // Times.
        "XPENDING" => fields(ours, 4, &[0, 1, 3]) == fields(theirs, 4, &[0, 1, 3]),
        "XINFO" if words[1] == "CONSUMERS" => times_aside(ours) == times_aside(theirs),
        "XINFO" if words[1] == "STREAM" && words.len() > 3 => times_aside(ours) == times_aside(theirs),
        "OBJECT" => same_object(&words[1], ours, theirs),
        "RANDOMKEY" => is_nil(ours) == is_nil(theirs),
        // Version, id and role of each server.
        "HELLO" => matches!((ours, theirs), (Value::Many(..), Value::Many(..))),
        // Which channel is left first is not said, only how many remain.
        "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" if words.len() == 1 => match (ours, theirs) {
            (Value::Many(_, a), Value::Many(_, b)) => {
                a.len() == 3 && b.len() == 3 && (&a[0], &a[2]) == (&b[0], &b[2])
            }
            _ => false,
        },
        _ => false,
    }
}

fn same_object(about: &str, ours: &Value, theirs: &Value) -> bool {
    if about == "REFCOUNT" {
        // Whether a number is shared is a matter of the reference's memory.
        return matches!((ours, theirs), (Value::Int(1..), Value::Int(1..)));
    }
    // A list that became small again is told by what it holds, deadlines of fields that are gone are forgotten.
    show(ours) == "\"listpack\"" && matches!(show(theirs).as_str(), "\"quicklist\"" | "\"listpackex\"")
}

/// What an older reference answers otherwise than later versions, which ours follows.
fn agree_with_old(name: &str, words: &[String], ours: &Value, theirs: &Value) -> bool {
    let (mine, their) = (show(ours), show(theirs));
    // The words of a refusal for want of rights are new.
    if (mine.contains("NOPERM") || mine.contains("ACL failure in script"))
        && (their.contains("NOPERM") || their.contains("The user executing the script"))
    {
        return true;
    }
    match name {
        // Later versions take no cursor below zero.
        "SCAN" | "SSCAN" | "HSCAN" | "ZSCAN" if mine.ends_with("invalid cursor") => true,
        // Later versions read fewer texts as numbers.
        "SORT" | "SORT_RO" if mine.ends_with("into double") => true,
        "ZSCAN" => scanned(ours) == scanned(theirs),
        // It prints 17 digits of a score, later versions the fewest that read back the same.
        name if name.starts_with("GEO") => numbers(&sorted(ours)) == numbers(&sorted(theirs)),
        name if name.starts_with('Z')
            || name.starts_with("BZ")
            || name.starts_with("EVAL")
            || name == "SORT" =>
        {
            numbers(&[mine]) == numbers(&[their])
        }
        // Later versions read the arguments before they look for the key.
        "BITCOUNT" | "BITPOS" => {
            matches!(ours, Value::Error(_)) && matches!(theirs, Value::Int(-1..=0) | Value::Error(_))
        }
        // What a group has not read is counted better by later versions.
        "XINFO" if words[1] == "GROUPS" => fields(ours, 12, &[1, 5, 7]) == fields(theirs, 12, &[1, 5, 7]),
        // Later versions make the consumer even if there is nothing for it.
        "XGROUP" if words[1] == "CREATECONSUMER" => *ours == Value::Int(0),
        // It packs only sets of integers, and no lists.
        "OBJECT" => matches!(
            (mine.as_str(), their.as_str()),
            ("\"listpack\"", "\"hashtable\"" | "\"quicklist\"") | ("\"intset\"", "\"hashtable\"")
        ),
        // Later versions have more commands, flags and fields.
        "ACL" => matches!(words[1].as_str(), "CAT" | "GETUSER" | "LIST" | "DRYRUN"),
        _ => false,
    }
}

/// Where a newer reference has its own ways that ours does not follow.
fn agree_with_new(name: &str, ours: &Value, theirs: &Value) -> bool {
    match name {
        // Of the shortest digits of a number that read back the same, it does not always take the nearest.
        "ZSCAN" => scanned(ours) == scanned(theirs),
        name if name.starts_with('Z') || name.starts_with("GEO") || name.starts_with("BZ") => {
            numbers(&[show(ours)]) == numbers(&[show(theirs)])
        }
        // Text ends at its first zero byte there.
        "SORT" | "SORT_RO" => show(ours).ends_with("into double") && matches!(theirs, Value::Many(..)),
        _ => false,
    }
}

/// The members and scores of a part of a sorted set, in one order.
fn scanned(reply: &Value) -> Option<Vec<String>> {
    match reply {
        Value::Many(_, parts) => parts.get(1).map(|items| numbers(&pairs(items))),
        _ => None,
    }
}

fn is_nil(value: &Value) -> bool {
    matches!(value, Value::Nil | Value::Null)
}

/// The same but for numbers above zero that are not far from each other.
fn near(ours: &Value, theirs: &Value, most: i64) -> bool {
    match (ours, theirs) {
        (Value::Int(a), Value::Int(b)) if *a > 0 && *b > 0 => (a - b).abs() <= most,
        (Value::Many(_, a), Value::Many(_, b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b, most))
        }
        _ => ours == theirs,
    }
}

/// Words, and numbers as they are whatever digits say them.
pub fn numbers(texts: &[String]) -> Vec<String> {
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

/// The value without what tells times, or is told by later versions only.
fn times_aside(value: &Value) -> String {
    const TIMES: &[&str] =
        &["\"idle\"", "\"inactive\"", "\"seen-time\"", "\"active-time\"", "\"lag\"", "\"entries-read\""];
    match value {
        Value::Many(_, items) => {
            let named = items.chunks(2).all(|pair| matches!(pair, [Value::Bulk(_), _]));
            let told = items
                .chunks(if named { 2 } else { 1 })
                .filter(|some| !TIMES.contains(&show(&some[0]).as_str()));
            let inner: Vec<String> =
                told.map(|some| some.iter().map(times_aside).collect::<Vec<_>>().join(" ")).collect();
            format!("[{}]", inner.join(", "))
        }
        // Milliseconds since 1970 of a delivery.
        Value::Int(1_000_000_000_000..) => "some time".into(),
        other => show(other),
    }
}

fn sorted(value: &Value) -> Vec<String> {
    let Value::Many(_, items) = value else { return vec![show(value)] };
    let mut items: Vec<String> = items.iter().map(show).collect();
    items.sort();
    items
}

/// Whether each item is one of several.
fn nested(value: &Value) -> bool {
    matches!(value, Value::Many(_, items) if items.iter().all(|item| matches!(item, Value::Many(..))))
}

/// The same, with everything inside in one order too.
fn unordered(value: &Value) -> String {
    let Value::Many(_, items) = value else { return show(value) };
    let mut items: Vec<String> = items.iter().map(unordered).collect();
    items.sort();
    items.join(" ")
}

/// Fields with their values, or whatever comes in twos, in one order.
fn pairs(value: &Value) -> Vec<String> {
    match value {
        Value::Many(Shape::Array, items) => vec![show(&Value::Many(Shape::Map, items.clone()))],
        _ => vec![show(value)],
    }
}
