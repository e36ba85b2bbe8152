//! Sorted sets against a plain model.

use std::collections::BTreeMap;

use super::*;

fn small() -> Forms {
    Forms { zset_listpack_entries: 6, zset_listpack_value: 20, ..Forms::seeded(1) }
}

/// A small deterministic generator (splitmix64).
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) as usize
}

type Model = BTreeMap<Vec<u8>, f64>;

fn ordered(model: &Model) -> Vec<(&[u8], f64)> {
    let mut all: Vec<(&[u8], f64)> =
        model.iter().map(|(member, score)| (member.as_slice(), *score)).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0)));
    all
}

fn check(set: &SortedSet, model: &Model, state: &mut u64) {
    let all = ordered(model);
    assert!(set.iter().eq(all.iter().copied()));
    let (a, b) = (random(state) % (all.len() + 1), random(state) % (all.len() + 1));
    let (start, end) = (a.min(b), a.max(b));
    assert!(set.range(start, end, false).eq(all[start..end].iter().copied()));
    assert!(set.range(start, end, true).eq(all[start..end].iter().rev().copied()));
    let (min, max) = (random(state) as f64 % 20.0, random(state) as f64 % 20.0);
    let range = ScoreRange { min, min_excluded: a % 2 == 0, max, max_excluded: b % 2 == 0 };
    let within = |score: f64| {
        (score > min || (score == min && !range.min_excluded))
            && (score < max || (score == max && !range.max_excluded))
    };
    let expected = all.iter().filter(|(_, score)| within(*score)).count();
    let ranks = range.ranks(set);
    assert_eq!(ranks.len(), expected);
    assert!(set.range(ranks.start, ranks.end, false).all(|(_, score)| within(score)));
    let mut met: Vec<(Vec<u8>, f64)> = Vec::new();
    let mut cursor = Some(0);
    while let Some(at) = cursor {
        cursor = set.scan(at, 10, |member, score| met.push((member.to_vec(), score)));
    }
    met.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(met.iter().map(|(member, score)| (member, score)).eq(model.iter()));
}

#[test]
fn it_behaves_as_a_sorted_map() {
    for (seed, forms, members) in
        [(1, small(), 12), (2, small(), 3_000), (3, Forms::seeded(1), 120), (4, Forms::seeded(2), 3_000)]
    {
        let (mut set, mut model, mut state) = (SortedSet::default(), Model::new(), seed);
        for step in 0..12_000 {
            let number = random(&mut state) % members;
            let long = if number % 50 == 7 { 6_000 } else { number % 30 };
            let member = format!("{number}{}", "x".repeat(long)).into_bytes();
            let score = (random(&mut state) % 40) as f64 / 2.0;
            let shrinks = (step / 3_000) % 2 == 1;
            match random(&mut state) % 100 {
                0..15 => assert_eq!(set.remove(&member), model.remove(&member)),
                15..18 if !model.is_empty() => {
                    let start = random(&mut state) % model.len();
                    let count = random(&mut state) % if shrinks { 30 } else { 3 };
                    let gone: Vec<Vec<u8>> = ordered(&model)
                        .iter()
                        .skip(start)
                        .take(count)
                        .map(|(member, _)| member.to_vec())
                        .collect();
                    set.remove_range(start, count);
                    for member in gone {
                        model.remove(&member);
                    }
                }
                _ => assert_eq!(set.set(&member, score, &forms), model.insert(member.clone(), score)),
            }
            assert_eq!(set.len(), model.len());
            assert_eq!(set.score(&member), model.get(&member).copied());
            if step % 100 == 0 {
                check(&set, &model, &mut state);
                for (rank, (member, score)) in ordered(&model).iter().enumerate().step_by(7) {
                    assert_eq!(set.rank(member), Some((rank, *score)));
                }
            }
        }
        let copy = set.clone();
        set.fit(&small());
        assert_eq!(set, copy);
    }
}

#[test]
fn forms_follow_the_limits() {
    let mut set = SortedSet::default();
    for number in 0..6u8 {
        set.set(&[number], f64::from(number) * -1e10, &small());
    }
    assert_eq!(set.encoding(), "listpack");
    set.set(&[0], 9.0, &small());
    assert_eq!(set.encoding(), "listpack", "a new score needs no room");
    set.set(&[7], 9.0, &small());
    assert_eq!(set.encoding(), "skiplist");
    set.remove(&[7]);
    assert_eq!(set.encoding(), "skiplist", "there is no way back but a new value");
    set.fit(&small());
    assert_eq!(set.encoding(), "listpack");
    set.remove(&[1]);
    set.set(&[1; 21], 0.0, &small());
    assert_eq!(set.encoding(), "skiplist");
}

#[test]
fn scores_come_back_exactly() {
    let scores = [
        0.0,
        1.0,
        -128.0,
        127.0,
        128.0,
        32_767.0,
        -32_769.0,
        2_147_483_647.0,
        2_147_483_648.0,
        0.1,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        f64::MAX,
    ];
    for score in scores {
        let mut set = SortedSet::default();
        set.set(b"m", score, &Forms::seeded(1));
        assert_eq!(set.score(b"m").map(f64::to_bits), Some(score.to_bits()));
    }
}

#[test]
fn a_large_set_takes_little_more_than_its_members() {
    let mut set = SortedSet::default();
    let (mut state, forms) = (1, Forms::seeded(1));
    for number in 0..200_000 {
        set.set(format!("member:{number:05}").as_bytes(), random(&mut state) as f64, &forms);
    }
    let each = set.allocated() / set.len();
    assert!(each < 60, "{each} bytes for a member of 12");
}
