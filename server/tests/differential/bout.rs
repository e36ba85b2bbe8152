//! One case, held by our engine and the reference: every reply and every message is compared, on every connection.
//!
//! Commands of one connection are run by our engine first, then sent to the reference together; what our engine told each
//! connection meanwhile is what the reference has to tell it, in that order. So it is known without asking who waits, and
//! nothing is waited for in vain but where there is a difference.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use botellier_server::engine::Progress;
use botellier_server::session::ClientId;

use crate::agree::Judge;
use crate::case::{CONNECTIONS, Case, Step};
use crate::data::Picture;
use crate::oracle::{Connection, Ours, Redis, Shape, Value, is_timeout, now, reply, request, show};
use crate::shapes::USERS;
use crate::unfit::Situation;

/// How long the time that passes after some commands is, in milliseconds.
pub const PAUSE_MS: u64 = 4;
/// How many commands are sent together at most.
const TOGETHER_MAX: usize = 64;

/// The first difference of a case.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The command whose reply differs, or what else is compared.
    pub of: String,
    pub ours: String,
    pub theirs: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n    ours   {}\n    theirs {}", self.of, self.ours, self.theirs)
    }
}

impl Difference {
    /// The name of the command, or whatever else it is of.
    pub fn kind(&self) -> &str {
        let words = self.of.split_once(": ").map_or(self.of.as_str(), |(_, words)| words);
        words.split_once(' ').map_or(words, |(name, _)| name)
    }
}

type Words = Rc<Vec<String>>;

/// What a connection was told by our engine, and the commands that it may answer.
struct Told {
    words: Words,
    queued: Vec<Words>,
    bytes: Vec<u8>,
}

/// One connection on both sides.
struct Seat {
    id: ClientId,
    theirs: Connection,
    /// Its id on the other side.
    their_id: String,
    said: Words,
    /// Commands that a `MULTI` under way keeps, or those of the last `EXEC`.
    queued: Vec<Words>,
    told: Vec<Told>,
    waits: bool,
    ended: bool,
}

pub struct Bout<'a> {
    redis: &'a mut Redis,
    ours: Ours,
    judge: Judge,
    patience: Duration,
    seats: Vec<Seat>,
    /// Who speaks now, and what was not sent to the reference yet.
    speaker: usize,
    unsent: Vec<u8>,
    together: usize,
    /// Somebody began to wait whom the reference may not have seen yet.
    unseen: bool,
    picture: Picture,
    settings: Vec<(&'static str, &'static str)>,
    compared: usize,
}

