//! The store under test: its nodes, whom they say they are, and their disks and clocks.

use super::network::Machine;
use super::process::Process;
use super::run;
use crate::resp::{Client, Reply};
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const NODES: usize = 3;
pub const PORT: u16 = 6679;
/// How long the harness waits for an answer to its orders.
const ORDER_TIME_MAX: Duration = Duration::from_millis(1500);
const LONG_ORDER_TIME_MAX: Duration = Duration::from_secs(30);
const CONNECT_TIME_MAX: Duration = Duration::from_millis(300);
/// The file that fills a disk.
const FILLER: &str = "filler";

/// What is run.
pub struct Programs {
    pub server: PathBuf,
    /// Preloaded into the server: `faults/shim.c`.
    pub shim: Option<PathBuf>,
}

pub struct Node {
    pub number: usize,
    pub process: Process,
    /// A file system of its own, of which the server's directory is a part.
    disk: PathBuf,
    control: PathBuf,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub role: String,
    pub epoch: u64,
    /// The names of the pair, as this node knows them.
    pub leader: String,
    pub synced: String,
}

/// What the shim is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    pub clock_ns: i64,
    pub sync_us: i64,
    pub write_us: i64,
}

impl Node {
    pub fn new(
        number: usize,
        programs: &Programs,
        folder: &Path,
        logs: &Path,
        extra: &[String],
    ) -> Result<Self, String> {
        let machine = Machine::Node(number);
        let name = machine.name();
        let (disk, control) = (folder.join(&name), folder.join(format!("{name}.shim")));
        std::fs::create_dir_all(&disk).map_err(|error| error.to_string())?;
        let shown = disk.display().to_string();
        run(&["mount", "-t", "tmpfs", "-o", "size=384m", "tmpfs", &shown])?;
        run(&["mkdir", "-p", &format!("{shown}/data")])?;
        let mut command: Vec<String> = [
            &programs.server.display().to_string(),
            "--port",
            &PORT.to_string(),
            "--bind",
            "0.0.0.0",
            "--dir",
            &format!("{shown}/data"),
            "--zookeeper",
            &super::keepers::Keepers::connect(),
            "--node-id",
            &name,
            "--announce-host",
            &machine.address().to_string(),
            "--enable-debug-command",
            "yes",
            "--log-retention-bytes",
            "64mb",
        ]
        .map(str::to_owned)
        .into();
        command.extend_from_slice(extra);
        let mut process = Process::new(machine, &name, command, logs.join(format!("{name}.log")));
        if let Some(shim) = &programs.shim {
            process = process
                .with("LD_PRELOAD", shim.display().to_string())
                .with("BOTELLIER_SHIM", control.display().to_string());
        }
        let node = Self { number, process, disk, control };
        node.trouble(Trouble::default()).map_err(|error| error.to_string())?;
        Ok(node)
    }

    /// Where clients find it.
    pub fn address(number: usize) -> SocketAddr {
        (Machine::Node(number).address(), PORT).into()
    }

    /// A connection by the address that is never cut.
    pub fn orders(&self) -> io::Result<Client> {
        Client::connect(self.orders_address(), CONNECT_TIME_MAX, ORDER_TIME_MAX)
    }

    fn orders_address(&self) -> SocketAddr {
        SocketAddr::new(std::net::Ipv4Addr::new(10, 99, 1, 11 + self.number as u8).into(), PORT)
    }

    /// As [`Node::order`], for what takes long.
    pub fn long_order(&self, command: &[&str]) -> io::Result<Reply> {
        let address = self.orders_address();
        Client::connect(address, CONNECT_TIME_MAX, LONG_ORDER_TIME_MAX)?.call(command)
    }

    pub fn order(&self, command: &[&str]) -> io::Result<Reply> {
        self.orders()?.call(command)
    }

    pub fn status(&self) -> Option<Status> {
        let Reply::Bulk(Some(text)) = self.order(&["INFO", "replication"]).ok()? else { return None };
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().to_owned()
        };
        Some(Status {
            role: field("botellier_role"),
            epoch: field("botellier_epoch").parse().unwrap_or(0),
            leader: field("botellier_leader"),
            synced: field("botellier_synced"),
        })
    }

    /// Writes its control file in one go; the shim has it mapped.
    pub fn trouble(&self, trouble: Trouble) -> io::Result<()> {
        let mut bytes = Vec::new();
        for number in [trouble.clock_ns, trouble.sync_us, trouble.write_us] {
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        File::options().create(true).truncate(false).write(true).open(&self.control)?.write_all(&bytes)
    }

    /// Takes all the space that its disk has left.
    pub fn fill(&self) -> io::Result<()> {
        let mut file = File::create(self.disk.join(FILLER))?;
        for size in [1 << 20, 4096] {
            let piece = vec![1; size];
            loop {
                match file.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    pub fn free(&self) -> io::Result<()> {
        match std::fs::remove_file(self.disk.join(FILLER)) {
            // A fault that filled the same disk may have ended before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            freed => freed,
        }
    }

    /// Its server must not run.
    pub fn empty(&self) -> io::Result<()> {
        std::fs::remove_dir_all(self.data())?;
        std::fs::create_dir(self.data())
    }

    pub fn data(&self) -> PathBuf {
        self.disk.join("data")
    }
}

/// The node that leads, and the one that may take over, by what the leader of the highest epoch says.
pub fn pair(nodes: &[Node]) -> Option<(usize, Option<usize>, Status)> {
    let led = nodes.iter().filter_map(|node| Some((node.number, node.status()?)));
    let (leader, status) =
        led.filter(|(_, status)| status.role == "leader").max_by_key(|(_, status)| status.epoch)?;
    let synced = nodes.iter().find(|node| node.process.name == status.synced).map(|node| node.number);
    Some((leader, synced, status))
}
