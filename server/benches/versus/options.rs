//! What the command line asks for.

use super::rows::Row;

pub const HELP: &str = "\
versus: botellier-server and redis-server side by side

  --rows LIST         out of get,set,incr,lpush,lrange,mset,sync (default: all)
  --pipelines LIST    requests sent at once by a connection (default: 1,16,100)
  --rounds N          rounds for each server, of which the median counts (default: 5)
  --seconds S         length of a round, after a warm-up of a fifth of it (default: 1)
  --connections N     (default: 50)
  --keys N            size of the key space (default: 100000)
  --value-bytes N     size of values (default: 64)
  --fsync POLICY      appendfsync of both: always, everysec or no (default: everysec)
  --mark R            exit 1 when a ratio of operations a second is under R (default: 0, never)
  --server PATH       another server in our place, such as redis-server itself
  --redis PATH        (default: redis-server)
  --copy              what a copy to a new replica costs the leader, instead of rows: with --keys 2000000, say
  --quick             1 round of 0.2 s, pipelines 1 and 16";

pub struct Options {
    pub rows: Vec<Row>,
    pub pipelines: Vec<usize>,
    pub rounds: usize,
    pub seconds: f64,
    pub connections: usize,
    pub keys: usize,
    pub value_bytes: usize,
    pub fsync: String,
    pub mark: f64,
    pub server: String,
    pub redis: String,
    pub copy: bool,
    pub help: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            rows: Row::ALL.to_vec(),
            pipelines: vec![1, 16, 100],
            rounds: 5,
            seconds: 1.0,
            connections: 50,
            keys: 100_000,
            value_bytes: 64,
            fsync: "everysec".into(),
            mark: 0.0,
            server: env!("CARGO_BIN_EXE_botellier-server").into(),
            redis: "redis-server".into(),
            copy: false,
            help: false,
        }
    }
}

impl Options {
    pub fn from_args(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        while let Some(name) = args.next() {
            match name.as_str() {
                // Cargo adds it for every benchmark.
                "--bench" => continue,
                "--help" | "-h" => {
                    options.help = true;
                    continue;
                }
                "--copy" => {
                    options.copy = true;
                    continue;
                }
                "--quick" => {
                    (options.rounds, options.seconds, options.pipelines) = (1, 0.2, vec![1, 16]);
                    continue;
                }
                _ => {}
            }
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            options.take(&name, value)?;
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "--rows" => self.rows = value.split(',').map(Row::named).collect::<Result<_, _>>()?,
            "--pipelines" => {
                self.pipelines = value.split(',').map(|one| positive(name, one)).collect::<Result<_, _>>()?;
            }
            "--rounds" => self.rounds = positive(name, &value)?,
            "--seconds" => self.seconds = number(name, &value)?,
            "--connections" => self.connections = positive(name, &value)?,
            "--keys" => self.keys = positive(name, &value)?,
            "--value-bytes" => self.value_bytes = positive(name, &value)?,
            "--mark" => self.mark = number(name, &value)?,
            "--fsync" => self.fsync = value,
            "--server" => self.server = value,
            "--redis" => self.redis = value,
            _ => return Err(format!("unknown option {name}; --help lists them")),
        }
        Ok(())
    }
}

fn positive(name: &str, value: &str) -> Result<usize, String> {
    value
        .parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("{name}: {value} is no positive number"))
}

fn number(name: &str, value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| format!("{name}: {value} is no number"))
}
