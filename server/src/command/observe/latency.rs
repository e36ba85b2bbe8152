//! Events that took longer than `latency-monitor-threshold`, and a drawing of them.

use std::collections::{BTreeMap, VecDeque};

/// Samples kept of each event, as in Redis.
const SAMPLES_MAX: usize = 160;

const GRAPH_COLUMNS: usize = 80;
const GRAPH_ROWS: usize = 4;

/// What a column is drawn with, from nearly nothing to full.
const STEPS: &[u8] = b"_o#";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub time_s: u64,
    pub millis: u64,
}

#[derive(Debug, Default)]
pub struct Event {
    samples: VecDeque<Sample>,
    most: u64,
}

/// Events by their name.
#[derive(Debug, Default)]
pub struct Latency(BTreeMap<&'static str, Event>);

impl Latency {
    pub fn add(&mut self, name: &'static str, time_s: u64, millis: u64) {
        let event = self.0.entry(name).or_default();
        event.most = event.most.max(millis);
        match event.samples.back_mut() {
            // One sample a second: the worst.
            Some(last) if last.time_s == time_s => last.millis = last.millis.max(millis),
            _ => {
                if event.samples.len() == SAMPLES_MAX {
                    event.samples.pop_front();
                }
                event.samples.push_back(Sample { time_s, millis });
            }
        }
    }

    pub fn events(&self) -> impl Iterator<Item = (&'static str, &Event)> {
        self.0.iter().map(|(name, event)| (*name, event))
    }

    pub fn event(&self, name: &[u8]) -> Option<&Event> {
        self.0.get(std::str::from_utf8(name).ok()?)
    }

    /// Forget these events, or all if none is named; returns how many went.
    pub fn reset(&mut self, names: &[&[u8]]) -> usize {
        let before = self.0.len();
        self.0.retain(|name, _| !names.is_empty() && !names.contains(&name.as_bytes()));
        before - self.0.len()
    }
}

impl Event {
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Sample> + DoubleEndedIterator {
        self.samples.iter()
    }

    /// The most milliseconds that it ever took.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// The samples as a drawing: their height, and below it how long ago they were.
    pub fn graph(&self, name: &str, now_s: u64) -> String {
        let values = || self.samples.iter().map(|sample| sample.millis);
        let (high, low) = (values().max().unwrap_or(0), values().min().unwrap_or(0));
        let mut graph = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", self.most);
        graph.push_str(&"-".repeat(GRAPH_COLUMNS));
        graph.push('\n');
        let samples: Vec<Sample> = self.samples.iter().copied().collect();
        for (index, part) in samples.chunks(GRAPH_COLUMNS).enumerate() {
            if index > 0 {
                graph.push('\n');
            }
            draw(part, (low, high), now_s, &mut graph);
        }
        graph
    }
}

fn draw(samples: &[Sample], (low, high): (u64, u64), now_s: u64, graph: &mut String) {
    let steps = STEPS.len() * GRAPH_ROWS;
    let range = (high - low).max(1) as usize;
    let height = |sample: &Sample| ((sample.millis - low) as usize * steps / range).min(steps - 1);
    for row in 0..GRAPH_ROWS {
        let base = (GRAPH_ROWS - row - 1) * STEPS.len();
        graph.extend(samples.iter().map(|sample| match height(sample).checked_sub(base) {
            None => ' ',
            Some(step) => STEPS.get(step).map_or('|', |byte| char::from(*byte)),
        }));
        graph.push('\n');
    }
    graph.push_str(&" ".repeat(samples.len()));
    graph.push('\n');
    let labels: Vec<String> = samples.iter().map(|sample| age(now_s.saturating_sub(sample.time_s))).collect();
    for row in 0..labels.iter().map(String::len).max().unwrap_or(0) {
        graph.extend(
            labels.iter().map(|label| label.as_bytes().get(row).map_or(' ', |byte| char::from(*byte))),
        );
        graph.push('\n');
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_a_second_stays() {
        let mut latency = Latency::default();
        for (time, millis) in [(1, 5), (1, 9), (1, 3), (2, 4)] {
            latency.add("command", time, millis);
        }
        let event = latency.event(b"command").unwrap();
        let samples: Vec<_> = event.samples().map(|sample| (sample.time_s, sample.millis)).collect();
        assert_eq!((samples, event.most()), (vec![(1, 9), (2, 4)], 9));
        assert_eq!(latency.reset(&[b"other"]), 0);
        assert_eq!(latency.reset(&[]), 1);
    }

    #[test]
    fn a_graph_is_drawn_as_by_redis() {
        let mut latency = Latency::default();
        for (time, millis) in [(100, 100), (105, 200), (110, 300), (175, 400)] {
            latency.add("command", time, millis);
        }
        let expected = format!(
            "command - high 400 ms, low 100 ms (all time high 400 ms)\n{}\n   #\n  #|\n o||\n_|||\n    \n1111\nmmm0\n   s\n",
            "-".repeat(80)
        );
        assert_eq!(latency.event(b"command").unwrap().graph("command", 185), expected);
    }
}
