//! Random operations on sets, compared with a plain set.

use std::collections::BTreeSet;

use super::*;

/// A small deterministic generator (splitmix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn member(state: &mut u64, range: u64, ints: bool) -> Vec<u8> {
    let number = random(state) % range;
    match number % 4 {
        0 if !ints => format!("m{number}").into_bytes(),
        1 => (number as i64 - range as i64 / 2).to_string().into_bytes(),
        2 => (number as i64 * 3_000_000_000).to_string().into_bytes(),
        _ => number.to_string().into_bytes(),
    }
}

fn members(set: &Set) -> Vec<Vec<u8>> {
    set.iter().map(Member::to_vec).collect()
}

#[test]
fn it_behaves_as_a_set_in_every_form() {
    let forms = Forms::seeded(1);
    for (seed, range, ints) in [(1, 60, true), (2, 60, false), (3, 700, true), (4, 3_000, false)] {
        let (mut set, mut model, mut state) = (Set::of([], &forms), BTreeSet::new(), seed);
        for step in 0..6_000 {
            let member = member(&mut state, range, ints);
            if random(&mut state).is_multiple_of(3) {
                assert_eq!(set.remove(&member), model.remove(&member));
            } else {
                assert_eq!(set.add(&member, &forms), model.insert(member.clone()));
            }
            assert_eq!(set.contains(&member), model.contains(&member));
            assert_eq!(set.len(), model.len());
            if step % 100 == 0 {
                let all: BTreeSet<_> = members(&set).into_iter().collect();
                assert_eq!(all, model);
                assert_eq!(Set::of(model.iter().map(Vec::as_slice), &forms), set);
                let one = set.sample(|| random(&mut state)).map(Member::to_vec);
                assert!(one.is_none_or(|one| model.contains(&one)));
            }
        }
    }
}

#[test]
fn small_sets_keep_an_order_and_large_ones_are_tables() {
    let forms = Forms::seeded(1);
    let mut set = Set::for_members(b"5", 1, &forms);
    for number in ["70000", "-3", "5", "9223372036854775807", "-9223372036854775808"] {
        assert!(set.add(number.as_bytes(), &forms));
    }
    assert_eq!(set.encoding(), "intset");
    let ordered = [b"-9223372036854775808".as_slice(), b"-3", b"5", b"70000", b"9223372036854775807"];
    assert_eq!(members(&set), ordered);
    assert!(set.add(b"x", &forms) && set.add(b"1", &forms));
    assert_eq!(set.encoding(), "listpack");
    assert_eq!(members(&set)[5..], [b"x", b"1"]);
    assert!(set.add(&[b'y'; 65], &forms));
    assert_eq!(set.encoding(), "hashtable");
    let mut many = Set::for_members(b"1", 513, &forms);
    assert_eq!(many.encoding(), "hashtable", "the number of them is known");
    many = Set::for_members(b"1", 512, &forms);
    for number in 0..512 {
        assert!(many.add(number.to_string().as_bytes(), &forms));
    }
    assert_eq!(many.encoding(), "intset");
    many.expect(513, &forms);
    assert_eq!((many.encoding(), many.len()), ("hashtable", 512));
    let mut cursor = Some(0);
    let mut seen = BTreeSet::new();
    while let Some(at) = cursor {
        cursor = many.scan(at, 10, |member| assert!(seen.insert(member.to_vec())));
    }
    assert_eq!(seen.len(), 512);
}
