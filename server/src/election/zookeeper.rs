//! The registry as it really is: a ZooKeeper ensemble.
//!
//! One task owns the session. It reads `/config` and `/nodes` whenever a watch says so or the connection was away,
//! writes `/config` with a version check, and keeps this node's announcement as an ephemeral of the session. When the
//! connection is lost, a new session is made, for ever. What it reports is what the candidate needs to be right: a write
//! whose answer was lost is undecided, and said so before the loss itself is.
//!
//! Nothing of that waits for the rest: a failover waits for the answer to a write, and for the news of it elsewhere, just
//! when many announcements change.
//!
//! Deliberately absent: opinions. Nothing here knows what a role is.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use zookeeper_client::{
    Acls, AddWatchMode, Client, CreateMode, Error, EventType, PersistentWatcher, SessionState,
};

use crate::config::ZooKeeper;
use crate::replication::member::{self, Config, NodeInfo};
use crate::replication::protocol::{RegistryEvent, WriteOutcome};
use crate::value::chance;

const SESSION: Duration = Duration::from_secs(6);
const CONFIG: &str = "/config";
const NODES: &str = "/nodes";
/// A member that answers nothing for so long is cut off: another one is asked. Waiting for the session's own word would
/// take four seconds.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(1_500);
/// A write that takes longer is worth a line: a failover waits for it.
const SLOW: Duration = Duration::from_millis(200);
/// After so long without news the member is asked something.
const PROBE_AFTER: Duration = Duration::from_secs(1);
/// A member that has not opened a session for so long is not waited for alone: the next one is asked too.
const NEXT_MEMBER: Duration = Duration::from_millis(150);
/// How long a member may take to open a session.
const OPEN_TIME_MAX: Duration = Duration::from_secs(1);
/// Between two rounds of asking all members. A takeover may be waiting for the ensemble to come back.
const RETRY: Duration = Duration::from_millis(200);
/// How long an answer to a write that was under way may still take after its connection was lost.
const STRAGGLER: Duration = Duration::from_secs(1);

/// What the node asks of the registry.
#[derive(Debug)]
enum Request {
    Write { config: Config, expected: Option<i32> },
    Refresh,
    Announce(Box<NodeInfo>),
}

/// A handle on the task. When the last one goes, the session is closed and the announcement with it.
#[derive(Clone, Debug)]
pub struct Registry(UnboundedSender<Request>);

impl Registry {
    /// Keep a session with the ensemble; `report` is told what happens, in order.
    pub fn start(ensemble: ZooKeeper, report: impl Fn(RegistryEvent) + Send + Sync + 'static) -> Self {
        let (sender, requests) = unbounded_channel();
        tokio::spawn(run(ensemble, requests, report));
        Self(sender)
    }

    /// Write `/config` if its version is `expected` (`None`: if it is missing). Answered by `Written`.
    pub fn write(&self, config: Config, expected: Option<i32>) {
        self.ask(Request::Write { config, expected });
    }

    /// Read `/config` anew, not older than now.
    pub fn refresh(&self) {
        self.ask(Request::Refresh);
    }

    /// Keep this under `/nodes/<id>`.
    pub fn announce(&self, info: NodeInfo) {
        self.ask(Request::Announce(Box::new(info)));
    }

    fn ask(&self, request: Request) {
        // The task ends only when every handle is gone.
        let _ = self.0.send(request);
    }
}

