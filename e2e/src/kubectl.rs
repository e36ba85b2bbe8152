//! Runs `kubectl` against the cluster that KUBECONFIG names, in one namespace.

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const POLL_EVERY: Duration = Duration::from_millis(300);

#[derive(Clone)]
pub struct Kubectl {
    namespace: String,
}

impl Kubectl {
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned() }
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.namespace]).args(arguments);
        command
    }

    /// Runs it and returns what it prints; an error holds what it says on its error output.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        self.feed(arguments, "")
    }

    /// As `run`, with `input` on its standard input.
    pub fn feed(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("kubectl: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).map_err(|error| format!("kubectl: {error}"))?;
        }
        let output = child.wait_with_output().map_err(|error| format!("kubectl: {error}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("kubectl {}: {}", arguments.join(" "), said.trim()))
        }
    }

    pub fn get(&self, arguments: &[&str]) -> Result<Value, String> {
        let text = self.run(&[&["get", "-o", "json"], arguments].concat())?;
        serde_json::from_str(&text).map_err(|error| format!("kubectl get: {error}"))
    }

    /// The objects of a list.
    pub fn list(&self, arguments: &[&str]) -> Result<Vec<Value>, String> {
        match self.get(arguments)?["items"].take() {
            Value::Array(items) => Ok(items),
            _ => Err(format!("kubectl get {} gave no list", arguments.join(" "))),
        }
    }
}

/// Asks until it holds; the error says why it did not in the end.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(why) if Instant::now() > deadline => {
                return Err(format!("{what}: not within {} s: {why}", limit.as_secs()));
            }
            Err(_) => thread::sleep(POLL_EVERY),
        }
    }
}
