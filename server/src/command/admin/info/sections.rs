//! The sections of `INFO` but for replication. What Redis shows and this server has nothing of is left out.

use std::collections::HashSet;

use super::{Lines, process};
use crate::command::Context;
use crate::command::server::{REDIS_VERSION, Role};
use crate::metrics::heap;
use crate::pubsub::Kind;
use crate::session::{Blocked, Client};

pub fn server(context: &mut Context<'_>, lines: &mut Lines) {
    let server = &context.server;
    let (config, uptime) = (&server.config, server.started.elapsed().as_secs());
    // Clients and tools choose what they send by this.
    lines.add("redis_version", REDIS_VERSION);
    lines.add("botellier_version", env!("CARGO_PKG_VERSION"));
    lines.add("redis_mode", if config.cluster_enabled { "cluster" } else { "standalone" });
    lines.add("os", process::system());
    lines.add("arch_bits", usize::BITS);
    lines.add("multiplexing_api", "epoll");
    lines.add("process_id", std::process::id());
    lines.add("process_supervised", "no");
    lines.add("run_id", &server.run_id);
    lines.add("tcp_port", config.port);
    lines.add("server_time_usec", context.keyspace.now * 1000);
    lines.add("uptime_in_seconds", uptime);
    lines.add("uptime_in_days", uptime / 86400);
    lines.add("hz", config.hz);
    lines.add("configured_hz", config.hz);
    lines.add("lru_clock", (context.keyspace.now / 1000) & 0x00FF_FFFF);
    lines.add("executable", std::env::current_exe().unwrap_or_default().display());
    lines.add("config_file", config.file().unwrap_or(std::path::Path::new("")).display());
    lines.add("io_threads_active", u8::from(config.io_threads != 1));
    let addresses: Vec<String> = config.bind.iter().map(|address| format!("bind={address}")).collect();
    lines.add("listener0", format!("name=tcp,{},port={}", addresses.join(","), config.port));
}

pub fn clients(context: &mut Context<'_>, lines: &mut Lines) {
    // The one that asks is not among the others.
    lines.add("connected_clients", context.clients.len());
    lines.add("cluster_connections", 0);
    lines.add("maxclients", context.server.config.maxclients);
    let all = || context.clients.iter().chain([&*context.client]);
    let count = |is: fn(&Client) -> bool| all().filter(|client| is(client)).count();
    let most = |bytes: fn(&Client) -> usize| all().map(bytes).max().unwrap_or(0);
    lines.add(
        "client_recent_max_input_buffer",
        most(|client| client.wire.query_bytes + client.wire.query_room),
    );
    lines.add(
        "client_recent_max_output_buffer",
        most(|client| client.wire.unsent_bytes + client.pushed_bytes),
    );
    lines.add("blocked_clients", count(|client| client.blocked.is_some()));
    lines.add("tracking_clients", context.clients.tracking.counts()[0]);
    lines.add("pubsub_clients", count(|client| client.subscriptions() > 0));
    lines.add("watching_clients", count(|client| !client.watched.is_empty()));
    lines.add("clients_in_timeout_table", count(|client| client.deadline.is_some()));
    let watched = all().flat_map(|client| &client.watched).map(|watched| (watched.db, &watched.key));
    lines.add("total_watched_keys", watched.collect::<HashSet<_>>().len());
    let (mut waited, mut waited_gone) = (HashSet::new(), HashSet::new());
    for client in all() {
        if let Some(Blocked::Keys { keys, even_gone, .. }) = &client.blocked {
            waited.extend(keys.iter().map(|key| (client.db, key)));
            waited_gone.extend(keys.iter().filter(|_| *even_gone).map(|key| (client.db, key)));
        }
    }
    lines.add("total_blocking_keys", waited.len());
    lines.add("total_blocking_keys_on_nokey", waited_gone.len());
}

