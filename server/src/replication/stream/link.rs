//! One connection: what comes in is reported, what is ordered goes out, bulk data when there is nothing else to say.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

use super::feed::Feed;
use super::outlet::{Next, Outlet};
use super::{Control, Links};
use crate::replication::protocol::{ConnectionId, Ending, Event};
use crate::replication::wire::{Body, Frame};

/// Serve a connection until it is closed. If it ends by itself that is reported, and its sockets are kept until the
/// protocol has heard of it.
pub(super) async fn run(
    links: Links,
    connection: ConnectionId,
    stream: TcpStream,
    input: BytesMut,
    control: UnboundedReceiver<Control>,
) {
    let (reader, writer) = stream.into_split();
    let reading = tokio::spawn(read(links.clone(), connection, reader, input));
    let outlet = Outlet::default();
    let mut writer = Writer { links: links.clone(), connection, socket: writer, control, outlet };
    if let Err(error) = writer.run().await {
        tracing::debug!(%error, "a connection to another node broke");
        links.report(Event::Closed { connection, ending: Ending::Broken }).await;
        writer.wait_for_close().await;
    }
    reading.abort();
}

/// Report frames; then the end, and hold the socket until the task is ended.
async fn read(links: Links, connection: ConnectionId, mut socket: OwnedReadHalf, mut input: BytesMut) {
    let ending = match read_frames(&links, connection, &mut socket, &mut input).await {
        Ok(()) => Ending::Orderly,
        Err(error) => {
            tracing::debug!(%error, "a connection to another node ended");
            links.ending(connection).await
        }
    };
    links.report(Event::Closed { connection, ending }).await;
    std::future::pending::<()>().await;
}

async fn read_frames(
    links: &Links,
    connection: ConnectionId,
    socket: &mut OwnedReadHalf,
    input: &mut BytesMut,
) -> io::Result<()> {
    loop {
        while let Some(frame) = Frame::decode(input).map_err(io::Error::other)? {
            if let Body::Welcome(welcome) = &frame.body {
                links.watch(connection, welcome.token);
            }
            links.report(Event::Frame { connection, frame }).await;
        }
        input.reserve(64 * 1024);
        if socket.read_buf(input).await? == 0 {
            return Ok(());
        }
    }
}

struct Writer {
    links: Links,
    connection: ConnectionId,
    socket: OwnedWriteHalf,
    control: UnboundedReceiver<Control>,
    outlet: Outlet<Feed>,
}

impl Writer {
    /// Until the connection is closed by order (`Ok`) or breaks.
    async fn run(&mut self) -> io::Result<()> {
        loop {
            // All orders that are there go out with one write.
            loop {
                match self.control.try_recv() {
                    Ok(order) => self.take_in(order)?,
                    Err(TryRecvError::Empty) => break,
                    // Nobody is left to order anything; what was ordered still goes out.
                    Err(TryRecvError::Disconnected) => {
                        self.outlet.close();
                        break;
                    }
                }
            }
            let chunk = self.outlet.bulk().is_some_and(Feed::is_ready);
            match (self.outlet.next(chunk), self.outlet.bulk()) {
                (Next::Orders, _) => {
                    let output = self.outlet.take_orders(wall_ms());
                    self.socket.write_all(&output).await?;
                }
                (Next::Bulk, Some(feed)) => feed.send(&mut self.socket).await?,
                (Next::Close, _) => return self.socket.shutdown().await,
                (_, None) => match self.control.recv().await {
                    Some(order) => self.take_in(order)?,
                    None => return Ok(()),
                },
                (_, Some(feed)) => tokio::select! {
                    biased;
                    order = self.control.recv() => match order {
                        Some(order) => self.take_in(order)?,
                        None => return Ok(()),
                    },
                    ready = feed.ready() => ready?,
                },
            }
        }
    }

    fn take_in(&mut self, order: Control) -> io::Result<()> {
        match order {
            Control::Send(frame) => self.outlet.order(frame),
            Control::Stream { stamp, from } => self.outlet.feed(Feed::log(&self.links, stamp, from)?),
            Control::Copy { stamp } => self.outlet.feed(Feed::copy(&self.links, stamp)),
            Control::Close => self.outlet.close(),
        }
        Ok(())
    }

    async fn wait_for_close(&mut self) {
        tracing::trace!(connection = self.connection.0, "kept until the protocol has heard of its end");
        while let Some(order) = self.control.recv().await {
            if matches!(order, Control::Close) {
                return;
            }
        }
    }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}
