//! Whether what clients saw can be explained by one order of their operations, each at a moment between its request and
//! its reply: linearizability, decided as Wing and Gong do, with the memory of states that Lowe added.
//!
//! Pure. Operations that share no key, even by way of others, are judged apart from each other. An operation without
//! replies is ambiguous: it may have taken effect at any time after its request, or never.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

/// A command of an operation; those of one operation happen together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Get(String),
    Set(String, String),
    Increment(String),
    /// Puts an element to the end of a list.
    Push(String, String),
    /// Takes the first element of a list, if there is one.
    Pop(String),
    Range(String),
    Add(String, String),
    Remove(String, String),
    Members(String),
    Delete(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reply {
    Done,
    Text(Option<String>),
    Number(i64),
    List(Vec<String>),
    Set(BTreeSet<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub client: usize,
    pub invoked: u64,
    /// When its replies came, and what they were; `None` if they never did.
    pub returned: Option<(u64, Vec<Reply>)>,
    pub steps: Vec<Step>,
}

/// Why a history is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// No order explains these operations; the last one is the first that can't be explained.
    Impossible { keys: BTreeSet<String>, operations: Vec<Operation> },
    /// More states were looked at than was allowed, without an answer.
    Undecided { keys: BTreeSet<String>, operations: usize },
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Impossible { keys, operations } => {
                writeln!(f, "no order explains what was seen of {keys:?}; the last operations are")?;
                operations.iter().try_for_each(|operation| writeln!(f, "  {operation}"))
            }
            Self::Undecided { keys, operations } => {
                write!(f, "{operations} operations on {keys:?} are too many to be judged")
            }
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {} from {}: {:?}", self.client, self.invoked, self.steps)?;
        match &self.returned {
            Some((at, replies)) => write!(f, ", at {at}: {replies:?}"),
            None => write!(f, ", no reply"),
        }
    }
}

impl Operation {
    fn only_reads(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Get(_) | Step::Range(_) | Step::Members(_)))
    }
}

