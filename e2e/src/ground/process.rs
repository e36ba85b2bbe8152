//! A process on a machine, ended by its id and started again.
//!
//! Faults overlap, so that each of them holds a process down or stopped for itself: it runs again when nobody holds it.
//! One that ends although nobody ended it is started anew by [`Process::look`], as a supervisor would, and remembered.

use super::lock;
use super::network::Machine;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// After what time one that ended by itself is started again.
const RESTART_AFTER: Duration = Duration::from_millis(500);

pub struct Process {
    pub machine: Machine,
    /// As it appears in messages.
    pub name: String,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    pub log: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    child: Option<Child>,
    /// How many faults want it dead.
    down: usize,
    /// How many faults want it stopped.
    stopped: usize,
    /// When it was seen to have ended by itself.
    ended: Option<Instant>,
    endings: Vec<String>,
}

impl Process {
    pub fn new(machine: Machine, name: &str, command: Vec<String>, log: PathBuf) -> Self {
        Self {
            machine,
            name: name.to_owned(),
            command,
            environment: Vec::new(),
            log,
            state: Mutex::new(State { down: 1, ..State::default() }),
        }
    }

    #[must_use]
    pub fn with(mut self, variable: &str, value: String) -> Self {
        self.environment.push((variable.to_owned(), value));
        self
    }

    fn spawn(&self) -> Result<Child, String> {
        let open = || File::options().create(true).append(true).open(&self.log);
        let (out, errors) = open().and_then(|out| Ok((out, open()?))).map_err(|error| error.to_string())?;
        let [enter, network] = self.machine.inside();
        // What is set for the process is not for those that lead to it.
        Command::new(enter)
            .arg(network)
            .arg("env")
            .args(self.environment.iter().map(|(name, value)| format!("{name}={value}")))
            .args(&self.command)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.name))
    }

    /// Lets it go, as one that held it down (and as the first start); it runs when nobody does.
    pub fn release(&self) -> Result<(), String> {
        let mut state = lock(&self.state);
        state.down = state.down.saturating_sub(1);
        if state.down == 0 && state.child.is_none() {
            state.child = Some(self.spawn()?);
        }
        Ok(())
    }

    /// SIGKILL, and it stays down until it is released.
    pub fn kill(&self) {
        let mut state = lock(&self.state);
        state.down += 1;
        end(&mut state);
    }

    /// SIGTERM, and it stays down until it is released; whether it ended in time and in order. If not, it is killed.
    pub fn terminate(&self, limit: Duration) -> bool {
        {
            let mut state = lock(&self.state);
            state.down += 1;
            signal(&state, Signal::TERM);
        }
        let until = Instant::now() + limit;
        loop {
            let mut state = lock(&self.state);
            match state.child.as_mut().map(Child::try_wait) {
                None => return true,
                Some(Ok(Some(status))) => {
                    state.child = None;
                    return status.success();
                }
                Some(_) if Instant::now() >= until => {
                    end(&mut state);
                    return false;
                }
                Some(_) => {}
            }
            drop(state);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn stop(&self) {
        let mut state = lock(&self.state);
        state.stopped += 1;
        signal(&state, Signal::STOP);
    }

    pub fn go_on(&self) {
        let mut state = lock(&self.state);
        state.stopped = state.stopped.saturating_sub(1);
        if state.stopped == 0 {
            signal(&state, Signal::CONT);
        }
    }

    /// Starts it again if it ended by itself a while ago.
    pub fn look(&self) -> Result<(), String> {
        let mut state = lock(&self.state);
        if state.down > 0 {
            state.ended = None;
            return Ok(());
        }
        if let Some(Ok(Some(status))) = state.child.as_mut().map(Child::try_wait) {
            state.child = None;
            state.ended = Some(Instant::now());
            state.endings.push(status.to_string());
        }
        if state.child.is_none() && state.ended.is_none_or(|ended| ended.elapsed() >= RESTART_AFTER) {
            state.child = Some(self.spawn()?);
        }
        Ok(())
    }

    /// How it ended when nobody had ended it.
    pub fn endings(&self) -> Vec<String> {
        lock(&self.state).endings.clone()
    }

    /// The first line of the log that tells of a panic.
    pub fn panic(&self) -> Option<String> {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().find(|line| line.contains("panicked at")).map(str::to_owned)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut lock(&self.state));
    }
}

fn signal(state: &State, signal: Signal) {
    let pid = state.child.as_ref().and_then(|child| Pid::from_raw(child.id() as i32));
    // One that has just ended is not waited for yet, so that its id is nobody else's.
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
}

fn end(state: &mut State) {
    if let Some(mut child) = state.child.take() {
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}
