//! What clients order of the node rather than of the engine.

use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use super::{Node, maintenance, migrate};
use crate::command::{Order, acl};
use crate::keyspace::Effect;
use crate::metrics::heap;
use crate::net::Net;
use crate::replication::log::{Log, ReadError};
use crate::resp::{Failure, Reply};
use crate::session::{ClientId, Offset};

/// Carry out one order; its client waits for the answer.
pub(super) async fn carry_out(node: Arc<Node>, cluster: Option<Cluster>, id: ClientId, order: Order) {
    let net = node.net.clone();
    let reply = match order {
        Order::Rewrite => rewrite(&net).await,
        Order::LoadUsers => {
            let (reply, after) = load_users(&net).await;
            net.engine.lock().answer_after(id, reply, after);
            (net.flush)();
            return;
        }
        Order::SaveUsers => save_users(&net).await,
        Order::Sleep { time } => sleep(&net, time).await,
        Order::Save { background } => save(&node, background).await,
        Order::Migrate(migration) => {
            let (reply, after) = migrate::carry_out(&net, &migration).await;
            net.engine.lock().answer_after(id, reply, after);
            (net.flush)();
            return;
        }
        Order::RewriteLog => rewrite_log(&node),
        Order::Purge => match tokio::task::spawn_blocking(heap::purge).await {
            Ok(()) => Reply::OK,
            Err(error) => Failure::text(format!("ERR {error}")).into(),
        },
        Order::Shutdown { abort: true, .. } => Failure::new("ERR No shutdown in progress.").into(),
        Order::Shutdown { save, .. } => {
            if save == Some(true) && !maintenance::save(node.clone()).await {
                Failure::new("ERR Errors trying to SHUTDOWN. Check logs.").into()
            } else {
                node.ending.notify_one();
                // The connection ends with the process.
                return;
            }
        }
        Order::Failover { to, force, timeout_ms } => {
            let begun = in_store(cluster.as_ref())
                .and_then(|cluster| Ok((cluster, cluster.failover(to, force, timeout_ms)?)));
            let (reply, begun) = begun.map_or_else(|no| (no.into(), None), |begun| (Reply::OK, Some(begun)));
            net.engine.lock().answer(id, reply);
            if let Some((cluster, request)) = begun {
                cluster.fail_over(request).await;
            }
            return;
        }
        Order::AbortFailover => match in_store(cluster.as_ref()).and_then(Cluster::abort_failover) {
            Ok(()) => Reply::OK,
            Err(failure) => failure.into(),
        },
        Order::ForceLead => match in_store(cluster.as_ref()) {
            Ok(cluster) => cluster.force_lead().await,
            Err(failure) => failure.into(),
        },
        Order::GetLog { from, count } => getlog(&node, from, count).await,
    };
    net.engine.lock().answer(id, reply);
}

fn in_store(cluster: Option<&Cluster>) -> Result<&Cluster, Failure> {
    cluster.ok_or_else(|| Failure::new("ERR FAILOVER requires connected replicas."))
}

/// `SAVE` waits for the snapshot, `BGSAVE` only begins it.
async fn save(node: &Arc<Node>, background: bool) -> Reply {
    if node.net.engine.lock().server.persistence.saving {
        return Failure::new("ERR Background save already in progress").into();
    }
    if background {
        tokio::spawn(maintenance::save(node.clone()));
        return Reply::Simple("Background saving started");
    }
    if maintenance::save(node.clone()).await { Reply::OK } else { Failure::new("ERR").into() }
}

/// `BGREWRITEAOF`: a snapshot is begun, or one more when that under way is done, for it covers less.
fn rewrite_log(node: &Arc<Node>) -> Reply {
    let persistence = &mut node.net.engine.lock().server.persistence;
    if persistence.saving {
        persistence.again = true;
        return Reply::Simple("Background append only file rewriting scheduled");
    }
    tokio::spawn(maintenance::save(node.clone()));
    Reply::Simple("Background append only file rewriting started")
}

