//! Puts the rooms together: one node of a store, or a server that stands alone.
//!
//! [`run`] opens the data directory, starts what runs beside the engine (listeners, the clock, metrics, snapshots), and
//! gives the node its part: alone at once, or in a cluster whatever the registry and the protocol say.

mod applied;
mod applier;
mod cluster;
mod driver;
mod inbox;
mod journal;
mod loading;
mod maintenance;
mod migrate;
mod orders;
mod outside;
mod perform;
mod recovery;
#[cfg(feature = "simulate")]
pub mod simulate;
mod snapshots;
mod standalone;
mod status;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::command::Order;
use crate::command::server::{Role, Settings, Status};
use crate::config::log::LogHandle;
use crate::config::{Config, clients_allowed};
use crate::engine::Engine;
use crate::metrics;
use crate::net::{Door, Net, Pool, Workers, now_ms};
use crate::replication::gate::Gate;
use crate::replication::log::{self, Hooks, Log, LogError, Options};
use crate::replication::meta::MetaError;
use crate::replication::position::Offset;
use crate::replication::storage::{Found, Storage, StorageError, Surroundings};
use crate::session::ClientId;
use crate::value::Forms;
use applied::Applied;
use cluster::Cluster;
use recovery::{RecoveryError, Shape};
use snapshots::Taker;

/// Why a node could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("can't listen on {0}")]
    Listen(io::Error),
    #[error("can't wait for signals: {0}")]
    Signals(io::Error),
    #[error("can't start a thread: {0}")]
    Thread(io::Error),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error("a server with 'appendonly no' keeps no log, so it can't be a node of a cluster")]
    NoLog,
    #[error("{0}")]
    Users(String),
    #[error("{0} must be set for a node of a cluster")]
    Missing(&'static str),
}

/// The engine behind its lock.
type SharedEngine = Arc<Mutex<Engine>>;

/// What all parts of a running node share.
struct Node {
    net: Arc<Net>,
    settings: Settings,
    /// Runs what must go on while a script has the engine: nothing there waits for that.
    aside: Handle,
    storage: Arc<Mutex<Storage>>,
    log: Log,
    taker: Taker,
    shape: Shape,
    /// The epoch that the engine's records are written in.
    epoch: Arc<AtomicU64>,
    /// Held while a snapshot is being found or taken for a replica.
    copying: Mutex<()>,
    /// The log was written up to here: whoever sends it on looks again.
    written: watch::Sender<Offset>,
    /// Told when this node was ordered to end.
    ending: Arc<Notify>,
    loglevel: LogHandle,
}

/// Hooks of the log are made before what they tell exists.
#[derive(Clone, Default)]
struct Held(Arc<std::sync::OnceLock<Teller>>);

type Teller = Box<dyn Fn(Offset) + Send + Sync>;

impl Held {
    fn tell(&self, offset: Offset) {
        if let Some(tell) = self.0.get() {
            tell(offset);
        }
    }

    fn bind(&self, tell: impl Fn(Offset) + Send + Sync + 'static) {
        // Bound once, by the one part that this node has.
        let _ = self.0.set(Box::new(tell));
    }
}

