//! A node of a cluster: the protocol on its thread, its connections, and its session with the registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::applier::Applier;
use super::driver::{Driver, State};
use super::inbox::{HeldSignal, Inbox, Message};
use super::outside::Real;
use super::snapshots::TakeError;
use super::{Held, Node, NodeError, fatal, maintenance, recovery};
use crate::config::{self, Config, ZooKeeper};
use crate::election::candidate::{Birth, Candidate};
use crate::election::zookeeper::Registry;
use crate::replication::member::{Durability, FORMAT, Memory, NodeInfo, RoleName};
use crate::replication::position::Position;
use crate::replication::protocol::{Event, HandoverEnd, HandoverRequest, LogState, Settings};
use crate::replication::snapshot::{Header, Writer};
use crate::replication::storage::Found;
use crate::replication::stream::{self, Damage, EVENTS_MAX, Links, Needs};
use crate::replication::time::Time;
use crate::resp::{Failure, Reply};

/// How long a node that was told to end tries to hand over.
const FAREWELL: Duration = Duration::from_secs(10);
/// `FAILOVER` without a timeout waits as long as it takes, as in Redis.
const NO_TIMEOUT: Duration = Duration::from_hours(24);

/// A handle on the protocol.
#[derive(Clone)]
pub(super) struct Cluster {
    node: Arc<Node>,
    messages: mpsc::UnboundedSender<Message>,
    /// A client's `FAILOVER` is under way.
    failing_over: Arc<AtomicBool>,
}

/// Read the data, and take part.
pub(super) async fn start(
    node: &Arc<Node>,
    config: &Arc<Config>,
    ensemble: ZooKeeper,
    held: &Held,
    found: Found,
) -> Result<Cluster, NodeError> {
    if config.node_id.is_none() {
        return Err(NodeError::Missing("node-id"));
    }
    let whole = found.whole;
    let reader = node.clone();
    let stands = match tokio::task::spawn_blocking(move || load(&reader, found)).await {
        Ok(stands) => stands?,
        Err(error) => fatal(&format!("reading the data directory failed: {error}")),
    };
    node.taker.applied.set(stands);
    let (messages, inbox) = mpsc::unbounded_channel();
    let signal = HeldSignal::new(messages.clone());
    let raise = signal.clone();
    held.bind(move |_| raise.raise());
    let (events, frames) = mpsc::channel(EVENTS_MAX);
    let links = Links::new(needs(node, config, events), node.aside.clone());
    let _there = node.aside.enter();
    serve(config, &links)?;
    let reports = messages.clone();
    let registry = Registry::start(ensemble, move |event| {
        // The driver ends with the process.
        let _ = reports.send(Message::Event(Event::Registry(event)));
    });
    let machine = machine(node, birth(node, config, stands, whole));
    let applier = Applier::start(node.log.clone(), node.net.engine.clone(), node.taker.applied.clone());
    let outside = Real { links, registry, storage: node.storage.clone(), aside: node.aside.clone() };
    let driver = Driver {
        node: node.clone(),
        machine,
        outside: Box::new(outside),
        applier: applier.map_err(NodeError::Thread)?,
        state: State::default(),
    };
    let inbox = Inbox { driver, messages: inbox, frames, held: signal };
    let runtime = node.aside.clone();
    let protocol = std::thread::Builder::new().name("protocol".into());
    protocol.spawn(move || runtime.block_on(inbox.run())).map_err(NodeError::Thread)?;
    Ok(Cluster { node: node.clone(), messages, failing_over: Arc::default() })
}

/// Only what is surely committed goes into memory: a snapshot is. The log after it follows when the leader says how far
/// that is committed, or when this node leads.
pub(super) fn load(node: &Node, found: Found) -> Result<Position, NodeError> {
    let Some((keyspace, header)) = recovery::restore(&node.storage, found.snapshot, node.shape)? else {
        return Ok(node.log.position_at(node.log.start()).map_err(recovery::RecoveryError::from)?);
    };
    node.net.engine.lock().replace_keyspace(keyspace);
    node.net.gate.commit(header.position.offset);
    Ok(header.position)
}

