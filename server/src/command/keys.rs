//! Which arguments of a request are keys, as the command's key specs say.

use smallvec::SmallVec;

use super::spec::{Begin, Find, KeySpec, Spec};
use crate::resp::Request;
use crate::value::number;

/// The positions of the keys in a request.
pub fn positions(spec: &Spec, request: Request<'_>) -> SmallVec<[usize; 4]> {
    spec.keys.iter().flat_map(|keys| of_spec(keys, request)).collect()
}

/// The positions of the keys of one key spec.
pub fn of_spec(keys: &KeySpec, request: Request<'_>) -> SmallVec<[usize; 4]> {
    let Some(begin) = begin(keys, request) else { return SmallVec::new() };
    let words = request.len();
    match keys.find {
        Find::Range { last, step, limit } => {
            let last = match last {
                last if last >= 0 => begin + last as usize,
                last if limit >= 2 => (begin + (words - begin) / limit).saturating_sub(last.unsigned_abs()),
                last => words.saturating_sub(last.unsigned_abs()),
            };
            (begin..=last).step_by(step.max(1)).filter(|index| *index < words).collect()
        }
        Find::Count { index, first, step } => {
            let count = request.get(begin + index).and_then(number::integer).unwrap_or(0).max(0) as usize;
            let first = begin + first;
            (0..count.min(words))
                .map(|key| first + key * step.max(1))
                .filter(|index| *index < words)
                .collect()
        }
        Find::Unknown => SmallVec::new(),
    }
}

fn begin(keys: &KeySpec, request: Request<'_>) -> Option<usize> {
    match keys.begin {
        Begin::Index(index) => Some(index).filter(|index| *index < request.len()),
        Begin::Unknown => None,
        Begin::Keyword(word, from) => {
            let matches = |index: &usize| request.arg(*index).eq_ignore_ascii_case(word.as_bytes());
            let found = if from >= 0 {
                (from as usize..request.len()).find(matches)
            } else {
                (1..=request.len().saturating_sub(from.unsigned_abs())).rev().find(matches)
            };
            found.map(|index| index + 1).filter(|index| *index < request.len())
        }
    }
}
