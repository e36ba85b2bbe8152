//! A server of the comparison: started on a free port in its own directory, pinned, and ended by its handle.

use super::Outcome;
use super::options::Options;
use super::rows::command;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START_MAX: Duration = Duration::from_mins(1);
/// The core of the measured servers, and the one of everything else.
const SERVER_CORE: &str = "0";
const OTHER_CORE: &str = "1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    Ours,
    Redis,
}

impl Flavour {
    /// What a program is, by its name.
    pub fn of(program: &str) -> Flavour {
        let name = Path::new(program).file_name().unwrap_or_default();
        if name == "redis-server" { Flavour::Redis } else { Flavour::Ours }
    }

    /// Settings that make both keep their data alike: a log, forced to disk by the same rule, and no snapshots.
    fn settings(self, options: &Options) -> Vec<String> {
        let mut settings = words("--bind 127.0.0.1 --appendonly yes --appendfsync");
        settings.push(options.fsync.clone());
        settings.extend(["--save".into(), String::new()]);
        if self == Flavour::Redis {
            // A rewrite of the log in the middle of a round would be measured with it.
            settings.extend(words("--auto-aof-rewrite-percentage 0 --repl-diskless-sync-delay 0"));
        }
        settings
    }
}

pub fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// A process that ends with its handle.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts a program on a core, its output in `dir/output`.
    pub fn start(core: Core, program: &str, args: &[String], dir: &Path) -> Outcome<Running> {
        let output = std::fs::File::create(dir.join("output"))?;
        let niceness = core.niceness();
        let mut command = match core.number() {
            // nice and taskset become the program, so the process is the program's.
            Some(core) => {
                let mut command = Command::new("nice");
                command.args(["-n", niceness, "taskset", "-c", core, program]);
                command
            }
            None => Command::new(program),
        };
        let started =
            command.args(args).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn();
        Ok(Running(started.map_err(|error| format!("{program}: {error}"))?))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    fn ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

pub struct Server {
    pub flavour: Flavour,
    pub port: u16,
    running: Running,
    dir: TempDir,
}

impl Server {
    /// Starts a server on the measured core and waits until it answers.
    pub fn start(flavour: Flavour, program: &str, options: &Options, more: &[String]) -> Outcome<Server> {
        Server::start_on(Core::Server, flavour, program, options, more)
    }

    pub fn start_on(
        core: Core,
        flavour: Flavour,
        program: &str,
        options: &Options,
        more: &[String],
    ) -> Outcome<Server> {
        let dir = tempfile::tempdir()?;
        let port = free_port()?;
        let mut args = flavour.settings(options);
        args.extend(["--port".into(), port.to_string(), "--dir".into(), dir.path().to_string_lossy().into()]);
        args.extend_from_slice(more);
        let running = Running::start(core, program, &args, dir.path())?;
        let mut server = Server { flavour, port, running, dir };
        server.wait_until("answers", |server| {
            server.ask(&["PING"]).is_ok_and(|reply| reply.starts_with('+'))
        })?;
        Ok(server)
    }

    /// Waits until a condition holds, as long as the server lives.
    pub fn wait_until(&mut self, what: &str, holds: impl Fn(&Server) -> bool) -> Outcome<()> {
        let end = Instant::now() + START_MAX;
        while !holds(self) {
            if self.running.ended() || Instant::now() > end {
                let output = std::fs::read_to_string(self.dir.path().join("output")).unwrap_or_default();
                return Err(format!("waited in vain until the server {what}; it said:\n{output}").into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// One command on a connection of its own; the reply's first bytes.
    pub fn ask(&self, words: &[&str]) -> Outcome<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut request = Vec::new();
        command(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>(), &mut request);
        stream.write_all(&request)?;
        let mut reply = vec![0; 64 << 10];
        let length = stream.read(&mut reply)?;
        Ok(String::from_utf8_lossy(&reply[..length]).into_owned())
    }

    /// Memory that the server and its children have to themselves, in bytes: what they share with each other, and files
    /// that are mapped, count once or not at all.
    pub fn memory(&self) -> Outcome<u64> {
        let id = self.running.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let mut kilobytes = number_of(&format!("/proc/{id}/status"), "RssAnon:")?;
        for child in children.split_whitespace() {
            // It may have ended meanwhile.
            kilobytes += number_of(&format!("/proc/{child}/smaps_rollup"), "Private_Dirty:").unwrap_or(0);
        }
        Ok(kilobytes * 1024)
    }

    /// Processor time that the server has used, in user and system mode, all its threads.
    pub fn cpu_seconds(&self) -> Outcome<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.running.id()))?;
        // The name, in parentheses, may hold blanks: count from behind it.
        let fields =
            stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace()).ok_or("odd /proc/PID/stat")?;
        let ticks: Vec<u64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        // Linux shows hundredths of a second, whatever its own clock.
        Ok(ticks.iter().sum::<u64>() as f64 / 100.0)
    }
}

/// The number behind a name in a file of such lines.
fn number_of(path: &str, name: &str) -> Outcome<u64> {
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Where a process runs: the measured servers on one core, everything else on another, if there are two.
#[derive(Clone, Copy)]
pub enum Core {
    Server,
    Other,
    /// The other, when nobody else wants it.
    Rest,
}

impl Core {
    fn niceness(self) -> &'static str {
        if matches!(self, Core::Rest) { "19" } else { "0" }
    }

    fn number(self) -> Option<&'static str> {
        let several = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        let pinned = several || PINNED.load(std::sync::atomic::Ordering::Relaxed);
        pinned.then_some(match self {
            Core::Server => SERVER_CORE,
            Core::Other | Core::Rest => OTHER_CORE,
        })
    }
}

/// Set once this process is pinned itself, after which it sees one core only.
static PINNED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Moves this process, and so the load, off the servers' core.
pub fn pin_self() {
    let Some(core) = Core::Other.number() else {
        eprintln!("versus: one core only: server and load share it, so only the CPU columns mean much");
        return;
    };
    let own = std::process::id().to_string();
    let done = Command::new("taskset").args(["-cp", core, &own]).stdout(Stdio::null()).status();
    let pinned = done.is_ok_and(|status| status.success());
    PINNED.store(pinned, std::sync::atomic::Ordering::Relaxed);
    if !pinned {
        eprintln!("versus: taskset failed: nothing is pinned, and numbers will vary");
    }
}

pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
