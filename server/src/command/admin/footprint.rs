//! `MEMORY STATS`, `DOCTOR` and `MALLOC-STATS`: what the whole process takes. What Redis shows and this server has
//! nothing of is left out.

use super::info::process;
use crate::command::spec::{Acl, Handler, Spec};
use crate::command::{Args, Context};
use crate::keyspace::Entry;
use crate::metrics::heap;
use crate::resp::{Failure, Reply};
use crate::session::Client;

pub static MEMORY_DOCTOR: Spec = Spec {
    name: "doctor",
    full_name: "MEMORY|DOCTOR",
    summary: "Outputs memory problems report",
    since: "4.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    acl: Acl::of(&[Acl::SLOW]),
    hints: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    handler: Handler::Run(doctor),
    ..Spec::BASE
};

pub static MEMORY_STATS: Spec = Spec {
    name: "stats",
    full_name: "MEMORY|STATS",
    summary: "Show memory usage details",
    since: "4.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    acl: Acl::of(&[Acl::SLOW]),
    hints: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    handler: Handler::Run(stats),
    ..Spec::BASE
};

pub static MEMORY_MALLOC_STATS: Spec = Spec {
    name: "malloc-stats",
    full_name: "MEMORY|MALLOC-STATS",
    summary: "Show allocator internal stats",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on how much memory is allocated, could be slow",
    arity: 2,
    acl: Acl::of(&[Acl::SLOW]),
    hints: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    handler: Handler::Run(malloc_stats),
    ..Spec::BASE
};

fn malloc_stats(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    // As Redis answers with every allocator but jemalloc.
    Ok(Reply::Verbatim("txt", "Stats not supported for the current allocator".into()))
}

/// What all clients take.
fn of_clients(context: &Context<'_>) -> usize {
    context.clients.iter().map(Client::memory).sum::<usize>() + context.client.memory()
}

fn stats(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    let (used, peak, resident) =
        (heap::used(), context.server.peak_memory(), process::memory().resident_bytes);
    let (start, clients) = (context.server.memory_at_start, of_clients(context) as u64);
    let mut stats: Vec<(Reply, Reply)> = Vec::new();
    let mut add = |name: &str, value: Reply| stats.push((Reply::bulk(name), value));
    let number = |value: u64| Reply::Int(value as i64);
    add("peak.allocated", number(peak));
    add("total.allocated", number(used));
    add("startup.allocated", number(start));
    add("replication.backlog", number(context.server.log_memory));
    add("clients.normal", number(clients));
    add("lua.caches", number(context.server.scripts.script_bytes));
    add("functions.caches", number(context.server.scripts.library_bytes));
    let (mut keys, mut tables) = (0u64, 0u64);
    for (database, index) in context.keyspace.databases().iter().zip(0..) {
        if database.is_empty() {
            continue;
        }
        let table = (database.len() * size_of::<Entry>()) as u64;
        let deadlines = (database.deadlines() * size_of::<(u64, usize, usize)>()) as u64;
        let overhead = vec![
            (Reply::bulk("overhead.hashtable.main"), number(table)),
            (Reply::bulk("overhead.hashtable.expires"), number(deadlines)),
        ];
        add(&format!("db.{index}"), Reply::Map(overhead));
        keys += database.len() as u64;
        tables += table + deadlines;
    }
    let overhead = start + clients + tables;
    let (net, dataset) = (used.saturating_sub(start), used.saturating_sub(overhead));
    add("overhead.total", number(overhead));
    add("keys.count", number(keys));
    add("keys.bytes-per-key", number(net.checked_div(keys).unwrap_or(0)));
    add("dataset.bytes", number(dataset));
    add("dataset.percentage", Reply::Double(dataset as f64 * 100.0 / net.max(1) as f64));
    add("peak.percentage", Reply::Double(used as f64 * 100.0 / peak.max(1) as f64));
    add("allocator.allocated", number(used));
    add("allocator.resident", number(resident));
    add("fragmentation", Reply::Double(resident as f64 / used.max(1) as f64));
    add("fragmentation.bytes", Reply::Int(resident as i64 - used as i64));
    Ok(Reply::Map(stats))
}

/// Below this there is nothing to say.
const EMPTY_BYTES: u64 = 5 << 20;

fn doctor(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    let (used, peak, resident) =
        (heap::used(), context.server.peak_memory(), process::memory().resident_bytes);
    let clients = of_clients(context) / context.clients.len().max(1);
    let text = if used < EMPTY_BYTES {
        "This instance is empty or is using very little memory: there is nothing to look for yet.\n".into()
    } else {
        findings(used, peak, resident, clients as u64)
    };
    Ok(Reply::Verbatim("txt", text))
}

/// The thresholds are Redis'.
fn findings(used: u64, peak: u64, resident: u64, per_client: u64) -> String {
    let mut found = String::new();
    if peak > used + used / 2 {
        found.push_str(
            " * Peak memory: in the past this instance used more than 150% of the memory that it uses now. The \
             allocator may not give back what it took at the peak, so a high fragmentation is to be expected.\n",
        );
    }
    if resident > used + used * 2 / 5 && resident - used > (10 << 20) {
        found.push_str(
            " * High fragmentation: the process takes more than 140% of the memory that is in use. After many keys \
             went or shrank that is usual; a restart, or a failover to another node, gives it back.\n",
        );
    }
    if per_client > (200 << 10) {
        found.push_str(
            " * Big client buffers: clients take more than 200 kB each on average. Look at CLIENT LIST for those \
             that do not read their replies, and think of maxmemory-clients.\n",
        );
    }
    if found.is_empty() {
        return "There are no memory problems to be seen in this instance.\n".into();
    }
    format!("There are memory problems to be seen in this instance:\n\n{found}")
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[test]
    fn each_finding_has_its_threshold() {
        let mega = 1 << 20;
        assert!(findings(100 * mega, 100 * mega, 110 * mega, 0).starts_with("There are no"));
        assert!(findings(100 * mega, 151 * mega, 110 * mega, 0).contains("Peak memory"));
        assert!(findings(100 * mega, 100 * mega, 141 * mega, 0).contains("High fragmentation"));
        assert!(findings(100 * mega, 100 * mega, 100 * mega, mega).contains("Big client buffers"));
    }
}
