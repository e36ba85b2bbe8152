//! One connection: what comes in is reported, what is ordered goes out, bulk data when there is nothing else to say.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;

use super::feed::Feed;
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
    let mut writer = Writer { links: links.clone(), connection, socket: writer, control, feed: None };
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
    feed: Option<Feed>,
}

impl Writer {
    /// Until the connection is closed by order (`Ok`) or breaks.
    async fn run(&mut self) -> io::Result<()> {
        loop {
            let order = match &mut self.feed {
                None => self.control.recv().await,
                Some(feed) => tokio::select! {
                    biased;
                    order = self.control.recv() => order,
                    ready = feed.ready() => {
                        ready?;
                        feed.send(&mut self.socket).await?;
                        continue;
                    }
                },
            };
            let Some(order) = order else { return Ok(()) };
            if !self.carry_out(order).await? {
                return self.socket.shutdown().await;
            }
        }
    }

    /// False once the connection is to be closed.
    async fn carry_out(&mut self, order: Control) -> io::Result<bool> {
        // All orders that are there go out with one write.
        let (mut output, mut order, mut open) = (BytesMut::new(), Some(order), true);
        while let Some(next) = order {
            match next {
                Control::Send(frame) => stamp(frame).encode(&mut output),
                Control::Stream { stamp, from } => self.feed = Some(Feed::log(&self.links, stamp, from)?),
                Control::Copy { stamp } => self.feed = Some(Feed::copy(&self.links, stamp)),
                Control::Close => {
                    open = false;
                    break;
                }
            }
            order = self.control.try_recv().ok();
        }
        self.socket.write_all(&output).await?;
        Ok(open)
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

/// Heartbeats carry the wall time at which they leave; machines know none.
fn stamp(mut frame: Frame) -> Frame {
    if let Body::Heartbeat(heartbeat) = &mut frame.body {
        heartbeat.wall_ms =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    }
    frame
}
