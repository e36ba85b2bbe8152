//! Effects on streams.

use super::super::effect::StreamChange;
use super::super::{Keyspace, Touched};
use crate::value::{Group, Stream, Value};

impl Keyspace {
    pub(super) fn apply_stream(&mut self, db: u32, key: &[u8], change: &StreamChange<'_>) {
        let makes = matches!(change, StreamChange::Create | StreamChange::Add { .. });
        let accessed = self.seconds();
        let database = &mut self.databases[db as usize];
        if makes && database.get(key).is_none() {
            database.insert(key, Value::Stream(Box::default()), None, accessed);
        }
        let Some(Value::Stream(stream)) = database.get_mut(key).map(|entry| &mut entry.value) else { return };
        apply(stream, change);
        if change.is_seen() {
            self.touch_as(db, key, change.wakes());
            return;
        }
        self.changes += 1;
        if self.tracking {
            self.touched.push(Touched::Beside { db, key: key.into(), wakes: change.wakes() });
        }
    }
}

fn apply(stream: &mut Stream, change: &StreamChange<'_>) {
    match change {
        StreamChange::Create => {}
        StreamChange::Add { id, begin, fields } => stream.add(*id, fields, *begin),
        StreamChange::Delete { ids } => ids.iter().for_each(|id| stream.delete(*id)),
        StreamChange::Trim { count } => stream.trim(*count),
        StreamChange::SetId { last, added, max_deleted } => {
            (stream.last_id, stream.entries_added, stream.max_deleted_id) = (*last, *added, *max_deleted);
        }
        StreamChange::CreateGroup { group, last, read } => {
            if stream.group(group).is_none() {
                stream.put_group(group, Group::new(*last, *read));
            }
        }
        StreamChange::DestroyGroup { group } => stream.remove_group(group),
        StreamChange::SetGroup { group, .. }
        | StreamChange::See { group, .. }
        | StreamChange::DeleteConsumer { group, .. }
        | StreamChange::Give { group, .. }
        | StreamChange::Acknowledge { group, .. } => {
            if let Some(group) = stream.group_mut(group) {
                apply_to_group(group, change);
            }
        }
    }
}

fn apply_to_group(group: &mut Group, change: &StreamChange<'_>) {
    match change {
        StreamChange::SetGroup { last, read, .. } => (group.last_id, group.read) = (*last, *read),
        StreamChange::See { consumer, time, .. } => group.see(consumer, *time),
        StreamChange::DeleteConsumer { consumer, .. } => group.remove(consumer),
        StreamChange::Give { consumer, active, given, .. } => {
            given.iter().for_each(|one| group.give(one.id, consumer, one.time, one.count));
            if active.is_some() {
                group.set_active(consumer, *active);
            }
        }
        StreamChange::Acknowledge { ids, .. } => ids.iter().for_each(|id| group.acknowledge(*id)),
        _ => {}
    }
}
