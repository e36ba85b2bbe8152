//! What `COMMAND INFO` and `COMMAND DOCS` say of a command: its declaration, in Redis' form.

use super::spec::{Arg, Begin, Find, Flags, KeySpec, Kind, NO_KEY_SPEC, Spec};
use crate::resp::Reply;

/// An entry of `COMMAND INFO`.
pub fn info(spec: &Spec) -> Reply {
    let (first, last, step) = legacy_range(spec);
    Reply::Array(vec![
        name(spec),
        Reply::Int(i64::from(spec.arity)),
        statuses(spec.flags.names()),
        Reply::Int(first),
        Reply::Int(last),
        Reply::Int(step),
        Reply::Set(spec.acl.names().map(|name| Reply::Status(format!("@{name}"))).collect()),
        Reply::Set(spec.hints.iter().map(Reply::bulk).collect()),
        Reply::Set(spec.keys.iter().map(key_spec).collect()),
        Reply::Set(spec.subcommands.iter().map(|sub| info(sub)).collect()),
    ])
}

/// The name as clients see it: `client|list`.
pub fn name(spec: &Spec) -> Reply {
    Reply::text(spec.full_name.to_ascii_lowercase())
}

fn statuses(names: impl Iterator<Item = &'static str>) -> Reply {
    Reply::Set(names.map(Reply::Simple).collect())
}

fn int(number: usize) -> Reply {
    Reply::from(number)
}

