//! One ZooKeeper watcher a Botellier, and the word to reconcile when it has news.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::channel::mpsc;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::crd::Botellier;
use crate::leader::record::View;
use crate::leader::watch::follow;
use crate::metrics::Metrics;

/// Offsets move with every write; the status follows them no faster than this.
const OFFSETS_EVERY: Duration = Duration::from_secs(30);

/// How long a new watcher is waited for.
const FIRST_WORD: Duration = Duration::from_secs(5);

pub type Trigger = ObjectRef<Botellier>;

struct Watcher {
    connect: String,
    views: watch::Receiver<View>,
    tasks: [AbortHandle; 2],
}

impl Drop for Watcher {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

pub struct Watchers {
    triggers: mpsc::UnboundedSender<Trigger>,
    metrics: Arc<Metrics>,
    by_uid: Mutex<HashMap<String, Watcher>>,
}

impl Watchers {
    pub fn new(metrics: Arc<Metrics>) -> (Self, mpsc::UnboundedReceiver<Trigger>) {
        let (triggers, receiver) = mpsc::unbounded();
        let watchers = Self { triggers, metrics, by_uid: Mutex::default() };
        (watchers, receiver)
    }

    /// What is known now. The first call for a resource starts to watch, and waits a moment if
    /// ZooKeeper was reached before: an operator that has just started must not take its own
    /// ignorance for a loss.
    pub async fn view(&self, resource: &Botellier, connect: &str) -> View {
        let mut views = self.views(resource, connect);
        let status = resource.status.as_ref();
        let was_connected =
            status.and_then(|status| status.zookeeper.as_ref()).is_some_and(|zookeeper| zookeeper.connected);
        if was_connected && *views.borrow() == View::default() {
            // Out of time means what it seems: it cannot be reached.
            let _ = tokio::time::timeout(FIRST_WORD, views.wait_for(|view| view.connected)).await;
        }
        views.borrow().clone()
    }

    fn views(&self, resource: &Botellier, connect: &str) -> watch::Receiver<View> {
        let uid = resource.uid().unwrap_or_default();
        let mut by_uid = self.by_uid.lock().unwrap_or_else(PoisonError::into_inner);
        let known = by_uid.get(&uid).filter(|watcher| watcher.connect == connect);
        let views = if let Some(watcher) = known {
            watcher.views.clone()
        } else {
            let watcher = self.start(resource, connect);
            let views = watcher.views.clone();
            by_uid.insert(uid, watcher);
            views
        };
        let connected = by_uid.values().filter(|watcher| watcher.views.borrow().connected).count();
        self.metrics.zookeeper_sessions.set(connected as u64);
        views
    }

    pub fn stop(&self, uid: &str) {
        self.by_uid.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Stops those whose resource is gone.
    pub fn keep(&self, exists: impl Fn(&str) -> bool) {
        self.by_uid.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| exists(uid));
    }

    fn start(&self, resource: &Botellier, connect: &str) -> Watcher {
        let (sink, views) = watch::channel(View::default());
        let follower = tokio::spawn(follow(connect.to_owned(), sink));
        let announcer =
            tokio::spawn(announce(views.clone(), self.triggers.clone(), ObjectRef::from_obj(resource)));
        Watcher {
            connect: connect.to_owned(),
            views,
            tasks: [follower.abort_handle(), announcer.abort_handle()],
        }
    }
}

/// Passes news on at once, and moving offsets now and then.
async fn announce(
    mut views: watch::Receiver<View>,
    triggers: mpsc::UnboundedSender<Trigger>,
    resource: Trigger,
) {
    let mut announced = View::default();
    let mut offsets_due: Option<tokio::time::Instant> = None;
    loop {
        let changed = match offsets_due {
            None => Ok(views.changed().await),
            Some(due) => tokio::time::timeout_at(due, views.changed()).await,
        };
        match changed {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                offsets_due = None;
                if triggers.unbounded_send(resource.clone()).is_err() {
                    return;
                }
                continue;
            }
        }
        let view = views.borrow_and_update().without_offsets();
        if view == announced {
            offsets_due = offsets_due.or_else(|| Some(tokio::time::Instant::now() + OFFSETS_EVERY));
            continue;
        }
        announced = view;
        if triggers.unbounded_send(resource.clone()).is_err() {
            return;
        }
    }
}
