//! `LATENCY`: events that took long, and how long each command takes.

use crate::command::observe::Event;
use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::metrics::{BUCKETS, CommandTotals, bucket_bound_nanos};
use crate::resp::{Failure, Reply};

pub static LATENCY_DOCTOR: Spec = Spec {
    name: "doctor",
    full_name: "LATENCY|DOCTOR",
    summary: "Return a human readable latency analysis report.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    hints: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    handler: Handler::Run(doctor),
    ..Spec::BASE
};

pub static LATENCY_GRAPH: Spec = Spec {
    name: "graph",
    full_name: "LATENCY|GRAPH",
    summary: "Return a latency graph for the event.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("event", Kind::String)],
    hints: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    handler: Handler::Run(graph),
    ..Spec::BASE
};

pub static LATENCY_HELP: Spec = Spec {
    name: "help",
    full_name: "LATENCY|HELP",
    summary: "Show helpful text about the different subcommands.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static LATENCY_HISTOGRAM: Spec = Spec {
    name: "histogram",
    full_name: "LATENCY|HISTOGRAM",
    summary: "Return the cumulative distribution of latencies of a subset of commands or all.",
    since: "7.0.0",
    group: "server",
    complexity: "O(N) where N is the number of commands with latency information being retrieved.",
    arity: -2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("command", Kind::String).optional().multiple()],
    hints: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    handler: Handler::Run(histogram),
    ..Spec::BASE
};

pub static LATENCY_HISTORY: Spec = Spec {
    name: "history",
    full_name: "LATENCY|HISTORY",
    summary: "Return timestamp-latency samples for the event.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("event", Kind::String)],
    hints: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    handler: Handler::Run(history),
    ..Spec::BASE
};

pub static LATENCY_LATEST: Spec = Spec {
    name: "latest",
    full_name: "LATENCY|LATEST",
    summary: "Return the latest latency samples for all events.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    hints: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    handler: Handler::Run(latest),
    ..Spec::BASE
};

pub static LATENCY_RESET: Spec = Spec {
    name: "reset",
    full_name: "LATENCY|RESET",
    summary: "Reset latency data for one or more events.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: -2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("event", Kind::String).optional().multiple()],
    hints: &["request_policy:all_nodes", "response_policy:agg_sum"],
    handler: Handler::Run(reset),
    ..Spec::BASE
};

pub static LATENCY: Spec = Spec {
    name: "latency",
    full_name: "LATENCY",
    summary: "A container for latency diagnostics commands",
    since: "2.8.13",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &LATENCY_DOCTOR,
        &LATENCY_GRAPH,
        &LATENCY_HELP,
        &LATENCY_HISTOGRAM,
        &LATENCY_HISTORY,
        &LATENCY_LATEST,
        &LATENCY_RESET,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};

fn latest(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    let events = context.server.observed.latency.events();
    let shown = events.filter_map(|(name, event)| {
        let last = event.samples().last()?;
        Some(Reply::Array(vec![
            Reply::bulk(name),
            Reply::Int(last.time_s as i64),
            Reply::Int(last.millis as i64),
            Reply::Int(event.most() as i64),
        ]))
    });
    Ok(Reply::Array(shown.collect()))
}

fn history(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let event = context.server.observed.latency.event(args.word(2));
    let samples = event.into_iter().flat_map(Event::samples);
    let shown = samples
        .map(|sample| Reply::Array(vec![Reply::Int(sample.time_s as i64), Reply::Int(sample.millis as i64)]));
    Ok(Reply::Array(shown.collect()))
}

fn graph(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let name = String::from_utf8_lossy(args.word(2));
    match context.server.observed.latency.event(args.word(2)) {
        Some(event) => Ok(Reply::Verbatim("txt", event.graph(&name, context.keyspace.now / 1000))),
        None => Err(Failure::text(format!("ERR No samples available for event '{name}'"))),
    }
}

fn reset(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let names: Vec<&[u8]> = args.request().rest(2).collect();
    Ok(context.server.observed.latency.reset(&names).into())
}

fn doctor(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    let observed = &context.server.observed;
    let text = if context.server.config.latency_monitor_threshold == 0 {
        DISABLED.to_owned()
    } else if observed.latency.events().next().is_none() {
        NOTHING.to_owned()
    } else {
        let lines = observed.latency.events().enumerate().map(|(index, (name, event))| {
            let count = event.samples().len();
            let sum: u64 = event.samples().map(|sample| sample.millis).sum();
            let mean = sum / count.max(1) as u64;
            let most = event.most();
            format!(
                "{}. {name}: {count} latency spikes (average {mean}ms, worst all time event {most}ms).\n",
                index + 1
            )
        });
        format!("Latency spikes observed above the threshold, by event:\n\n{}", lines.collect::<String>())
    };
    Ok(Reply::Verbatim("txt", text))
}

fn histogram(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let used = context.server.observed.metrics.used_commands();
    let counted = |(_, totals): &&(&'static str, CommandTotals)| totals.latency.count() > 0;
    let shown = |(name, totals): &(&'static str, CommandTotals)| (Reply::bulk(name), distribution(totals));
    if args.len() == 2 {
        return Ok(Reply::Map(used.iter().filter(counted).map(shown).collect()));
    }
    // A container stands for its subcommands.
    let mut found = Vec::new();
    for word in args.request().rest(2) {
        let word = String::from_utf8_lossy(word).to_ascii_lowercase();
        let below = format!("{word}|");
        let named = used.iter().filter(|(name, _)| *name == word || name.starts_with(&below));
        found.extend(named.filter(counted).map(shown));
    }
    Ok(Reply::Map(found))
}

/// The calls of a command, and how many took at most so many microseconds.
fn distribution(totals: &CommandTotals) -> Reply {
    let mut below = 0;
    let mut steps = Vec::new();
    for bucket in 0..BUCKETS {
        if totals.latency.buckets[bucket] > 0 {
            below += totals.latency.buckets[bucket];
            // Redis' histogram has two digits, and prints the last value that it can't tell from the bound.
            let bound = bucket_bound_nanos(bucket);
            let bound = (bound + bound / 128 - 1) / 1000;
            steps.push((Reply::Int(bound as i64), Reply::Int(below as i64)));
        }
    }
    let calls = Reply::Int(totals.latency.count() as i64);
    Reply::Map(vec![(Reply::bulk("calls"), calls), (Reply::bulk("histogram_usec"), Reply::Map(steps))])
}

fn help(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(crate::command::help("LATENCY", HELP))
}

const DISABLED: &str = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may \
    use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space \
    mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n";

const NOTHING: &str = "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the \
    slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n";

const HELP: &[&str] = &[
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
    "    If no commands are specified then all histograms are replied.",
];
