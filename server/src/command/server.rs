//! What commands see of the server around the key space.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use super::acl;
use super::observe::Observed;
use super::spec::{Flags, Spec};
use crate::acl::{Log, User, Users};
use crate::config::Config;
use crate::metrics::heap;
use crate::pubsub::Registry;
use crate::session::ClientId;

/// The version of Redis that clients shall take this server for, and choose what they send by: the one whose commands
/// are served. With an older one clients refuse to keep a cache that the server invalidates. `INFO` has
/// `botellier_version` beside.
pub const REDIS_VERSION: &str = "8.0.2";

/// The part that this node plays, as `INFO`, `ROLE` and the gate see it. The node sets it.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub role: Role,
    pub epoch: u64,
    /// Node ids; empty if unknown.
    pub leader: String,
    pub synced: String,
    /// Where clients and replicas reach the leader, if it is another node.
    pub leader_address: Option<(String, u16)>,
    pub node: String,
    /// End of this node's log, and of what is committed of it.
    pub offset: u64,
    pub committed: u64,
    pub lease_ms: i64,
    /// Whether the link to the leader is up (on a follower), and the seconds since it spoke.
    pub link_up: bool,
    /// The lead is being handed over.
    pub failing_over: bool,
    /// 40 hex digits that name the history, as Redis' `master_replid`; empty: that of the run.
    pub replid: String,
    pub replicas: Vec<Replica>,
    /// The registered nodes of the store, by their ids; none if this server stands alone.
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Without a ZooKeeper: its own leader, commits alone.
    #[default]
    Standalone,
    /// Reading its data directory.
    Loading,
    Leader,
    /// A leader that may not commit now (no synced replica); why is in the answer to writes.
    Stalled,
    Synced,
    Replica,
    /// No leader is known.
    Waiting,
}

impl Role {
    pub const fn leads(self) -> bool {
        matches!(self, Role::Standalone | Role::Leader | Role::Stalled)
    }
}

/// A node as it is registered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    /// Where clients reach it.
    pub host: String,
    pub port: u16,
    /// End of its log, as it last said.
    pub offset: u64,
}

/// A follower as its leader sees it.
#[derive(Debug, Clone, Default)]
pub struct Replica {
    pub id: String,
    pub host: String,
    pub port: u16,
    pub offset: u64,
    pub lag_seconds: u64,
    pub synced: bool,
    /// It is being brought level by a full copy.
    pub copying: bool,
}

/// The settings in force, to be read without the engine: a script may have that for long.
#[derive(Debug, Clone)]
pub struct Settings(Arc<Mutex<Arc<Config>>>);

impl Settings {
    pub fn now(&self) -> Arc<Config> {
        self.0.lock().clone()
    }
}

/// The server around the key space.
pub struct Server {
    pub config: Arc<Config>,
    /// The same, for whoever must not wait for the engine.
    pub settings: Settings,
    pub status: Status,
    pub started: Instant,
    pub pause: Option<Pause>,
    pub observed: Observed,
    /// Whether expired keys are deleted although nobody asks for them (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expire: bool,
    /// 40 hex digits that name this run of the process, as in Redis.
    pub run_id: String,
    pub pubsub: Registry,
    /// The users in force.
    pub users: Users,
    /// Those of this node's configuration, in force while the log has none.
    pub own_users: Users,
    /// They changed although the log did not; the engine looks at it after each command.
    pub users_changed: bool,
    pub acl_log: Log,
    /// Who led last, as far as this node knows.
    pub last_leader: Option<Member>,
    /// What commands ask of the engine; it does so when they have run.
    pub errands: Vec<Errand>,
    pub persistence: Persistence,
    pub scripts: ScriptFigures,
    /// Bytes of the log that are in memory, and its first offset.
    pub log_memory: u64,
    pub log_start: u64,
    /// The disk has no room for it, so that no write is taken.
    pub log_full: bool,
    /// Messages that the leader shall publish: requests for it, whose replies nobody waits for.
    pub outgoing: Vec<[bytes::Bytes; 3]>,
    /// Bytes that the process had taken when it began, and the most that were seen since.
    pub memory_at_start: u64,
    memory_peak: u64,
}

/// Something about other clients that only the engine can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// `CLIENT UNBLOCK`: as if its time were up, or with an error.
    Unblock { id: ClientId, error: bool },
    /// A client was killed: it shall not be served any more.
    Kill { id: ClientId },
    /// The pause is over.
    Unpause,
}

/// What is known of scripts and functions, since they last ran.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScriptFigures {
    pub cached: u64,
    /// Bytes of the texts of those, of the libraries', and of the interpreter.
    pub script_bytes: u64,
    pub library_bytes: u64,
    pub interpreter_bytes: u64,
    pub libraries: u64,
    pub functions: u64,
}

