//! Unions, intersections and differences of sorted sets and sets: what they are made of, and what comes of them.

use std::collections::HashMap;

use super::super::{Args, Context, errors};
use crate::resp::Failure;
use crate::value::{Forms, Set, SortedSet, Value, float, number};

/// Which of the operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Union,
    Inter,
    Diff,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Answer,
    Store,
    Count,
}

/// How scores of one member become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, score: f64, other: f64) -> f64 {
        match self {
            // Opposite infinities are nothing.
            Aggregate::Sum => Some(score + other).filter(|sum| !sum.is_nan()).unwrap_or(0.0),
            Aggregate::Min => {
                if other < score {
                    other
                } else {
                    score
                }
            }
            Aggregate::Max => {
                if other > score {
                    other
                } else {
                    score
                }
            }
        }
    }
}

/// An operation as a request describes it.
pub(super) struct Combination<'a> {
    operation: Operation,
    keys: Vec<&'a [u8]>,
    weights: Vec<f64>,
    aggregate: Aggregate,
    pub scores: bool,
    limit: usize,
}

impl<'a> Combination<'a> {
    /// What stands from the number of keys on, which is at `at`. That inputs are sets of either kind is checked before
    /// the options are, as in Redis.
    pub fn parse(
        context: &mut Context<'_>,
        args: &Args<'a>,
        at: usize,
        operation: Operation,
        purpose: Purpose,
    ) -> Result<Self, Failure> {
        let count = number::integer(args.word(at)).ok_or(errors::NOT_INTEGER)?;
        if count < 1 {
            let name = String::from_utf8_lossy(args.word(0)).to_lowercase();
            return Err(Failure::text(format!("ERR at least 1 input key is needed for '{name}' command")));
        }
        let count = usize::try_from(count).ok().filter(|count| *count < args.len() - at);
        let count = count.ok_or(errors::SYNTAX)?;
        let keys: Vec<&[u8]> = args.request().rest(at + 1).take(count).collect();
        for key in &keys {
            match context.keyspace.read(context.client.db, key) {
                None | Some(Value::SortedSet(_) | Value::Set(_)) => {}
                Some(_) => return Err(errors::WRONG_TYPE),
            }
        }
        let weights = vec![1.0; count];
        let mut combination =
            Self { operation, keys, weights, aggregate: Aggregate::Sum, scores: false, limit: 0 };
        combination.options(args, at + 1 + count, purpose)?;
        Ok(combination)
    }

