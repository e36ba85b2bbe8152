//! The only place where replication touches the network.
//!
//! A replica opens two connections to its leader. On the first everything is said, framed as [`super::wire`] has it. On
//! the second, opened with the token of the Welcome, nothing is ever said: when the leader's process dies, the system
//! closes it in order even if unread acks make it reset the first, so its end proves that the leader is gone (rule 5).
//!
//! For that proof to hold, this side never lets a replica's sockets go before the protocol has heard of it: a
//! connection that ended is kept until [`Links::close`].
//!
//! Control frames overtake bulk data at every chunk (trap 22). Bulk data goes from the log's own bytes to the socket.

mod feed;
mod link;
pub mod outlet;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::gate::Gate;
use super::log::{Keep, Log};
use super::member::Stamp;
use super::pace::Busy;
use super::position::{Offset, Position};
use super::protocol::{ConnectionId, Ending, Event};
use super::snapshot::{Info, SnapshotError, Snapshots};
use super::wire::{Body, Frame, Watch};

/// A peer that does not take what is sent to it for so long is cut off by the system.
const STUCK: Duration = Duration::from_secs(5);
/// A process that dies ends both connections at once; the news of the second may come a little later.
const SECOND_OPINION: Duration = Duration::from_millis(30);
/// So long after the first connection broke the end of the second is still waited for.
const LAST_WORD: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(1);
/// Who connects must say who he is within this time.
const GREETING: Duration = Duration::from_secs(5);
/// What the leader answers on a second connection.
const WATCHING: u8 = 1;
/// So long after a copy the log is kept for the replica that had it, which comes anew once it is installed.
const COMES_BACK: Duration = Duration::from_secs(10);
/// What the system may hold that was not yet sent, beside which a heartbeat must wait.
pub const UNSENT_MAX: u32 = 256 * 1024;
/// Events of connections that wait for the protocol; beyond it connections are not read.
pub const EVENTS_MAX: usize = 256;

pub type Accepts = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;
pub type DamageFound = Arc<dyn Fn(Damage) + Send + Sync>;
pub type SnapshotSource = Arc<dyn Fn() -> Result<Copy, String> + Send + Sync>;

/// What the connections need of the node.
pub struct Needs {
    pub log: Log,
    pub gate: Arc<Gate>,
    /// Moves when the log was written.
    pub written: watch::Receiver<Offset>,
    /// Where events go.
    pub events: mpsc::Sender<Event>,
    /// Whether another node's password is right.
    pub accepts: Accepts,
    /// The one to show to others.
    pub password: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
    /// A snapshot from which the log goes on; takes one if there is none. May block for long.
    pub snapshot: SnapshotSource,
    /// What was to be sent is damaged, and is not sent. May block, but not for long.
    pub damage: DamageFound,
    /// Who this node is, for the second connection.
    pub id: String,
    pub incarnation: String,
}

/// Files of this node that are not what was written to them.
pub enum Damage {
    /// The log knows where, and goes around it.
    Log,
    Snapshot(Info, SnapshotError),
}

/// A snapshot to be sent.
pub struct Copy {
    pub snapshots: Snapshots,
    pub info: Info,
    pub position: Position,
    /// However long the copy takes, the log goes on from where it ends.
    pub keep: Keep,
    /// What goes on beside it.
    pub others: Busy,
}

/// What the protocol tells a connection to do.
enum Control {
    Send(Frame),
    Stream { stamp: Stamp, from: Offset },
    Copy { stamp: Stamp },
    Close,
}

struct Peer {
    control: mpsc::UnboundedSender<Control>,
    /// Ends when the peer does: what belongs to the connection goes with it. True once the second connection to a
    /// leader ended in order.
    alive: watch::Sender<bool>,
    /// Where it was connected to, for the second connection.
    address: Option<(String, u16)>,
}

struct Shared {
    needs: Needs,
    peers: Mutex<HashMap<ConnectionId, Peer>>,
    accepted: AtomicU64,
    runtime: Handle,
}

