//! The resource's own life: made, used, deleted.

use super::session::Session;
use super::{Outcome, judge, ready};
use crate::kubectl::wait_for;
use crate::store::{NAME, Store, text};
use std::time::{Duration, Instant};

const DELETION_TIME_MAX: Duration = Duration::from_mins(2);

pub fn create(store: &Store) -> Outcome {
    store.wipe()?;
    let began = Instant::now();
    store.create()?;
    let leader = store.wait_healthy()?;
    let seconds = began.elapsed().as_secs_f64();
    for (command, wanted) in [
        (&["PING"][..], "PONG"),
        (&["SET", "greeting", "hello"], "OK"),
        (&["GET", "greeting"], "hello"),
        (&["RPUSH", "numbers", "1", "2", "3"], "3"),
        (&["LRANGE", "numbers", "0", "-1"], "1\n2\n3"),
    ] {
        let answer = store.redis_cli(command)?;
        if answer != wanted {
            return Err(format!("{command:?} was answered by {answer:?}, not {wanted:?}"));
        }
    }
    let session = Session::start(store, "create", "")?;
    session.wait_served()?;
    let figures = judge(&session.stop()?)?;
    Ok(format!("available in {seconds:.1} s, {} leads at epoch {}; {figures}", leader.pod, leader.epoch))
}

/// With `Retain`, the volumes stay and hold the data of the next resource of that name; with `Delete`, nothing stays.
pub fn delete(store: &Store) -> Outcome {
    ready(store)?;
    retention(store, "Retain")?;
    store.redis_cli(&["SET", "kept", "yes"])?;
    let seconds = remove(store, |name| name.starts_with("persistentvolumeclaim/"))?;
    let kept = store.objects()?;
    if kept.is_empty() {
        return Err("no volume was kept".to_owned());
    }
    store.create()?;
    store.wait_healthy()?;
    let answer = store.redis_cli(&["GET", "kept"])?;
    if answer != "yes" {
        return Err(format!("the kept volumes hold {answer:?} instead of what was written"));
    }
    retention(store, "Delete")?;
    let again = remove(store, |_| false)?;
    Ok(format!(
        "gone in {seconds:.1} s but for {} volumes, made again with its data, gone in {again:.1} s",
        kept.len()
    ))
}

fn retention(store: &Store, policy: &str) -> Result<(), String> {
    let patch = format!(r#"{{"spec":{{"storage":{{"retention":{{"whenDeleted":"{policy}"}}}}}}}}"#);
    store.kubectl.run(&["patch", "botellier", NAME, "--type=merge", "-p", &patch])?;
    store.wait_healthy()?;
    wait_for("the retention policy", DELETION_TIME_MAX, || {
        let set = store.kubectl.get(&["statefulset", NAME])?;
        let now = text(&set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"]);
        if now == policy { Ok(()) } else { Err(format!("it is {now:?}")) }
    })
}

/// Deletes the resource and waits until only what may stay is left; returns the seconds that it took.
fn remove(store: &Store, may_stay: impl Fn(&str) -> bool) -> Result<f64, String> {
    let began = Instant::now();
    store.kubectl.run(&["delete", "botellier", NAME, "--timeout=120s"])?;
    wait_for("nothing left", DELETION_TIME_MAX, || {
        let left: Vec<_> = store.objects()?.into_iter().filter(|name| !may_stay(name)).collect();
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    })?;
    Ok(began.elapsed().as_secs_f64())
}
