//! What clients ask for: operations that the history judges, and loose ones, of which only what all nodes hold at the end
//! is judged.

use std::collections::BTreeSet;

use botellier_e2e::history::linear::{Reply, Step};

use crate::client::Answer;
use crate::rng::Rng;

/// Operations after which other keys are used, so that no history of one key grows long.
const OPERATIONS_PER_KEY: u64 = 60;

/// What a huge value takes at most.
pub const HUGE_BYTES_MAX: usize = 6 << 20;

/// Requests that are sent without waiting for replies.
pub const FLOOD: usize = 8;

/// Where transactions tell of what they wrote.
pub const NEWS: &str = "news";

pub struct Wish {
    /// What the history is told; nothing if it is loose.
    pub steps: Vec<Step>,
    pub requests: Vec<Vec<String>>,
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn request(step: &Step, blocking: bool) -> Vec<String> {
    match step {
        Step::Get(key) => words(&["GET", key]),
        Step::Set(key, value) => words(&["SET", key, value]),
        Step::Increment(key) => words(&["INCR", key]),
        Step::Push(key, value) => words(&["RPUSH", key, value]),
        Step::Pop(key) if blocking => words(&["BLPOP", key, "0.5"]),
        Step::Pop(key) => words(&["LPOP", key]),
        Step::Range(key) => words(&["LRANGE", key, "0", "-1"]),
        Step::Add(key, member) => words(&["SADD", key, member]),
        Step::Remove(key, member) => words(&["SREM", key, member]),
        Step::Members(key) => words(&["SMEMBERS", key]),
        Step::Delete(key) => words(&["DEL", key]),
    }
}

impl Wish {
    /// One step is a command; more are a transaction.
    pub fn judged(steps: Vec<Step>, rng: &mut Rng) -> Self {
        let transaction = steps.len() > 1;
        let blocking = !transaction && rng.percent(30);
        let mut requests: Vec<Vec<String>> = steps.iter().map(|step| request(step, blocking)).collect();
        if transaction {
            requests.insert(0, words(&["MULTI"]));
            if let Step::Set(_, value) = &steps[0] {
                requests.push(words(&["PUBLISH", NEWS, value]));
            }
            requests.push(words(&["EXEC"]));
        }
        Self { steps, requests }
    }

    /// A value that takes long on a slow wire. It goes soon: what all nodes hold is compared at the end.
    pub fn huge(rng: &mut Rng) -> Self {
        let (key, bytes) =
            (format!("loose:huge-{}", rng.below(2)), rng.between(1 << 20, HUGE_BYTES_MAX as u64));
        Self {
            steps: Vec::new(),
            requests: vec![words(&["SET", &key, &"x".repeat(bytes as usize), "PX", "2000"])],
        }
    }

    /// The `count`th of all.
    pub fn choose(rng: &mut Rng, count: u64) -> Self {
        if rng.percent(25) {
            return Self { steps: Vec::new(), requests: vec![loose(rng, count)] };
        }
        let turn = count / OPERATIONS_PER_KEY;
        let value = count.to_string();
        let key = |kind: &str| format!("{kind}:{turn}");
        let register = |rng: &mut Rng| format!("register-{}:{turn}", rng.below(2));
        let writes = rng.percent(50);
        let steps = match rng.below(6) {
            0 if writes => vec![Step::Set(register(rng), value)],
            0 => vec![Step::Get(register(rng))],
            1 if writes => vec![Step::Increment(key("counter"))],
            1 => vec![Step::Get(key("counter"))],
            2 if writes => vec![Step::Push(key("list"), value)],
            2 => vec![Step::Range(key("list"))],
            3 if writes => vec![Step::Push(key("queue"), value)],
            3 => vec![Step::Pop(key("queue"))],
            4 => match rng.below(3) {
                0 => vec![Step::Members(key("set"))],
                1 => vec![Step::Add(key("set"), rng.below(4).to_string())],
                _ => vec![Step::Remove(key("set"), rng.below(4).to_string())],
            },
            _ if writes => vec![Step::Set(key("pair-0"), value.clone()), Step::Set(key("pair-1"), value)],
            _ => vec![Step::Get(key("pair-0")), Step::Get(key("pair-1"))],
        };
        Self::judged(steps, rng)
    }
}

/// Writes, and reads that wait for them.
pub fn flood(count: u64) -> Vec<Vec<String>> {
    let value = format!("{count:0>500}");
    let request =
        |number| if number == 0 { words(&["SET", "flood", &value]) } else { words(&["GET", "flood"]) };
    (0..FLOOD).map(request).collect()
}

/// What leaves something to chance, to the clock, or to how much memory there is.
fn loose(rng: &mut Rng, count: u64) -> Vec<String> {
    let (value, number) = (count.to_string(), rng.below(4).to_string());
    let soon = rng.between(20, 1_500).to_string();
    match rng.below(10) {
        0 => words(&["SADD", "loose:set", &value, &number]),
        1 | 2 => words(&["SPOP", "loose:set"]),
        3 => words(&["SET", &format!("loose:short-{number}"), &value, "PX", &soon]),
        4 => words(&["GET", &format!("loose:short-{number}")]),
        5 => words(&["PEXPIRE", &format!("loose:short-{number}"), &soon]),
        6 => words(&["SET", &format!("loose:long-{number}"), &"x".repeat(300), "EX", "100"]),
        7 => words(&["XADD", "loose:stream", "MAXLEN", "20", "*", "field", &value]),
        8 => words(&[
            "EVAL",
            "for i = 1, 3 do redis.call('HINCRBYFLOAT', KEYS[1], i, math.random()) end return 1",
            "1",
            "loose:hash",
        ]),
        _ => words(&["ZADD", "loose:sorted", &number, &value]),
    }
}

fn text(answer: &Answer) -> Option<String> {
    answer.text().map(str::to_owned)
}

fn texts(answers: &[Answer]) -> Vec<String> {
    answers.iter().filter_map(text).collect()
}

/// What an answer says; `None`: an error, which promises that nothing happened.
fn understand(step: &Step, answer: &Answer) -> Option<Reply> {
    Some(match (step, answer) {
        (_, Answer::Error(_)) => return None,
        (Step::Set(..), _) => Reply::Done,
        (Step::Pop(_), Answer::Array(pair)) => Reply::Text(pair.iter().flatten().next_back().and_then(text)),
        (Step::Get(_) | Step::Pop(_), answer) => Reply::Text(text(answer)),
        (Step::Range(_), Answer::Array(Some(elements))) => Reply::List(texts(elements)),
        (_, Answer::Array(Some(members))) => Reply::Set(texts(members).into_iter().collect::<BTreeSet<_>>()),
        (_, Answer::Int(number)) => Reply::Number(*number),
        (step, answer) => unreachable!("{step:?} is not answered by {answer:?}"),
    })
}

/// What the answers to all requests of these steps say; `None`: it was refused.
pub fn replies(steps: &[Step], answers: &[Answer]) -> Option<Vec<Reply>> {
    let answers = match answers {
        [.., Answer::Array(Some(all))] if steps.len() > 1 => all,
        _ if steps.len() > 1 => return None,
        answers => answers,
    };
    steps.iter().zip(answers).map(|(step, answer)| understand(step, answer)).collect()
}
