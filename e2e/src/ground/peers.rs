//! Redis with Sentinel, to be measured beside: three servers, and a Sentinel on each one's machine.

use super::network::Machine;
use super::process::Process;
use super::wait_for;
use crate::resp::{Client, Reply};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const PEERS: usize = 3;
const PORT: u16 = 6380;
const SENTINEL_PORT: u16 = 26379;
const MASTER: &str = "mymaster";
const ORDER_TIME_MAX: Duration = Duration::from_secs(1);
const CONNECT_TIME_MAX: Duration = Duration::from_millis(50);

/// How Sentinel is set up.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    pub down_after_ms: u64,
    pub failover_timeout_ms: u64,
}

impl Tuning {
    /// As low as it stays stable on an idle network: its own clock turns every 100 ms.
    pub const TIGHT: Self = Self { down_after_ms: 500, failover_timeout_ms: 1_000 };
    /// What it comes with.
    pub const DEFAULT: Self = Self { down_after_ms: 30_000, failover_timeout_ms: 180_000 };
}

pub struct Peers {
    pub servers: Vec<Process>,
    pub sentinels: Vec<Process>,
    folder: PathBuf,
    tuning: Tuning,
}

impl Peers {
    pub fn new(folder: &Path, logs: &Path, tuning: Tuning) -> Self {
        Self {
            servers: (0..PEERS).map(|number| server(number, folder, logs)).collect(),
            sentinels: (0..PEERS).map(|number| sentinel(number, folder, logs)).collect(),
            folder: folder.to_owned(),
            tuning,
        }
    }

    /// Starts all with nothing but their settings; the first server is the master.
    pub fn start(&self) -> Result<(), String> {
        prepare(&self.folder, self.tuning).map_err(|error| error.to_string())?;
        self.servers.iter().chain(&self.sentinels).try_for_each(Process::release)?;
        for number in 1..PEERS {
            follow(number, 0)?;
        }
        Ok(())
    }

    /// Ends all, and starts all anew.
    pub fn start_again(&self) -> Result<(), String> {
        self.servers.iter().chain(&self.sentinels).for_each(Process::kill);
        self.start()
    }

    /// What the Sentinels that answer say; a client asks one after the other.
    pub fn master(first: usize, cut: bool) -> io::Result<usize> {
        for number in (0..PEERS).map(|step| (first + step) % PEERS) {
            let asked = ask(number, SENTINEL_PORT, cut, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]);
            if let Ok(Reply::Array(items)) = asked
                && let Some(Reply::Bulk(Some(host))) = items.first()
                && let Some(master) =
                    (0..PEERS).find(|number| Machine::Peer(*number).address().to_string() == *host)
            {
                return Ok(master);
            }
        }
        Err(io::ErrorKind::NotConnected.into())
    }

    /// The master, if all Sentinels know the same one.
    fn agreed() -> Option<usize> {
        let known = |number| Self::master(number, false).ok();
        let master = known(0)?;
        (1..PEERS).all(|number| known(number) == Some(master)).then_some(master)
    }

    /// The master, if it has both others in step and all Sentinels agree that all is well.
    pub fn healthy() -> Option<usize> {
        let master = Self::agreed()?;
        for number in 0..PEERS {
            let asked =
                |what: &str| match ask(number, SENTINEL_PORT, false, &["SENTINEL", what, MASTER]).ok()? {
                    Reply::Array(items) => Some(items),
                    _ => None,
                };
            // A Sentinel finds the replicas only seconds after the start, and without them it can do nothing.
            let replicas = asked("REPLICAS")?;
            let known = replicas.iter().filter(|replica| match replica {
                Reply::Array(fields) => flags(fields) == Some("slave"),
                _ => false,
            });
            if flags(&asked("MASTER")?) != Some("master") || known.count() != PEERS - 1 {
                return None;
            }
        }
        let info = info(master)?;
        let online =
            info.lines().filter(|line| line.starts_with("slave") && line.contains("state=online")).count();
        (info.contains("role:master") && online == PEERS - 1).then_some(master)
    }

    /// Makes one that came back follow the master, as Sentinel would some 10 s later. Not before all Sentinels agree: one
    /// that was cut off still knows the old master, and the new one must not be made to follow that.
    pub fn rejoin() -> Option<()> {
        let master = Self::agreed()?;
        for number in (0..PEERS).filter(|number| *number != master) {
            if info(number)?.contains("role:master") {
                follow(number, master).ok()?;
            }
        }
        Some(())
    }

    pub fn fail_over() -> io::Result<Reply> {
        ask(0, SENTINEL_PORT, false, &["SENTINEL", "FAILOVER", MASTER])
    }

    /// Where clients find a server.
    pub fn address(number: usize) -> SocketAddr {
        (Machine::Peer(number).address(), PORT).into()
    }
}