    fn options(&mut self, args: &Args<'a>, at: usize, purpose: Purpose) -> Result<(), Failure> {
        const LIMIT: Failure = Failure::new("ERR LIMIT can't be negative");
        const WEIGHT: Failure = Failure::new("ERR weight value is not a float");
        let scored = self.operation != Operation::Diff && purpose != Purpose::Count;
        let mut words = args.request().rest(at);
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"weights" if scored && words.len() >= self.weights.len() => {
                    for weight in &mut self.weights {
                        *weight = float::number(words.next().unwrap_or_default()).ok_or(WEIGHT)?;
                    }
                }
                b"aggregate" if scored && words.len() > 0 => {
                    self.aggregate = match words.next().unwrap_or_default().to_ascii_lowercase().as_slice() {
                        b"sum" => Aggregate::Sum,
                        b"min" => Aggregate::Min,
                        b"max" => Aggregate::Max,
                        _ => return Err(errors::SYNTAX),
                    };
                }
                b"withscores" if purpose == Purpose::Answer => self.scores = true,
                b"limit" if purpose == Purpose::Count && words.len() > 0 => {
                    let limit = number::integer(words.next().unwrap_or_default());
                    self.limit = limit.and_then(|limit| usize::try_from(limit).ok()).ok_or(LIMIT)?;
                }
                _ => return Err(errors::SYNTAX),
            }
        }
        Ok(())
    }

    /// The inputs with their weights, those that are missing among them.
    fn sources<'c>(&self, context: &'c Context<'_>) -> Vec<(Source<'c>, f64)> {
        let (db, now) = (context.client.db, context.keyspace.now);
        let source = |key: &&[u8]| {
            let entry = context.keyspace.database(db).get(key).filter(|entry| !entry.expired(now));
            match entry.map(|entry| &entry.value) {
                Some(Value::SortedSet(set)) => Source::SortedSet(set),
                Some(Value::Set(set)) => Source::Set(set),
                _ => Source::Nothing,
            }
        };
        self.keys.iter().map(source).zip(self.weights.iter().copied()).collect()
    }

    /// What comes of it.
    pub fn result(&self, context: &Context<'_>) -> SortedSet {
        // What is answered comes from the large form, which tells minus zero from zero.
        let forms = Forms { zset_listpack_entries: 0, ..context.keyspace.forms };
        let mut sources = self.sources(context);
        if self.operation != Operation::Diff {
            // Sums of floats depend on their order, and this is Redis'.
            sources.sort_by_key(|(source, _)| source.len());
        }
        match self.operation {
            Operation::Union => self.union(&sources, &forms),
            Operation::Inter => {
                let mut result = SortedSet::default();
                self.inter(&sources, |member, score| {
                    result.set(member, score, &forms);
                    true
                });
                result
            }
            Operation::Diff => {
                let mut result = SortedSet::default();
                sources[0].0.each(|member, score| {
                    if sources[1..].iter().all(|(other, _)| other.score(member).is_none()) {
                        result.set(member, score, &forms);
                    }
                    true
                });
                result
            }
        }
    }

    /// How many members the intersection has, as far as that is asked for.
    pub fn count(&self, context: &Context<'_>) -> usize {
        let mut sources = self.sources(context);
        sources.sort_by_key(|(source, _)| source.len());
        let mut count = 0;
        self.inter(&sources, |_, _| {
            count += 1;
            count != self.limit
        });
        count
    }

    fn union(&self, sources: &[(Source<'_>, f64)], forms: &Forms) -> SortedSet {
        let mut scores: HashMap<Vec<u8>, f64, foldhash::fast::RandomState> = HashMap::default();
        for (source, weight) in sources {
            source.each(|member, score| {
                let score = weighed(score, *weight);
                if let Some(sum) = scores.get_mut(member) {
                    *sum = self.aggregate.of(*sum, score);
                } else {
                    scores.insert(member.to_vec(), score);
                }
                true
            });
        }
        let mut result = SortedSet::default();
        for (member, score) in &scores {
            result.set(member, *score, forms);
        }
        result
    }

    /// Meet the members of all inputs, of which the smallest comes first, until that is enough.
    fn inter(&self, sources: &[(Source<'_>, f64)], mut meet: impl FnMut(&[u8], f64) -> bool) {
        let Some(((first, weight), others)) = sources.split_first() else { return };
        first.each(|member, score| {
            let mut sum = weighed(score, *weight);
            for (other, weight) in others {
                let Some(score) = other.score(member) else { return true };
                sum = self.aggregate.of(sum, score * weight);
            }
            meet(member, sum)
        });
    }
}

/// A score times a weight; nothing of infinity is nothing.
fn weighed(score: f64, weight: f64) -> f64 {
    Some(score * weight).filter(|score| !score.is_nan()).unwrap_or(0.0)
}

/// An input. The members of a set have the score 1.
enum Source<'c> {
    SortedSet(&'c SortedSet),
    Set(&'c Set),
    Nothing,
}

impl Source<'_> {
    fn len(&self) -> usize {
        match self {
            Source::SortedSet(set) => set.len(),
            Source::Set(set) => set.len(),
            Source::Nothing => 0,
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Source::SortedSet(set) => set.score(member),
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::Nothing => None,
        }
    }

    /// Meet all members, until that is enough.
    fn each(&self, mut meet: impl FnMut(&[u8], f64) -> bool) {
        match self {
            Source::SortedSet(set) => {
                set.iter().all(|(member, score)| meet(member, score));
            }
            Source::Set(set) => {
                let mut scratch = itoa::Buffer::new();
                set.iter().all(|member| meet(member.bytes(&mut scratch), 1.0));
            }
            Source::Nothing => {}
        }
    }
}
