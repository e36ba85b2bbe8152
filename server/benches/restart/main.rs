//! How long a start takes with data: from a snapshot and from the log, beside redis-server from RDB and AOF.
//!
//! `cargo bench -p botellier-server --bench restart` prints a table for the README; `--help` lists what can be said.
//! Each server is filled alike, ended, and started some times in turn with the files in the page cache; a start is over
//! when all keys are there. Deliberately absent: cold disks, whose speed is theirs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
restart: seconds from the start of a process until all its data is there

  --keys N          (default: 5000000)
  --key-bytes N     (default: 16)
  --value-bytes N   (default: 64)
  --rounds N        starts of each, of which the median counts (default: 3)
  --redis PATH      (default: redis-server)";

/// No start takes longer than this.
const START_MAX: Duration = Duration::from_mins(5);
const PIPELINE: usize = 1000;

struct Options {
    keys: usize,
    key_bytes: usize,
    value_bytes: usize,
    rounds: usize,
    redis: String,
}

fn main() -> ExitCode {
    match options().and_then(|options| options.map_or(Ok(()), |options| run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("restart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Outcome<Option<Options>> {
    let mut options =
        Options { keys: 5_000_000, key_bytes: 16, value_bytes: 64, rounds: 3, redis: "redis-server".into() };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        match name.as_str() {
            // Cargo adds it for every benchmark.
            "--bench" => continue,
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(None);
            }
            _ => {}
        }
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--keys" => options.keys = value.parse()?,
            "--key-bytes" => options.key_bytes = value.parse()?,
            "--value-bytes" => options.value_bytes = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--redis" => options.redis = value,
            _ => return Err(format!("unknown option {name}; --help lists them").into()),
        }
    }
    Ok(Some(options))
}

/// One row: a server, the settings under which it keeps its data, and whether it takes a snapshot before it ends.
struct Row {
    name: &'static str,
    ours: bool,
    settings: &'static [&'static str],
    save: bool,
}

const ROWS: [Row; 4] = [
    Row { name: "botellier, snapshot", ours: true, settings: &["--appendonly", "yes"], save: true },
    Row {
        name: "botellier, log alone",
        ours: true,
        settings: &["--appendonly", "yes", "--log-retention-bytes", "64gb"],
        save: false,
    },
    Row { name: "redis-server, RDB", ours: false, settings: &["--appendonly", "no"], save: true },
    Row {
        name: "redis-server, AOF of commands",
        ours: false,
        settings: &[
            "--appendonly",
            "yes",
            "--aof-use-rdb-preamble",
            "no",
            "--auto-aof-rewrite-percentage",
            "0",
        ],
        save: false,
    },
];

fn run(options: &Options) -> Outcome<()> {
    let payload = (options.keys * (options.key_bytes + options.value_bytes)) as f64 / 1e9;
    println!(
        "{} keys of {} + {} bytes: {payload:.2} GB of keys and values; median of {} starts\n",
        options.keys, options.key_bytes, options.value_bytes, options.rounds
    );
    println!(
        "| start from | s | CPU s | million keys a second | GB on disk | GB in memory | s a GB in memory |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for row in ROWS {
        let dir = tempfile::tempdir()?;
        fill(&row, options, &dir)?;
        let mut starts = Vec::new();
        let (mut memory, mut cpu) = (0.0, Vec::new());
        for _ in 0..options.rounds {
            let began = Instant::now();
            let mut server = Server::start(&row, options, dir.path())?;
            server.wait_for_keys(options.keys)?;
            starts.push(began.elapsed().as_secs_f64());
            memory = server.memory_gb()?;
            cpu.push(server.cpu_seconds()?);
            server.end()?;
        }
        let (middle, cpu) = (median(starts), median(cpu));
        let disk = disk_gb(dir.path())?;
        let rate = options.keys as f64 / middle / 1e6;
        let each = middle / memory;
        println!(
            "| {} | {middle:.2} | {cpu:.2} | {rate:.2} | {disk:.2} | {memory:.2} | {each:.2} |",
            row.name
        );
    }
    Ok(())
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn fill(row: &Row, options: &Options, dir: &TempDir) -> Outcome<()> {
    let mut server = Server::start(row, options, dir.path())?;
    server.wait_for_keys(0)?;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
    let mut state = 1u64;
    for from in (0..options.keys).step_by(PIPELINE) {
        let count = PIPELINE.min(options.keys - from);
        let mut requests = Vec::new();
        for number in from..from + count {
            let (key, value) = (options.key_bytes, options.value_bytes);
            write!(requests, "*3\r\n$3\r\nSET\r\n${key}\r\n{number:0>key$}\r\n${value}\r\n")?;
            // Letters that are no number and don't compress.
            requests.extend((0..value).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                b'a' + (state >> 33) as u8 % 26
            }));
            requests.extend_from_slice(b"\r\n");
        }
        stream.write_all(&requests)?;
        let mut replies = vec![0; 5 * count];
        stream.read_exact(&mut replies)?;
        if replies != b"+OK\r\n".repeat(count) {
            return Err("a write was not taken".into());
        }
    }
    if row.save {
        server.ask("SAVE")?;
    }
    server.end()
}

/// A process that ends with its handle.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended in order before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(row: &Row, options: &Options, dir: &Path) -> Outcome<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let program = if row.ours { env!("CARGO_BIN_EXE_botellier-server") } else { &options.redis };
        let output = std::fs::File::create(dir.join("output"))?;
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
        command.args(["--dir", &dir.to_string_lossy()]).args(row.settings);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        Ok(Self { child, port })
    }

    /// One command of one word or two; the first line of its reply, and what came with it.
    fn ask(&self, line: &str) -> Outcome<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(START_MAX))?;
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        let mut reply = vec![0; 64 << 10];
        let length = stream.read(&mut reply)?;
        Ok(String::from_utf8_lossy(&reply[..length]).into_owned())
    }

    fn wait_for_keys(&mut self, keys: usize) -> Outcome<()> {
        let (end, wanted) = (Instant::now() + START_MAX, format!(":{keys}\r\n"));
        while !self.ask("DBSIZE").is_ok_and(|reply| reply == wanted) {
            if Instant::now() > end || self.child.try_wait()?.is_some() {
                return Err("a server did not come up with its keys".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What the process takes of memory.
    fn memory_gb(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024.0 / 1e9)
    }

    /// What all its threads used of the processors so far: on a busy machine this says more than the time.
    fn cpu_seconds(&self) -> Outcome<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in parentheses, may hold blanks: count from behind it.
        let fields = stat.rsplit_once(')').ok_or("odd /proc/PID/stat")?.1.split_whitespace();
        let ticks: Vec<u64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        // Linux shows hundredths of a second, whatever its own clock.
        Ok(ticks.iter().sum::<u64>() as f64 / 100.0)
    }

    /// In order, so that nothing is lost: both end so on SIGTERM.
    fn end(mut self) -> Outcome<()> {
        let done = Command::new("kill").arg(self.child.id().to_string()).status()?;
        if !done.success() || !self.child.wait()?.success() {
            return Err("a server did not end in order".into());
        }
        Ok(())
    }
}

fn disk_gb(dir: &Path) -> Outcome<f64> {
    let mut bytes = 0;
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                dirs.push(entry.path());
            } else {
                bytes += entry.metadata()?.len();
            }
        }
    }
    Ok(bytes as f64 / 1e9)
}
