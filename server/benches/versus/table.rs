//! Medians, ratios, and the table as Markdown.

use super::options::Options;
use super::rows::Row;
use std::fmt::Write as _;

/// One round against one server.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub operations_a_second: f64,
    /// The server's processor time for an operation.
    pub cpu_micros: f64,
    /// The share of a core that the server used.
    pub busy: f64,
}

pub struct Line {
    pub row: Row,
    pub pipeline: usize,
    pub ours: Measured,
    pub redis: Measured,
}

impl Line {
    fn speed(&self) -> f64 {
        self.ours.operations_a_second / self.redis.operations_a_second
    }

    /// How many times as much processor time Redis needs; like speed, more is better.
    fn thrift(&self) -> f64 {
        self.redis.cpu_micros / self.ours.cpu_micros
    }
}

/// The median; there is one at least.
pub fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// The median of each number by itself.
pub fn median(rounds: &[Measured]) -> Measured {
    let of = |field: fn(&Measured) -> f64| middle(rounds.iter().map(field).collect());
    Measured {
        operations_a_second: of(|round| round.operations_a_second),
        cpu_micros: of(|round| round.cpu_micros),
        busy: of(|round| round.busy),
    }
}

pub fn progress(line: &Line) -> String {
    let (title, pipeline) = (line.row.title(), line.pipeline);
    format!("{title}, pipeline {pipeline}: {:.2} times Redis' operations a second", line.speed())
}

/// Lines whose ratio of operations is under the mark.
pub fn under_mark(lines: &[Line], mark: f64) -> Vec<&Line> {
    lines.iter().filter(|line| line.speed() < mark).collect()
}

pub fn render(lines: &[Line], options: &Options) -> String {
    let mut out = String::from(
        "| command | pipeline | Botellier ops/s | Redis ops/s | ratio | Botellier CPU µs/op | Redis CPU µs/op | ratio | busy |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for line in lines {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | **{:.2}** | {:.2} | {:.2} | {:.2} | {:.0}% / {:.0}% |",
            line.row.title(),
            line.pipeline,
            thousands(line.ours.operations_a_second),
            thousands(line.redis.operations_a_second),
            line.speed(),
            line.ours.cpu_micros,
            line.redis.cpu_micros,
            line.thrift(),
            line.ours.busy * 100.0,
            line.redis.busy * 100.0,
        );
    }
    let _ = writeln!(
        out,
        "\nMedian of {} rounds of {} s, {} connections, {} keys, values of {} bytes, `appendfsync {}`. A ratio over 1 is in \
         our favour. The server has one core, the load another.",
        options.rounds,
        options.seconds,
        options.connections,
        options.keys,
        options.value_bytes,
        options.fsync,
    );
    for line in under_mark(lines, options.mark) {
        let _ = writeln!(out, "\nUnder the mark of {}: {}", options.mark, progress(line));
    }
    out
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
