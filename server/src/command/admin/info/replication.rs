//! `INFO replication`: Redis' lines, then ours.

use super::Lines;
use crate::command::Context;
use crate::command::server::{Role, Status};

pub fn replication(context: &mut Context<'_>, lines: &mut Lines) {
    let server = &context.server;
    let status = &server.status;
    if status.role.leads() {
        lines.add("role", "master");
    } else {
        following(status, lines);
    }
    lines.add("connected_slaves", status.replicas.len());
    for (index, replica) in status.replicas.iter().enumerate() {
        let state = if replica.copying { "send_bulk" } else { "online" };
        lines.add(
            &format!("slave{index}"),
            format!(
                "ip={},port={},state={state},offset={},lag={}",
                replica.host, replica.port, replica.offset, replica.lag_seconds
            ),
        );
    }
    let failover = if status.failing_over { "waiting-for-sync" } else { "no-failover" };
    lines.add("master_failover_state", failover);
    lines.add("master_replid", if status.replid.is_empty() { &server.run_id } else { &status.replid });
    lines.add("master_replid2", "0".repeat(40));
    lines.add("master_repl_offset", status.offset);
    lines.add("second_repl_offset", -1);
    // What a replica that was away can still be sent, of the log.
    lines.add("repl_backlog_active", u8::from(server.config.appendonly));
    lines.add("repl_backlog_size", server.config.log_retention_bytes);
    lines.add("repl_backlog_first_byte_offset", server.log_start + 1);
    lines.add("repl_backlog_histlen", status.offset.saturating_sub(server.log_start));
    lines.add("botellier_role", name(status.role));
    lines.add("botellier_node", &status.node);
    lines.add("botellier_epoch", status.epoch);
    lines.add("botellier_leader", &status.leader);
    lines.add("botellier_synced", &status.synced);
    lines.add("botellier_commit_offset", status.committed);
    lines.add("botellier_lease_ms", status.lease_ms);
}

fn following(status: &Status, lines: &mut Lines) {
    let (host, port) = status.leader_address.clone().unwrap_or_default();
    lines.add("role", "slave");
    lines.add("master_host", host);
    lines.add("master_port", port);
    lines.add("master_link_status", if status.link_up { "up" } else { "down" });
    lines.add("master_sync_in_progress", u8::from(status.role == Role::Loading));
    lines.add("slave_read_repl_offset", status.offset);
    lines.add("slave_repl_offset", status.committed);
    // Only the synced replica may lead; nobody chooses by this.
    lines.add("slave_priority", 100);
    lines.add("slave_read_only", 1);
    lines.add("replica_announced", 1);
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Standalone => "standalone",
        Role::Loading => "loading",
        Role::Leader => "leader",
        Role::Stalled => "stalled",
        Role::Synced => "synced",
        Role::Replica => "replica",
        Role::Waiting => "waiting",
    }
}
