//! Every setting, declared once: its field, name, kind, default, when it may change, and what it does.
//!
//! Contract: the file, the command line, CONFIG GET, SET and REWRITE, `--help` and the page of settings all come from
//! this table. Only a setting that does something may stand here.

use super::events::{Classes, Letters};
use super::eviction::{MemoryShare, Policy, Share};
use super::kinds::{
    Addresses, Choice, ClassLimits, ConnectString, Directory, FilePath, Int, Kind, Memory, NodeId,
    SavePoints, Text, YesNo,
};
use super::percentiles::Percentiles;
use super::values::{Allow, Channels, Durability, Fsync, LogLevel, OutputLimits, SavePoint, ZooKeeper};
use super::{Origin, Passwords};
use std::path::PathBuf;
use std::sync::Arc;

/// When a setting may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Only at the start.
    Start,
    /// At any time, by CONFIG SET.
    Live,
}

/// A setting, as the rest of the house sees it.
pub struct Setting {
    pub name: &'static str,
    /// An older name that Redis still takes.
    pub alias: Option<&'static str>,
    pub group: &'static str,
    pub default: &'static str,
    pub when: When,
    /// What it does, one sentence or a few, as Markdown.
    pub doc: &'static [&'static str],
    /// The form of its value.
    pub form: fn() -> String,
    /// As CONFIG GET prints it.
    pub show: fn(&Config) -> String,
    pub(super) lines: fn(&Config) -> Vec<String>,
    pub(super) read: fn(&mut Config, &[String], bool) -> Result<(), String>,
}

