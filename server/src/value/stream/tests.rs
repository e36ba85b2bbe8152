//! Streams against a plain map of their entries.

use super::*;

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

type Model = BTreeMap<Id, Vec<Vec<u8>>>;

fn words(entry: &Entry<'_>) -> (Id, Vec<Vec<u8>>) {
    (entry.id, entry.items().map(|item| item.bytes().into_owned()).collect())
}

fn change(stream: &mut Stream, model: &mut Model, state: &mut u64) {
    let id = Id::new(random(state) % 50, random(state) % 50);
    match random(state) % 100 {
        0..70 => {
            let id = Id::new(stream.last_id.ms + random(state) % 2, stream.last_id.seq + 1);
            let names: [&[u8]; 3] = [b"a", b"b", b"12"];
            let value = random(state).to_string().into_bytes();
            let mut fields: Vec<&[u8]> = Vec::new();
            for index in 0..=random(state) % 3 {
                let other = random(state).is_multiple_of(10);
                fields.push(names[(index as usize + usize::from(other)) % 3]);
                fields.push(&value);
            }
            let begin = stream.begins_block(8, 10, 300);
            stream.add(id, &fields, begin);
            model.insert(id, fields.iter().map(|word| word.to_vec()).collect());
        }
        70..95 => {
            let id = model.range(id..).next().map_or(id, |(id, _)| *id);
            stream.delete(id);
            model.remove(&id);
        }
        95..97 => {
            let most = random(state) % (model.len() as u64 + 1);
            let exact = random(state).is_multiple_of(2);
            let gone = stream.would_trim(Trim::Length(most), exact, 0);
            assert!(!exact || gone == model.len() as u64 - most);
            stream.trim(gone);
            (0..gone).for_each(|_| drop(model.pop_first()));
        }
        _ => {
            let gone = stream.would_trim(Trim::Before(id), true, 0);
            assert_eq!(gone as usize, model.range(..id).count());
            stream.trim(gone);
            (0..gone).for_each(|_| drop(model.pop_first()));
        }
    }
}

#[test]
fn it_behaves_as_an_ordered_map() {
    for seed in 0..6 {
        let (mut stream, mut model, mut state) = (Stream::default(), Model::new(), seed);
        for step in 0..1_500 {
            change(&mut stream, &mut model, &mut state);
            assert_eq!(stream.len(), model.len() as u64, "seed {seed}, step {step}");
            assert_eq!(stream.first(), model.keys().next().copied());
            assert_eq!(stream.first_id, stream.first().unwrap_or(Id::MIN));
            assert_eq!(stream.last(), model.keys().next_back().copied());
            if step % 20 > 0 {
                continue;
            }
            let start = Id::new(random(&mut state) % 50, 0);
            let end = Id::new(start.ms + random(&mut state) % 50, 7);
            let expected = model.range(start..=end).map(|(id, words)| (*id, words.clone()));
            assert!(stream.range(start, end).map(|entry| words(&entry)).eq(expected.clone()));
            assert!(stream.range_back(start, end).map(|entry| words(&entry)).eq(expected.rev()));
        }
        for (master, block) in stream.blocks() {
            let pack = crate::value::rdb::listpack::Listpack::read(block.as_bytes()).unwrap();
            assert_eq!(Block::read(pack, *master).as_ref(), Some(block));
        }
    }
}

#[test]
fn an_entry_takes_little_room() {
    let mut stream = Stream::default();
    for number in 0..100_000u64 {
        let value = number.to_string();
        let fields: [&[u8]; 4] = [b"sensor", b"1234", b"temperature", value.as_bytes()];
        let begin = stream.begins_block(40, 100, 4_096);
        stream.add(Id::new(1_600_000_000_000 + number * 10, 0), &fields, begin);
    }
    let each = stream.allocated() as u64 / stream.len();
    assert!(each < 24, "{each} bytes for an entry");
}

#[test]
fn a_group_knows_whose_each_entry_is() {
    let (mut group, id) = (Group::new(Id::MIN, Some(0)), Id::new(1, 1));
    group.give(id, b"a", 5, 1);
    group.give(id, b"b", 6, 2);
    assert!(group.consumer(b"a").unwrap().pending().is_empty());
    assert_eq!(group.pending()[&id].count, 2);
    group.remove(b"b");
    assert!(group.pending().is_empty());
    group.give(id, b"a", 5, 1);
    group.acknowledge(id);
    assert!(group.consumer(b"a").unwrap().pending().is_empty());
}
