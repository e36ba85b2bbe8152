//! A ZooKeeper ensemble of three members: the version that the operator's image has, set up as the operator does.
//!
//! Debian's 3.8.0 will not do. A follower of it may send its acknowledgement of a write that was under way before the one
//! that ends its synchronization, and the leader, which counts them, takes the one for the other: if both followers lose
//! their leader for a moment and do that, nothing is ever committed again (ZOOKEEPER-4685, mended with ZOOKEEPER-4394 in
//! 3.9.3).

use super::network::Machine;
use super::process::Process;
use super::{run, wait_for};
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

pub const MEMBERS: usize = 3;
const PORT: u16 = 2181;

pub struct Keepers {
    pub members: Vec<Process>,
}

impl Keepers {
    /// Prepares members with their data and logs beneath `folder`; `jars` holds ZooKeeper's `lib` and `conf`.
    pub fn new(folder: &Path, logs: &Path, jars: &Path) -> Result<Self, String> {
        // In memory: what is shared with the rest of the host is no part of what is tried here.
        let data = folder.join("zookeeper");
        run(&["mkdir", "-p", &data.display().to_string()])?;
        run(&["mount", "-t", "tmpfs", "tmpfs", &data.display().to_string()])?;
        let members = (0..MEMBERS).map(|number| member(number, &data, logs, jars));
        Ok(Self { members: members.collect::<Result<_, _>>().map_err(|error| error.to_string())? })
    }

    /// Starts all of them, and waits until each serves.
    pub fn start(&self) -> Result<(), String> {
        self.members.iter().try_for_each(Process::release)?;
        wait_for("ZooKeeper to serve", Duration::from_mins(1), || self.serve().then_some(()))
    }

    /// Whether each member has its part in the ensemble.
    pub fn serve(&self) -> bool {
        self.members.iter().all(|member| serves(member.machine).unwrap_or(false))
    }

    /// Whether most of them have.
    pub fn decide(&self) -> bool {
        let serving = self.members.iter().filter(|member| serves(member.machine).unwrap_or(false));
        serving.count() > MEMBERS / 2
    }

    /// What each member says of itself.
    pub fn say(&self) -> Vec<String> {
        let say = |member: &Process| ask(member.machine).unwrap_or_else(|error| error.to_string());
        self.members.iter().map(say).collect()
    }

    /// What the store is told.
    pub fn connect() -> String {
        let servers: Vec<String> =
            (0..MEMBERS).map(|number| format!("{}:{PORT}", Machine::Keeper(number).address())).collect();
        format!("{}/store", servers.join(","))
    }
}

fn serves(machine: Machine) -> std::io::Result<bool> {
    ask(machine).map(|answer| answer.contains("Mode:"))
}

fn ask(machine: Machine) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&(machine.orders(), PORT).into(), Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"srvr")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn member(number: usize, folder: &Path, logs: &Path, jars: &Path) -> std::io::Result<Process> {
    let machine = Machine::Keeper(number);
    let data = folder.join(machine.name());
    std::fs::create_dir_all(&data)?;
    let file = folder.join(format!("{}.cfg", machine.name()));
    let mut settings = format!(
        "tickTime=500\ninitLimit=40\nsyncLimit=4\ncnxTimeout=1000\ndataDir={}\nclientPort={PORT}\nmaxClientCnxns=0\n\
         admin.enableServer=false\n4lw.commands.whitelist=srvr\nautopurge.snapRetainCount=3\n",
        data.display()
    );
    for member in 0..MEMBERS {
        let address = Machine::Keeper(member).address();
        // Writing to a string can't fail.
        let _ = writeln!(settings, "server.{}={address}:2888:3888", member + 1);
    }
    std::fs::write(&file, settings)?;
    std::fs::write(data.join("myid"), (number + 1).to_string())?;
    let jars = jars.display();
    let classes = format!("{jars}/conf:{jars}/lib/*");
    let java = [
        "java",
        "-Xmx64m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        &classes,
        "-Dzookeeper.forceSync=no",
        "org.apache.zookeeper.server.quorum.QuorumPeerMain",
    ];
    let command = java.iter().map(ToString::to_string).chain([file.display().to_string()]).collect();
    let log = logs.join(format!("{}.log", machine.name()));
    Ok(Process::new(machine, &machine.name(), command, log))
}