/// What a Sentinel thinks of a server.
fn flags(fields: &[Reply]) -> Option<&str> {
    let pair = fields.chunks(2).find(|pair| pair[0] == Reply::Bulk(Some("flags".into())))?;
    match pair.get(1) {
        Some(Reply::Bulk(Some(flags))) => Some(flags),
        _ => None,
    }
}

fn info(number: usize) -> Option<String> {
    match ask(number, PORT, false, &["INFO", "replication"]).ok()? {
        Reply::Bulk(text) => text,
        _ => None,
    }
}

/// By the clients' address, or by the one that is never cut.
fn ask(number: usize, port: u16, cut: bool, command: &[&str]) -> io::Result<Reply> {
    let machine = Machine::Peer(number);
    let address = if cut { machine.address() } else { machine.orders() };
    Client::connect((address, port).into(), CONNECT_TIME_MAX, ORDER_TIME_MAX)?.call(command)
}

fn follow(number: usize, master: usize) -> Result<(), String> {
    let host = Machine::Peer(master).address().to_string();
    wait_for("a Redis to follow", Duration::from_secs(20), || {
        let told = ask(number, PORT, false, &["REPLICAOF", &host, &PORT.to_string()]).ok()?;
        matches!(told, Reply::Status(_)).then_some(())
    })
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Empties what earlier processes left, and writes Sentinel's settings, which it changes itself later on.
fn prepare(folder: &Path, tuning: Tuning) -> io::Result<()> {
    let Tuning { down_after_ms, failover_timeout_ms } = tuning;
    let master = Machine::Peer(0).address();
    for number in 0..PEERS {
        let data = folder.join(server_name(number));
        match std::fs::remove_dir_all(&data) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::create_dir_all(&data)?,
        }
        let settings = format!(
            "port {SENTINEL_PORT}\nbind 0.0.0.0\nprotected-mode no\ndir {}\nsentinel announce-ip {}\n\
             sentinel monitor {MASTER} {master} {PORT} 2\nsentinel down-after-milliseconds {MASTER} {down_after_ms}\n\
             sentinel failover-timeout {MASTER} {failover_timeout_ms}\nsentinel parallel-syncs {MASTER} 2\n",
            folder.display(),
            Machine::Peer(number).address()
        );
        std::fs::write(folder.join(settings_name(number)), settings)?;
    }
    Ok(())
}

fn server_name(number: usize) -> String {
    format!("redis{number}")
}

fn settings_name(number: usize) -> String {
    format!("sentinel{number}.conf")
}

fn server(number: usize, folder: &Path, logs: &Path) -> Process {
    let machine = Machine::Peer(number);
    let name = server_name(number);
    let address = machine.address();
    let mut command = words(&format!(
        "redis-server --port {PORT} --bind 0.0.0.0 --protected-mode no --appendonly yes --save --replica-announce-ip \
         {address} --repl-diskless-sync-delay 0 --dir"
    ));
    command.insert(command.iter().position(|word| word == "--save").map_or(0, |at| at + 1), String::new());
    command.push(folder.join(&name).display().to_string());
    Process::new(machine, &name, command, logs.join(format!("{name}.log")))
}

fn sentinel(number: usize, folder: &Path, logs: &Path) -> Process {
    let name = format!("sentinel{number}");
    let command = words(&format!("redis-server {} --sentinel", folder.join(settings_name(number)).display()));
    Process::new(Machine::Peer(number), &name, command, logs.join(format!("{name}.log")))
}
