//! What is due every now and then: snapshots by the rules of `save` and by the size of the log, settings that changed,
//! figures for metrics.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::snapshots::TakeError;
use super::{Node, fsync};
use crate::config::Config;
use crate::engine::Engine;
use crate::net::now_ms;

const PERIOD: Duration = Duration::from_millis(100);
/// After a snapshot failed, the next try waits this long, as in Redis.
const RETRY: Duration = Duration::from_secs(5);

pub(super) async fn run(node: Arc<Node>) {
    let mut config = node.settings.now();
    let mut retry_at = Instant::now();
    let mut passwords = PasswordFiles::of(&config);
    loop {
        tokio::time::sleep(PERIOD).await;
        // While a script is busy all of this waits.
        let Some(now) = node.net.enter_later().await.map(|mut engine| publish(&node, &mut engine)) else {
            continue;
        };
        if !Arc::ptr_eq(&now, &config) {
            follow_config(&node, &config, &now);
            config = now;
        }
        passwords.follow(&node, &config);
        if Instant::now() >= retry_at && due(&node, &config) && !save(node.clone()).await {
            retry_at = Instant::now() + RETRY;
        }
    }
}

/// When the files of passwords last changed. A secret that is exchanged is a new file behind the same name.
#[derive(PartialEq, Eq)]
struct PasswordFiles([Option<Stamp>; 2]);

/// Which file it is, its size, and when it changed.
type Stamp = (u64, u64, SystemTime);

impl PasswordFiles {
    fn of(config: &Config) -> Self {
        let stamp = |path: &Option<PathBuf>| {
            let file = std::fs::metadata(path.as_ref()?).ok()?;
            Some((file.ino(), file.len(), file.modified().ok()?))
        };
        Self([stamp(&config.requirepass_file), stamp(&config.masterauth_file)])
    }

    /// Read the files again if they changed. Unreadable ones leave the passwords as they are.
    fn follow(&mut self, node: &Node, config: &Arc<Config>) {
        if config.requirepass_file.is_none() && config.masterauth_file.is_none() {
            return;
        }
        let now = Self::of(config);
        if now == *self {
            return;
        }
        match config.reload_passwords() {
            Ok(next) => {
                let mut engine = node.net.engine.lock();
                // If a setting changes at this moment the next turn reads them.
                if Arc::ptr_eq(&engine.server.config, config) {
                    engine.server.configure(next.into());
                    *self = now;
                    tracing::info!("read the passwords again");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the passwords stay as they are");
                *self = now;
            }
        }
    }
}

/// Settings that live outside of the engine.
fn follow_config(node: &Node, before: &Config, now: &Config) {
    if before.appendfsync != now.appendfsync
        && let Err(error) = node.storage.lock().set_fsync(fsync(now))
    {
        tracing::error!(%error, "can't change appendfsync");
    }
    node.loglevel.follow(now);
}

/// Whether the key space changed enough since the last snapshot, or the log grew enough to be worth one.
fn due(node: &Node, config: &Config) -> bool {
    let engine = node.net.engine.lock();
    if engine.server.status.role == crate::command::server::Role::Loading || engine.server.persistence.saving
    {
        return false;
    }
    let persistence = &engine.server.persistence;
    let changes = engine.keyspace.changes.saturating_sub(persistence.changes_at_save);
    // The wall clock may be set back.
    let seconds = persistence.last_save.elapsed().as_secs();
    let by_rule = config.save.iter().any(|point| changes >= point.changes && seconds >= point.seconds);
    drop(engine);
    by_rule || node.log.kept_bytes() > config.log_retention_bytes.saturating_mul(2).max(64 << 20)
}

/// Take a snapshot in the background and keep account of it; true if there is a new one.
pub(super) async fn save(node: Arc<Node>) -> bool {
    let changes = {
        let mut engine = node.net.engine.lock();
        engine.server.persistence.saving = true;
        engine.server.persistence.began = Some(Instant::now());
        engine.keyspace.changes
    };
    let taker = node.taker.clone();
    let result = tokio::task::spawn_blocking(move || taker.take()).await;
    let metrics = &node.net.metrics;
    let mut engine = node.net.engine.lock();
    let persistence = &mut engine.server.persistence;
    persistence.saving = false;
    let took = persistence.began.take().map(|began| began.elapsed().as_secs());
    if std::mem::take(&mut persistence.again) {
        tokio::spawn(save_again(node.clone()));
    }
    match result {
        Ok(Ok(info)) => {
            persistence.last_save = Instant::now();
            persistence.last_save_s = now_ms() / 1000;
            persistence.changes_at_save = changes;
            persistence.last_failed = false;
            persistence.last_took_s = took;
            persistence.taken += 1;
            metrics.snapshot_bytes.set(info.bytes);
            metrics.snapshot_time_s.set(now_ms() / 1000);
            true
        }
        Ok(Err(TakeError::Busy)) => false,
        failed => {
            persistence.last_failed = true;
            metrics.snapshot_failures.add(1);
            let error = match failed {
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
                Ok(Ok(_)) => return true,
            };
            tracing::error!(%error, "could not take a snapshot");
            false
        }
    }
}

/// A future of a type that has a name, for [`save`] to begin itself anew.
fn save_again(node: Arc<Node>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
    Box::pin(save(node))
}

/// Figures for metrics and `INFO`; returns the settings.
fn publish(node: &Node, engine: &mut Engine) -> Arc<Config> {
    let metrics = &node.net.metrics;
    node.net.gate.set_room(engine.server.config.maxmemory);
    engine.server.status.offset = node.log.end_offset();
    engine.server.status.committed = node.net.gate.committed().min(engine.server.status.offset);
    engine.server.log_memory = node.log.memory_bytes();
    engine.server.log_start = node.log.start();
    engine.server.log_full = node.log.is_full();
    engine.server.status.lease_ms = node.net.gate.lease_left_ms().map_or(-1, |left| left as i64);
    metrics.log_end_offset.set(engine.server.status.offset);
    metrics.commit_offset.set(engine.server.status.committed);
    metrics.connected_clients.set(engine.clients.len() as u64);
    metrics.log_bytes.set(node.log.kept_bytes());
    metrics.lease_ms.set(engine.server.status.lease_ms.max(0) as u64);
    engine.server.config.clone()
}