fn needs(node: &Arc<Node>, config: &Config, events: mpsc::Sender<Event>) -> Needs {
    let (asker, shower, taker) = (node.settings.clone(), node.settings.clone(), node.clone());
    let owner = node.clone();
    Needs {
        log: node.log.clone(),
        gate: node.net.gate.clone(),
        written: node.written.subscribe(),
        events,
        accepts: Box::new(move |password| asker.now().passwords().accepts_link(password)),
        password: Box::new(move || {
            shower.now().passwords().outgoing().unwrap_or_default().as_bytes().to_vec()
        }),
        snapshot: Arc::new(move || snapshot(&taker)),
        damage: Arc::new(move |damage| mend(&owner, damage)),
        id: node_id(config),
        incarnation: node.storage.lock().meta.get().incarnation.clone(),
    }
}

/// The newest snapshot, from which the log always goes on; if there is none yet, one is taken. Many replicas share it.
pub(super) fn snapshot(node: &Node) -> Result<stream::Copy, String> {
    // Those who come while one is taken wait for it.
    let _one = node.copying.lock();
    if let Some(copy) = ready(node)? {
        return Ok(copy);
    }
    match node.taker.take() {
        // One that is being taken for other reasons does as well.
        Err(TakeError::Busy) => drop(node.taker.busy.lock()),
        taken => drop(taken.map_err(|error| error.to_string())?),
    }
    newest(node)?.ok_or_else(|| "the snapshot is gone already".to_owned())
}

/// As [`snapshot`], if that needs no commit to be waited for.
pub(super) fn ready(node: &Node) -> Result<Option<stream::Copy>, String> {
    let mut ready = newest(node)?;
    if ready.is_none() && node.log.sound_from() == 0 {
        // Everything is in the log: what it goes on from is nothing. No commit is needed to say so, which there may not be
        // before the one that asks has all of it.
        let snapshots = node.storage.lock().snapshots.clone();
        let nothing = snapshots.write(&Header::default()).and_then(Writer::finish);
        nothing.map_err(|error| error.to_string())?;
        ready = newest(node)?;
    }
    Ok(ready)
}