/// `GETLOG`: records as `[offset, epoch, time in ms, [effect, ...]]`, from the first one that ends after `from`.
async fn getlog(node: &Arc<Node>, from: Option<u64>, count: usize) -> Reply {
    let log = node.log.clone();
    let read = tokio::task::spawn_blocking(move || read_log(&log, from, count)).await;
    match read {
        Ok(Ok(records)) => Reply::Array(records),
        Ok(Err(error)) => Failure::text(format!("ERR {error}")).into(),
        Err(error) => Failure::text(format!("ERR {error}")).into(),
    }
}

fn read_log(log: &Log, from: Option<u64>, count: usize) -> Result<Vec<Reply>, ReadError> {
    let mut records = log.records(from.unwrap_or_else(|| log.start()))?;
    let mut replies = Vec::new();
    while replies.len() < count
        && let Some(record) = records.next_until(u64::MAX)?
    {
        let effects = Effect::decode_all(&record.payload).map(|effect| match effect {
            Ok(effect) => Reply::text(effect.to_string()),
            Err(error) => Reply::text(format!("unreadable: {error}")),
        });
        replies.push(Reply::Array(vec![
            Reply::Int(record.end.offset as i64),
            Reply::Int(record.epoch as i64),
            Reply::Int(record.time_ms as i64),
            Reply::Array(effects.collect()),
        ]));
    }
    Ok(replies)
}

/// `CONFIG REWRITE`: waits for the disk, so the engine's lock is not held.
async fn rewrite(net: &Net) -> Reply {
    let (config, users) = {
        let engine = net.engine.lock();
        let users =
            if engine.server.config.aclfile.is_none() { acl::lines(&engine.server) } else { Vec::new() };
        (engine.server.config.clone(), users)
    };
    match tokio::task::spawn_blocking(move || config.rewrite(&users)).await {
        Ok(Ok(())) => Reply::OK,
        Ok(Err(error)) => Failure::text(format!("ERR {error}")).into(),
        Err(error) => Failure::text(format!("ERR {error}")).into(),
    }
}

/// `ACL LOAD`; the answer waits for the commit of what it changed.
async fn load_users(net: &Arc<Net>) -> (Reply, Offset) {
    let Some(path) = net.engine.lock().server.config.aclfile.clone() else { return (Reply::Null, 0) };
    let shown = path.display().to_string();
    match tokio::task::spawn_blocking(move || std::fs::read(path)).await {
        Ok(Ok(text)) => net.engine.lock().load_users(&shown, &text),
        Ok(Err(error)) => {
            (Failure::text(format!("ERR Error loading ACLs, opening file '{shown}': {error}")).into(), 0)
        }
        Err(error) => (Failure::text(format!("ERR {error}")).into(), 0),
    }
}

/// `ACL SAVE`.
async fn save_users(net: &Arc<Net>) -> Reply {
    let (path, text) = {
        let engine = net.engine.lock();
        (engine.server.config.aclfile.clone(), engine.server.users.to_file())
    };
    let Some(path) = path else { return Reply::Null };
    match tokio::task::spawn_blocking(move || crate::config::replace_file(&path, &text)).await {
        Ok(Ok(())) => Reply::OK,
        failed => {
            let error = match failed {
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
                Ok(Ok(())) => String::new(),
            };
            tracing::warn!(error, "can't write the file of users");
            Failure::new("ERR There was an error trying to save the ACLs. Please check the server logs for more information")
                .into()
        }
    }
}

/// `DEBUG SLEEP`: nobody is served meanwhile, that is what it is for.
async fn sleep(net: &Arc<Net>, time: Duration) -> Reply {
    let engine = net.engine.clone();
    let slept = tokio::task::spawn_blocking(move || {
        let _engine = engine.lock();
        std::thread::sleep(time);
    });
    match slept.await {
        Ok(()) => Reply::OK,
        Err(error) => Failure::text(format!("ERR {error}")).into(),
    }
}
