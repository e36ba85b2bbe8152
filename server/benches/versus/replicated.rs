//! The pair for synchronous writes: two of our nodes with a ZooKeeper, and a Redis with a replica.

use super::options::Options;
use super::server::{Core, Flavour, Running, Server, free_port};
use super::{Outcome, Pair};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where Debian's package has it; its manifest names the jars that it needs.
const ZOOKEEPER_JAR: &str = "/usr/share/java/zookeeper.jar";

/// Leaders run on the measured core; replicas and ZooKeeper with the load.
pub fn start(options: &Options) -> Outcome<Pair> {
    let (redis, redis_replica) = redis_pair(&options.redis, options)?;
    if Flavour::of(&options.server) == Flavour::Redis {
        let (ours, replica) = redis_pair(&options.server, options)?;
        return Ok(Pair { ours, redis, others: vec![replica, redis_replica], zookeeper: None });
    }
    let (ours, replica, zookeeper) = our_pair(options, &[])?;
    Ok(Pair { ours, redis, others: vec![replica, redis_replica], zookeeper: Some(zookeeper) })
}

/// A leader, its synced replica, and their ZooKeeper.
pub fn our_pair(options: &Options, more: &[&str]) -> Outcome<(Server, Server, ZooKeeper)> {
    let zookeeper = ZooKeeper::start()?;
    // Roles are for the nodes to settle. The one started first, and with the lower name, leads a new store.
    let mut ours = node("a", Core::Server, &zookeeper, options, more)?;
    let replica = node("b", Core::Other, &zookeeper, options, more)?;
    ours.wait_until("leads with a synced replica", |server| {
        let info = server.ask(&["INFO", "replication"]).unwrap_or_default();
        let synced = info.lines().find_map(|line| line.strip_prefix("botellier_synced:"));
        info.contains("botellier_role:leader") && synced.is_some_and(|node| node.trim() == "b")
    })?;
    ours.wait_until("takes writes", |server| {
        server.ask(&["SET", "ready", "1"]).is_ok_and(|reply| reply == "+OK\r\n")
    })?;
    Ok((ours, replica, zookeeper))
}

pub fn redis_pair(program: &str, options: &Options) -> Outcome<(Server, Server)> {
    let mut leader = Server::start(Flavour::Redis, program, options, &[])?;
    let replica = Server::start_on(Core::Other, Flavour::Redis, program, options, &follow(&leader))?;
    leader.wait_until("has its replica", |server| {
        server.ask(&["INFO", "replication"]).is_ok_and(|info| info.contains("state=online"))
    })?;
    Ok((leader, replica))
}

/// Settings of a Redis that follows another one.
pub fn follow(leader: &Server) -> Vec<String> {
    vec!["--replicaof".into(), "127.0.0.1".into(), leader.port.to_string()]
}

pub fn node(
    id: &str,
    core: Core,
    zookeeper: &ZooKeeper,
    options: &Options,
    extra: &[&str],
) -> Outcome<Server> {
    let more = [
        ("--zookeeper", format!("127.0.0.1:{}/versus", zookeeper.port)),
        ("--node-id", id.into()),
        ("--announce-host", "127.0.0.1".into()),
        ("--replication-port", free_port()?.to_string()),
        ("--durability", "required".into()),
    ];
    let more = more.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    let more: Vec<String> = more.chain(extra.iter().map(ToString::to_string)).collect();
    Server::start_on(core, Flavour::Ours, &options.server, options, &more)
}

/// A ZooKeeper of one member.
pub struct ZooKeeper {
    port: u16,
    _running: Running,
    _dir: TempDir,
}

impl ZooKeeper {
    fn start() -> Outcome<ZooKeeper> {
        let dir = tempfile::tempdir()?;
        let port = free_port()?;
        let config = dir.path().join("zoo.cfg");
        let text = format!(
            "tickTime=500\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
             admin.enableServer=false\n4lw.commands.whitelist=ruok\n",
            dir.path().display()
        );
        std::fs::write(&config, text)?;
        let args = ["-Xmx128m", "-cp", ZOOKEEPER_JAR, "org.apache.zookeeper.server.ZooKeeperServerMain"];
        let args: Vec<String> =
            args.map(str::to_owned).into_iter().chain([config.to_string_lossy().into()]).collect();
        let running = Running::start(Core::Other, "java", &args, dir.path())?;
        let end = Instant::now() + Duration::from_mins(1);
        while !answers(port) {
            if Instant::now() > end {
                let output = std::fs::read_to_string(dir.path().join("output")).unwrap_or_default();
                return Err(
                    format!("ZooKeeper does not answer (is Debian's package installed?):\n{output}").into()
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(ZooKeeper { port, _running: running, _dir: dir })
    }
}

fn answers(port: u16) -> bool {
    let mut reply = String::new();
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        // One that is still starting may accept and never answer.
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"ruok")?;
        stream.read_to_string(&mut reply)
    });
    asked.is_ok() && reply == "imok"
}