/// Run a node until it is told to end.
pub async fn run(mut config: Arc<Config>, loglevel: LogHandle) -> Result<(), NodeError> {
    let allowed = clients_allowed(config.maxclients);
    if allowed < config.maxclients {
        tracing::warn!(
            asked = config.maxclients,
            allowed,
            "maxclients is lowered to what the system's limit of open files allows"
        );
        Arc::make_mut(&mut config).maxclients = allowed;
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(NodeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(NodeError::Signals)?;
    if config.zookeeper.is_some() && !config.appendonly {
        return Err(NodeError::NoLog);
    }
    crate::command::acl::configured(&config).map_err(NodeError::Users)?;
    let (held, written) = (Held::default(), watch::Sender::new(0));
    let (storage, found) = open(&config, &held, &written)?;
    let workers = Workers::start(config.io_threads as usize).map_err(NodeError::Thread)?;
    let node = Arc::new(build(
        &config,
        storage,
        written,
        loglevel,
        (workers, aside()?),
        crate::value::chance::number(),
    ));
    let metrics = node.net.metrics.clone();
    metrics.health.set_unready("reading the data directory");
    {
        let _there = node.aside.enter();
        metrics::serve(&config, &metrics).map_err(NodeError::Listen)?;
    }
    let mut tasks = JoinSet::new();
    let due = Arc::new(Notify::new());
    tasks.spawn(tick(node.net.clone(), due.clone()));
    tasks.spawn(maintenance::run(node.clone()));
    listen(&node.net, &config, &mut tasks)?;
    let cluster = if let Some(ensemble) = &config.zookeeper {
        Some(cluster::start(&node, &config, ensemble.clone(), &held, found).await?)
    } else {
        standalone::start(&node, &held, found).await?;
        None
    };
    tracing::info!(port = config.port, "ready to accept connections");
    tasks.spawn(attend(node.clone(), cluster.clone(), due));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = node.ending.notified() => {}
    }
    tracing::info!("told to end");
    if let Some(cluster) = cluster {
        cluster.end().await;
    }
    close(&node)
}

/// See to clients that began to wait: what they ordered is carried out, and the clock looks at their deadlines.
async fn attend(node: Arc<Node>, cluster: Option<Cluster>, due: Arc<Notify>) {
    loop {
        node.net.attention.notified().await;
        due.notify_one();
        for (id, order) in take_orders(&node).await {
            tokio::spawn(orders::carry_out(node.clone(), cluster.clone(), id, order));
        }
    }
}

/// What was ordered, once no script keeps the engine from carrying it out.
async fn take_orders(node: &Node) -> Vec<(ClientId, Order)> {
    loop {
        if let Some(mut engine) = node.net.enter_later().await {
            return engine.take_orders();
        }
        node.net.quiet().await;
    }
}

/// Threads beside those that serve clients and may have to wait for the engine.
fn aside() -> Result<Handle, NodeError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).thread_name("aside").enable_all().build();
    let runtime = runtime.map_err(NodeError::Thread)?;
    let handle = runtime.handle().clone();
    // They end with the process.
    std::mem::forget(runtime);
    Ok(handle)
}

/// Everything is written and synced, and the directory says so. The engine stays locked: nothing comes after.
fn close(node: &Node) -> Result<(), NodeError> {
    let engine = node.net.engine.lock();
    let end = node.storage.lock().close()?;
    tracing::info!(%end, "closed the log");
    std::mem::forget(engine);
    Ok(())
}

fn open(
    config: &Config,
    held: &Held,
    written: &watch::Sender<Offset>,
) -> Result<(Storage, Found), NodeError> {
    let (held, written) = (held.clone(), written.clone());
    let hooks = Hooks {
        on_written: Box::new(move |offset| {
            written.send_replace(offset);
        }),
        on_held: Box::new(move |offset| held.tell(offset)),
        ..Hooks::default()
    };
    let mut options = Options::new(config.appendonly.then(|| config.dir.clone()));
    options.fsync = fsync(config);
    options.heal = config.zookeeper.is_some();
    options.hooks = hooks;
    let around = Surroundings::of(&config.dir).map_err(|error: MetaError| StorageError::from(error))?;
    let (storage, found) = Storage::open(&config.dir, options, around)?;
    if let Some(cut) = &found.recovered.cut {
        tracing::warn!(file = %cut.path.display(), at = cut.at, bytes = cut.bytes, "cut a torn end off the log: {}", cut.what);
    }
    tracing::info!(end = %found.recovered.end, segments = found.recovered.segments, whole = found.whole, "opened the log");
    Ok((storage, found))
}

fn fsync(config: &Config) -> log::Fsync {
    match config.appendfsync {
        crate::config::Fsync::Always => log::Fsync::Always,
        crate::config::Fsync::EverySec => log::Fsync::Everysec,
        crate::config::Fsync::No => log::Fsync::No,
    }
}

