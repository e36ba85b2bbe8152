//! Requests in, replies and effects out.
//!
//! A plain struct behind one lock. A connection locks it once for all requests that one read brought in; nothing
//! in here waits, so the lock is held for microseconds. Time enters only here: [`Engine::execute`] and
//! [`Engine::tick`] are told what time it is, and it stands still while a command runs.
//!
//! Deliberately absent: sockets, disks, other nodes. Records go to a [`Journal`], orders for the node are kept until
//! it takes them, and which part the node plays is told to the engine.

mod blocking;
mod busy;
mod clock;
mod desk;
mod errands;
mod function;
mod gate;
mod journal;
mod measure;
mod memory;
mod migrate;
mod monitor;
mod observe;
mod role;
mod script;
mod transaction;
mod users;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

pub use blocking::Acks;
pub use desk::{Desk, Job, Wanted};
pub use journal::{Forgetful, Journal, Keeping, Records};

use crate::command::server::Server;
use crate::command::spec::Begin;
use crate::command::{Args, Context, Handler, Order, Spec, Verdict};
use crate::config::Config;
use crate::keyspace::{Keyspace, Touched};
use crate::resp::{Batch, Failure, Request};
use crate::session::{Client, ClientId, Clients, LEASE_ONLY, Offset};
use crate::value::Forms;

/// How far a batch came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All requests were run.
    Done,
    /// The client waits; go on with the request at this index once it no longer does.
    Blocked(usize),
    /// The request at this index is for the leader (`replica-forward-writes`).
    Forward(usize),
    /// The connection ends once its output is out.
    Close,
}

/// What became of one request.
enum Step {
    Next,
    /// The client waits and this request was taken; or it waits and this request is still to be run.
    Wait {
        taken: bool,
    },
    Forward,
    Close,
}

/// Milliseconds of which a share goes to the deletion of expired keys.
const EXPIRE_PERIOD_MS: u64 = 4;

pub struct Engine {
    pub keyspace: Keyspace,
    pub clients: Clients,
    pub server: Server,
    journal: Box<dyn Journal>,
    /// Whether a write can be executed but not yet committed, so that replies must say what they wait for.
    replicated: bool,
    /// A handover is under way: nothing is executed.
    drained: bool,
    /// What a new leader must see committed before it answers anything (rule 3).
    floor: Offset,
    uncommitted: observe::Uncommitted,
    blocked: blocking::Queues,
    acks: Acks,
    watchers: transaction::Watchers,
    /// How many of the touched keys were told to those who track them.
    invalidated: usize,
    /// Up to where keys were touched by which clients that were served.
    changers: Vec<(usize, ClientId)>,
    /// The version of the users that are in force.
    users_version: u64,
    scripts: script::Scripts,
    /// Where others are served while a script is busy.
    pub desk: Arc<Desk>,
    /// Lets others use the thread's event loop while a script has the thread.
    pub step_aside: Option<fn()>,
    left: Vec<Job>,
    /// A script was ended half way: see [`Engine::is_torn`].
    torn: bool,
    orders: Vec<(ClientId, Order)>,
    clock: clock::Clock,
    /// When the last command ended, and the next began.
    mark: Instant,
    /// When to go on deleting expired keys, if there are more.
    expire_again: Option<u64>,
}

impl Engine {
    pub fn new(config: Arc<Config>, journal: Box<dyn Journal>, seed: u64) -> Self {
        let mut keyspace = Keyspace::new(config.databases as usize, Forms::new(&config, seed));
        keyspace.follow(&config);
        Self {
            keyspace,
            clients: Clients::default(),
            server: Server::new(config),
            journal,
            replicated: false,
            drained: false,
            floor: 0,
            uncommitted: observe::Uncommitted::default(),
            blocked: blocking::Queues::default(),
            acks: Acks::default(),
            watchers: transaction::Watchers::default(),
            invalidated: 0,
            changers: Vec::new(),
            users_version: 0,
            scripts: script::Scripts::default(),
            desk: Arc::default(),
            step_aside: None,
            left: Vec::new(),
            torn: false,
            orders: Vec::new(),
            clock: clock::Clock::default(),
            mark: Instant::now(),
            expire_again: None,
        }
    }

