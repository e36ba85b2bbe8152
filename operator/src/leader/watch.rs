//! Follows the store's znodes through one persistent recursive watch.
//!
//! A change is read again at once, alone: one round trip to ZooKeeper lies between its word and the
//! slice. After a lost connection everything is read again, because events of that time are not
//! delivered (ZOOKEEPER-4698).

use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tracing::{debug, info, warn};
use zookeeper_client::{AddWatchMode, Client, Error, EventType, SessionState, WatchedEvent};

use super::record::{Config, Node, View};

const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
const OUT_OF_TOUCH_AFTER: Duration = Duration::from_secs(2);
/// A member that answers nothing for so long is cut off: another one is asked. Waiting for the session's own word would
/// take four seconds.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(1_500);
/// After so long without news the member is asked something.
const PROBE_AFTER: Duration = Duration::from_secs(1);
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(1);
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);

const CONFIG_PATH: &str = "/config";
const NODES_PATH: &str = "/nodes";

/// Keeps `sink` up to date until nobody listens to it. `connect` ends with the chroot.
pub async fn follow(connect: String, sink: watch::Sender<View>) {
    let mut retry = RETRY_MIN;
    while !sink.is_closed() {
        match connect_to(&connect, &sink).await {
            Ok(client) => {
                info!(connect, session = %client.session_id(), "ZooKeeper session");
                let Err(error) = session(&client, &sink).await else {
                    return;
                };
                warn!(connect, %error, "ZooKeeper connection lost");
                retry = RETRY_MIN;
                continue;
            }
            Err(error) => {
                debug!(connect, %error, "ZooKeeper cannot be reached");
                sink.send_if_modified(|view| std::mem::replace(&mut view.connected, false));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(retry) => {}
            () = sink.closed() => return,
        }
        retry = (retry * 2).min(RETRY_MAX);
    }
}

/// A new session. Only when it takes a while are we out of touch: a member that restarts is no news.
async fn connect_to(connect: &str, sink: &watch::Sender<View>) -> Result<Client, Error> {
    let connector = Client::connector()
        .with_session_timeout(SESSION_TIMEOUT)
        .with_connection_timeout(CONNECTION_TIME_MAX);
    let mut attempt = std::pin::pin!(connector.connect(connect));
    if let Ok(result) = tokio::time::timeout(OUT_OF_TOUCH_AFTER, &mut attempt).await {
        return result;
    }
    sink.send_if_modified(|view| std::mem::replace(&mut view.connected, false));
    tokio::select! {
        result = attempt => result,
        () = sink.closed() => Err(Error::ClientClosed),
    }
}

/// One session, until its connection ends or nobody listens any more.
///
/// A lost connection ends it although the session would live on: zookeeper-client 0.11.2 does not
/// restore persistent watches when it reconnects, and a session of ours holds nothing worth keeping.
async fn session(client: &Client, sink: &watch::Sender<View>) -> Result<(), Error> {
    let mut watcher = in_time(client.watch("/", AddWatchMode::PersistentRecursive)).await?;
    in_time(read_all(client, sink)).await?;
    loop {
        let event = tokio::select! {
            event = watcher.changed() => event,
            () = sink.closed() => return Ok(()),
            () = tokio::time::sleep(PROBE_AFTER) => {
                in_time(client.check_stat(CONFIG_PATH)).await?;
                continue;
            }
        };
        if event.event_type == EventType::Session {
            match event.session_state {
                SessionState::SyncConnected | SessionState::ConnectedReadOnly => {}
                SessionState::Disconnected => return Err(Error::ConnectionLoss),
                SessionState::AuthFailed => return Err(Error::AuthFailed),
                SessionState::Expired => return Err(Error::SessionExpired),
                SessionState::Closed => return Err(Error::ClientClosed),
            }
        }
        in_time(read_changed(client, sink, &event)).await?;
    }
}

/// What takes too long is as good as a lost connection.
async fn in_time<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(ANSWER_TIME_MAX, answer).await.unwrap_or(Err(Error::ConnectionLoss))
}

async fn read_changed(
    client: &Client,
    sink: &watch::Sender<View>,
    event: &WatchedEvent,
) -> Result<(), Error> {
    if event.path == CONFIG_PATH {
        let config = read(client, CONFIG_PATH).await?;
        sink.send_if_modified(|view| set_config(view, config.as_ref()));
    } else if let Some(id) = event.path.strip_prefix(NODES_PATH).and_then(|rest| rest.strip_prefix('/')) {
        let node = read(client, &event.path).await?;
        sink.send_if_modified(|view| set_node(view, id, node.as_ref()));
    }
    Ok(())
}

async fn read_all(client: &Client, sink: &watch::Sender<View>) -> Result<(), Error> {
    let config = read(client, CONFIG_PATH).await?;
    let ids = match client.list_children(NODES_PATH).await {
        Ok(ids) => ids,
        Err(Error::NoNode) => Vec::new(),
        Err(error) => return Err(error),
    };
    let paths: Vec<String> = ids.iter().map(|id| format!("{NODES_PATH}/{id}")).collect();
    let nodes = join_all(paths.iter().map(|path| read(client, path))).await;
    let ensemble = client.get_config().await.ok().and_then(|(data, _)| ensemble_version(&data));
    let mut read_nodes = Vec::with_capacity(ids.len());
    for (id, node) in ids.into_iter().zip(nodes) {
        read_nodes.push((id, node?));
    }
    sink.send_if_modified(|view| {
        let before = view.clone();
        view.connected = true;
        view.ensemble_version = ensemble;
        set_config(view, config.as_ref());
        view.nodes.clear();
        for (id, node) in &read_nodes {
            set_node(view, id, node.as_ref());
        }
        *view != before
    });
    Ok(())
}

/// Data and time of the last write in milliseconds, or nothing where there is no such znode.
async fn read(client: &Client, path: &str) -> Result<Option<(Vec<u8>, i64)>, Error> {
    match client.get_data(path).await {
        Ok((data, stat)) => Ok(Some((data, stat.mtime))),
        Err(Error::NoNode) => Ok(None),
        Err(error) => Err(error),
    }
}

fn set_config(view: &mut View, data: Option<&(Vec<u8>, i64)>) -> bool {
    let Some((data, time_ms)) = data else {
        return view.config.take().is_some();
    };
    let Some(config) = Config::parse(data) else {
        warn!("/config is not in a format that this version reads");
        return false;
    };
    let newer = view.config.as_ref().is_none_or(|known| known.yields_to(&config));
    if !newer || view.config.as_ref() == Some(&config) {
        return false;
    }
    view.config = Some(config);
    view.config_time_ms = *time_ms;
    true
}

fn set_node(view: &mut View, id: &str, data: Option<&(Vec<u8>, i64)>) -> bool {
    match data.and_then(|(data, _)| Node::parse(data)) {
        Some(node) => view.nodes.insert(id.to_owned(), node.clone()) != Some(node),
        None => view.nodes.remove(id).is_some(),
    }
}

/// The last line of the ensemble's configuration, `version=100000000`.
fn ensemble_version(data: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(data).ok()?;
    text.lines().find_map(|line| line.strip_prefix("version=")).map(str::to_owned)
}