async fn run<R>(ensemble: ZooKeeper, mut requests: UnboundedReceiver<Request>, report: R)
where
    R: Fn(RegistryEvent) + Send + Sync + 'static,
{
    let announcement = watch::Sender::new(None);
    loop {
        let connecting = connect(&ensemble);
        tokio::pin!(connecting);
        let client = loop {
            tokio::select! {
                client = &mut connecting => break client,
                request = requests.recv() => match request {
                    Some(request) => answer_without_session(request, &announcement, &report),
                    None => return,
                },
            }
        };
        let session = Session { client, announcement: &announcement, report: &report };
        let mut write = None;
        match session.run(&mut requests, &mut write).await {
            Ended::Done => return,
            Ended::Lost => {
                tracing::warn!("the connection to ZooKeeper is lost; making a new session");
                session.lose(write).await;
            }
            Ended::Failed(error) => {
                tracing::warn!(%error, "the ZooKeeper session failed; making a new one");
                session.lose(write).await;
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Without a session a write was not even sent, but undecided is all that the candidate may conclude: it tries again.
fn answer_without_session(
    request: Request,
    announcement: &watch::Sender<Option<NodeInfo>>,
    report: &impl Fn(RegistryEvent),
) {
    match request {
        Request::Write { config, .. } => {
            report(RegistryEvent::Written { attempt: config.attempt, outcome: WriteOutcome::Undecided });
        }
        Request::Refresh => {}
        Request::Announce(info) => drop(announcement.send_replace(Some(*info))),
    }
}

/// A session, with the chroot made; tries for ever.
async fn connect(ensemble: &ZooKeeper) -> Client {
    let began = Instant::now();
    let mut said = false;
    loop {
        match try_connect(ensemble, OPEN_TIME_MAX).await {
            Ok((member, client)) => {
                tracing::info!(%ensemble, member, took = ?began.elapsed(), "connected to ZooKeeper");
                return client;
            }
            Err(error) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(%ensemble, %error, "can't reach ZooKeeper; trying on");
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// A session of the member that opens one first. They are asked in an order of chance, one after the other, and none
/// keeps the next one waiting: a member that is stopped, or cut off, or just starting, accepts a connection and is silent.
/// What the slower ones open is closed.
async fn try_connect(ensemble: &ZooKeeper, limit: Duration) -> Result<(String, Client), Error> {
    let mut members = ensemble.servers.clone();
    members.sort_by_cached_key(|_| chance::number());
    let mut members = members.into_iter();
    let mut asked = JoinSet::new();
    let mut last = Error::NoHosts;
    loop {
        if let Some(member) = members.next() {
            asked.spawn(open(member, ensemble.chroot.clone(), limit));
        }
        tokio::select! {
            answer = asked.join_next() => match answer {
                Some(Ok(Ok(opened))) => return Ok(opened),
                Some(Ok(Err(error))) => last = error,
                Some(Err(_)) => {}
                None => return Err(last),
            },
            () = tokio::time::sleep(NEXT_MEMBER), if members.len() > 0 => {}
        }
    }
}

async fn open(member: String, chroot: String, limit: Duration) -> Result<(String, Client), Error> {
    let client = Client::connector()
        .with_session_timeout(SESSION)
        .with_connection_timeout(limit)
        .with_fail_eagerly()
        .connect(&member)
        .await?;
    let directory = CreateMode::Persistent.with_acls(Acls::anyone_all());
    if chroot != "/" {
        in_time(client.mkdir(&chroot, &directory)).await?;
    }
    let client = client.chroot(chroot).map_err(|_| Error::UnexpectedError("bad chroot".into()))?;
    in_time(client.mkdir(NODES, &directory)).await?;
    Ok((member, client))
}

enum Ended {
    /// Nobody needs the registry any more.
    Done,
    /// The connection is gone. The client library would make the session's next one by itself, but persistent watches
    /// do not come back with it; nothing of a session is worth keeping.
    Lost,
    Failed(Error),
}

impl Ended {
    fn by(error: Error) -> Self {
        match error {
            Error::ConnectionLoss | Error::SessionExpired | Error::ClientClosed => Self::Lost,
            error => Self::Failed(error),
        }
    }
}

/// A write under way: whose, and the task that waits for its answer.
type Outcome = (String, JoinHandle<WriteOutcome>);

struct Session<'r, R> {
    client: Client,
    announcement: &'r watch::Sender<Option<NodeInfo>>,
    report: &'r R,
}

impl<R: Fn(RegistryEvent)> Session<'_, R> {
    /// `write` is the one under way; the candidate has one at a time.
    async fn run(&self, requests: &mut UnboundedReceiver<Request>, write: &mut Option<Outcome>) -> Ended {
        let mut state = self.client.state_watcher();
        let mut announcement = self.announcement.subscribe();
        let begun = async {
            let watches = in_time(self.watch()).await?;
            in_time(self.begin(&mut announcement)).await?;
            Ok(watches)
        };
        let (config, nodes) = match begun.await {
            Ok(watches) => watches,
            Err(error) => return Ended::Failed(error),
        };
        let stale = Notify::new();
        let mut reading = std::pin::pin!(self.keep_reading(config, &stale));
        let mut counting = std::pin::pin!(self.keep_counting(nodes, announcement));
        loop {
            tokio::select! {
                biased;
                now = state.changed() => if now != SessionState::SyncConnected {
                    return Ended::Lost;
                },
                // Before the outcome of a write: what was read before that is told before it.
                error = &mut reading => return Ended::by(error),
                (attempt, outcome) = settled(write) => {
                    *write = None;
                    (self.report)(RegistryEvent::Written { attempt, outcome });
                    if outcome == WriteOutcome::Undecided {
                        return Ended::Lost;
                    }
                }
                request = requests.recv() => match request {
                    None => return Ended::Done,
                    Some(Request::Write { config, expected }) => {
                        let attempt = config.attempt.clone();
                        let answer = tokio::spawn(self::write(self.client.clone(), config, expected));
                        *write = Some((attempt, answer));
                    }
                    Some(Request::Refresh) => stale.notify_one(),
                    Some(Request::Announce(info)) => drop(self.announcement.send_replace(Some(*info))),
                },
                error = &mut counting => return Ended::by(error),
            }
        }
    }

    /// Reads `/config` whenever it changed or a fresh read is asked for; says why that ended.
    async fn keep_reading(&self, mut config: PersistentWatcher, stale: &Notify) -> Error {
        loop {
            let read = tokio::select! {
                event = config.changed() => match event.event_type {
                    EventType::Session => return Error::ConnectionLoss,
                    _ => in_time(self.read_config()).await,
                },
                () = stale.notified() => in_time(self.refresh()).await,
                () = tokio::time::sleep(PROBE_AFTER) => in_time(self.probe()).await,
            };
            if let Err(error) = read {
                return error;
            }
        }
    }

    /// Keeps this node announced, and reads what others announce; says why that ended.
    async fn keep_counting(
        &self,
        mut nodes: PersistentWatcher,
        mut announcement: watch::Receiver<Option<NodeInfo>>,
    ) -> Error {
        loop {
            let done = tokio::select! {
                event = nodes.changed() => match event.event_type {
                    EventType::Session => return Error::ConnectionLoss,
                    _ => in_time(self.read_nodes()).await,
                },
                Ok(()) = announcement.changed() => in_time(self.announce(&mut announcement)).await,
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    /// Is the member still there?
    async fn probe(&self) -> Result<(), Error> {
        self.client.check_stat(CONFIG).await.map(drop)
    }

    async fn watch(&self) -> Result<(PersistentWatcher, PersistentWatcher), Error> {
        let config = self.client.watch(CONFIG, AddWatchMode::Persistent).await?;
        let nodes = self.client.watch(NODES, AddWatchMode::PersistentRecursive).await?;
        Ok((config, nodes))
    }

    /// The session is there: announce this node, and read everything anew.
    async fn begin(&self, announcement: &mut watch::Receiver<Option<NodeInfo>>) -> Result<(), Error> {
        (self.report)(RegistryEvent::Restored);
        self.announce(announcement).await?;
        self.read_config().await?;
        self.read_nodes().await
    }

    /// The connection is lost: a write under way is undecided unless its answer came, and that is said first.
    async fn lose(&self, write: Option<Outcome>) {
        if let Some((attempt, write)) = write {
            let answer = tokio::time::timeout(STRAGGLER, write).await;
            let outcome =
                answer.map_or(WriteOutcome::Undecided, |answer| answer.unwrap_or(WriteOutcome::Undecided));
            (self.report)(RegistryEvent::Written { attempt, outcome });
        }
        (self.report)(RegistryEvent::Lost);
    }

    async fn refresh(&self) -> Result<(), Error> {
        self.client.sync(CONFIG).await?;
        self.read_config().await
    }

    async fn read_config(&self) -> Result<(), Error> {
        let config = match self.client.get_data(CONFIG).await {
            Ok((data, stat)) => match member::parse(&data) {
                Ok(config) => Some((config, stat.version)),
                Err(error) => {
                    // Not ours to replace: somebody wrote it by hand, or a newer version did.
                    tracing::error!(%error, "ZooKeeper's {CONFIG} can't be read; waiting until it is put right");
                    return Ok(());
                }
            },
            Err(Error::NoNode) => None,
            Err(error) => return Err(error),
        };
        (self.report)(RegistryEvent::Config(config));
        Ok(())
    }

    async fn read_nodes(&self) -> Result<(), Error> {
        let mut nodes = Vec::new();
        for id in self.client.list_children(NODES).await? {
            match self.client.get_data(&format!("{NODES}/{id}")).await {
                Ok((data, _)) => match member::parse(&data) {
                    Ok(node) => nodes.push(node),
                    Err(error) => {
                        tracing::warn!(%id, %error, "an announcement can't be read; leaving it out");
                    }
                },
                // It went in between.
                Err(Error::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
        (self.report)(RegistryEvent::Nodes(nodes));
        Ok(())
    }

    /// Keep the announcement under this session. One that an earlier session left is not adopted but replaced: it
    /// would vanish with that session (trap 4).
    async fn announce(&self, announcement: &mut watch::Receiver<Option<NodeInfo>>) -> Result<(), Error> {
        let Some(info) = announcement.borrow_and_update().clone() else { return Ok(()) };
        let path = format!("{NODES}/{}", info.id);
        let data = serde_json::to_vec(&info).map_err(|error| Error::UnexpectedError(error.to_string()))?;
        loop {
            match self.client.check_stat(&path).await? {
                Some(stat) if stat.ephemeral_owner == self.client.session_id().0 => {
                    match self.client.set_data(&path, &data, None).await {
                        Err(Error::NoNode) => {}
                        other => return other.map(drop),
                    }
                }
                Some(stat) => match self.client.delete(&path, Some(stat.version)).await {
                    Ok(()) | Err(Error::NoNode | Error::BadVersion) => {}
                    Err(error) => return Err(error),
                },
                None => {
                    let ephemeral = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
                    match self.client.create(&path, &data, &ephemeral).await {
                        Err(Error::NodeExists) => {}
                        other => return other.map(drop),
                    }
                }
            }
        }
    }
}

/// What takes too long is as good as a lost connection.
async fn in_time<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(ANSWER_TIME_MAX, answer).await.unwrap_or(Err(Error::ConnectionLoss))
}

/// The outcome of the write under way; never, if there is none.
async fn settled(write: &mut Option<Outcome>) -> (String, WriteOutcome) {
    match write {
        Some((attempt, write)) => (attempt.clone(), write.await.unwrap_or(WriteOutcome::Undecided)),
        None => std::future::pending().await,
    }
}

async fn write(client: Client, config: Config, expected: Option<i32>) -> WriteOutcome {
    let Ok(data) = serde_json::to_vec(&config) else { return WriteOutcome::Lost };
    #[allow(clippy::single_match_else)] // both are as likely
    let answer = async {
        match expected {
            Some(version) => client.set_data(CONFIG, &data, Some(version)).await.map(|stat| stat.version),
            None => {
                let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
                client.create(CONFIG, &data, &persistent).await.map(|(stat, _)| stat.version)
            }
        }
    };
    let began = Instant::now();
    let answer = in_time(answer).await;
    if began.elapsed() > SLOW {
        tracing::warn!(took = ?began.elapsed(), "ZooKeeper is slow to answer a write");
    }
    match answer {
        Ok(version) => WriteOutcome::Won { version },
        Err(Error::BadVersion | Error::NodeExists | Error::NoNode) => WriteOutcome::Lost,
        Err(error) => {
            tracing::warn!(%error, "the outcome of a write to ZooKeeper is unknown");
            WriteOutcome::Undecided
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_silent_member_keeps_none_of_the_others_waiting() {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let (one, other) = (bind().await.unwrap(), bind().await.unwrap());
        let servers = [&one, &other].map(|member| member.local_addr().unwrap().to_string()).into();
        let ensemble = ZooKeeper { servers, chroot: "/".into() };
        let trying =
            tokio::spawn(async move { try_connect(&ensemble, Duration::from_secs(3)).await.map(drop) });
        let (asked, next) = tokio::select! {
            asked = one.accept() => (asked, &other),
            asked = other.accept() => (asked, &one),
        };
        let (first, _) = asked.unwrap();
        next.accept().await.unwrap();
        // It has said nothing, and is still being waited for.
        let mut request = [0; 256];
        loop {
            match first.try_read(&mut request) {
                Ok(read) => assert_ne!(read, 0, "it was given up before the next one was asked"),
                Err(error) => break assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
        trying.abort();
    }
}
