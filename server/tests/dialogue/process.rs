//! A server in a process of its own, in a directory and on a port of its own, spoken to over TCP.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::run::{Instead, PATIENCE, Peer};
use crate::wire::{self, Value};

pub struct Process {
    child: Child,
    port: u16,
    password: Option<String>,
    connections: BTreeMap<String, (TcpStream, Vec<u8>)>,
    _directory: TempDir,
}

/// The name of the connection by which the harness looks at the server.
const CONTROL: &str = "(control)";

impl Process {
    pub fn server(args: &[String]) -> Result<Self, String> {
        Self::start(env!("CARGO_BIN_EXE_botellier-server"), args)
    }

    /// Debian's redis-server 7.0, or the one that `REDIS_SERVER` names.
    pub fn redis(args: &[String]) -> Result<Self, String> {
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
        Self::start(&program, args)
    }

    fn start(program: &str, args: &[String]) -> Result<Self, String> {
        let mut last = String::new();
        // Another process may take the free port first.
        for _ in 0..3 {
            match Self::try_start(program, args) {
                Ok(process) => return Ok(process),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn try_start(program: &str, args: &[String]) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.map_err(|error| error.to_string())?.port();
        let log = directory.path().join("server.log");
        let child = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(directory.path())
            .arg("--logfile")
            .arg(&log)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("can't run {program}: {error}"))?;
        let at = args.iter().position(|arg| arg == "--requirepass");
        let password = at.and_then(|at| args.get(at + 1)).cloned();
        let connections = BTreeMap::new();
        let mut process = Self { child, port, password, connections, _directory: directory };
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = process.child.try_wait() {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("{program} ended: {status}\n{log}"));
            }
            if process.open(CONTROL).is_ok() && process.serves() {
                return Ok(process);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{program} does not listen on port {port}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn open(&mut self, name: &str) -> Result<(), String> {
        if !self.connections.contains_key(name) {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
            self.connections.insert(name.to_owned(), (stream, Vec::new()));
            if let (CONTROL, Some(password)) = (name, self.password.clone()) {
                self.ask(&["AUTH", &password])?;
            }
        }
        Ok(())
    }

    /// It is the process that was started, not another on the same port, and has read its data directory.
    fn serves(&mut self) -> bool {
        let identity = format!("process_id:{}\r", self.child.id());
        let info = self.ask(&["INFO", "server"]);
        if !info.is_ok_and(
            |info| matches!(info, Value::Bulk(text) if String::from_utf8_lossy(&text).contains(&identity)),
        ) {
            return false;
        }
        let answer = self.ask(&["PING"]);
        answer.is_ok_and(|answer| !matches!(answer, Value::Error(text) if text.starts_with(b"LOADING")))
    }

    fn ask(&mut self, words: &[&str]) -> Result<Value, String> {
        self.send(CONTROL, &wire::encode(words))?;
        self.receive(CONTROL).map_err(|instead| format!("{words:?} was answered with {instead:?}"))
    }
}

impl Peer for Process {
    fn send(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        self.open(name)?;
        let (stream, _) = self.connections.get_mut(name).ok_or("no such connection")?;
        match stream.write_all(bytes) {
            // The server may have closed it; what it said before is still to be read.
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Err(error.to_string())
            }
            _ => Ok(()),
        }
    }

    fn receive(&mut self, name: &str) -> Result<Value, Instead> {
        if self.open(name).is_err() {
            return Err(Instead::Closed);
        }
        let Some((stream, buffer)) = self.connections.get_mut(name) else { return Err(Instead::Closed) };
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match wire::decode(buffer) {
                Ok(Some((value, length))) => {
                    buffer.drain(..length);
                    return Ok(value);
                }
                Ok(None) => {}
                Err(error) => return Err(Instead::Garbage(error)),
            }
            match stream.read(&mut chunk) {
                Ok(0) => return Err(Instead::Closed),
                Ok(length) => buffer.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(Instead::Closed),
                Err(_) => return Err(Instead::Nothing),
            }
        }
    }

    fn blocked(&mut self, count: usize) -> Result<(), String> {
        let start = Instant::now();
        let wanted = format!("blocked_clients:{count}\r\n");
        loop {
            let Value::Bulk(info) = self.ask(&["INFO", "clients"])? else { return Err("no INFO".into()) };
            let info = String::from_utf8_lossy(&info).into_owned();
            if info.contains(&wanted) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("expected {count} blocked clients:\n{info}"));
            }
            self.pass(Duration::from_millis(2));
        }
    }

    fn close(&mut self, name: &str, half: bool) {
        if half {
            if let Some((stream, _)) = self.connections.get(name) {
                let _ = stream.shutdown(Shutdown::Write);
            }
        } else {
            self.connections.remove(name);
        }
    }

    fn pass(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
