//! One connection: requests in, replies out, in one task.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsRawFd as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::MutexGuard;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Sleep, sleep};

use super::output::{Hold, Output, Void, offset};
use super::{Net, beside, forward, now_ms};
use crate::config::{Config, OutputLimit};
use crate::engine::{Engine, Progress};
use crate::replication::gate::{Place, Term};
use crate::resp::{Batch, Failure, Limits, ParseError, Parser, Protocol};
use crate::session::{ClientId, Out, ReplyMode, Wire};

/// What one read asks for at least.
const READ_BYTES: usize = 16 * 1024;

/// An empty buffer that grew beyond this is given back.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// What a connection's task woke up for.
enum Event {
    /// Bytes came.
    Read,
    /// The peer sends no more.
    End,
    /// The engine has something for this client.
    Woken,
    /// Everything is sent that can be before something else happens, and that was waited for.
    Sent,
    /// The client is over its soft output limit for too long.
    TooSlow,
    /// The leader answered a request that was passed on, or did not.
    Forwarded(Result<Vec<u8>, forward::Failed>),
}

/// Why a connection is over. Only for the log.
#[derive(Debug, thiserror::Error)]
enum Over {
    #[error("closed")]
    Closed,
    #[error("killed")]
    Killed,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    LeaderLost(forward::Failed),
    #[error("output limit reached")]
    OutputLimit,
    #[error("query buffer limit reached")]
    QueryLimit,
}

impl From<Void> for Over {
    fn from(_: Void) -> Self {
        Self::Killed
    }
}

/// A batch was run, and what it wrote and replied is not on its way yet.
struct Unsettled {
    /// When it was run.
    term: Term,
    /// The other connections of this thread had their turn since.
    turned: bool,
}

/// What is handed from method to method as `net` is what all connections share: the engine's lock is held by reference
/// to it while the connection's own state changes.
pub(super) struct Connection {
    id: ClientId,
    wake: Arc<Notify>,
    stream: TcpStream,
    parser: Parser,
    batch: Batch,
    /// The next request of the batch to be run.
    next: usize,
    /// The frame after the batch is broken.
    broken: Option<ParseError>,
    config: Arc<Config>,
    limits: Limits,
    /// Replies of the last batch, not yet in `output`.
    outs: Vec<Out>,
    unsettled: Option<Unsettled>,
    output: Output,
    /// Bytes read since the engine was told.
    read: u64,
    sent: u64,
    blocked: bool,
    subscribed: bool,
    /// No more requests are run; the connection ends once its output is out.
    closing: bool,
    too_slow: Option<Pin<Box<Sleep>>>,
    /// Where this task waits at the gate.
    place: Option<Place>,
    /// A request that the leader has; the rest of the batch waits for its reply.
    forwarding: Option<Forwarding>,
}

type Forwarding = Pin<Box<dyn Future<Output = Result<Vec<u8>, forward::Failed>> + Send>>;

impl Connection {
    pub fn new(
        id: ClientId,
        wake: Arc<Notify>,
        (config, trusted): (Arc<Config>, bool),
        stream: TcpStream,
    ) -> Self {
        let limits = limits(&config, trusted);
        Self {
            id,
            wake,
            stream,
            parser: Parser::default(),
            batch: Batch::default(),
            next: 0,
            broken: None,
            config,
            limits,
            outs: Vec::new(),
            unsettled: None,
            output: Output::default(),
            read: 0,
            sent: 0,
            blocked: false,
            subscribed: false,
            closing: false,
            too_slow: None,
            place: None,
            forwarding: None,
        }
    }

    pub async fn run(mut self, net: Arc<Net>) {
        let over = match self.serve(&net).await {
            Ok(()) => Over::Closed,
            Err(over) => over,
        };
        net.gate.give_up(&mut self.place);
        self.output.end(&net.gate);
        let id = self.id;
        net.with(move |engine| engine.disconnect(id));
        match over {
            Over::OutputLimit | Over::QueryLimit => {
                let query = matches!(over, Over::QueryLimit);
                let metrics = &net.metrics;
                if query { &metrics.query_limit_closed } else { &metrics.output_limit_closed }.add(1);
                tracing::warn!(client = self.id, unsent = self.output.unsent(), "connection closed: {over}");
            }
            over => tracing::debug!(client = self.id, "connection closed: {over}"),
        }
    }

