//! `MIGRATE`: the conversation with the target, and what is deleted here when it has taken it.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::command::generic::{Item, Migration, UNREACHABLE};
use crate::net::{Net, now_ms};
use crate::resp::{Failure, Reply};
use crate::session::Offset;

const WRITING: Failure = Failure::new("IOERR error or timeout writing to target instance");
const READING: Failure = Failure::new("IOERR error or timeout reading to target instance");

/// The longest line that a target may answer.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Send the keys, then delete what arrived, unless it is another now. The reply waits for the offset.
pub(super) async fn carry_out(net: &Net, migration: &Migration) -> (Reply, Offset) {
    let (taken, outcome) = send(migration).await;
    let mut engine = net.engine.lock();
    let (kept, after) = if migration.copy { (None, 0) } else { engine.migrated(migration.from_db, &taken) };
    let reply = match (outcome, kept) {
        (Err(failure), _) | (Ok(()), Some(failure)) => failure.into(),
        (Ok(()), None) => Reply::OK,
    };
    (reply, after)
}

/// Send all keys; those that were taken, and what went wrong first.
async fn send(migration: &Migration) -> (Vec<&Item>, Result<(), Failure>) {
    let limit = Duration::from_millis(migration.timeout_ms);
    let mut taken = Vec::new();
    let address = (migration.host.as_str(), migration.port);
    let stream = match tokio::time::timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        // Redis notices only when it writes.
        Ok(Err(_)) => return (taken, Err(WRITING)),
        Err(_) => return (taken, Err(UNREACHABLE)),
    };
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    if let Err(failure) = enter(migration, &mut reader, &mut writer, limit).await {
        return (taken, Err(failure));
    }
    let now = now_ms();
    let live = migration.items.iter().filter(|item| item.deadline.is_none_or(|deadline| deadline > now));
    let live: Vec<&Item> = live.collect();
    let mut requests = Vec::new();
    for item in &live {
        let ttl = item.deadline.map_or(0, |deadline| deadline - now).to_string();
        let mut words = vec![b"RESTORE".as_slice(), &item.key, ttl.as_bytes(), &item.dump];
        if migration.replace {
            words.push(b"REPLACE");
        }
        encode(&words, &mut requests);
    }
    // Answers are read while requests are written: neither side can block the other for ever.
    let writing = async {
        for chunk in requests.chunks(64 << 10) {
            within(limit, writer.write_all(chunk)).await.ok_or(WRITING)?;
        }
        Ok(())
    };
    let reading = async {
        let mut first = Ok(());
        for item in &live {
            match answer(&mut reader, limit).await {
                Ok(None) => taken.push(*item),
                Ok(Some(error)) => first = first.and(Err(refused(&error))),
                Err(failure) => return first.and(Err(failure)),
            }
        }
        first
    };
    let outcome = both(writing, reading).await;
    (taken, outcome)
}

/// Say who we are and which database is meant; nothing is sent to another one.
async fn enter(
    migration: &Migration,
    reader: &mut (impl AsyncBufRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    limit: Duration,
) -> Result<(), Failure> {
    let mut requests = Vec::new();
    if !migration.auth.is_empty() {
        let words = std::iter::once(b"AUTH".as_slice()).chain(migration.auth.iter().map(Vec::as_slice));
        encode(&words.collect::<Vec<_>>(), &mut requests);
    }
    encode(&[b"SELECT", migration.to_db.to_string().as_bytes()], &mut requests);
    within(limit, writer.write_all(&requests)).await.ok_or(WRITING)?;
    for _ in 0..=usize::from(!migration.auth.is_empty()) {
        if let Some(error) = answer(reader, limit).await? {
            return Err(refused(&error));
        }
    }
    Ok(())
}

/// Write and read at once; once all is written, only read. What is read counts.
async fn both(
    writing: impl Future<Output = Result<(), Failure>>,
    reading: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    tokio::pin!(writing, reading);
    tokio::select! {
        read = &mut reading => read,
        wrote = &mut writing => match wrote {
            Ok(()) => reading.await,
            Err(failure) => Err(failure),
        },
    }
}

/// What a step gives, if it does so in time.
async fn within<T>(limit: Duration, step: impl Future<Output = io::Result<T>>) -> Option<T> {
    tokio::time::timeout(limit, step).await.ok()?.ok()
}

/// One answer: nothing if it is a status, else the error.
async fn answer(
    reader: &mut (impl AsyncBufRead + Unpin),
    limit: Duration,
) -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    let mut limited = reader.take(LINE_BYTES_MAX);
    let read = within(limit, limited.read_until(b'\n', &mut line)).await;
    let text = line.strip_suffix(b"\r\n").filter(|_| read.is_some()).ok_or(READING)?;
    Ok(text.strip_prefix(b"-").map(|error| String::from_utf8_lossy(error).into_owned()))
}

fn refused(error: &str) -> Failure {
    Failure::text(format!("ERR Target instance replied with error: {error}"))
}

fn encode(words: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}