/// All connections of a node with other nodes. Clones share them.
#[derive(Clone)]
pub struct Links(Arc<Shared>);

impl Links {
    pub fn new(needs: Needs, runtime: Handle) -> Self {
        Self(Arc::new(Shared { needs, peers: Mutex::default(), accepted: AtomicU64::new(0), runtime }))
    }

    /// Accept connections of replicas, for ever.
    pub async fn serve(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let links = self.clone();
                    tokio::spawn(async move { links.accept(stream).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "can't accept a replica");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Open a connection; `Opened` or `Closed` follows.
    pub fn connect(&self, connection: ConnectionId, host: String, port: u16) {
        let links = self.clone();
        let control = self.enter(connection, Some((host.clone(), port)));
        self.0.runtime.spawn(async move {
            let opening = tokio::time::timeout(CONNECT, TcpStream::connect((host.as_str(), port))).await;
            let stream = opening
                .map_err(io::Error::from)
                .flatten()
                .and_then(|stream| prepare(&stream).map(|()| stream));
            match stream {
                Ok(stream) => {
                    links.report(Event::Opened { connection }).await;
                    link::run(links, connection, stream, BytesMut::new(), control).await;
                }
                Err(error) => {
                    tracing::debug!(%host, port, %error, "can't connect");
                    links.report(Event::Closed { connection, ending: Ending::Broken }).await;
                }
            }
        });
    }

    pub fn send(&self, connection: ConnectionId, frame: Frame) {
        self.control(connection, Control::Send(frame));
    }

    /// Feed the connection with the log from here on.
    pub fn stream(&self, connection: ConnectionId, stamp: Stamp, from: Offset) {
        self.control(connection, Control::Stream { stamp, from });
    }

    /// Feed it with a snapshot, then with the log from there.
    pub fn copy_to(&self, connection: ConnectionId, stamp: Stamp) {
        self.control(connection, Control::Copy { stamp });
    }

    /// What was sent before still goes out. Also for connections that ended by themselves, once the protocol has heard
    /// of it: only then their sockets go.
    pub fn close(&self, connection: ConnectionId) {
        if let Some(peer) = self.0.peers.lock().remove(&connection) {
            let _ = peer.control.send(Control::Close);
        }
    }

    /// Close everything: this node ends.
    pub fn close_all(&self) {
        for (_, peer) in self.0.peers.lock().drain() {
            let _ = peer.control.send(Control::Close);
        }
    }

    fn control(&self, connection: ConnectionId, control: Control) {
        if let Some(peer) = self.0.peers.lock().get(&connection) {
            // A connection that is ending says so by its event.
            let _ = peer.control.send(control);
        }
    }

    fn enter(
        &self,
        connection: ConnectionId,
        address: Option<(String, u16)>,
    ) -> mpsc::UnboundedReceiver<Control> {
        let (control, receiver) = mpsc::unbounded_channel();
        self.0.peers.lock().insert(connection, Peer { control, alive: watch::Sender::new(false), address });
        receiver
    }

    /// Ends when the connection was closed.
    fn alive(&self, connection: ConnectionId) -> Option<watch::Receiver<bool>> {
        self.0.peers.lock().get(&connection).map(|peer| peer.alive.subscribe())
    }

    async fn report(&self, event: Event) {
        // The protocol ends with the process.
        let _ = self.0.needs.events.send(event).await;
    }

    /// A node connected: nothing that it sends counts before its password is right.
    async fn accept(&self, mut stream: TcpStream) {
        let mut input = BytesMut::new();
        let greeting = tokio::time::timeout(GREETING, first_frame(&mut stream, &mut input)).await;
        let frame = match greeting.map_err(io::Error::from).flatten() {
            Ok(frame) => frame,
            Err(error) => {
                tracing::debug!(%error, "a connection without a greeting");
                return;
            }
        };
        let password = match &frame.body {
            Body::Hello(hello) => &hello.password,
            Body::Watch(watch) => &watch.password,
            _ => return,
        };
        if !(self.0.needs.accepts)(password) {
            let from =
                stream.peer_addr().map_or_else(|error| error.to_string(), |address| address.to_string());
            tracing::warn!(%from, "a node came with a wrong password");
            return;
        }
        if let Body::Watch(watch) = &frame.body {
            self.keep_watch(watch, stream).await;
            return;
        }
        let connection = ConnectionId::incoming(self.0.accepted.fetch_add(1, Ordering::Relaxed) + 1);
        let control = self.enter(connection, None);
        self.report(Event::Frame { connection, frame }).await;
        link::run(self.clone(), connection, stream, input, control).await;
    }

    /// Hold a replica's second connection until its first is closed, or the replica closes it. One byte says that it is
    /// held: an end before that (of a greeting that came too late, say) is none of the first connection's.
    async fn keep_watch(&self, watch: &Watch, mut stream: TcpStream) {
        let Some(mut alive) = self.alive(ConnectionId::incoming(watch.token)) else { return };
        if tokio::io::AsyncWriteExt::write_u8(&mut stream, WATCHING).await.is_err() {
            return;
        }
        tokio::select! {
            () = gone(&mut alive) => {}
            _ = stream.read_u8() => {}
        }
    }

    /// Open the second connection to the leader, and say when it ended in order.
    fn watch(&self, connection: ConnectionId, token: u64) {
        let address = self.0.peers.lock().get(&connection).and_then(|peer| peer.address.clone());
        let (Some((host, port)), Some(mut alive)) = (address, self.alive(connection)) else { return };
        let links = self.clone();
        self.0.runtime.spawn(async move {
            let Ok(mut stream) = TcpStream::connect((host.as_str(), port)).await else { return };
            let needs = &links.0.needs;
            let watch = Watch {
                password: (needs.password)().into(),
                id: needs.id.clone(),
                incarnation: needs.incarnation.clone(),
                token,
            };
            let mut greeting = BytesMut::new();
            Frame { epoch: 0, version: 0, body: Body::Watch(watch) }.encode(&mut greeting);
            if prepare(&stream).is_err()
                || tokio::io::AsyncWriteExt::write_all(&mut stream, &greeting).await.is_err()
            {
                return;
            }
            let mut ended = std::pin::pin!(async {
                if stream.read_u8().await.ok() != Some(WATCHING) {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                stream.read_u8().await
            });
            let ended = tokio::select! {
                ended = &mut ended => ended,
                // On a busy machine a dying process may lie still between its sockets.
                () = gone(&mut alive) => match tokio::time::timeout(LAST_WORD, ended).await {
                    Ok(ended) => ended,
                    Err(_) => return,
                },
            };
            // Anything but an end in order proves nothing.
            if ended.is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
                if let Some(peer) = links.0.peers.lock().get(&connection) {
                    peer.alive.send_replace(true);
                }
                links.report(Event::Closed { connection, ending: Ending::Orderly }).await;
            }
        });
    }

    /// How a connection ended whose first half broke: in order, if its second half does so within a moment.
    async fn ending(&self, connection: ConnectionId) -> Ending {
        let Some(mut alive) = self.alive(connection) else { return Ending::Broken };
        match tokio::time::timeout(SECOND_OPINION, alive.wait_for(|orderly| *orderly)).await {
            Ok(Ok(_)) => Ending::Orderly,
            _ => Ending::Broken,
        }
    }
}

/// Until the peer is forgotten.
async fn gone(alive: &mut watch::Receiver<bool>) {
    while alive.changed().await.is_ok() {}
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_notsent_lowat(UNSENT_MAX)?;
    socket.set_tcp_user_timeout(Some(STUCK))
}

async fn first_frame(stream: &mut TcpStream, input: &mut BytesMut) -> io::Result<Frame> {
    prepare(stream)?;
    loop {
        if let Some(frame) = Frame::decode(input).map_err(io::Error::other)? {
            return Ok(frame);
        }
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
