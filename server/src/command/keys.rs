//! Which arguments of a request are keys, as the command's key specs say.

use smallvec::SmallVec;

use super::spec::{Begin, Find, KeyFlags, KeySpec, Spec};
use crate::resp::Request;
use crate::value::number;

/// Positions of keys in a request, and what the command does with them.
pub type Keys = SmallVec<[(usize, KeyFlags); 4]>;

/// The positions of the keys in a request.
pub fn positions(spec: &Spec, request: Request<'_>) -> SmallVec<[usize; 4]> {
    if let [keys] = spec.keys {
        return of_spec(keys, request).unwrap_or_default();
    }
    with_flags(spec, request).unwrap_or_default().into_iter().map(|(index, _)| index).collect()
}

/// The keys of a request with their flags; `None` if the request contradicts itself about them.
pub fn with_flags(spec: &Spec, request: Request<'_>) -> Option<Keys> {
    if let Some(own) = spec.own_keys {
        return own(request);
    }
    let mut all = Keys::new();
    for keys in spec.keys {
        let found = of_spec(keys, request)?;
        all.extend(found.into_iter().map(|index| (index, keys.flags)));
    }
    Some(all)
}

/// The positions of the keys of one key spec.
pub fn of_spec(keys: &KeySpec, request: Request<'_>) -> Option<SmallVec<[usize; 4]>> {
    let Some(begin) = begin(keys, request) else { return Some(SmallVec::new()) };
    let words = request.len();
    match keys.find {
        Find::Range { last, step, limit } => {
            let last = match last {
                last if last >= 0 => begin + last as usize,
                last if limit >= 2 => (begin + (words - begin) / limit).saturating_sub(last.unsigned_abs()),
                last => words.saturating_sub(last.unsigned_abs()),
            };
            Some((begin..=last).step_by(step.max(1)).filter(|index| *index < words).collect())
        }
        Find::Count { index, first, step } => {
            let count = number::leading(request.get(begin + index)?)?;
            let (count, first, step) = (usize::try_from(count).ok()?, begin + first, step.max(1));
            if count > 0 && count.checked_mul(step)? > words.saturating_sub(first) + step - 1 {
                return None;
            }
            Some((0..count).map(|key| first + key * step).collect())
        }
        Find::Unknown => Some(SmallVec::new()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Batch;

    fn found(begin: Begin, find: Find, words: &str) -> Option<Vec<usize>> {
        let keys = KeySpec { flags: KeyFlags::RO, begin, find, notes: None };
        let words: Vec<&str> = words.split(' ').collect();
        of_spec(&keys, Batch::of(&words).get(0)).map(|found| found.to_vec())
    }

    #[test]
    fn ranges_count_from_either_end() {
        let range = |last, step, limit| Find::Range { last, step, limit };
        assert_eq!(found(Begin::Index(1), range(0, 1, 0), "get k"), Some(vec![1]));
        assert_eq!(found(Begin::Index(1), range(-1, 2, 0), "mset a 1 b 2"), Some(vec![1, 3]));
        assert_eq!(found(Begin::Index(1), range(-2, 1, 0), "blpop a b 0"), Some(vec![1, 2]));
        let streams = Begin::Keyword("STREAMS", 1);
        assert_eq!(found(streams, range(-1, 1, 2), "xread block 0 streams a b 0 0"), Some(vec![4, 5]));
        assert_eq!(
            found(Begin::Keyword("KEYS", -2), range(-1, 1, 0), "migrate h p keys a b"),
            Some(vec![4, 5])
        );
    }

    #[test]
    fn a_number_of_keys_must_be_there() {
        let count = Find::Count { index: 0, first: 1, step: 1 };
        assert_eq!(found(Begin::Index(1), count, "lmpop 2 a b left"), Some(vec![2, 3]));
        assert_eq!(found(Begin::Index(1), count, "lmpop 0 a b left"), Some(vec![]));
        assert_eq!(found(Begin::Index(1), count, "lmpop 1x a b left"), Some(vec![2]));
        assert_eq!(found(Begin::Index(1), count, "lmpop 9 a b left"), None);
        assert_eq!(found(Begin::Index(1), count, "lmpop 9223372036854775807 a"), None);
        assert_eq!(found(Begin::Index(1), count, "lmpop -1 a"), None);
        assert_eq!(found(Begin::Index(1), count, "lmpop x a"), None);
    }
}