impl<'a> Bout<'a> {
    /// Both sides empty, with the settings of the case.
    pub fn new(redis: &'a mut Redis, case: &Case, judge: Judge, patience: Duration) -> Self {
        let mut ours = Ours::start();
        ours.engine.server.active_expire = false;
        for words in [["FLUSHALL"].as_slice(), &["FUNCTION", "FLUSH"], &["SCRIPT", "FLUSH"], &["SELECT", "0"]]
        {
            redis.ask(words);
        }
        redis.ask(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
        redis.ask(&[["ACL", "DELUSER"].as_slice(), USERS].concat());
        for (name, value) in &case.settings {
            // An older reference has not all of them.
            redis.ask(&["CONFIG", "SET", name, value]);
            ours.ask(&["CONFIG", "SET", name, value]);
        }
        let seats = (0..CONNECTIONS).map(|_| Seat::new(&mut ours, redis, patience)).collect();
        let picture = Picture::new(case.steps.len() / 3);
        let (unsent, speaker, together, unseen, compared) = (Vec::new(), 0, 0, false, 0);
        let settings = case.settings.clone();
        Self {
            redis,
            ours,
            judge,
            patience,
            seats,
            speaker,
            unsent,
            together,
            unseen,
            picture,
            settings,
            compared,
        }
    }

    /// Hold it. The number of commands that were compared.
    pub fn hold(mut self, steps: &[Step]) -> Result<usize, Difference> {
        let held = self.steps(steps);
        for seat in &self.seats {
            self.redis.ask(&["CLIENT", "KILL", "ID", &seat.their_id]);
        }
        held.map(|()| self.compared)
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), Difference> {
        for step in steps {
            let clients = &self.ours.engine.clients;
            let waiting = self.seats.iter().any(|seat| seat.waits);
            let unfit = clients.get(self.seats[step.connection].id).is_some_and(|client| {
                Situation { step, client, clients, waiting, old: self.judge.old }.is_unfit()
            });
            if self.seats[step.connection].waits || unfit {
                continue;
            }
            // Who is killed is told no more than what was sent before. Redis 8.0 forgets to answer an AUTH that fails if it
            // came together with others.
            let alone = matches!(step.words[0].as_str(), "TRAVEL" | "AUTH")
                || step.words.get(1).is_some_and(|word| word == "DELUSER");
            if step.connection != self.speaker || self.together >= TOGETHER_MAX || alone {
                self.settle()?;
                self.picture.go_on(&mut self.ours);
            }
            self.speaker = step.connection;
            self.compared += 1;
            if step.words[0] == "TRAVEL" {
                self.travel(&step.words)?;
            } else {
                self.command(step);
            }
            // What waits for a moment only may be over before anybody looks; the pause is long enough.
            self.unseen &= !step.pause;
            let seat = &self.seats[step.connection];
            if seat.waits || seat.ended || alone {
                self.settle()?;
            }
            if step.pause {
                self.settle()?;
                std::thread::sleep(Duration::from_millis(PAUSE_MS));
                self.ours.engine.tick(now());
                self.hear();
                self.settle()?;
            }
        }
        self.settle()?;
        self.nothing_more()?;
        self.picture.compare(&mut self.ours, self.redis, self.judge, &self.settings)
    }

    /// Run a command by our engine, and keep it for the reference.
    fn command(&mut self, step: &Step) {
        let ids = |text: &String, id: &dyn Fn(usize) -> String| match text.strip_prefix("<id ") {
            Some(rest) => id(rest.trim_end_matches('>').parse().expect("a connection")),
            None => text.clone(),
        };
        let mine: Vec<String> =
            step.words.iter().map(|word| ids(word, &|seat| self.seats[seat].id.to_string())).collect();
        let theirs: Vec<String> =
            step.words.iter().map(|word| ids(word, &|seat| self.seats[seat].their_id.clone())).collect();
        self.unsent.extend(request(&theirs));
        self.together += 1;
        let seat = &mut self.seats[step.connection];
        if matches!(seat.said[0].as_str(), "EXEC" | "DISCARD" | "RESET") {
            seat.queued.clear();
        }
        seat.said = Rc::new(step.words.clone());
        let progress = self.ours.run(seat.id, &mine);
        seat.ended |= progress == Progress::Close;
        self.hear();
    }

    /// Take what our engine told anybody.
    fn hear(&mut self) {
        for seat in &mut self.seats {
            for bytes in self.ours.told(seat.id) {
                let queued = if seat.said[0] == "EXEC" { seat.queued.clone() } else { Vec::new() };
                if bytes == b"+QUEUED\r\n" {
                    seat.queued.push(seat.said.clone());
                }
                seat.told.push(Told { words: seat.said.clone(), queued, bytes });
            }
            let client = self.ours.engine.clients.get(seat.id);
            let waited = seat.waits;
            seat.waits = client.is_some_and(|client| client.blocked.is_some());
            seat.ended |= client.is_none_or(|client| client.killed || client.closing);
            self.unseen |= seat.waits && !waited;
        }
    }

    /// Send what was not sent, and compare what everybody is told.
    fn settle(&mut self) -> Result<(), Difference> {
        self.together = 0;
        if !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            // That the reference ended the connection shows when its replies are read.
            let _ = self.seats[self.speaker].theirs.send(&unsent);
        }
        for (number, seat) in self.seats.iter_mut().enumerate() {
            let told = std::mem::take(&mut seat.told);
            if told.iter().any(|told| told.bytes[0] == b'>') {
                compare_apart(&mut seat.theirs, number, &told, self.judge)?;
            } else {
                told.iter().try_for_each(|told| compare(&mut seat.theirs, number, told, self.judge))?;
            }
            if seat.ended {
                if !seat.theirs.ends() {
                    let of = format!("c{number}: {}", seat.said.join(" "));
                    return Err(Difference { of, ours: "(closed)".into(), theirs: "(open)".into() });
                }
                self.ours.engine.disconnect(seat.id);
                *seat = Seat::new(&mut self.ours, self.redis, self.patience);
            }
        }
        if self.unseen { self.wait_for_those_who_wait() } else { Ok(()) }
    }

    /// The reference has to see who waits before anybody else speaks.
    fn wait_for_those_who_wait(&mut self) -> Result<(), Difference> {
        self.unseen = false;
        let waiting = self.seats.iter().filter(|seat| seat.waits).count();
        let start = Instant::now();
        loop {
            let Value::Bulk(info) = self.redis.ask(&["INFO", "clients"]) else { panic!("INFO") };
            let info = String::from_utf8_lossy(&info).into_owned();
            let theirs =
                info.lines().find_map(|line| line.strip_prefix("blocked_clients:")).unwrap_or_default();
            if theirs == waiting.to_string() {
                return Ok(());
            }
            if start.elapsed() > self.patience {
                let of =
                    format!("who waits after c{}: {}", self.speaker, self.seats[self.speaker].said.join(" "));
                return Err(Difference { of, ours: waiting.to_string(), theirs: theirs.into() });
            }
        }
    }