    /// Run the requests of `batch` from index `from` on for a client; its output is in [`Engine::output`] then.
    /// `now_ms` is milliseconds since 1970.
    pub fn execute(&mut self, id: ClientId, batch: &Batch, from: usize, now_ms: u64) -> Progress {
        if self.is_busy() {
            return self.execute_beside(id, batch, from);
        }
        let Some(mut client) = self.clients.take(id) else { return Progress::Close };
        self.advance_clock(now_ms);
        if self.replicated {
            self.uncommitted.committed(self.journal.committed());
        }
        self.mark = Instant::now();
        client.last_active = self.mark;
        let mut progress = Progress::Done;
        for index in from..batch.len() {
            let step = self.request(&mut client, batch.get(index));
            // Who is unblocked or killed by the request takes nothing of what it brought.
            if !self.server.errands.is_empty() {
                self.run_errands();
            }
            if !self.keyspace.touched.is_empty() {
                self.settle(&mut client);
            }
            self.deliver_rest(&mut client);
            if matches!(step, Step::Wait { .. }) && !client.late.is_empty() {
                client.tell_late(self.newest());
            }
            if !self.clients.tracking.is_idle() {
                self.track();
            }
            // Whoever does not keep up with messages is killed.
            if !self.server.errands.is_empty() {
                self.run_errands();
            }
            progress = match step {
                Step::Next if client.closing || client.killed => Progress::Close,
                Step::Next => continue,
                Step::Wait { taken } => Progress::Blocked(index + usize::from(taken)),
                Step::Forward => Progress::Forward(index),
                Step::Close => Progress::Close,
            };
            break;
        }
        self.broadcast(&mut client);
        self.clients.put(client);
        if !self.left.is_empty() {
            self.do_what_is_left();
        }
        progress
    }

    /// Take what is queued for a client; `into` (empty) takes its place.
    pub fn output(&mut self, id: ClientId, into: &mut Vec<crate::session::Out>) {
        if let Some(client) = self.clients.get_mut(id) {
            std::mem::swap(&mut client.out, into);
        }
    }

    pub fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Orders for the node since the last call. It answers each with [`Engine::answer`].
    pub fn take_orders(&mut self) -> Vec<(ClientId, Order)> {
        std::mem::take(&mut self.orders)
    }

    fn advance_clock(&mut self, now_ms: u64) {
        self.keyspace.now = self.clock.advance(self.keyspace.now, now_ms);
    }

    /// Run one request and queue its reply.
    fn request(&mut self, client: &mut Client, request: Request<'_>) -> Step {
        let step = self.run(client, request);
        if matches!(step, Step::Next) {
            client.end_command();
        }
        step
    }

    fn run(&mut self, client: &mut Client, request: Request<'_>) -> Step {
        client.commands += 1;
        let (spec, skip) = match gate::look_up(request) {
            Ok(found) => found,
            Err(failure) => {
                client.command = gate::name(request);
                self.refused(request, &failure);
                return self.refuse(client, request, failure);
            }
        };
        // Refused or not, it is the last command.
        client.command = spec.full_name;
        let flags = match self.admit(client, (spec, skip), request) {
            gate::Pass::Run(flags) => flags,
            // What is queued takes memory too.
            gate::Pass::Queue(_) if !self.make_room() => {
                self.refused(request, &memory::OUT_OF_MEMORY);
                return self.refuse(client, request, memory::OUT_OF_MEMORY);
            }
            gate::Pass::Queue(flags) => return transaction::queue(client, flags, request),
            gate::Pass::Refuse(failure) => {
                self.refused(request, &failure);
                return self.refuse(client, request, failure);
            }
            gate::Pass::Forward => return Step::Forward,
            gate::Pass::Pause(until) => return self.pause(client, until),
        };
        if self.lacks_memory(client, flags) {
            self.refused(request, &memory::OUT_OF_MEMORY);
            return self.refuse(client, request, memory::OUT_OF_MEMORY);
        }
        if let Handler::Engine(own) = spec.handler {
            let (since, queued) = (self.mark, client.out.len());
            let step = self.own(client, own, request);
            self.measure_own(client, spec, request, since, queued);
            self.show(client, spec, request);
            return step;
        }
        let verdict = self.call(client, spec, skip, request, true, None);
        self.conclude(client, spec, request, verdict)
    }

