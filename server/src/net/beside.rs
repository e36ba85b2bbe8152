//! The engine, by its lock, or beside a script that has had the lock for too long.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::{Net, now_ms};
use crate::config::Config;
use crate::engine::{Engine, Progress};
use crate::resp::Batch;
use crate::session::{ClientId, Out};

/// Who waits for the lock looks this often whether a script became busy.
const LOOK: Duration = Duration::from_millis(10);
/// How long somebody waits for the lock who has other things to do.
const MOMENT: Duration = Duration::from_millis(1);

impl Net {
    /// The engine, unless a busy script has it.
    pub fn enter(&self) -> Option<MutexGuard<'_, Engine>> {
        if let Some(engine) = self.engine.try_lock() {
            return Some(engine);
        }
        loop {
            if self.desk.is_open() {
                return None;
            }
            if let Some(engine) = self.engine.try_lock_for(LOOK) {
                return Some(engine);
            }
        }
    }

    /// As [`Net::enter`], for a task whose thread has others to serve.
    pub async fn enter_later(&self) -> Option<MutexGuard<'_, Engine>> {
        loop {
            if let Some(engine) = self.engine.try_lock_for(MOMENT) {
                return Some(engine);
            }
            if self.desk.is_open() {
                return None;
            }
            tokio::time::sleep(MOMENT).await;
        }
    }

    /// Do something with the engine within a moment, or beside a busy script. False: it could not be had.
    pub fn attempt(&self, job: impl FnOnce(&mut Engine) + Send + 'static) -> bool {
        if !self.desk.is_open()
            && let Some(mut engine) = self.engine.try_lock_for(MOMENT)
        {
            job(&mut engine);
            return true;
        }
        self.desk.hand_in(Box::new(job)).is_ok()
    }

    /// Wait as long as a script is busy: for work that can wait and would hold up a thread.
    pub async fn quiet(&self) {
        while self.desk.is_open() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Do something with the engine, beside a busy script if need be.
    pub(super) fn with<R: Send + 'static>(&self, job: impl FnOnce(&mut Engine) -> R + Send + 'static) -> R {
        let (tell, told) = sync_channel(1);
        let slot = Arc::new(Mutex::new(Some(move |engine: &mut Engine| {
            // Who asked waits for it.
            let _ = tell.send(job(engine));
        })));
        loop {
            if let Some(mut engine) = self.enter() {
                if let Some(job) = slot.lock().take() {
                    job(&mut engine);
                }
            } else {
                let same = slot.clone();
                let handed = self.desk.hand_in(Box::new(move |engine| {
                    if let Some(job) = same.lock().take() {
                        job(engine);
                    }
                }));
                if handed.is_err() {
                    continue;
                }
            }
            if let Ok(result) = told.recv() {
                return result;
            }
        }
    }
}

/// What a connection learns from a visit beside a busy script.
pub(super) struct Visit {
    pub batch: Batch,
    pub progress: Option<Progress>,
    /// `None`: the client was killed.
    pub state: Option<State>,
    pub term: u64,
}

pub(super) struct State {
    pub outs: Vec<Out>,
    pub config: Arc<Config>,
    pub blocked: bool,
    pub closing: bool,
    pub subscribed: bool,
    pub authenticated: bool,
}

/// Run the rest of a batch, if there is any, and take what the engine has for the client.
pub(super) fn visit(net: &Net, id: ClientId, batch: Batch, next: usize) -> Visit {
    let gate = net.gate.clone();
    net.with(move |engine| {
        let progress = (next < batch.len()).then(|| engine.execute(id, &batch, next, now_ms()));
        let open = !engine.server.needs_password();
        let config = engine.server.config.clone();
        let client = engine.clients.get_mut(id).filter(|client| !client.killed);
        let state = client.map(|client| {
            client.pushed_bytes = 0;
            State {
                outs: std::mem::take(&mut client.out),
                config,
                blocked: client.blocked.is_some(),
                closing: client.closing,
                subscribed: client.subscriptions() > 0,
                authenticated: client.authenticated || open,
            }
        });
        Visit { batch, progress, state, term: gate.term() }
    })
}