    /// Each side restores what the other dumped.
    fn travel(&mut self, words: &[String]) -> Result<(), Difference> {
        // An older reference can't read streams of later versions.
        if self.judge.old && show(&self.ours.ask(&["TYPE", &words[1]])) == "+stream" {
            return Ok(());
        }
        let dump = |value| match value {
            Value::Bulk(bytes) => Some(bytes),
            _ => None,
        };
        let mine = dump(self.ours.ask(&["DUMP", &words[1]]));
        let theirs = dump(self.redis.ask(&["DUMP", &words[1]]));
        let of = || words.join(" ");
        let (Some(mine), Some(theirs)) = (&mine, &theirs) else {
            let there =
                |dump: &Option<Vec<u8>>| if dump.is_some() { "something" } else { "nothing" }.to_owned();
            return if mine == theirs {
                Ok(())
            } else {
                Err(Difference { of: of(), ours: there(&mine), theirs: there(&theirs) })
            };
        };
        let restore = |dump: &[u8]| {
            let mut request =
                vec![b"RESTORE".to_vec(), words[2].clone().into(), b"0".to_vec(), dump.to_vec()];
            request.extend(words[3..].iter().map(|word| word.clone().into_bytes()));
            request
        };
        let ours = self.ours.ask(&restore(theirs));
        self.hear();
        let theirs = self.redis.ask(&restore(mine));
        if ours != theirs {
            return Err(Difference { of: of(), ours: show(&ours), theirs: show(&theirs) });
        }
        self.settle()
    }

    /// Nobody was told anything by the reference that was not told by ours.
    fn nothing_more(&mut self) -> Result<(), Difference> {
        self.redis.ask(&["PING"]);
        for (number, seat) in self.seats.iter_mut().enumerate() {
            let more = seat.theirs.rest().map_err(|error| error.to_string());
            if !matches!(more, Ok(None)) {
                let theirs =
                    more.map_or_else(|error| error, |value| value.as_ref().map(show).unwrap_or_default());
                let of = format!("the end of c{number}");
                return Err(Difference { of, ours: "nothing more".into(), theirs });
            }
        }
        Ok(())
    }
}

impl Seat {
    fn new(ours: &mut Ours, redis: &Redis, patience: Duration) -> Self {
        let mut theirs = redis.connect();
        theirs.set_patience(patience);
        theirs.send(&request(&["CLIENT", "ID"])).expect("redis-server listens");
        let Value::Int(their_id) = theirs.receive().expect("redis-server answers") else {
            panic!("CLIENT ID")
        };
        Self {
            id: ours.connect(),
            theirs,
            their_id: their_id.to_string(),
            said: Rc::new(vec![String::new()]),
            queued: Vec::new(),
            told: Vec::new(),
            waits: false,
            ended: false,
        }
    }
}

/// The next thing that the reference tells a connection is what our engine told it.
fn compare(theirs: &mut Connection, number: usize, told: &Told, judge: Judge) -> Result<(), Difference> {
    match theirs.takes(&told.bytes) {
        Ok(true) => Ok(()),
        Ok(false) => compare_value(theirs.receive(), number, told, judge),
        Err(error) => compare_value(Err(error), number, told, judge),
    }
}

fn compare_value(
    value: io::Result<Value>,
    number: usize,
    told: &Told,
    judge: Judge,
) -> Result<(), Difference> {
    let mine = reply(&told.bytes);
    let theirs = match value {
        Ok(value) if judge.agree(&told.words, &told.queued, &mine, &value) => return Ok(()),
        Ok(value) => show(&value),
        Err(error) => without(&error),
    };
    Err(Difference { of: format!("c{number}: {}", told.words.join(" ")), ours: show(&mine), theirs })
}

/// The same, messages and replies each in their order: versions differ in whether a message that a command sends to its
/// own connection comes before its reply.
fn compare_apart(
    theirs: &mut Connection,
    number: usize,
    told: &[Told],
    judge: Judge,
) -> Result<(), Difference> {
    let (mut messages, mut replies) = (VecDeque::new(), VecDeque::new());
    for told in told {
        let queue = if told.bytes[0] == b'>' { &mut messages } else { &mut replies };
        queue.push_back(told);
    }
    for _ in told {
        let value = theirs.receive();
        let message = matches!(value, Ok(Value::Many(Shape::Push, _))) || replies.is_empty();
        let next = if message { messages.pop_front() } else { replies.pop_front() };
        let Some(told) = next else {
            let theirs = value.map_or_else(|error| without(&error), |value| show(&value));
            return Err(Difference { of: format!("c{number}: a message"), ours: "(nothing)".into(), theirs });
        };
        compare_value(value, number, told, judge)?;
    }
    Ok(())
}

fn without(error: &io::Error) -> String {
    if is_timeout(error) { "(nothing)".into() } else { format!("(closed: {error})") }
}
