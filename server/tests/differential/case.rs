//! What is done in one run, all of it decided by a seed: which groups of commands take part, how forms are set, and every
//! step of every connection.

use crate::random::Random;
use crate::shapes::{Group, Table};

/// How many connections there are. The first never waits, so that there is always one to wake the others.
pub const CONNECTIONS: usize = 5;

/// One command.
#[derive(Clone)]
pub struct Step {
    pub connection: usize,
    pub words: Vec<String>,
    /// Time passes after it.
    pub pause: bool,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "c{}:", self.connection)?;
        for word in &self.words {
            let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
            if plain { write!(f, " {word}")? } else { write!(f, " {word:?}")? }
        }
        if self.pause { write!(f, "  (and time passes)") } else { Ok(()) }
    }
}

#[derive(Clone)]
pub struct Case {
    pub seed: u64,
    pub settings: Vec<(&'static str, &'static str)>,
    pub steps: Vec<Step>,
}

/// Limits of small forms, the default ones and lower ones: with these, large forms are reached by few commands.
const FORMS: &[(&str, &str, &str)] = &[
    ("hash-max-listpack-entries", "512", "6"),
    ("hash-max-listpack-value", "64", "24"),
    ("set-max-intset-entries", "512", "6"),
    ("set-max-listpack-entries", "128", "6"),
    ("set-max-listpack-value", "64", "24"),
    ("zset-max-listpack-entries", "128", "6"),
    ("zset-max-listpack-value", "64", "24"),
    ("list-max-listpack-size", "-2", "4"),
    ("stream-node-max-entries", "100", "5"),
];

impl Case {
    /// The case of a seed: the same for the same table.
    pub fn of(seed: u64, table: &Table) -> Self {
        let mut random = Random(seed);
        let low = random.one_in(2);
        let mut settings: Vec<_> =
            FORMS.iter().map(|(name, default, small)| (*name, if low { *small } else { *default })).collect();
        settings.push(("notify-keyspace-events", if random.one_in(6) { "KEA" } else { "" }));
        let length = match random.below(8) {
            0 => 3_000,
            1 | 2 => 1_000,
            _ => 300,
        };
        let mut author = Author::new(random, table);
        author.greet();
        while author.steps.len() < length {
            author.turn();
        }
        Self { seed, settings, steps: author.steps }
    }
}

/// What a connection is in the middle of, and how many more commands come before its end.
#[derive(Default, Clone, Copy)]
struct Under {
    transaction: Option<usize>,
    subscription: Option<usize>,
}

/// Who writes the steps of a case.
struct Author {
    random: Random,
    /// A group that is there twice takes part twice as often.
    groups: Vec<Group>,
    transactions: bool,
    /// Connections may wait for keys.
    waiting: bool,
    under: [Under; CONNECTIONS],
    steps: Vec<Step>,
}

impl Author {
    fn new(mut random: Random, table: &Table) -> Self {
        let mut groups: Vec<Group> = if random.one_in(3) {
            table.data.clone()
        } else {
            (0..=random.below(3)).map(|_| table.data[random.below(table.data.len())].clone()).collect()
        };
        // The fewer groups there are, the more they have to do with each other.
        groups.extend(groups.clone());
        for group in &table.besides {
            let (one_in, times) = match group.name {
                "key" => (1, 1),
                "blocking" => (2, 2),
                "script" => (2, 1),
                "connection" => (3, 1),
                _ => (5, 1),
            };
            if random.one_in(one_in) {
                groups.extend(std::iter::repeat_n(group.clone(), times));
            }
        }
        let transactions = random.one_in(2);
        let waiting = groups.iter().any(|group| group.name == "blocking");
        Self {
            random,
            groups,
            transactions,
            waiting,
            under: [Under::default(); CONNECTIONS],
            steps: Vec::new(),
        }
    }

    fn say(&mut self, connection: usize, words: &[&str]) {
        let words = words.iter().map(ToString::to_string).collect();
        self.steps.push(Step { connection, words, pause: false });
    }

    /// Some connections speak RESP3.
    fn greet(&mut self) {
        for connection in 0..CONNECTIONS {
            if self.random.one_in(2) {
                self.say(connection, &["HELLO", "3"]);
            }
        }
    }

    /// Some commands of one connection, one after the other.
    fn turn(&mut self) {
        let connection = self.random.below(CONNECTIONS);
        let most = 1 << self.random.below(6);
        for _ in 0..=self.random.below(most) {
            self.command(connection);
        }
        if self.random.one_in(200) {
            let words = self.random.pick(&["FLUSHALL", "FLUSHDB"]);
            self.say(0, &[words]);
        }
    }

    fn command(&mut self, connection: usize) {
        let under = &mut self.under[connection];
        let ends = |left: &mut Option<usize>| match left {
            Some(0) => left.take().is_some(),
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        if ends(&mut under.transaction) {
            let end = self.random.pick(&["EXEC", "EXEC", "EXEC", "EXEC", "EXEC", "DISCARD"]);
            return self.say(connection, &[end]);
        }
        if ends(&mut under.subscription) {
            if self.random.one_in(3) {
                return self.say(connection, &["RESET"]);
            }
            for word in ["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"] {
                self.say(connection, &[word]);
            }
            return;
        }
        let in_transaction = under.transaction.is_some();
        if self.transactions && !in_transaction && self.random.one_in(25) {
            under.transaction = Some(1 + self.random.below(8));
            return self.say(connection, &["MULTI"]);
        }
        let group = self.random.below(self.groups.len());
        let group = &self.groups[group];
        let (words, pause) = group.command(&mut self.random);
        // Of several keys that come to be at once, Redis serves one after the other in no order.
        let several = words[0] == "SWAPDB" && self.waiting;
        let waits =
            group.name == "blocking" && (words[0].starts_with('B') || words.contains(&"BLOCK".into()));
        if several || (waits && connection == 0 && !in_transaction) {
            return;
        }
        if words[0].contains("SUBSCRIBE") {
            self.under[connection].subscription.get_or_insert(self.random.below(20));
        }
        self.steps.push(Step { connection, words, pause });
    }
}