/// What is known of snapshots.
#[derive(Debug, Clone, Copy)]
pub struct Persistence {
    pub saving: bool,
    /// Another one was asked for while one is taken.
    pub again: bool,
    pub last_failed: bool,
    /// When the one under way began.
    pub began: Option<Instant>,
    /// How long the last one took, and how many were taken since the start.
    pub last_took_s: Option<u64>,
    pub taken: u64,
    /// The server's start before the first snapshot.
    pub last_save: Instant,
    /// The same in seconds since 1970.
    pub last_save_s: u64,
    /// `Keyspace::changes` when the last snapshot was begun.
    pub changes_at_save: u64,
}

impl Persistence {
    /// As Redis does, the start counts as the last save.
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Self {
            saving: false,
            again: false,
            last_failed: false,
            began: None,
            last_took_s: None,
            taken: 0,
            last_save: Instant::now(),
            last_save_s: now,
            changes_at_save: 0,
        }
    }
}

/// `CLIENT PAUSE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Milliseconds since 1970.
    pub until: u64,
    /// All commands, not only those that may change something.
    pub all: bool,
}

impl Server {
    pub fn new(config: Arc<Config>) -> Self {
        let mut observed = Observed::new(super::names());
        observed.configure(&config);
        // The node checks them before; if that was not done nobody gets in.
        let users = acl::configured(&config).unwrap_or_else(|_| Users::new(User::new(b"default", false)));
        let settings = Settings(Arc::new(Mutex::new(config.clone())));
        Self {
            config,
            settings,
            status: Status::default(),
            started: Instant::now(),
            pause: None,
            observed,
            active_expire: true,
            run_id: random_hex(),
            pubsub: Registry::default(),
            users: users.clone(),
            own_users: users,
            users_changed: false,
            acl_log: Log::default(),
            last_leader: None,
            errands: Vec::new(),
            persistence: Persistence::new(),
            scripts: ScriptFigures::default(),
            log_full: false,
            log_memory: 0,
            log_start: 0,
            outgoing: Vec::new(),
            memory_at_start: heap::used(),
            memory_peak: 0,
        }
    }

    /// The most memory that was in use whenever somebody looked, which is some times a second at least.
    pub fn peak_memory(&mut self) -> u64 {
        self.memory_peak = self.memory_peak.max(heap::used());
        self.memory_peak
    }

    /// The settings change.
    pub fn configure(&mut self, config: Arc<Config>) {
        self.observed.configure(&config);
        self.settings.0.lock().clone_from(&config);
        self.config = config;
    }

    /// Whether another node leads, and can be reached.
    pub fn follows(&self) -> bool {
        !self.status.role.leads() && self.status.leader_address.is_some()
    }

    /// Whether a client has to say who it is before anything else. A password that the configuration asks for is asked
    /// for even if the user `default` needs none by the log.
    pub fn needs_password(&self) -> bool {
        let default = self.users.default_user();
        !default.enabled || !default.no_password || self.config.passwords().required()
    }

    /// The user of that name, if the password is right.
    pub fn login(&self, name: &[u8], password: &[u8]) -> Option<&Arc<User>> {
        let user = self.users.get(name).filter(|user| user.enabled)?;
        let passwords = self.config.passwords();
        let (is_default, open) = (name == b"default", user.no_password);
        let right = match (is_default, open) {
            (true, true) => !passwords.required() || passwords.accepts_client(password),
            (true, false) => passwords.is_in_file(password) || user.has_password(password),
            (false, open) => open || user.has_password(password),
        };
        right.then_some(user)
    }

    /// The users of the configuration changed, and are those in force.
    pub fn follow_own_users(&mut self) {
        self.users = self.own_users.clone();
        self.users_changed = true;
    }

    /// Until when clients that run this command are paused, if they are; `flags` are those of what it will do.
    pub fn paused_until(&self, spec: &Spec, flags: Flags, now: u64) -> Option<u64> {
        let pause = self.pause.filter(|pause| pause.until > now)?;
        let held = flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE) || pause.all;
        // Nobody could end a pause of all commands otherwise.
        (held && !spec.full_name.starts_with("CLIENT")).then_some(pause.until)
    }
}

/// 160 random bits.
fn random_hex() -> String {
    let mut text = String::with_capacity(40);
    for _ in 0..5 {
        // Each state is keyed at random by the standard library.
        let number = std::hash::RandomState::new().build_hasher().finish() as u32;
        let _ = write!(text, "{number:08x}");
    }
    text
}
