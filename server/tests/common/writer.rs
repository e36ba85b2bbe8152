//! A client that writes all the time, and what it was told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::client::Client;
use super::process::Server;
use super::wait_for;

/// Writes distinct keys one after the other to whoever leads, and remembers what was acknowledged.
pub struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<String, String>>,
    written: Arc<AtomicUsize>,
}

impl Writer {
    pub fn start(name: &'static str, ports: Vec<u16>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicUsize::new(0));
        let (stopped, count) = (stop.clone(), written.clone());
        let thread = std::thread::spawn(move || {
            let (mut acknowledged, mut client, mut turn) = (BTreeMap::new(), None, 0usize);
            while !stopped.load(Ordering::Relaxed) {
                turn += 1;
                let (key, value) = (format!("{name}:{turn}"), turn.to_string());
                if client.is_none() {
                    client = Client::connect(ports[turn % ports.len()], Duration::from_millis(500)).ok();
                }
                let answer = client.as_mut().map(|client: &mut Client| client.call(&["SET", &key, &value]));
                match answer {
                    Some(Ok(answer)) if answer.is_ok() => {
                        acknowledged.insert(key, value);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {
                        client = None;
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
            }
            acknowledged
        });
        Self { stop, thread, written }
    }

    /// Wait until so many more writes were acknowledged.
    pub fn progress(&self, more: usize) {
        let goal = self.written.load(Ordering::Relaxed) + more;
        wait_for("acknowledged writes", || (self.written.load(Ordering::Relaxed) >= goal).then_some(()));
    }

    pub fn stop(self) -> BTreeMap<String, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

pub fn assert_holds(server: &Server, acknowledged: &BTreeMap<String, String>) {
    let mut client = server.client();
    for (key, value) in acknowledged {
        let answer = client.call(&["GET", key]).unwrap();
        assert_eq!(answer.text(), Some(value.as_str()), "{key} was acknowledged");
    }
}