    /// Act on what a handler decided.
    fn conclude(
        &mut self,
        client: &mut Client,
        spec: &Spec,
        request: Request<'_>,
        verdict: Result<Verdict, Failure>,
    ) -> Step {
        match verdict {
            Ok(Verdict::Reply(reply)) => {
                let after = self.finish(client, spec, request);
                self.deliver(client, after);
                client.reply(reply, after);
                Step::Next
            }
            Ok(verdict @ Verdict::Replicas { .. }) => match self.wait_for_replicas(client, &verdict, true) {
                Some(reply) => {
                    client.reply(reply, 0);
                    Step::Next
                }
                None => Step::Wait { taken: true },
            },
            Ok(Verdict::Block { keys, deadline, timeout }) => {
                self.finish(client, spec, request);
                self.block(client, keys, deadline, timeout, request, false);
                Step::Wait { taken: true }
            }
            Ok(Verdict::BlockUntil { keys, deadline, timeout, again, even_gone }) => {
                self.finish(client, spec, request);
                self.block(client, keys, deadline, timeout, Batch::of(&again).get(0), even_gone);
                Step::Wait { taken: true }
            }
            Ok(Verdict::Order(order)) => {
                client.blocked = Some(crate::session::Blocked::Order);
                self.orders.push((client.id, order));
                Step::Wait { taken: true }
            }
            Err(failure) => {
                let after = self.finish(client, spec, request);
                client.reply(failure.into(), after);
                Step::Next
            }
        }
    }

    /// Run a handler, and measure it.
    fn call(
        &mut self,
        client: &mut Client,
        spec: &'static Spec,
        skip: usize,
        request: Request<'_>,
        may_block: bool,
        ready: Option<&[u8]>,
    ) -> Result<Verdict, Failure> {
        let verdict = match self.scripts.calling {
            // What it is told besides is for its connection.
            Some(protocol) => {
                let own = std::mem::replace(&mut client.protocol, protocol);
                let verdict = self.handle(client, spec, skip, request, may_block, ready);
                client.protocol = own;
                verdict
            }
            None => self.handle(client, spec, skip, request, may_block, ready),
        };
        if ready.is_none() {
            self.tell_all(client);
        } else {
            // Who tracks may be the client whose command serves this one: it is told after that.
            self.publish_events();
        }
        self.measure(client, spec, request, &verdict);
        self.show(client, spec, request);
        self.remember(client, spec, request);
        self.follow_users(Some(client));
        verdict
    }

    fn handle(
        &mut self,
        client: &mut Client,
        spec: &'static Spec,
        skip: usize,
        request: Request<'_>,
        may_block: bool,
        ready: Option<&[u8]>,
    ) -> Result<Verdict, Failure> {
        if let Handler::Script(which) = spec.handler {
            return self.script(client, (spec, which), request);
        }
        let args = Args::parse(spec, request, skip)?;
        self.keyspace.set_quiet(client.no_touch && spec.name != "touch");
        let mut context = Context {
            keyspace: &mut self.keyspace,
            client,
            clients: &mut self.clients,
            server: &mut self.server,
            may_block,
            ready,
        };
        match spec.handler {
            Handler::Run(run) => run(&mut context, &args).map(Verdict::Reply),
            Handler::Try(run) => run(&mut context, &args),
            Handler::Engine(_) | Handler::Script(_) | Handler::Container => {
                Err(crate::command::errors::SYNTAX)
            }
        }
    }

