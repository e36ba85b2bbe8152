//! `INFO`: what the server knows of itself, in sections of `name:value` lines.

pub(super) mod process;
mod replication;
mod sections;

use std::fmt::{Display, Write as _};

use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::resp::{Failure, Reply};

pub static INFO: Spec = Spec {
    name: "info",
    full_name: "INFO",
    summary: "Get information and statistics about the server",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: -1,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("section", Kind::String).optional().multiple()],
    history: &[("7.0.0", "Added support for taking multiple section arguments.")],
    hints: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    handler: Handler::Run(info),
    ..Spec::BASE
};

/// Lines of a section.
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: impl Display) {
        // Writing to a string can't fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// A number of bytes, and the same for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.add(name, bytes);
        self.add(&format!("{name}_human"), human(bytes));
    }
}

/// As Redis: `991.20K`.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.2}{}", UNITS[unit])
}

/// A section: its name, whether it is shown unasked, whether `all` shows it, and what it writes.
type Section = (&'static str, bool, bool, fn(&mut Context<'_>, &mut Lines));

/// In Redis' order.
const SECTIONS: &[Section] = &[
    ("Server", true, true, sections::server),
    ("Clients", true, true, sections::clients),
    ("Memory", true, true, sections::memory),
    ("Persistence", true, true, sections::persistence),
    ("Stats", true, true, sections::stats),
    ("Replication", true, true, replication::replication),
    ("CPU", true, true, sections::cpu),
    ("Modules", true, false, |_, _| {}),
    ("Commandstats", false, true, sections::command_stats),
    ("Errorstats", true, true, sections::error_stats),
    ("Latencystats", false, true, sections::latency_stats),
    ("Cluster", true, true, |context, lines| {
        lines.add("cluster_enabled", u8::from(context.server.config.cluster_enabled));
    }),
    ("Keyspace", true, true, sections::keyspace),
];

fn info(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let words: Vec<&[u8]> = args.request().rest(1).collect();
    let asked = |name: &str| words.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    let (default, all, everything) =
        (words.is_empty() || asked("default"), asked("all"), asked("everything"));
    let mut text = String::with_capacity(4096);
    for (name, in_default, in_all, write) in SECTIONS {
        let shown = asked(name) || (default && *in_default) || (all && *in_all) || everything;
        if shown {
            let mut lines = Lines(text);
            if !lines.0.is_empty() {
                lines.0.push_str("\r\n");
            }
            let _ = write!(lines.0, "# {name}\r\n");
            write(context, &mut lines);
            text = lines.0;
        }
    }
    Ok(Reply::Verbatim("txt", text))
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn bytes_are_shown_as_by_redis() {
        for (bytes, text) in
            [(200, "200B"), (1_014_992, "991.20K"), (12_365_824, "11.79M"), (25_276_514_304, "23.54G")]
        {
            assert_eq!(human(bytes), text);
        }
    }
}