impl Step {
    pub fn key(&self) -> &str {
        match self {
            Self::Get(key)
            | Self::Set(key, _)
            | Self::Increment(key)
            | Self::Push(key, _)
            | Self::Pop(key)
            | Self::Range(key)
            | Self::Add(key, _)
            | Self::Remove(key, _)
            | Self::Members(key)
            | Self::Delete(key) => key,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
    Text(String),
    List(Vec<String>),
    Set(BTreeSet<String>),
}

/// What one copy of the data, asked by one client at a time, holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State(BTreeMap<String, Value>);

impl State {
    /// `None` if a value is of another type: such histories aren't made.
    fn run(&mut self, step: &Step) -> Option<Reply> {
        let State(values) = self;
        Some(match step {
            Step::Get(key) => match values.get(key) {
                None => Reply::Text(None),
                Some(Value::Text(text)) => Reply::Text(Some(text.clone())),
                Some(_) => return None,
            },
            Step::Set(key, text) => {
                values.insert(key.clone(), Value::Text(text.clone()));
                Reply::Done
            }
            Step::Increment(key) => {
                let before = match values.get(key) {
                    None => 0,
                    Some(Value::Text(text)) => text.parse::<i64>().ok()?,
                    Some(_) => return None,
                };
                values.insert(key.clone(), Value::Text((before + 1).to_string()));
                Reply::Number(before + 1)
            }
            Step::Delete(key) => Reply::Number(values.remove(key).is_some().into()),
            Step::Push(..) | Step::Pop(_) | Step::Range(_) => return self.run_list(step),
            Step::Add(..) | Step::Remove(..) | Step::Members(_) => return self.run_set(step),
        })
    }

    fn run_list(&mut self, step: &Step) -> Option<Reply> {
        let key = step.key();
        let mut list = match self.0.remove(key) {
            None => Vec::new(),
            Some(Value::List(list)) => list,
            Some(_) => return None,
        };
        let reply = match step {
            Step::Push(_, element) => {
                list.push(element.clone());
                Reply::Number(list.len() as i64)
            }
            Step::Pop(_) if list.is_empty() => Reply::Text(None),
            Step::Pop(_) => Reply::Text(Some(list.remove(0))),
            _ => Reply::List(list.clone()),
        };
        if !list.is_empty() {
            self.0.insert(key.to_owned(), Value::List(list));
        }
        Some(reply)
    }

    fn run_set(&mut self, step: &Step) -> Option<Reply> {
        let key = step.key();
        let mut set = match self.0.remove(key) {
            None => BTreeSet::new(),
            Some(Value::Set(set)) => set,
            Some(_) => return None,
        };
        let reply = match step {
            Step::Add(_, member) => Reply::Number(set.insert(member.clone()).into()),
            Step::Remove(_, member) => Reply::Number(set.remove(member).into()),
            _ => Reply::Set(set.clone()),
        };
        if !set.is_empty() {
            self.0.insert(key.to_owned(), Value::Set(set));
        }
        Some(reply)
    }

    /// The state after the operation, if it can have been answered as it was.
    fn after(&self, operation: &Operation) -> Option<Self> {
        let mut next = self.clone();
        for (number, step) in operation.steps.iter().enumerate() {
            let reply = next.run(step)?;
            if let Some((_, replies)) = &operation.returned
                && replies.get(number) != Some(&reply)
            {
                return None;
            }
        }
        Some(next)
    }
}

/// How many states of one group of keys are looked at before it is given up.
const STATES_MAX: usize = 2_000_000;

/// Judges a history that begins with no data.
pub fn check(history: &[Operation]) -> Result<(), Anomaly> {
    let effective = |operation: &&Operation| operation.returned.is_some() || !operation.only_reads();
    groups(history.iter().filter(effective))
        .into_iter()
        .try_for_each(|group| Search::new(group).run(STATES_MAX))
}

/// Operations that share keys, directly or by others, in the order of their requests.
fn groups<'h>(history: impl Iterator<Item = &'h Operation>) -> Vec<Vec<&'h Operation>> {
    let mut group_of: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&Operation>> = Vec::new();
    let mut ordered: Vec<&Operation> = history.collect();
    ordered.sort_by_key(|operation| operation.invoked);
    for operation in ordered {
        let keys: BTreeSet<&str> = operation.steps.iter().map(Step::key).collect();
        let mut known: Vec<usize> = keys.iter().filter_map(|key| group_of.get(key).copied()).collect();
        known.sort_unstable();
        known.dedup();
        let home = known.first().copied().unwrap_or_else(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        for other in known.into_iter().skip(1) {
            let moved = std::mem::take(&mut groups[other]);
            groups[home].extend(moved);
            group_of.values_mut().filter(|group| **group == other).for_each(|group| *group = home);
        }
        groups[home].push(operation);
        group_of.extend(keys.into_iter().map(|key| (key, home)));
    }
    for group in &mut groups {
        group.sort_by_key(|operation| operation.invoked);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// One moment of a history: an operation is requested, or its replies come.
#[derive(Clone, Copy)]
struct Moment {
    operation: usize,
    returns: bool,
}

/// The moments that are not settled yet are a doubly linked list: what is taken out can be put back.
struct Search<'h> {
    operations: Vec<&'h Operation>,
    moments: Vec<Moment>,
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Where an operation's moments are.
    places: Vec<(usize, Option<usize>)>,
    /// Of an operation without replies: the one before it that is the same. Which of both took effect makes no difference,
    /// so the earlier one is taken first.
    twins: Vec<Option<usize>>,
    /// Replies that are still in the list.
    returns_left: usize,
}

impl<'h> Search<'h> {
    /// The list's end, which is its beginning too.
    fn end(&self) -> usize {
        self.moments.len()
    }

    fn new(operations: Vec<&'h Operation>) -> Self {
        let mut order: Vec<(u64, bool, usize)> = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            order.push((operation.invoked, false, number));
            if let Some((at, _)) = operation.returned {
                order.push((at, true, number));
            }
        }
        // What is requested in the moment of a reply is at the same time as it.
        order.sort_unstable();
        let count = order.len();
        let mut places = vec![(0, None); operations.len()];
        for (place, (_, returns, number)) in order.iter().enumerate() {
            if *returns { places[*number].1 = Some(place) } else { places[*number].0 = place }
        }
        let moments: Vec<Moment> =
            order.into_iter().map(|(_, returns, operation)| Moment { operation, returns }).collect();
        let mut latest: BTreeMap<&[Step], usize> = BTreeMap::new();
        let twins = operations.iter().enumerate().map(|(number, operation)| {
            operation.returned.is_none().then(|| latest.insert(&operation.steps, number)).flatten()
        });
        Self {
            twins: twins.collect(),
            returns_left: moments.iter().filter(|moment| moment.returns).count(),
            operations,
            moments,
            next: (1..=count).chain([0]).collect(),
            previous: [count].into_iter().chain(0..count).collect(),
            places,
        }
    }

    fn take(&mut self, place: usize) {
        let (before, after) = (self.previous[place], self.next[place]);
        self.next[before] = after;
        self.previous[after] = before;
    }

    /// Undoes the [`Search::take`] that was not undone last.
    fn put(&mut self, place: usize) {
        let (before, after) = (self.previous[place], self.next[place]);
        self.next[before] = place;
        self.previous[after] = place;
    }

    fn settle(&mut self, operation: usize) {
        let (call, answer) = self.places[operation];
        self.take(call);
        if let Some(answer) = answer {
            self.take(answer);
            self.returns_left -= 1;
        }
    }

    fn unsettle(&mut self, operation: usize) {
        let (call, answer) = self.places[operation];
        if let Some(answer) = answer {
            self.put(answer);
            self.returns_left += 1;
        }
        self.put(call);
    }

    fn run(mut self, states_max: usize) -> Result<(), Anomaly> {
        let mut settled = Bits::new(self.operations.len());
        let mut state = State::default();
        let mut seen: HashSet<(Bits, State)> = HashSet::new();
        let mut taken: Vec<(usize, State)> = Vec::new();
        // How far the best attempt came, to tell where it stopped.
        let mut furthest = 0;
        let mut place = self.next[self.end()];
        while self.returns_left > 0 {
            let Moment { operation, returns } = self.moments[place];
            if !returns {
                let early = self.twins[operation].is_some_and(|twin| !settled.get(twin));
                let after = if early { None } else { state.after(self.operations[operation]) };
                let fresh = after.filter(|after| {
                    settled.set(operation, true);
                    let fresh = seen.insert((settled.clone(), after.clone()));
                    settled.set(operation, fresh);
                    fresh
                });
                if let Some(after) = fresh {
                    if seen.len() > states_max {
                        return Err(Anomaly::Undecided {
                            keys: self.keys(),
                            operations: self.operations.len(),
                        });
                    }
                    taken.push((operation, std::mem::replace(&mut state, after)));
                    self.settle(operation);
                    place = self.next[self.end()];
                } else {
                    place = self.next[place];
                }
                continue;
            }
            // Its request is still in the list: it can't have taken effect in time by this way.
            furthest = furthest.max(place);
            let Some((last, before)) = taken.pop() else { return Err(self.impossible(furthest)) };
            state = before;
            settled.set(last, false);
            self.unsettle(last);
            place = self.next[self.places[last].0];
        }
        Ok(())
    }

    fn keys(&self) -> BTreeSet<String> {
        let steps = self.operations.iter().flat_map(|operation| &operation.steps);
        steps.map(|step| step.key().to_owned()).collect()
    }

    fn impossible(&self, furthest: usize) -> Anomaly {
        const SHOWN_MAX: usize = 12;
        let moments = &self.moments[..=furthest];
        let mut operations: Vec<Operation> = moments
            .iter()
            .rev()
            .filter(|moment| moment.returns)
            .take(SHOWN_MAX)
            .map(|moment| self.operations[moment.operation].clone())
            .collect();
        operations.reverse();
        Anomaly::Impossible { keys: self.keys(), operations }
    }
}

/// Which operations have taken effect.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn get(&self, index: usize) -> bool {
        self.0[index / 64] & 1 << (index % 64) != 0
    }

    fn set(&mut self, index: usize, value: bool) {
        let bit = 1 << (index % 64);
        if value { self.0[index / 64] |= bit } else { self.0[index / 64] &= !bit }
    }
}

#[cfg(test)]
mod tests;
