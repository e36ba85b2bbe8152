//! Histories for other checkers, in two formats. Pure: they write to whatever they are given.
//!
//! *EDN*, a map a line, in the order of time, as Jepsen keeps histories and as its libraries (Elle, Knossos) read them:
//!
//! ```text
//! {:index 0, :type :invoke, :process 3, :time 1200, :f :txn, :value [[:rpush "l" "a"] [:get "r" nil]]}
//! {:index 1, :type :ok, :process 3, :time 2500, :f :txn, :value [[:rpush "l" "a" 1] [:get "r" "x"]]}
//! ```
//!
//! `:value` is a vector of steps, `[f key argument... result]`: `nil` stands for a result that is not known yet. An
//! operation without a reply ends as `:info`, at the end of the history, because it may still take effect; its process is
//! not used again: a client's next operations are those of process `client + 1000`, then `client + 2000` and so on.
//! `:f` is the step's name, or `:txn` for several steps that happen together. Times are nanoseconds.
//!
//! *JSON lines*, an object an operation in the order of the requests, made to be turned into Porcupine's `Operation`s:
//!
//! ```text
//! {"client":3,"call":1200,"return":2500,"input":[["rpush","l","a"]],"output":[1]}
//! ```
//!
//! `return` and `output` are `null` for an operation without a reply; Porcupine wants a time after all others there.

use super::linear::{Operation, Reply, Step};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Writes the history as EDN.
pub fn edn(history: &[Operation], mut out: impl Write) -> io::Result<()> {
    let mut processes = BTreeMap::new();
    let mut ordered: Vec<&Operation> = history.iter().collect();
    ordered.sort_by_key(|operation| operation.invoked);
    let mut events = Vec::new();
    for operation in ordered {
        let process = *processes.entry(operation.client).or_insert(operation.client);
        events.push((operation.invoked, true, process, operation));
        // What has no reply may take effect until the end.
        let ended = operation.returned.as_ref().map_or(u64::MAX, |(at, _)| *at);
        events.push((ended, false, process, operation));
        if operation.returned.is_none() {
            processes.insert(operation.client, process + 1000);
        }
    }
    events.sort_by_key(|(at, begins, ..)| (*at, !begins));
    let last = events.iter().map(|(at, ..)| *at).filter(|at| *at != u64::MAX).max().unwrap_or(0);
    for (index, (at, begins, process, operation)) in events.into_iter().enumerate() {
        let kind = match (begins, &operation.returned) {
            (true, _) => "invoke",
            (false, Some(_)) => "ok",
            (false, None) => "info",
        };
        let f = match operation.steps.as_slice() {
            [step] => words(step)[0],
            _ => "txn",
        };
        let replies = operation.returned.as_ref().filter(|_| !begins).map(|(_, replies)| replies);
        let time = at.min(last);
        let value = steps_edn(operation, replies);
        writeln!(
            out,
            "{{:index {index}, :type :{kind}, :process {process}, :time {time}, :f :{f}, :value {value}}}"
        )?;
    }
    Ok(())
}