/// Words of a declared default: none is the empty text.
fn default_words(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

macro_rules! settings {
    ($($group:literal { $(
        $(#[doc = $doc:literal])+
        $field:ident: $type:ty = $name:literal $(or $alias:literal)?, $kind:expr, $default:literal, $when:ident;
    )+ })+) => {
        /// All settings, ready to be read: one plain field each. Clone it or share it behind an `Arc`.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($( $(#[doc = $doc])+ pub $field: $type, )+)+
            /// Lines `user NAME RULE...` of the file, without the first word.
            pub users: Arc<Vec<Vec<String>>>,
            pub(super) passwords: Arc<Passwords>,
            pub(super) origin: Arc<Origin>,
        }

        impl Default for Config {
            fn default() -> Config {
                Config {
                    $($( $field: {
                        let none = <$type>::default();
                        Kind::<$type>::read(&$kind, &default_words($default), &none, false)
                            .expect("a test reads every declared default")
                    }, )+)+
                    users: Arc::default(),
                    passwords: Arc::default(),
                    origin: Arc::default(),
                }
            }
        }

        /// The declarations, in the order of the documentation.
        pub static SETTINGS: &[Setting] = &[ $($( Setting {
            name: $name,
            alias: settings!(@alias $($alias)?),
            group: $group,
            default: $default,
            when: When::$when,
            doc: &[$($doc),+],
            form: || Kind::<$type>::form(&$kind),
            show: |config| Kind::<$type>::show(&$kind, &config.$field),
            lines: |config| Kind::<$type>::lines(&$kind, &config.$field),
            read: |config, words, again| {
                config.$field = Kind::<$type>::read(&$kind, words, &config.$field, again)?;
                Ok(())
            },
        }, )+)+ ];
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
}

const INT: i64 = i32::MAX as i64;

settings! {
    "Network" {
        /// TCP port for clients. The default is not Redis' 6379, so that both can run on one machine.
        port: u16 = "port", Int(1, 65535), "6679", Start;
        /// Addresses to listen on. A leading `-` forgives an address that the machine does not have; `*` and `::*`
        /// are all addresses of IPv4 and IPv6.
        bind: Vec<String> = "bind", Addresses, "* -::*", Start;
        /// Length of the queue of connections that wait to be accepted.
        tcp_backlog: u32 = "tcp-backlog", Int(0, INT), "511", Start;
        /// Seconds after which an idle client is closed; 0 never.
        timeout: u64 = "timeout", Int(0, INT), "0", Live;
        /// Seconds between TCP keep-alive probes to a silent client; 0 sends none.
        tcp_keepalive: u64 = "tcp-keepalive", Int(0, INT), "300", Live;
        /// Clients connected at a time; one more is told so and closed.
        maxclients: u32 = "maxclients", Int(1, 4_294_967_295), "10000", Live;
        /// Threads that serve clients; 0 is one for each processor that the server may use.
        io_threads: u32 = "io-threads", Int(0, 128), "0", Start;
        /// HTTP port for `/metrics`, `/livez` and `/readyz`; 0 opens none.
        metrics_port: u16 = "metrics-port", Int(0, 65535), "0", Start;
    }
    "Access" {
        /// Password that clients give with AUTH; empty asks for none.
        requirepass: String = "requirepass", Text("password"), "", Live;
        /// File with one password a line, each of which is valid beside `requirepass`. Read at the start and whenever
        /// it changes, so that a password can be exchanged without a moment at which nobody gets in.
        requirepass_file: Option<PathBuf> = "requirepass-file", FilePath, "", Start;
        /// Password that this node gives to the others of its store. When neither this nor `masterauth-file` is set,
        /// it is the first one asked of clients, for the nodes of a store usually share it.
        masterauth: String = "masterauth", Text("password"), "", Live;
        /// File with one password a line: the first is given to other nodes, every one is taken from them.
        masterauth_file: Option<PathBuf> = "masterauth-file", FilePath, "", Start;
    }
    "Access control" {
        /// File of users, a line `user NAME RULE...` each, read at the start while the log has no users, and by ACL LOAD;
        /// ACL SAVE writes it.
        aclfile: Option<PathBuf> = "aclfile", FilePath, "", Start;
        /// Entries that ACL LOG keeps.
        acllog_max_len: u64 = "acllog-max-len", Int(0, i64::MAX), "128", Live;
        /// Whether a new user may use every channel or none before it is told.
        acl_pubsub_default: Channels = "acl-pubsub-default", Choice, "resetchannels", Live;
    }
    "General" {
        /// Who may use DEBUG: nobody, clients on this machine, or everybody.
        enable_debug_command: Allow = "enable-debug-command", Choice, "no", Start;
        /// Directory of everything that is kept on disk.
        dir: PathBuf = "dir", Directory, ".", Start;
        /// Number of databases that SELECT reaches.
        databases: u32 = "databases", Int(1, INT), "16", Start;
        /// How much is logged.
        loglevel: LogLevel = "loglevel", Choice, "notice", Live;
        /// File that log lines are added to; empty writes to standard output. It is opened anew for each line, so it
        /// may be moved away at any time.
        logfile: Option<PathBuf> = "logfile", FilePath, "", Start;
        /// How often a second the background work runs: expiry, idle clients, snapshots' conditions. Held in 1..500.
        hz: u32 = "hz", Hertz, "10", Live;
        /// Milliseconds after which others are told that a script is busy, and may end it; 0 is at once.
        busy_reply_threshold: u64 = "busy-reply-threshold" or "lua-time-limit", Int(0, INT), "5000", Live;
        /// How hard expired keys are hunted, at the cost of processor time.
        active_expire_effort: u32 = "active-expire-effort", Int(1, 10), "1", Live;
    }
    "Durability" {
        /// Keep the log of writes on disk. On by default, unlike Redis: an acknowledged write is never lost here, and
        /// without a log it would be by the next restart. `no` is only for a server that stands alone.
        appendonly: bool = "appendonly", YesNo, "yes", Start;
        /// When the log is forced to disk: before the answer (`always`), each second, or as the system likes. The
        /// default is `everysec`, as in Redis: a write is acknowledged only when two nodes hold it, so losing one
        /// machine's memory loses nothing. A server that stands alone and must outlive a power cut needs `always`.
        appendfsync: Fsync = "appendfsync", Choice, "everysec", Live;
        /// Take a snapshot once so many seconds have passed with at least so many changes; several points may be
        /// given, `""` is none. Recovery does not need it: it shortens the log to be replayed.
        save: Vec<SavePoint> = "save", SavePoints, "3600 1 300 100 60 10000", Live;
        /// Bytes of log kept although a snapshot covers them, so that a node that was away catches up from the log
        /// instead of by a full copy.
        log_retention_bytes: u64 = "log-retention-bytes", Memory(0, i64::MAX as u64), "256mb", Live;
    }
    "Replication" {
        /// ZooKeeper's servers and the path below which the store keeps its nodes. Empty: this server stands alone.
        zookeeper: Option<ZooKeeper> = "zookeeper", ConnectString, "", Start;
        /// This node's name in its store; needed with `zookeeper`, and the same after each restart.
        node_id: Option<String> = "node-id", NodeId, "", Start;
        /// Address or name by which clients and other nodes reach this node; empty lets the node find out.
        announce_host: Option<String> = "announce-host", Text("host"), "", Start;
        /// Port for the other nodes; 0 is `port` + 10000.
        replication_port: u16 = "replication-port", Int(0, 65535), "0", Start;
        /// Port at which clients are served only while this node leads, and sent away otherwise: for a route to the
        /// leader that may be out of date. 0 is none.
        leader_port: u16 = "leader-port", Int(0, 65535), "0", Start;
        /// What happens when no second node can hold a write: `required` refuses writes, `preferred` goes on alone
        /// after writing down in ZooKeeper that nobody else may lead.
        durability: Durability = "durability", Choice, "required", Start;
        /// Milliseconds for which the synced replica's promise not to take over lasts, and so the shortest time in
        /// which a dead leader is replaced.
        lease_ms: u64 = "lease-ms", Int(100, 60_000), "400", Start;
        /// Where the node runs (rack, availability zone), told to the other nodes.
        zone: Option<String> = "zone", Text("name"), "", Start;
        /// What Sentinel-aware clients call the shard.
        shard_name: String = "shard-name", Text("name"), "mymaster", Start;
        /// Answer CLUSTER as a Redis Cluster of one shard does, and commands for the leader with -MOVED on the others.
        cluster_enabled: bool = "cluster-enabled", YesNo, "no", Start;
        /// Pass writes that reach a replica on to the leader, instead of answering -READONLY.
        replica_forward_writes: bool = "replica-forward-writes", YesNo, "no", Live;
    }
    "Memory" {
        /// Bytes that the process may take from its allocator, the log's memory aside; beyond that keys go as
        /// `maxmemory-policy` says, or writes that need more are refused. 0 is no limit.
        maxmemory: u64 = "maxmemory", Memory(0, u64::MAX), "0", Live;
        /// Which keys go when memory is short: those least recently used, least frequently used, any, or those next to
        /// expire, among all keys or those that expire.
        maxmemory_policy: Policy = "maxmemory-policy", Choice, "noeviction", Live;
        /// Keys that are looked at to find one that may go.
        maxmemory_samples: u32 = "maxmemory-samples", Int(1, 64), "5", Live;
        /// How long a command is held up to make room: 0 next to nothing, 10 half a millisecond, 100 as long as it takes.
        maxmemory_eviction_tenacity: u32 = "maxmemory-eviction-tenacity", Int(0, 100), "10", Live;
        /// Bytes that all clients may take together, or a share of `maxmemory`; beyond that those that take most are
        /// closed. 0 is no limit.
        maxmemory_clients: Share = "maxmemory-clients", MemoryShare, "0", Live;
        /// Free collections that had to go in the background.
        lazyfree_lazy_eviction: bool = "lazyfree-lazy-eviction", YesNo, "no", Live;
        /// The same for keys whose time came.
        lazyfree_lazy_expire: bool = "lazyfree-lazy-expire", YesNo, "no", Live;
        /// The same for what another value takes the place of, as by SET, RENAME or SUNIONSTORE.
        lazyfree_lazy_server_del: bool = "lazyfree-lazy-server-del", YesNo, "no", Live;
        /// Let DEL free as UNLINK does.
        lazyfree_lazy_user_del: bool = "lazyfree-lazy-user-del", YesNo, "no", Live;
        /// Let FLUSHALL and FLUSHDB free as with ASYNC, unless they say SYNC.
        lazyfree_lazy_user_flush: bool = "lazyfree-lazy-user-flush", YesNo, "no", Live;
        /// The higher, the more uses it takes until a key counts as used often.
        lfu_log_factor: u32 = "lfu-log-factor", Int(0, INT), "10", Live;
        /// Minutes after which a key counts as used once less; 0 never.
        lfu_decay_time: u32 = "lfu-decay-time", Int(0, INT), "1", Live;
    }
    "Limits" {
        /// Longest string that a client may send.
        proto_max_bulk_len: u64 = "proto-max-bulk-len", Memory(1 << 20, i64::MAX as u64), "512mb", Live;
        /// Bytes that a client may send ahead of being answered.
        client_query_buffer_limit: u64 = "client-query-buffer-limit", Memory(1 << 20, i64::MAX as u64), "1gb", Live;
        /// Bytes of unread answers past which a client is closed, for each class of clients: at the hard limit, or
        /// after so many seconds over the soft one; 0 is no limit. Nothing piles up for replicas, which read from the log:
        /// a limit for them is never reached.
        client_output_buffer_limit: OutputLimits = "client-output-buffer-limit", ClassLimits,
            "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", Live;
        /// Keys that are remembered for clients that track what they read; beyond that some are told of as if they had
        /// changed. 0 is no limit.
        tracking_table_max_keys: u64 = "tracking-table-max-keys", Int(0, i64::MAX), "1000000", Live;
        /// Size up to which OBJECT ENCODING calls a list a listpack: entries if positive, else -1 to -5 for 4 to 64 KiB.
        list_max_listpack_size: i64 = "list-max-listpack-size" or "list-max-ziplist-size",
            Int(-INT - 1, INT), "-2", Live;
        /// Fields up to which a hash is kept as one run of bytes.
        hash_max_listpack_entries: u64 = "hash-max-listpack-entries" or "hash-max-ziplist-entries",
            Int(0, i64::MAX), "512", Live;
        /// Bytes of the longest field or value of a hash that is kept so.
        hash_max_listpack_value: u64 = "hash-max-listpack-value" or "hash-max-ziplist-value",
            Int(0, i64::MAX), "64", Live;
        /// Integers up to which a set of nothing else is kept as a sorted run of them.
        set_max_intset_entries: u64 = "set-max-intset-entries", Int(0, i64::MAX), "512", Live;
        /// Members up to which a set is kept as one run of bytes.
        set_max_listpack_entries: u64 = "set-max-listpack-entries", Int(0, i64::MAX), "128", Live;
        /// Bytes of the longest member of a set that is kept so.
        set_max_listpack_value: u64 = "set-max-listpack-value", Int(0, i64::MAX), "64", Live;
        /// Members up to which a sorted set is kept as one run of bytes.
        zset_max_listpack_entries: u64 = "zset-max-listpack-entries" or "zset-max-ziplist-entries",
            Int(0, i64::MAX), "128", Live;
        /// Bytes of the longest member of a sorted set that is kept so.
        zset_max_listpack_value: u64 = "zset-max-listpack-value" or "zset-max-ziplist-value",
            Int(0, i64::MAX), "64", Live;
    }
    "Data types" {
        /// Bytes, the header among them, from which a sparse HyperLogLog becomes a dense one.
        hll_sparse_max_bytes: u64 = "hll-sparse-max-bytes", Memory(0, i64::MAX as u64), "3000", Live;
        /// Entries of a block of a stream, the deleted ones among them; 0 is no limit.
        stream_node_max_entries: u64 = "stream-node-max-entries", Int(0, i64::MAX), "100", Live;
        /// Bytes of a block of a stream; 0 is no limit.
        stream_node_max_bytes: u64 = "stream-node-max-bytes", Memory(0, i64::MAX as u64), "4kb", Live;
    }
    "Observation" {
        /// Microseconds from which a command is put in the slow log; -1 puts none, 0 each.
        slowlog_log_slower_than: i64 = "slowlog-log-slower-than" or "commandlog-execution-slower-than",
            Int(-1, i64::MAX), "10000", Live;
        /// Entries that the slow log keeps.
        slowlog_max_len: u64 = "slowlog-max-len" or "commandlog-slow-execution-max-len",
            Int(0, i64::MAX), "128", Live;
        /// Bytes of a request from which COMMANDLOG keeps it; -1 keeps none.
        commandlog_request_larger_than: i64 = "commandlog-request-larger-than", Int(-1, i64::MAX), "1048576", Live;
        /// Such entries that are kept.
        commandlog_large_request_max_len: u64 = "commandlog-large-request-max-len", Int(0, i64::MAX), "128", Live;
        /// Bytes of a reply from which COMMANDLOG keeps its request; -1 keeps none.
        commandlog_reply_larger_than: i64 = "commandlog-reply-larger-than", Int(-1, i64::MAX), "1048576", Live;
        /// Such entries that are kept.
        commandlog_large_reply_max_len: u64 = "commandlog-large-reply-max-len", Int(0, i64::MAX), "128", Live;
        /// Milliseconds from which an event is kept for LATENCY; 0 keeps none.
        latency_monitor_threshold: u64 = "latency-monitor-threshold", Int(0, i64::MAX), "0", Live;
        /// Keep a histogram of latencies for each command, for LATENCY HISTOGRAM and the metrics.
        latency_tracking: bool = "latency-tracking", YesNo, "yes", Live;
        /// The percentiles of those latencies that INFO tells of.
        latency_tracking_info_percentiles: Vec<f64> = "latency-tracking-info-percentiles", Percentiles,
            "50 99 99.9", Live;
        /// Events of keys that are published to subscribers: `K` by key and `E` by event, and of which classes: `g`
        /// generic, `$` strings, `l` lists, `s` sets, `h` hashes, `z` sorted sets, `t` streams, `x` expired, `e` evicted,
        /// `A` all of these; `m` misses, `n` new keys. Empty publishes none.
        notify_keyspace_events: Classes = "notify-keyspace-events", Letters, "", Live;
    }
}

/// `hz` takes any number and is held in 1..500, as Redis does.
struct Hertz;

impl Kind<u32> for Hertz {
    fn read(&self, words: &[String], before: &u32, again: bool) -> Result<u32, String> {
        let asked: u32 = Int(0, INT).read(words, before, again)?;
        Ok(asked.clamp(1, 500))
    }
    fn show(&self, value: &u32) -> String {
        value.to_string()
    }
    fn form(&self) -> String {
        "1..500".into()
    }
}

/// The setting of a name or alias, whatever its case.
pub fn find(name: &str) -> Option<&'static Setting> {
    find_spelled(name).map(|(setting, _)| setting)
}

/// The same, with which of its names it was.
pub(super) fn find_spelled(name: &str) -> Option<(&'static Setting, &'static str)> {
    let mut names = SETTINGS.iter().flat_map(|setting| setting.names().map(move |name| (setting, name)));
    names.find(|(_, known)| known.eq_ignore_ascii_case(name))
}

impl Setting {
    /// Its name, then its alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.alias)
    }
}
