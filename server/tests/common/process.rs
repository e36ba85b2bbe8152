//! Server processes of the test's own, ended by their ids.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use super::client::{Answer, Client};
use super::wait_for;

/// A loopback port that nobody uses now, and that this process has not been given before.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut given = GIVEN.lock().unwrap();
        if !given.contains(&port) {
            given.push(port);
            return port;
        }
    }
}

/// One server with its directory; killed when dropped.
pub struct Server {
    pub port: u16,
    pub dir: PathBuf,
    /// What it runs; changed for the next start.
    pub program: PathBuf,
    args: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// Prepare a server on a free port with its data in `dir`; [`Server::start`] starts it.
    pub fn new(dir: &Path, args: &[&str]) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let port = free_port();
        let mut all: Vec<String> =
            ["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", &dir.to_string_lossy()]
                .map(String::from)
                .into();
        all.extend(args.iter().map(ToString::to_string));
        let program = env!("CARGO_BIN_EXE_botellier-server").into();
        Self { port, dir: dir.into(), program, args: all, child: None }
    }

    /// The same, with a configuration file.
    pub fn with_file(file: &str, dir: &Path) -> Self {
        let mut server = Self::new(dir, &[]);
        server.args.insert(0, file.to_owned());
        server
    }

    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.dir.with_extension("log")).unwrap();
        let child = Command::new(&self.program)
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub fn running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// End it as a crash does: SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// End it in order: SIGTERM, and wait.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    /// Wait until it has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        wait_for("the server to end", || child.try_wait().unwrap())
    }

    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().unwrap();
        assert!(done.success());
    }

    pub fn client(&self) -> Client {
        wait_for("the server to listen", || Client::connect(self.port, Duration::from_secs(10)).ok())
    }

    /// A field of `INFO replication`, if the server answers.
    pub fn info(&self, field: &str) -> Option<String> {
        let mut client = Client::connect(self.port, Duration::from_secs(2)).ok()?;
        let Answer::Bulk(Some(text)) = client.call(&["INFO", "replication"]).ok()? else { return None };
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        Some(value.to_owned())
    }

    pub fn listens(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.with_extension("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- the end of the log of the server on port {}", self.port);
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}
