//! What clients do: an operation is drawn, put into commands, and its replies are understood.
//!
//! Pure. Keys are new every few seconds, so that histories of a key stay short enough to be judged quickly; they are
//! named after the type of value that they hold. Values are unique.

use crate::history::linear::{Reply as Told, Step};
use crate::resp::Reply;

/// How the steps are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    /// By MULTI and EXEC.
    Together,
    /// A pop that waits, for as long as the text says.
    Blocking,
}

/// For how long a blocking pop waits, in seconds.
const PATIENCE: &str = "0.3";
const TRANSACTION_STEPS_MAX: usize = 4;

#[derive(Clone, Debug)]
pub struct Work {
    pub steps: Vec<Step>,
    form: Form,
}

/// What became of an operation that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done(Vec<Told>),
    /// An error which promises that nothing happened; its code.
    Refused(String),
    /// An answer that no server should give.
    Odd(String),
}

/// Errors that promise that nothing happened.
const REFUSALS: [&str; 6] = ["READONLY", "LOADING", "NOREPLICAS", "MISCONF", "EXECABORT", "UNBLOCKED"];

impl Work {
    /// Draws an operation on the keys of a generation; `unique` is the value that it writes.
    pub fn draw(rng: &mut fastrand::Rng, generation: u64, unique: &str) -> Self {
        let key = |kind: &str, count: u8, rng: &mut fastrand::Rng| {
            format!("g{generation}:{kind}{}", rng.u8(..count))
        };
        let value = unique.to_owned();
        let mut form = Form::Plain;
        let step = match rng.u8(..100) {
            0..20 => Step::Get(key("register", 4, rng)),
            20..36 => Step::Set(key("register", 4, rng), value),
            36..44 => Step::Increment(key("counter", 2, rng)),
            44..48 => Step::Get(key("counter", 2, rng)),
            48..56 => Step::Push(key("list", 2, rng), value),
            56..60 => Step::Range(key("list", 2, rng)),
            60..66 => Step::Push(key("queue", 2, rng), value),
            66..70 => Step::Pop(key("queue", 2, rng)),
            70..74 => {
                form = Form::Blocking;
                Step::Pop(key("queue", 2, rng))
            }
            74..80 => Step::Add(key("set", 2, rng), value),
            80..84 => Step::Remove(key("set", 2, rng), format!("{}", rng.u8(..4))),
            84..88 => Step::Add(key("set", 2, rng), format!("{}", rng.u8(..4))),
            88..92 => Step::Members(key("set", 2, rng)),
            _ => return Self::together(rng, generation, unique),
        };
        Self { steps: vec![step], form }
    }

    fn together(rng: &mut fastrand::Rng, generation: u64, unique: &str) -> Self {
        let count = rng.usize(2..=TRANSACTION_STEPS_MAX);
        let steps = (0..count).map(|number| {
            let (name, value) = (format!("g{generation}:of-many"), format!("{unique}.{number}"));
            match rng.u8(..6) {
                0 => Step::Set(format!("{name}:register{}", rng.u8(..2)), value),
                1 | 2 => Step::Get(format!("{name}:register{}", rng.u8(..2))),
                3 => Step::Increment(format!("{name}:counter")),
                4 => Step::Push(format!("{name}:list"), value),
                _ => Step::Range(format!("{name}:list")),
            }
        });
        Self { steps: steps.collect(), form: Form::Together }
    }

    /// Reads what a key of such a name holds.
    pub fn read(key: &str) -> Self {
        let name = key.rsplit(':').next().unwrap_or_default();
        let step = match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "list" | "queue" => Step::Range(key.to_owned()),
            "set" => Step::Members(key.to_owned()),
            _ => Step::Get(key.to_owned()),
        };
        Self { steps: vec![step], form: Form::Plain }
    }

    /// What is sent, at once.
    pub fn commands(&self) -> Vec<Vec<String>> {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut commands: Vec<_> = self
            .steps
            .iter()
            .map(|step| match step {
                Step::Get(key) => words(&["GET", key]),
                Step::Set(key, value) => words(&["SET", key, value]),
                Step::Increment(key) => words(&["INCR", key]),
                Step::Push(key, value) => words(&["RPUSH", key, value]),
                Step::Pop(key) if self.form == Form::Blocking => words(&["BLPOP", key, PATIENCE]),
                Step::Pop(key) => words(&["LPOP", key]),
                Step::Range(key) => words(&["LRANGE", key, "0", "-1"]),
                Step::Add(key, value) => words(&["SADD", key, value]),
                Step::Remove(key, value) => words(&["SREM", key, value]),
                Step::Members(key) => words(&["SMEMBERS", key]),
                Step::Delete(key) => words(&["DEL", key]),
            })
            .collect();
        if self.form == Form::Together {
            commands.insert(0, words(&["MULTI"]));
            commands.push(words(&["EXEC"]));
        }
        commands
    }

    /// Understands the replies to all the commands.
    pub fn answer(&self, mut replies: Vec<Reply>) -> Answer {
        let odd = |replies: &[Reply]| Answer::Odd(format!("{:?} was answered by {replies:?}", self.steps));
        let mut told = Vec::new();
        if self.form == Form::Together {
            match replies.pop() {
                Some(Reply::Array(inner)) => replies = inner,
                Some(Reply::Error(text)) => return refusal(text),
                _ => return odd(&replies),
            }
        }
        for (number, step) in self.steps.iter().enumerate() {
            match replies.get(number) {
                // Inside a transaction an error comes after others have happened.
                Some(Reply::Error(text)) if self.form != Form::Together => return refusal(text.clone()),
                Some(reply) => match understand(step, reply, self.form) {
                    Some(reply) => told.push(reply),
                    None => return odd(&replies),
                },
                None => return odd(&replies),
            }
        }
        Answer::Done(told)
    }

    pub fn writes(&self) -> bool {
        !self.steps.iter().all(|step| matches!(step, Step::Get(_) | Step::Range(_) | Step::Members(_)))
    }
}