fn build(
    config: &Arc<Config>,
    storage: Storage,
    written: watch::Sender<Offset>,
    loglevel: LogHandle,
    (workers, aside): (Workers, Handle),
    seed: u64,
) -> Node {
    let log = storage.log.clone();
    let gate = Arc::new(Gate::new(0));
    let epoch = Arc::new(AtomicU64::new(log.end().epoch));
    let journal = journal::LogJournal { log: log.clone(), epoch: epoch.clone(), gate: gate.clone() };
    let shape = Shape { databases: config.databases as usize, forms: Forms::new(config, seed) };
    let mut engine = Engine::new(config.clone(), Box::new(journal), shape.forms.seed);
    engine.step_aside = Some(crate::net::step_aside);
    let (desk, settings) = (engine.desk.clone(), engine.server.settings.clone());
    engine.set_status(Status { role: Role::Loading, ..Status::default() });
    let metrics = engine.server.observed.metrics.clone();
    let engine = Arc::new(Mutex::new(engine));
    let storage = Arc::new(Mutex::new(storage));
    let (flushed, commands, records) = (log.clone(), metrics.clone(), log.clone());
    let net = Arc::new(Net {
        engine: engine.clone(),
        desk,
        gate: gate.clone(),
        flush: Box::new(move || {
            if let Err(error) = flushed.flush() {
                full_disk(&error);
            }
        }),
        metrics,
        attention: Arc::new(Notify::new()),
        workers,
        leader: Pool::default(),
    });
    let taker = Taker {
        engine,
        storage: storage.clone(),
        log: log.clone(),
        gate,
        applied: Applied::new(log.end()),
        busy: Arc::default(),
        runtime: Handle::current(),
        portions: snapshots::Portions::default(),
        others: Arc::new(move || commands.commands_processed() + records.end().offset),
    };
    let ending = Arc::new(Notify::new());
    Node {
        net,
        settings,
        aside,
        storage,
        log,
        taker,
        shape,
        epoch,
        copying: Mutex::default(),
        written,
        ending,
        loglevel,
    }
}

/// A flush that failed moved nothing, so nothing was answered; the engine refuses writes until there is room.
fn full_disk(error: &LogError) {
    static SAID: AtomicU64 = AtomicU64::new(0);
    let now = now_ms();
    if now.saturating_sub(SAID.swap(now, std::sync::atomic::Ordering::Relaxed)) > 1000 {
        tracing::error!(%error, "writes are refused");
    }
}

/// This node can't go on without breaking a promise: it gives up its part by ending.
fn fatal(what: &str) -> ! {
    #[cfg(feature = "simulate")]
    simulate::end(what);
    #[cfg(not(feature = "simulate"))]
    end(what)
}

#[cfg(not(feature = "simulate"))]
fn end(what: &str) -> ! {
    tracing::error!("{what}");
    eprintln!("botellier-server: {what}");
    std::process::exit(70);
}

/// Open the listeners of clients and accept connections.
fn listen(net: &Arc<Net>, config: &Config, tasks: &mut JoinSet<()>) -> Result<(), NodeError> {
    let mut open = 0;
    let doors = [(config.port, Door::Always), (config.leader_port, Door::WhileLeading)];
    let doors = doors.into_iter().filter(|(port, door)| *door == Door::Always || *port != 0);
    for (port, door) in doors {
        for address in config.listen() {
            for listener in address.open(port, config.tcp_backlog).map_err(NodeError::Listen)? {
                let listener = TcpListener::from_std(listener).map_err(NodeError::Listen)?;
                tasks.spawn(crate::net::serve(net.clone(), listener, door));
                open += 1;
            }
        }
    }
    if open == 0 {
        let none = io::Error::new(io::ErrorKind::AddrNotAvailable, "any of the addresses of 'bind'");
        return Err(NodeError::Listen(none));
    }
    Ok(())
}

/// Drive the engine's clock: some times a second, and sooner when a client's wait ends.
async fn tick(net: Arc<Net>, due: Arc<Notify>) {
    let mut next = Instant::now();
    loop {
        // While a script is busy the clock stands still.
        let wait = net.enter_later().await.map(|mut engine| turn(&mut engine, &mut next));
        net.quiet().await;
        (net.flush)();
        let wait = wait.unwrap_or_default().max(Duration::from_millis(1));
        // A client that begins to wait may have an earlier deadline.
        let _ = tokio::time::timeout(wait, due.notified()).await;
    }
}

/// One turn of the engine's clock; says how soon the next is due. The wall clock may be set in between, so that only the
/// engine's time says how long a client still waits.
fn turn(engine: &mut Engine, next: &mut Instant) -> Duration {
    engine.tick(now_ms());
    let now = Instant::now();
    if now >= *next {
        *next = now + Duration::from_secs(1) / engine.server.config.hz.max(1);
    }
    let regular = next.saturating_duration_since(now);
    let deadline = engine.next_deadline().map(|at| at.saturating_sub(engine.keyspace.now));
    deadline.map_or(regular, |deadline| regular.min(Duration::from_millis(deadline)))
}
