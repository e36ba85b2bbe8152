//! Whether this server serves its role.

use parking_lot::Mutex;

/// Ready, or why not. Set by the node, read by `/readyz`.
#[derive(Debug)]
pub struct Health(Mutex<Result<(), String>>);

impl Default for Health {
    fn default() -> Health {
        Health(Mutex::new(Err("starting".into())))
    }
}

impl Health {
    /// It leads with a valid lease, follows an attached leader, or stands alone and has recovered.
    pub fn set_ready(&self) {
        *self.0.lock() = Ok(());
    }

    /// It does not serve, for a reason that a person can use.
    pub fn set_unready(&self, reason: impl Into<String>) {
        *self.0.lock() = Err(reason.into());
    }

    pub fn ready(&self) -> Result<(), String> {
        self.0.lock().clone()
    }
}