pub fn memory(context: &mut Context<'_>, lines: &mut Lines) {
    let memory = process::memory();
    let (config, used) = (context.server.config.clone(), heap::used());
    let peak = context.server.peak_memory();
    lines.bytes("used_memory", used);
    lines.bytes("used_memory_rss", memory.resident_bytes);
    lines.bytes("used_memory_peak", peak);
    lines.add("used_memory_peak_perc", format!("{:.2}%", used as f64 * 100.0 / peak.max(1) as f64));
    let start = context.server.memory_at_start;
    let dataset = used.saturating_sub(start);
    lines.add("used_memory_overhead", used - dataset);
    lines.add("used_memory_startup", start);
    lines.add("used_memory_dataset", dataset);
    lines.add(
        "used_memory_dataset_perc",
        format!("{:.2}%", dataset as f64 * 100.0 / used.saturating_sub(start).max(1) as f64),
    );
    lines.add("allocator_allocated", used);
    lines.add("allocator_active", memory.resident_bytes);
    lines.add("allocator_resident", memory.resident_bytes);
    let fragmented = format!("{:.2}", memory.resident_bytes as f64 / used.max(1) as f64);
    let fragmented_bytes = memory.resident_bytes as i64 - used as i64;
    lines.add("allocator_frag_ratio", &fragmented);
    lines.add("allocator_frag_bytes", fragmented_bytes);
    lines.bytes("total_system_memory", process::system_memory_bytes());
    let scripts = context.server.scripts;
    lines.bytes("used_memory_lua", scripts.interpreter_bytes);
    lines.add("used_memory_vm_eval", scripts.interpreter_bytes);
    lines.add("used_memory_scripts_eval", scripts.script_bytes);
    lines.add("number_of_cached_scripts", scripts.cached);
    lines.add("number_of_functions", scripts.functions);
    lines.add("number_of_libraries", scripts.libraries);
    lines.bytes("used_memory_vm_total", scripts.interpreter_bytes);
    lines.add("used_memory_functions", scripts.library_bytes);
    lines.bytes("used_memory_scripts", scripts.script_bytes + scripts.library_bytes);
    lines.bytes("maxmemory", config.maxmemory);
    let policy = crate::config::find("maxmemory-policy").map(|setting| (setting.show)(&config));
    lines.add("maxmemory_policy", policy.unwrap_or_default());
    lines.add("mem_fragmentation_ratio", fragmented);
    lines.add("mem_fragmentation_bytes", fragmented_bytes);
    // What the log keeps in memory is not the data's fault.
    lines.add("mem_not_counted_for_evict", context.server.log_memory);
    lines.add("mem_replication_backlog", context.server.log_memory);
    let clients = context.clients.iter().map(Client::memory).sum::<usize>();
    lines.add("mem_clients_normal", clients + context.client.memory());
    lines.add("mem_allocator", "libc");
    let (pending, freed) = crate::keyspace::reclaim::counts();
    lines.add("lazyfree_pending_objects", pending);
    lines.add("lazyfreed_objects", freed);
    context.server.observed.metrics.used_memory_bytes.set(used);
}

pub fn persistence(context: &mut Context<'_>, lines: &mut Lines) {
    let server = &context.server;
    let state = &server.persistence;
    lines.add("loading", u8::from(server.status.role == Role::Loading));
    lines.add("async_loading", 0);
    let changes = context.keyspace.changes.saturating_sub(state.changes_at_save);
    lines.add("rdb_changes_since_last_save", changes);
    lines.add("rdb_bgsave_in_progress", u8::from(state.saving));
    lines.add("rdb_last_save_time", state.last_save_s);
    lines.add("rdb_last_bgsave_status", if state.last_failed { "err" } else { "ok" });
    lines.add("rdb_last_bgsave_time_sec", state.last_took_s.map_or(-1, |seconds| seconds as i64));
    let current = state.began.map_or(-1, |began| began.elapsed().as_secs() as i64);
    lines.add("rdb_current_bgsave_time_sec", current);
    lines.add("rdb_saves", state.taken);
    // Our log is what Redis calls its append only file; it is never rewritten.
    lines.add("aof_enabled", u8::from(server.config.appendonly));
    lines.add("aof_rewrite_in_progress", 0);
    lines.add("aof_rewrite_scheduled", u8::from(state.again));
    lines.add("aof_last_write_status", if server.log_full { "err" } else { "ok" });
    if server.config.appendonly {
        lines.add("aof_current_size", server.observed.metrics.log_bytes.get());
    }
}

