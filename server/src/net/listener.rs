//! Accepts connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::connection::Connection;
use super::{Net, now_ms};
use crate::config::Config;
use crate::session::ClientId;

/// When a listener's connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Always,
    /// Only while this node leads. A route to the leader may be out of date: whoever came by it must neither write in
    /// vain nor read what is old.
    WhileLeading,
}

/// What becomes of a new connection.
enum Entry {
    Served(ClientId, Arc<Notify>, (Arc<Config>, bool)),
    TooMany,
    SentAway,
}

/// Accept connections until the task is aborted.
pub async fn serve(net: Arc<Net>, listener: TcpListener, door: Door) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = admit(&net, stream, door) {
                    // The peer went away meanwhile.
                    tracing::debug!(%error, "a connection could not be set up");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "can't accept connections");
                // Most likely there is no file descriptor left: trying at once would only burn time.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Start the task of a new connection, or tell it why not.
fn admit(net: &Arc<Net>, stream: TcpStream, door: Door) -> io::Result<()> {
    let keepalive = net.with(|engine| engine.server.config.tcp_keepalive);
    stream.set_nodelay(true)?;
    if keepalive > 0 {
        keep_alive(&stream, keepalive)?;
    }
    let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
    let entered = net.with(move |engine| {
        // Under the lock under which a leadership ends and its clients are closed.
        if door == Door::WhileLeading && !engine.server.status.role.leads() {
            return Entry::SentAway;
        }
        let config = engine.server.config.clone();
        if engine.clients.len() >= config.maxclients as usize {
            engine.clients.refused += 1;
            return Entry::TooMany;
        }
        let id = engine.connect(peer.to_string(), local.to_string());
        let trusted = !engine.server.needs_password();
        let wake = engine.clients.get(id).map(|client| client.wake.clone()).unwrap_or_default();
        Entry::Served(id, wake, (config, trusted))
    });
    let (id, wake, settings) = match entered {
        Entry::Served(id, wake, settings) => (id, wake, settings),
        Entry::TooMany => {
            net.metrics.connections_rejected.add(1);
            // Best effort, as in Redis: the socket's buffer is empty, so it is taken unless the peer is gone.
            let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
            return Ok(());
        }
        // A reset: nothing was carried out, and no state of the connection outlives it anywhere.
        Entry::SentAway => return SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
    };
    net.metrics.connections_received.add(1);
    // The stream changes to the event loop of the thread that will serve it.
    let stream = stream.into_std()?;
    let shared = net.clone();
    net.workers.spawn(async move {
        match TcpStream::from_std(stream) {
            Ok(stream) => Connection::new(id, wake, settings, stream).run(shared).await,
            Err(error) => {
                tracing::warn!(%error, "can't serve a connection");
                shared.with(move |engine| engine.disconnect(id));
            }
        }
    });
    tracing::debug!(client = id, %peer, at = now_ms(), "accepted");
    Ok(())
}

/// Probe a silent peer after `seconds`; it is given up after three probes within as long again.
fn keep_alive(stream: &TcpStream, seconds: u64) -> io::Result<()> {
    let probes = TcpKeepalive::new()
        .with_time(Duration::from_secs(seconds))
        .with_interval(Duration::from_secs((seconds / 3).max(1)))
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}