    /// Log what a command changed, and say what its reply must wait for.
    fn finish(&mut self, client: &mut Client, spec: &Spec, request: Request<'_>) -> Offset {
        let written = self.log();
        client.written = client.written.max(written);
        if !self.replicated {
            return written;
        }
        self.held(written.max(self.observed(client.db, spec, request)))
    }

    /// What a reply waits for that tells of data up to an offset: its commit, or that this node leads still (rule 5).
    fn held(&self, needed: Offset) -> Offset {
        if !self.replicated || needed > self.journal.committed() { needed } else { needed.min(LEASE_ONLY) }
    }

    /// What a reply must wait for that may depend on anything.
    fn newest(&self) -> Offset {
        if !self.replicated || !self.server.status.role.leads() {
            0
        } else if self.uncommitted.is_empty() {
            self.floor.max(LEASE_ONLY)
        } else {
            self.journal.end().max(LEASE_ONLY)
        }
    }

    /// Put the effects since the last record into the log; 0 if there are none.
    fn log(&mut self) -> Offset {
        // What a script has changed so far is written when it ends.
        if self.keyspace.record().is_empty() || self.is_busy() {
            return 0;
        }
        let astray = crate::mutant::is_planted(18) || crate::mutant::is_planted(19);
        if self.torn || astray && !self.server.status.role.leads() {
            // It builds on what never happened.
            self.keyspace.clear_record();
            return 0;
        }
        let decisive = self.keyspace.record_changes();
        if !decisive && self.journal.refusal().is_some() {
            // Messages alone are not worth a log that has no room.
            self.keyspace.clear_record();
            return 0;
        }
        let end = journal::append(&mut *self.journal, self.keyspace.now, self.keyspace.record());
        self.keyspace.clear_record();
        if !decisive {
            // Nobody has to wait for a message to be kept.
            return 0;
        }
        if self.replicated {
            for touched in &self.keyspace.touched {
                self.uncommitted.wrote(touched, end);
            }
        }
        end
    }

    /// What a reply must wait for because of what the command looked at: uncommitted writes to its keys (or any, if it
    /// looks at the whole key space), and on a leader at least that it still leads.
    fn observed(&self, db: u32, spec: &Spec, request: Request<'_>) -> Offset {
        if script::is_script(spec) {
            // Whatever keys it was given: its commands know what they saw.
            return self.scripts.observed;
        }
        // What SORT looks at besides follows from the data itself.
        let hidden = spec.keys.iter().any(|keys| keys.begin == Begin::Unknown);
        let whole = spec.keys.is_empty() || hidden;
        let data = !whole || spec.flags.has(crate::command::Flags::READONLY) || spec.writes();
        if !data || !self.server.status.role.leads() {
            return 0;
        }
        if whole {
            // Commands over the whole key space wait for everything.
            return self.journal.end().max(LEASE_ONLY);
        }
        let floor = self.floor.max(LEASE_ONLY);
        if self.uncommitted.is_empty() || crate::mutant::is_planted(14) {
            return floor;
        }
        let keys = crate::command::keys::positions(spec, request);
        keys.into_iter().map(|index| self.uncommitted.of(db, request.arg(index))).fold(floor, Offset::max)
    }

    /// Act on touched keys: watches turn dirty, blocked clients are served.
    fn settle(&mut self, client: &mut Client) {
        if self.torn {
            self.keyspace.touched.clear();
        }
        while !self.keyspace.touched.is_empty() {
            let touched = std::mem::take(&mut self.keyspace.touched);
            for touched in &touched {
                self.watchers.touched(touched, &self.keyspace, &mut self.clients, client);
            }
            let told = std::mem::take(&mut self.invalidated).min(touched.len());
            let mut from = told;
            for (to, by) in std::mem::take(&mut self.changers) {
                self.invalidate(&touched[from..to], Some(by), client);
                from = to;
            }
            self.invalidate(&touched[from..], Some(client.id), client);
            self.serve(&touched);
        }
        self.changers.clear();
        self.track();
    }