/// Pairs whose names are known at build time.
fn map<const N: usize>(pairs: [(&'static str, Reply); N]) -> Reply {
    Reply::Map(pairs.into_iter().map(|(name, reply)| (Reply::bulk(name), reply)).collect())
}

/// First key, last key and step, as clients older than key specs know them: ranges that follow each other are one.
fn legacy_range(spec: &Spec) -> (i64, i64, i64) {
    let absolute =
        |first: usize, last: isize| if last >= 0 { first as i64 + last as i64 } else { last as i64 };
    if let [KeySpec { begin: Begin::Index(first), find: Find::Range { last, step, .. }, .. }] = spec.keys {
        return (*first as i64, absolute(*first, *last), *step as i64);
    }
    let mut range: Option<(i64, i64)> = None;
    for keys in spec.keys {
        let (Begin::Index(first), Find::Range { last, step: 1, .. }) = (keys.begin, keys.find) else {
            continue;
        };
        let last = absolute(first, last);
        range = match range {
            None => Some((first as i64, last)),
            Some((_, before)) if before != first as i64 - 1 => range,
            Some((first, _)) => Some((first, last)),
        };
    }
    range.map_or((0, 0, 0), |(first, last)| (first, last, 1))
}

fn key_spec(keys: &KeySpec) -> Reply {
    let begin = match keys.begin {
        Begin::Index(index) => ("index", map([("index", int(index))])),
        Begin::Keyword(word, from) => {
            ("keyword", map([("keyword", Reply::bulk(word)), ("startfrom", Reply::Int(from as i64))]))
        }
        Begin::Unknown => ("unknown", map([])),
    };
    let find = match keys.find {
        Find::Range { last, step, limit } => {
            let last = Reply::Int(last as i64);
            ("range", map([("lastkey", last), ("keystep", int(step)), ("limit", int(limit))]))
        }
        Find::Count { index, first, step } => {
            let (index, first) = (int(index), int(first));
            ("keynum", map([("keynumidx", index), ("firstkey", first), ("keystep", int(step))]))
        }
        Find::Unknown => ("unknown", map([])),
    };
    let part = |(kind, spec): (&str, Reply)| map([("type", Reply::bulk(kind)), ("spec", spec)]);
    let mut pairs = Vec::with_capacity(4);
    pairs.extend(keys.notes.map(|notes| (Reply::bulk("notes"), Reply::bulk(notes))));
    pairs.push((Reply::bulk("flags"), statuses(keys.flags.names())));
    pairs.push((Reply::bulk("begin_search"), part(begin)));
    pairs.push((Reply::bulk("find_keys"), part(find)));
    Reply::Map(pairs)
}

/// Collects the pairs of a map, leaving out what is not said.
#[derive(Default)]
struct Pairs(Vec<(Reply, Reply)>);

impl Pairs {
    fn add(&mut self, name: &str, reply: Reply) {
        self.0.push((Reply::bulk(name), reply));
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.add(name, Reply::bulk(text));
        }
    }
}

/// What `COMMAND DOCS` says of a command.
pub fn docs(spec: &Spec) -> Reply {
    let mut pairs = Pairs::default();
    pairs.text("summary", Some(spec.summary));
    pairs.text("since", Some(spec.since));
    pairs.text("group", Some(spec.group));
    pairs.text("complexity", Some(spec.complexity));
    if spec.deprecated.is_some() || spec.system {
        let deprecated = spec.deprecated.map(|_| "deprecated");
        pairs.add("doc_flags", statuses(deprecated.into_iter().chain(spec.system.then_some("syscmd"))));
    }
    pairs.text("deprecated_since", spec.deprecated.map(|(since, _)| since));
    pairs.text("replaced_by", spec.deprecated.map(|(_, instead)| instead));
    if !spec.history.is_empty() {
        let entry =
            |(since, change): &(&str, &str)| Reply::Array(vec![Reply::bulk(since), Reply::bulk(change)]);
        pairs.add("history", Reply::Set(spec.history.iter().map(entry).collect()));
    }
    if !spec.args.is_empty() {
        pairs.add("arguments", arguments(spec.args));
    }
    if !spec.subcommands.is_empty() {
        let subcommands = spec.subcommands.iter().map(|sub| (name(sub), docs(sub)));
        pairs.add("subcommands", Reply::Map(subcommands.collect()));
    }
    Reply::Map(pairs.0)
}

fn arguments(args: &[Arg]) -> Reply {
    Reply::Array(args.iter().map(argument).collect())
}

fn argument(arg: &Arg) -> Reply {
    let (kind, parts) = match arg.kind {
        Kind::Key(_) => ("key", None),
        Kind::String => ("string", None),
        Kind::Integer => ("integer", None),
        Kind::Double => ("double", None),
        Kind::Pattern => ("pattern", None),
        Kind::UnixTime => ("unix-time", None),
        Kind::Flag => ("pure-token", None),
        Kind::OneOf(parts) => ("oneof", Some(parts)),
        Kind::Block(parts) => ("block", Some(parts)),
    };
    let mut pairs = Pairs::default();
    pairs.text("name", Some(arg.display.unwrap_or(arg.name)));
    pairs.text("type", Some(kind));
    let key_spec = match arg.kind {
        Kind::Key(NO_KEY_SPEC) => None,
        Kind::Key(index) => Some(index),
        _ => arg.key_spec,
    };
    if let Some(index) = key_spec {
        pairs.add("key_spec_index", int(index));
    }
    if let Some(token) = arg.token {
        // The empty string is a token of MIGRATE.
        pairs.add("token", Reply::bulk(token));
    }
    pairs.text("since", arg.since);
    pairs.text("deprecated_since", arg.deprecated);
    let flags =
        [(arg.optional, "optional"), (arg.multiple, "multiple"), (arg.multiple_token, "multiple_token")];
    let mut flags = flags.into_iter().filter(|(given, _)| *given).map(|(_, name)| name).peekable();
    if flags.peek().is_some() {
        pairs.add("flags", statuses(flags));
    }
    if let Some(parts) = parts {
        pairs.add("arguments", arguments(parts));
    }
    Reply::Map(pairs.0)
}

/// Whether a request of the command may name keys.
pub fn has_keys(spec: &Spec) -> bool {
    use super::spec::KeyFlags;
    spec.keys.iter().any(|keys| !keys.flags.has(KeyFlags::NOT_KEY))
}

/// Whether it is no error that a request of the command names no key.
pub fn may_lack_keys(spec: &Spec) -> bool {
    spec.flags.has(Flags::NO_MANDATORY_KEYS)
}