/// The newest snapshot, if the log goes on from it. What comes after its header is verified while it is sent.
fn newest(node: &Node) -> Result<Option<stream::Copy>, String> {
    let snapshots = node.storage.lock().snapshots.clone();
    loop {
        let newest = snapshots.newest().map_err(|error| error.to_string())?;
        let kept = newest.and_then(|info| node.log.keep_from(info.offset).map(|keep| (info, keep)));
        let Some((info, keep)) = kept else { return Ok(None) };
        match snapshots.load(&info).map(|loader| loader.header().position) {
            Ok(position) => {
                let others = node.taker.others.clone();
                return Ok(Some(stream::Copy { snapshots, info, position, keep, others }));
            }
            Err(error) if error.is_damage() => {
                node.storage.lock().put_aside(&info, &error).map_err(|error| error.to_string())?;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// What was to be sent is damaged. Everything is in memory: a new snapshot takes the place of what is not to be read any
/// more, so that this node is whole again also after a restart, and there is something to send.
fn mend(node: &Arc<Node>, damage: Damage) {
    leave_behind(node, damage);
    node.aside.spawn(maintenance::save(node.clone()));
}

/// It is not sent again. The log has seen to that itself.
pub(super) fn leave_behind(node: &Node, damage: Damage) {
    if let Damage::Snapshot(info, error) = damage
        && let Err(error) = node.storage.lock().put_aside(&info, &error)
    {
        // Another copy of the same has seen it too.
        tracing::warn!(%error, "a damaged snapshot stays where it is");
    }
}

fn serve(config: &Config, links: &Links) -> Result<(), NodeError> {
    for address in config.listen() {
        for listener in
            address.open(config.replication_port(), config.tcp_backlog).map_err(NodeError::Listen)?
        {
            let listener = TcpListener::from_std(listener).map_err(NodeError::Listen)?;
            tokio::spawn(links.clone().serve(listener));
        }
    }
    Ok(())
}

/// The protocol of this node, which knows whether there is damage to heal.
pub(super) fn machine(node: &Node, birth: Birth) -> Candidate {
    let mut machine = Candidate::new(Time::now(), birth);
    if node.storage.lock().damage().is_some() {
        machine.set_damaged();
    }
    machine
}

pub(super) fn birth(node: &Node, config: &Config, stands: Position, whole: bool) -> Birth {
    let meta = node.storage.lock().meta.get().clone();
    let durability = match config.durability {
        config::Durability::Required => Durability::Required,
        config::Durability::Preferred => Durability::Preferred,
    };
    let log = LogState { end: node.log.end(), held: node.log.held(), durable: node.log.synced() };
    let remembered = meta.config.and_then(|config| serde_json::from_value(config).ok());
    Birth {
        settings: Settings::new(durability, Duration::from_millis(config.lease_ms)),
        info: NodeInfo {
            format: FORMAT,
            id: node_id(config),
            incarnation: meta.incarnation,
            host: config.announce_host.clone().unwrap_or_else(own_host),
            port: config.port,
            replication_port: config.replication_port(),
            zone: config.zone.clone(),
            epoch: 0,
            offset: 0,
            role: RoleName::Replica,
            position: log.end,
            whole,
            cluster: None,
            remembered: None,
        },
        log,
        commit: stands.offset,
        memory: Memory {
            cluster: meta.cluster,
            config: remembered,
            whole: whole || crate::mutant::is_planted(9),
        },
        seed: crate::replication::meta::random_id()
            .ok()
            .and_then(|id| u128::from_str_radix(&id, 16).ok())
            .unwrap_or_else(|| u128::from(crate::value::chance::number())),
    }
}

/// Checked when the node starts.
pub(super) fn node_id(config: &Config) -> String {
    config.node_id.clone().unwrap_or_default()
}

/// Where others reach this node if nothing else was said: its name, as the system has it.
fn own_host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "127.0.0.1".into(), |name| name.trim().into())
}

impl Cluster {
    async fn hand_over(&self, event: Event) -> HandoverEnd {
        let (answer, ended) = oneshot::channel();
        let _ = self.messages.send(Message::Handover(event, answer));
        ended.await.unwrap_or(HandoverEnd::NotLeader)
    }

    /// `FAILOVER ABORT`.
    pub fn abort_failover(&self) -> Result<(), Failure> {
        if !self.failing_over.load(Ordering::Acquire) {
            return Err(Failure::new("ERR No failover in progress."));
        }
        let _ = self.messages.send(Message::Event(Event::AbortHandover));
        Ok(())
    }

    /// `FAILOVER`: as in Redis it is answered when it begins, before [`Cluster::fail_over`] closes who asked.
    pub fn failover(
        &self,
        to: Option<(String, u16)>,
        force: bool,
        timeout_ms: Option<u64>,
    ) -> Result<HandoverRequest, Failure> {
        let status = self.node.net.engine.lock().server.status.clone();
        if !status.role.leads() {
            return Err(Failure::new("ERR FAILOVER is not valid when server is a replica."));
        }
        if status.replicas.is_empty() {
            return Err(Failure::new("ERR FAILOVER requires connected replicas."));
        }
        let to = match to {
            None => None,
            Some((host, port)) => match status.replicas.iter().find(|r| r.host == host && r.port == port) {
                Some(replica) => Some(replica.id.clone()),
                None => return Err(Failure::new("ERR FAILOVER target HOST and PORT is not a replica.")),
            },
        };
        let timeout = timeout_ms.map_or(NO_TIMEOUT, Duration::from_millis);
        if self.failing_over.swap(true, Ordering::AcqRel) {
            return Err(Failure::new("ERR FAILOVER already in progress."));
        }
        Ok(HandoverRequest { to, timeout, force })
    }

    pub async fn fail_over(&self, request: HandoverRequest) {
        let ended = self.hand_over(Event::Handover(request)).await;
        self.failing_over.store(false, Ordering::Release);
        tracing::info!(?ended, "the failover that was asked for");
    }

    /// `FAILOVER FORCE` where there is no leader: what it costs, for whoever ordered it.
    pub async fn force_lead(&self) -> Reply {
        let (answer, begun) = oneshot::channel();
        let _ = self.messages.send(Message::ForceLead(answer));
        match begun.await.unwrap_or_else(|_| Err("the node ends".into())) {
            Ok(loss) => Reply::text(loss.to_string()),
            Err(why) => Failure::text(format!("ERR FAILOVER FORCE is not possible now: {why}.")).into(),
        }
    }

    /// Hand over if this node leads, then let everything go in order.
    pub async fn end(&self) {
        let request = HandoverRequest { to: None, timeout: FAREWELL, force: false };
        let ended = self.hand_over(Event::Handover(request)).await;
        tracing::info!(?ended, "the handover at the end");
        let (answer, done) = oneshot::channel();
        let _ = self.messages.send(Message::Stop(answer));
        let _ = done.await;
    }
}