    /// Collect touched keys only while somebody cares.
    fn track(&mut self) {
        self.keyspace.tracking = self.replicated
            || !self.blocked.is_empty()
            || !self.watchers.is_empty()
            || !self.clients.tracking.is_idle();
    }

    /// Work that is due by the clock; call it some ten times a second, and [`Engine::next_deadline`] says when sooner.
    pub fn tick(&mut self, now_ms: u64) {
        self.advance_clock(now_ms);
        self.mark = Instant::now();
        self.server.observed.tick(now_ms);
        self.server.peak_memory();
        self.weigh_scripts();
        self.time_out();
        self.close_idle();
        self.evict_clients();
        self.make_room();
        self.settle_alone();
        if !self.server.errands.is_empty() {
            self.run_errands();
        }
        if self.keyspace.authority && self.server.active_expire && !self.stands_still() {
            self.expire();
        }
    }

    /// Delete keys whose time has come, each batch as one record, within the processor time that Redis allows for it: a
    /// quarter, and a little more with each step of `active-expire-effort`. It is cut into short turns, so that nobody
    /// waits long for the lock; [`Engine::next_deadline`] asks for the next turn while there is more.
    fn expire(&mut self) {
        const BATCH: usize = 128;
        let percent = 25 + 2 * u64::from(self.server.config.active_expire_effort.saturating_sub(1));
        let turn = std::time::Duration::from_micros(EXPIRE_PERIOD_MS * 10 * percent);
        self.expire_again = None;
        loop {
            let gone = self.keyspace.expire_due(BATCH);
            if gone > 0 {
                self.publish_events();
                self.log();
                self.settle_alone();
            }
            let took = self.mark.elapsed();
            if gone < BATCH || took >= turn {
                let server = &mut self.server;
                server.observed.event(&server.config, "expire-cycle", took, self.keyspace.now);
            }
            if gone < BATCH {
                return;
            }
            if took >= turn {
                let rest = EXPIRE_PERIOD_MS.saturating_sub(took.as_millis() as u64).max(1);
                self.expire_again = Some(self.keyspace.now + rest);
                return;
            }
        }
    }

    /// As [`Engine::settle`], outside of any client's batch.
    fn settle_alone(&mut self) {
        let mut nobody = Client::new(0, String::new(), String::new());
        self.settle(&mut nobody);
        self.deliver_rest(&mut nobody);
        self.broadcast(&mut nobody);
    }

    /// Replay a record that ends at `end`. Messages that it carries wait until that is committed: a leader to be replays
    /// a tail that may yet be lost with it (trap 15).
    pub fn replay(
        &mut self,
        time_ms: u64,
        payload: &[u8],
        end: Offset,
    ) -> Result<(), crate::keyspace::EffectError> {
        self.keyspace.hears = true;
        self.keyspace.replay(time_ms, payload)?;
        self.publish_events();
        let touched = std::mem::take(&mut self.keyspace.touched);
        let looked_at = !(self.watchers.is_empty() && self.clients.tracking.is_idle());
        if looked_at || self.server.pubsub.has_mail() {
            let mut nobody = Client::new(0, String::new(), String::new());
            for touched in &touched {
                self.watchers.touched(touched, &self.keyspace, &mut self.clients, &mut nobody);
            }
            self.invalidate(&touched, None, &mut nobody);
            self.broadcast(&mut nobody);
            self.deliver(&mut nobody, end);
        }
        self.follow_users(None);
        if !self.server.errands.is_empty() {
            self.run_errands();
        }
        Ok(())
    }
}

/// Touched keys as places in maps.
type Place = (u32, Arc<[u8]>);
type PlaceMap<V> = HashMap<Place, V, foldhash::fast::RandomState>;

fn place(touched: &Touched) -> Option<Place> {
    match touched {
        Touched::Key { db, key, .. } => Some((*db, key.clone())),
        Touched::Beside { .. } | Touched::Database(_) | Touched::Swapped(..) => None,
    }
}