fn refusal(text: String) -> Answer {
    let code = text.split(' ').next().unwrap_or_default();
    if REFUSALS.contains(&code) { Answer::Refused(code.to_owned()) } else { Answer::Odd(text) }
}

fn understand(step: &Step, reply: &Reply, form: Form) -> Option<Told> {
    let texts = |items: &[Reply]| -> Option<Vec<String>> {
        let text = |item: &Reply| match item {
            Reply::Bulk(Some(text)) => Some(text.clone()),
            _ => None,
        };
        items.iter().map(text).collect()
    };
    Some(match (step, reply) {
        (Step::Set(..), Reply::Status(text)) if text == "OK" => Told::Done,
        (Step::Get(_) | Step::Pop(_), Reply::Bulk(text)) => Told::Text(text.clone()),
        // The key and the element, or nothing in time.
        (Step::Pop(_), Reply::Array(items)) if form == Form::Blocking => {
            Told::Text(texts(items)?.into_iter().nth(1))
        }
        (Step::Range(_), Reply::Array(items)) => Told::List(texts(items)?),
        (Step::Members(_), Reply::Array(items)) => Told::Set(texts(items)?.into_iter().collect()),
        (
            Step::Increment(_) | Step::Push(..) | Step::Add(..) | Step::Remove(..) | Step::Delete(_),
            Reply::Integer(number),
        ) => Told::Number(*number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Reply {
        Reply::Bulk(Some(text.into()))
    }

    #[test]
    fn the_same_seed_draws_the_same_work() {
        let draw = |seed| {
            let mut rng = fastrand::Rng::with_seed(seed);
            (0..100).map(|number| Work::draw(&mut rng, 1, &number.to_string()).commands()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn every_key_is_read_by_what_its_value_is() {
        let mut rng = fastrand::Rng::with_seed(1);
        for number in 0..2000 {
            for step in Work::draw(&mut rng, 3, &number.to_string()).steps {
                let reads = Work::read(step.key()).steps.remove(0);
                let fits = match step {
                    Step::Get(_) | Step::Set(..) | Step::Increment(_) => matches!(reads, Step::Get(_)),
                    Step::Push(..) | Step::Pop(_) | Step::Range(_) => matches!(reads, Step::Range(_)),
                    _ => matches!(reads, Step::Members(_)),
                };
                assert!(fits, "{step:?} {reads:?}");
            }
        }
    }

    #[test]
    fn a_transaction_is_answered_by_its_last_reply() {
        let steps = vec![Step::Increment("n".into()), Step::Get("r".into())];
        let work = Work { steps, form: Form::Together };
        assert_eq!(work.commands().len(), 4);
        let queued = || Reply::Status("QUEUED".into());
        let exec = Reply::Array(vec![Reply::Integer(1), bulk("x")]);
        let replies = vec![Reply::Status("OK".into()), queued(), queued(), exec];
        assert_eq!(work.answer(replies), Answer::Done(vec![Told::Number(1), Told::Text(Some("x".into()))]));
        let error = Reply::Error("EXECABORT Transaction discarded".into());
        let replies = vec![Reply::Status("OK".into()), Reply::Error("READONLY".into()), queued(), error];
        assert_eq!(work.answer(replies), Answer::Refused("EXECABORT".into()));
    }

    #[test]
    fn a_blocking_pop_tells_its_element_or_nothing() {
        let work = Work { steps: vec![Step::Pop("q".into())], form: Form::Blocking };
        let popped = vec![Reply::Array(vec![bulk("q"), bulk("v")])];
        assert_eq!(work.answer(popped), Answer::Done(vec![Told::Text(Some("v".into()))]));
        assert_eq!(work.answer(vec![Reply::Array(vec![])]), Answer::Done(vec![Told::Text(None)]));
    }

    #[test]
    fn an_unknown_error_is_odd() {
        let work = Work { steps: vec![Step::Get("r".into())], form: Form::Plain };
        assert_eq!(
            work.answer(vec![Reply::Error("NOREPLICAS no".into())]),
            Answer::Refused("NOREPLICAS".into())
        );
        assert_eq!(work.answer(vec![Reply::Error("ERR what".into())]), Answer::Odd("ERR what".into()));
        assert!(matches!(work.answer(vec![Reply::Integer(1)]), Answer::Odd(_)));
    }
}
