//! Random operations on hashes, compared with a plain map.

use std::collections::BTreeMap;

use super::*;

/// A small deterministic generator (splitmix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn check(hash: &Hash, model: &Model, now: u64) {
    let all: Model =
        hash.iter().map(|pair| (pair.field.to_vec(), (pair.value.to_vec(), pair.deadline))).collect();
    assert_eq!(&all, model);
    let alive = |deadline: &Option<u64>| deadline.is_none_or(|deadline| deadline > now);
    let dead = model.values().filter(|(_, deadline)| !alive(deadline)).count();
    assert_eq!(hash.alive_len(now), model.len() - dead);
    assert_eq!(hash.expired(now), dead == model.len() && dead > 0);
    assert_eq!(hash.due(now, usize::MAX).len(), dead);
    assert_eq!(hash.next_deadline(), model.values().filter_map(|(_, deadline)| *deadline).min());
}

#[test]
fn it_behaves_as_a_map_in_every_form() {
    let forms = Forms::seeded(1);
    for (seed, fields, values, timed) in
        [(1, 40, 60, 4), (2, 40, 60, u64::MAX), (3, 900, 60, 3), (4, 60, 300, 2), (5, 30, 60, 1)]
    {
        let (mut hash, mut model, mut state) = (Hash::default(), Model::new(), seed);
        for step in 0..4_000 {
            let field = format!("f{}", random(&mut state) % fields).into_bytes();
            let value = vec![b'v'; (random(&mut state) % values) as usize];
            let deadline = random(&mut state).is_multiple_of(timed).then(|| 1 + random(&mut state) % 1_000);
            if random(&mut state).is_multiple_of(3) {
                assert_eq!(hash.remove(&field), model.remove(&field).is_some());
            } else {
                hash.put(Pair { field: &field, value: &value, deadline }, &forms);
                model.insert(field.clone(), (value, deadline));
            }
            let got = hash.get(&field).map(|pair| (pair.value.to_vec(), pair.deadline));
            assert_eq!(got.as_ref(), model.get(&field));
            assert_eq!(hash.len(), model.len());
            if step % 50 == 0 {
                check(&hash, &model, random(&mut state) % 1_100);
                let one = hash.sample(|| random(&mut state));
                assert!(one.is_none_or(|pair| model.contains_key(pair.field)));
                assert_eq!(hash.clone(), hash);
            }
        }
    }
}

#[test]
fn small_hashes_keep_an_order() {
    let forms = Forms::seeded(1);
    let mut hash = Hash::default();
    let mut put = |field: &str, deadline| {
        hash.put(Pair { field: field.as_bytes(), value: b"v", deadline }, &forms);
        let fields: Vec<&[u8]> = hash.iter().map(|pair| pair.field).collect();
        (hash.encoding(), fields.concat())
    };
    put("a", None);
    put("b", None);
    assert_eq!(put("c", None), ("listpack", b"abc".to_vec()));
    assert_eq!(put("b", None), ("listpack", b"abc".to_vec()));
    assert_eq!(put("c", Some(9)), ("listpackex", b"cab".to_vec()));
    assert_eq!(put("d", Some(5)), ("listpackex", b"dcab".to_vec()));
    assert_eq!(put("b", Some(9)), ("listpackex", b"dcba".to_vec()));
    assert_eq!(put("d", None), ("listpackex", b"cbad".to_vec()));
    assert_eq!(put(&"x".repeat(65), None).0, "hashtable");
}