/// Writes the history as JSON lines.
pub fn json_lines(history: &[Operation], mut out: impl Write) -> io::Result<()> {
    let mut ordered: Vec<&Operation> = history.iter().collect();
    ordered.sort_by_key(|operation| operation.invoked);
    for operation in ordered {
        let (returned, replies) = operation.returned.as_ref().map(|(at, replies)| (at, replies)).unzip();
        let line = json!({
            "client": operation.client,
            "call": operation.invoked,
            "return": returned,
            "input": operation.steps.iter().map(words).collect::<Vec<_>>(),
            "output": replies.map(|replies| replies.iter().map(plain).collect::<Vec<_>>()),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// A step as a command.
fn words(step: &Step) -> Vec<&str> {
    match step {
        Step::Get(key) => vec!["get", key],
        Step::Set(key, value) => vec!["set", key, value],
        Step::Increment(key) => vec!["incr", key],
        Step::Push(key, value) => vec!["rpush", key, value],
        Step::Pop(key) => vec!["lpop", key],
        Step::Range(key) => vec!["lrange", key],
        Step::Add(key, value) => vec!["sadd", key, value],
        Step::Remove(key, value) => vec!["srem", key, value],
        Step::Members(key) => vec!["smembers", key],
        Step::Delete(key) => vec!["del", key],
    }
}

fn plain(reply: &Reply) -> Value {
    match reply {
        Reply::Done => json!("OK"),
        Reply::Text(text) => json!(text),
        Reply::Number(number) => json!(number),
        Reply::List(items) => json!(items),
        Reply::Set(members) => json!(members),
    }
}

fn steps_edn(operation: &Operation, replies: Option<&Vec<Reply>>) -> String {
    let mut text = String::from("[");
    for (number, step) in operation.steps.iter().enumerate() {
        if number > 0 {
            text.push(' ');
        }
        let words = words(step);
        // Writing to a string can't fail.
        let _ = write!(text, "[:{}", words[0]);
        for word in &words[1..] {
            let _ = write!(text, " {}", json!(word));
        }
        text.push(' ');
        text.push_str(&replies.and_then(|replies| replies.get(number)).map_or("nil".into(), reply_edn));
        text.push(']');
    }
    text.push(']');
    text
}

/// JSON's strings and numbers are EDN's; its vectors need no commas.
fn reply_edn(reply: &Reply) -> String {
    let all = |items: Vec<String>| items.join(" ");
    match reply {
        Reply::Done => ":ok".into(),
        Reply::Text(None) => "nil".into(),
        Reply::Text(Some(text)) => json!(text).to_string(),
        Reply::Number(number) => number.to_string(),
        Reply::List(items) => {
            format!("[{}]", all(items.iter().map(|item| json!(item).to_string()).collect()))
        }
        Reply::Set(items) => {
            format!("#{{{}}}", all(items.iter().map(|item| json!(item).to_string()).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> Vec<Operation> {
        let push = Step::Push("l".into(), "a\"b".into());
        let transaction = vec![push.clone(), Step::Get("r".into()), Step::Members("s".into())];
        let members = ["x", "y"].map(str::to_owned).into();
        let replies = vec![Reply::Number(1), Reply::Text(None), Reply::Set(members)];
        let lost = Step::Increment("n".into());
        vec![
            Operation { client: 2, invoked: 5, returned: None, steps: vec![lost] },
            Operation { client: 1, invoked: 3, returned: Some((9, replies)), steps: transaction },
            Operation {
                client: 2,
                invoked: 7,
                returned: Some((8, vec![Reply::List(vec!["a".into(), "b".into()])])),
                steps: vec![Step::Range("l".into())],
            },
        ]
    }

    fn text(write: impl Fn(&[Operation], &mut Vec<u8>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&history(), &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn edn_has_a_line_for_each_event_in_the_order_of_time() {
        let expected = r#"{:index 0, :type :invoke, :process 1, :time 3, :f :txn, :value [[:rpush "l" "a\"b" nil] [:get "r" nil] [:smembers "s" nil]]}
{:index 1, :type :invoke, :process 2, :time 5, :f :incr, :value [[:incr "n" nil]]}
{:index 2, :type :invoke, :process 1002, :time 7, :f :lrange, :value [[:lrange "l" nil]]}
{:index 3, :type :ok, :process 1002, :time 8, :f :lrange, :value [[:lrange "l" ["a" "b"]]]}
{:index 4, :type :ok, :process 1, :time 9, :f :txn, :value [[:rpush "l" "a\"b" 1] [:get "r" nil] [:smembers "s" #{"x" "y"}]]}
{:index 5, :type :info, :process 2, :time 9, :f :incr, :value [[:incr "n" nil]]}
"#;
        assert_eq!(text(|history, out| edn(history, out)), expected);
    }

    #[test]
    fn json_has_a_line_for_each_operation() {
        let written = text(|history, out| json_lines(history, out));
        let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[0],
            json!({"client": 1, "call": 3, "return": 9,
                   "input": [["rpush", "l", "a\"b"], ["get", "r"], ["smembers", "s"]], "output": [1, null, ["x", "y"]]})
        );
        assert_eq!(lines[1]["return"], Value::Null);
        assert_eq!(lines[2]["output"], json!([["a", "b"]]));
    }
}