    async fn serve(&mut self, net: &Arc<Net>) -> Result<(), Over> {
        let wake = self.wake.clone();
        let mut woken = pin!(wake.notified());
        loop {
            match poll_fn(|cx| self.poll_event(net, cx, &wake, woken.as_mut())).await? {
                Event::Read if self.waits() || self.closing => self.waiting_input()?,
                Event::Read => self.work(net)?,
                Event::Woken => self.look(net)?,
                Event::End if self.waits() || self.output.unsent() == 0 => return Ok(()),
                // The peer may have closed its sending half only: what it asked for is still answered.
                Event::End => self.closing = true,
                Event::Sent => return Ok(()),
                Event::TooSlow => return Err(Over::OutputLimit),
                Event::Forwarded(reply) => self.forwarded(net, reply)?,
            }
        }
    }

    /// Whether the requests after the current one have to wait for it.
    fn waits(&self) -> bool {
        self.blocked || self.forwarding.is_some()
    }

    fn poll_event<'w>(
        &mut self,
        net: &Net,
        cx: &mut Context<'_>,
        wake: &'w Notify,
        mut woken: Pin<&mut Notified<'w>>,
    ) -> Poll<Result<Event, Over>> {
        // A role that was lost is told by a wake-up, so this comes before anything that was held is let go.
        if self.output.held().is_some() && woken.as_mut().poll(cx).is_ready() {
            woken.set(wake.notified());
            return Poll::Ready(Ok(Event::Woken));
        }
        if let Some(unsettled) = &mut self.unsettled {
            // Replies leave once all requests that are there were read: their writes go to the log together, and the
            // peers are woken in one go.
            if !std::mem::replace(&mut unsettled.turned, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.settle(net)?;
        }
        self.poll_send(net, cx)?;
        if self.closing && self.output.unsent() == 0 {
            return Poll::Ready(Ok(Event::Sent));
        }
        if self.wants_input(net) {
            if self.parser.buffer.capacity() - self.parser.buffer.len() < READ_BYTES / 4 {
                self.parser.buffer.reserve(READ_BYTES);
            }
            let read = pin!(self.stream.read_buf(&mut self.parser.buffer));
            if let Poll::Ready(count) = read.poll(cx) {
                let count = count?;
                self.read += count as u64;
                return Poll::Ready(Ok(if count == 0 { Event::End } else { Event::Read }));
            }
        }
        if woken.as_mut().poll(cx).is_ready() {
            woken.set(wake.notified());
            return Poll::Ready(Ok(Event::Woken));
        }
        if let Some(forwarding) = &mut self.forwarding
            && let Poll::Ready(reply) = forwarding.as_mut().poll(cx)
        {
            return Poll::Ready(Ok(Event::Forwarded(reply)));
        }
        match &mut self.too_slow {
            Some(timer) => timer.as_mut().poll(cx).map(|()| Ok(Event::TooSlow)),
            None => Poll::Pending,
        }
    }

    /// Trap 24: who has replies waiting asks for no more than there is room for, on this connection and on all.
    fn wants_input(&mut self, net: &Net) -> bool {
        self.output.has_room(&net.gate) && !self.closing
    }

    /// Send what may leave, as far as the socket takes it.
    fn poll_send(&mut self, net: &Net, cx: &mut Context<'_>) -> Result<(), Over> {
        loop {
            self.release(net, cx)?;
            if self.output.free() == 0 {
                break;
            }
            let slices = self.output.slices();
            let stream = Pin::new(&mut self.stream);
            let written = match &slices[..] {
                [one] => stream.poll_write(cx, one),
                many => stream.poll_write_vectored(cx, many),
            };
            drop(slices);
            let Poll::Ready(written) = written else { break };
            let written = written?;
            self.output.advance(written);
            self.sent += written as u64;
        }
        self.check_output()
    }

    /// Ask the gate about replies that are held.
    fn release(&mut self, net: &Net, cx: &Context<'_>) -> Result<(), Over> {
        let place = &mut self.place;
        let ask = |hold: Hold| net.gate.poll_pass(place, hold.term, offset(hold.after), cx);
        Ok(self.output.let_go(ask)?)
    }

    /// Unsent output within the limits of the client's class?
    fn check_output(&mut self) -> Result<(), Over> {
        let limits = self.config.client_output_buffer_limit;
        let OutputLimit { hard, soft, soft_seconds } =
            if self.subscribed { limits.pubsub } else { limits.normal };
        let unsent = self.output.unsent();
        if hard > 0 && unsent > hard {
            return Err(Over::OutputLimit);
        }
        if soft == 0 || unsent <= soft {
            self.too_slow = None;
        } else if self.too_slow.is_none() {
            self.too_slow = Some(Box::pin(sleep(Duration::from_secs(soft_seconds))));
        }
        Ok(())
    }

    /// Bytes came for a client that waits: they stay in the buffer, within its limit.
    fn waiting_input(&mut self) -> Result<(), Over> {
        if self.parser.buffer.len() > self.limits.query_bytes_max { Err(Over::QueryLimit) } else { Ok(()) }
    }

    /// Run the complete requests that are there.
    fn work(&mut self, net: &Arc<Net>) -> Result<(), Over> {
        while !self.waits() && !self.closing {
            if self.next == self.batch.len() {
                match self.broken.take() {
                    // The requests before it may have authenticated the client.
                    Some(broken) if broken.is_for_strangers() && self.limits.authenticated => {}
                    Some(broken) => return self.break_off(net, broken),
                    None => {}
                }
                self.next = 0;
                self.broken = self.parser.parse(&self.limits, &mut self.batch).err();
                if self.batch.is_empty() {
                    if self.broken.is_some() {
                        continue;
                    }
                    break;
                }
            }
            self.execute(net)?;
        }
        if self.parser.buffer.is_empty() && self.parser.buffer.capacity() > KEPT_BYTES_MAX {
            self.parser.buffer = bytes::BytesMut::new();
        }
        Ok(())
    }

    /// A protocol error is answered once; then the connection ends.
    fn break_off(&mut self, net: &Net, error: ParseError) -> Result<(), Over> {
        if error == ParseError::QueryLimit {
            return Err(Over::QueryLimit);
        }
        self.settle(net)?;
        net.metrics.protocol_errors.add(1);
        tracing::debug!(client = self.id, "{error}");
        let reply = Failure::text(error.to_string()).into();
        self.outs.push(Out { reply, after: 0, protocol: Protocol::Resp2 });
        self.output.add(&mut self.outs, None);
        self.closing = true;
        Ok(())
    }

    /// Run the rest of the batch under one lock.
    fn execute(&mut self, net: &Arc<Net>) -> Result<(), Over> {
        self.settle(net)?;
        let Some(mut engine) = net.enter() else { return self.execute_beside(net) };
        match engine.execute(self.id, &self.batch, self.next, now_ms()) {
            Progress::Done => self.next = self.batch.len(),
            Progress::Blocked(next) => {
                self.next = next;
                net.attention.notify_one();
            }
            Progress::Close => {
                self.next = self.batch.len();
                self.closing = true;
            }
            Progress::Forward(index) => {
                self.next = index + 1;
                self.forwarding = self.pass_on(net, &engine, index);
                if self.forwarding.is_none() {
                    return Err(Over::Killed);
                }
            }
        }
        self.send_messages(net, &mut engine);
        self.take(net, engine)?;
        if self.next == self.batch.len() {
            self.batch.clear();
            self.next = 0;
        }
        Ok(())
    }

    /// Ask the leader to publish what transactions and scripts published here; nobody waits for it.
    fn send_messages(&self, net: &Arc<Net>, engine: &mut Engine) {
        if engine.server.outgoing.is_empty() {
            return;
        }
        let outgoing = std::mem::take(&mut engine.server.outgoing);
        let Some(leader) = engine.server.status.leader_address.clone() else { return };
        let password = self.config.passwords().outgoing().map(str::to_owned);
        let net = net.clone();
        tokio::spawn(async move {
            for words in outgoing {
                let mut bytes = Vec::new();
                forward::encode(words.iter().map(AsRef::as_ref), &mut bytes);
                let (leader, password) = (leader.clone(), password.clone());
                let request = forward::Request { leader, password, db: 0, protocol: Protocol::Resp2, bytes };
                if let Err(error) = net.leader.forward(request).await {
                    tracing::warn!(%error, "a message did not reach the leader");
                }
            }
        });
    }

    /// Pass a request on to the leader.
    fn pass_on(&self, net: &Arc<Net>, engine: &Engine, index: usize) -> Option<Forwarding> {
        let client = engine.clients.get(self.id)?;
        let mut bytes = Vec::new();
        forward::encode(self.batch.get(index).rest(0), &mut bytes);
        let request = forward::Request {
            leader: engine.server.status.leader_address.clone()?,
            password: self.config.passwords().outgoing().map(str::to_owned),
            db: client.db,
            protocol: client.protocol,
            bytes,
        };
        let net = net.clone();
        Some(Box::pin(async move { net.leader.forward(request).await }))
    }

    /// The reply of the leader goes to the client as it came.
    fn forwarded(&mut self, net: &Arc<Net>, reply: Result<Vec<u8>, forward::Failed>) -> Result<(), Over> {
        self.forwarding = None;
        self.settle(net)?;
        let reply = match reply {
            Ok(reply) => reply,
            Err(forward::Failed::Before(error)) => {
                tracing::warn!(client = self.id, %error, "can't pass a request on to the leader");
                b"-READONLY You can't write against a read only replica.\r\n".to_vec()
            }
            Err(after @ forward::Failed::After(_)) => return Err(Over::LeaderLost(after)),
        };
        let id = self.id;
        let wanted = net.with(move |engine| {
            let client = engine.clients.get_mut(id)?;
            let mode = client.reply_mode;
            client.end_command();
            Some(mode == ReplyMode::On)
        });
        if wanted == Some(true) {
            self.output.add_raw(&reply);
        }
        self.work(net)
    }

    /// The engine has output, or the client waits no longer, or it is to be closed.
    fn look(&mut self, net: &Arc<Net>) -> Result<(), Over> {
        self.settle(net)?;
        match net.enter() {
            Some(engine) => self.take(net, engine)?,
            None => self.execute_beside(net)?,
        }
        self.work(net)
    }

    /// As [`Connection::execute`] while a script is busy.
    fn execute_beside(&mut self, net: &Arc<Net>) -> Result<(), Over> {
        // A client that waits runs nothing more.
        let next = if self.blocked { self.batch.len() } else { self.next };
        let visit = beside::visit(net, self.id, std::mem::take(&mut self.batch), next);
        self.batch = visit.batch;
        self.unsettled = Some(Unsettled { term: visit.term, turned: false });
        let Some(state) = visit.state else { return Err(Over::Killed) };
        match visit.progress {
            Some(Progress::Blocked(next)) => {
                self.next = next;
                net.attention.notify_one();
            }
            Some(Progress::Forward(_)) => return Err(Over::Killed),
            Some(Progress::Done | Progress::Close) => self.next = self.batch.len(),
            None => {}
        }
        self.closing |= state.closing || visit.progress == Some(Progress::Close);
        self.outs = state.outs;
        self.blocked = state.blocked;
        self.subscribed = state.subscribed;
        self.config = state.config;
        self.limits = limits(&self.config, state.authenticated);
        if self.next == self.batch.len() {
            self.batch.clear();
            self.next = 0;
        }
        Ok(())
    }

    /// Take the client's output and state, and leave the engine.
    fn take(&mut self, net: &Net, mut engine: MutexGuard<'_, Engine>) -> Result<(), Over> {
        self.unsettled = Some(Unsettled { term: net.gate.term(), turned: false });
        if !Arc::ptr_eq(&self.config, &engine.server.config) {
            self.config = engine.server.config.clone();
        }
        let needs_password = engine.server.needs_password();
        let Some(client) = engine.clients.get_mut(self.id).filter(|client| !client.killed) else {
            return Err(Over::Killed);
        };
        std::mem::swap(&mut client.out, &mut self.outs);
        client.pushed_bytes = 0;
        client.wire = Wire {
            fd: self.stream.as_raw_fd(),
            query_bytes: self.parser.buffer.len(),
            query_room: self.parser.buffer.capacity() - self.parser.buffer.len(),
            unsent_bytes: self.output.unsent() as usize,
        };
        client.net_in += self.read;
        client.net_out += self.sent;
        self.blocked = client.blocked.is_some();
        self.closing |= client.closing;
        self.subscribed = client.subscriptions() > 0;
        let authenticated = client.authenticated || !needs_password;
        drop(engine);
        self.limits = limits(&self.config, authenticated);
        net.metrics.net_input_bytes.add(std::mem::take(&mut self.read));
        net.metrics.net_output_bytes.add(std::mem::take(&mut self.sent));
        Ok(())
    }

    /// What the last batch wrote goes on its way, and its replies into the output as the gate allows.
    fn settle(&mut self, net: &Net) -> Result<(), Over> {
        let Some(Unsettled { term, .. }) = self.unsettled.take() else { return Ok(()) };
        (net.flush)();
        Ok(self.output.settle(&mut self.outs, term, &net.gate)?)
    }
}

fn limits(config: &Config, authenticated: bool) -> Limits {
    Limits {
        bulk_bytes_max: config.proto_max_bulk_len as usize,
        query_bytes_max: config.client_query_buffer_limit as usize,
        authenticated,
    }
}