pub fn stats(context: &mut Context<'_>, lines: &mut Lines) {
    let observed = &context.server.observed;
    let metrics = &observed.metrics;
    let [commands, input, output] = observed.rates.per_second();
    let keys = context.keyspace.stats;
    lines.add("total_connections_received", context.clients.accepted);
    lines.add("total_commands_processed", metrics.commands_processed());
    lines.add("instantaneous_ops_per_sec", commands.round());
    lines.add("total_net_input_bytes", metrics.net_input_bytes.get());
    lines.add("total_net_output_bytes", metrics.net_output_bytes.get());
    lines.add("instantaneous_input_kbps", format!("{:.2}", input / 1024.0));
    lines.add("instantaneous_output_kbps", format!("{:.2}", output / 1024.0));
    lines.add("rejected_connections", context.clients.refused);
    lines.add("sync_full", metrics.full_copies.get());
    lines.add("sync_partial_ok", metrics.partial_resyncs.get());
    lines.add("expired_keys", keys.expired);
    lines.add("expired_subkeys", keys.expired_fields);
    lines.add("evicted_keys", keys.evicted);
    lines.add("evicted_clients", context.clients.evicted);
    lines.add("client_query_buffer_limit_disconnections", metrics.query_limit_closed.get());
    lines.add("client_output_buffer_limit_disconnections", metrics.output_limit_closed.get());
    lines.add("keyspace_hits", keys.hits);
    lines.add("keyspace_misses", keys.misses);
    let pubsub = &context.server.pubsub;
    lines.add("pubsub_channels", pubsub.active(Kind::Channel, None).len());
    lines.add("pubsub_patterns", pubsub.patterns());
    lines.add("pubsubshard_channels", pubsub.active(Kind::Shard, None).len());
    let [_, keys, items, prefixes] = context.clients.tracking.counts();
    lines.add("tracking_total_keys", keys);
    lines.add("tracking_total_items", items);
    lines.add("tracking_total_prefixes", prefixes);
    for (what, count) in ["auth", "cmd", "key", "channel"].iter().zip(context.server.acl_log.denied) {
        lines.add(&format!("acl_access_denied_{what}"), count);
    }
    lines.add("total_error_replies", observed.errors().map(|(_, count)| count).sum::<u64>());
}

pub fn cpu(_context: &mut Context<'_>, lines: &mut Lines) {
    let [system, user, children_system, children_user] = process::cpu_seconds();
    lines.add("used_cpu_sys", format!("{system:.6}"));
    lines.add("used_cpu_user", format!("{user:.6}"));
    lines.add("used_cpu_sys_children", format!("{children_system:.6}"));
    lines.add("used_cpu_user_children", format!("{children_user:.6}"));
}

pub fn command_stats(context: &mut Context<'_>, lines: &mut Lines) {
    for (name, totals) in context.server.observed.metrics.used_commands() {
        let micros = totals.nanos / 1000;
        let each = totals.nanos as f64 / 1000.0 / totals.calls.max(1) as f64;
        lines.add(
            &format!("cmdstat_{name}"),
            format!(
                "calls={},usec={micros},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
                totals.calls, totals.rejected, totals.failed
            ),
        );
    }
}

pub fn latency_stats(context: &mut Context<'_>, lines: &mut Lines) {
    let percentiles = &context.server.config.latency_tracking_info_percentiles;
    for (name, totals) in context.server.observed.metrics.used_commands() {
        if totals.latency.count() > 0 {
            let shown = percentiles.iter().map(|percentile| {
                format!("p{percentile}={:.3}", totals.latency.percentile_nanos(*percentile) / 1000.0)
            });
            let shown: Vec<String> = shown.collect();
            lines.add(&format!("latency_percentiles_usec_{name}"), shown.join(","));
        }
    }
}

pub fn error_stats(context: &mut Context<'_>, lines: &mut Lines) {
    for (code, count) in context.server.observed.errors() {
        lines.add(&format!("errorstat_{code}"), format!("count={count}"));
    }
}

pub fn keyspace(context: &mut Context<'_>, lines: &mut Lines) {
    let now = context.keyspace.now;
    for (number, database) in context.keyspace.databases().iter().enumerate() {
        if !database.is_empty() {
            let (keys, expires, mean) = (database.len(), database.deadlines(), database.ttl_mean_ms(now));
            let fields = database.expiring_hashes();
            lines.add(
                &format!("db{number}"),
                format!("keys={keys},expires={expires},avg_ttl={mean},subexpiry={fields}"),
            );
        }
    }
}
