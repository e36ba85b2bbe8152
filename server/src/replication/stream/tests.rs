//! Connections that end in ways that a healthy network does not show.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::replication::wire::{Plan, Welcome};

fn links(events: mpsc::Sender<Event>) -> Links {
    let needs = Needs {
        log: Log::in_memory(Position::START).unwrap(),
        gate: Arc::new(Gate::new(0)),
        written: watch::channel(0).1,
        events,
        accepts: Box::new(|_| true),
        password: Box::new(Vec::new),
        snapshot: Arc::new(|| Err("there is none".into())),
        damage: Arc::new(|_| {}),
        id: "follower".into(),
        incarnation: "1".into(),
    };
    Links::new(needs, Handle::current())
}

/// A leader that welcomes a follower; both of its connections.
async fn welcome(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let (mut first, _) = listener.accept().await.unwrap();
    let welcome = Welcome { cluster: "c".into(), plan: Plan::Resume(Position::START), token: 7 };
    let mut bytes = BytesMut::new();
    Frame { epoch: 1, version: 1, body: Body::Welcome(welcome) }.encode(&mut bytes);
    first.write_all(&bytes).await.unwrap();
    let (mut second, _) = listener.accept().await.unwrap();
    let frame = first_frame(&mut second, &mut BytesMut::new()).await.unwrap();
    assert!(matches!(frame.body, Body::Watch(Watch { token: 7, .. })));
    second.write_u8(WATCHING).await.unwrap();
    (first, second)
}

#[tokio::test]
async fn a_death_that_takes_its_time_is_still_proved() {
    let (events, mut heard) = mpsc::channel(EVENTS_MAX);
    let links = links(events);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connection = ConnectionId::outgoing(1);
    links.connect(connection, "127.0.0.1".into(), port);
    let (first, second) = welcome(&listener).await;
    assert!(matches!(heard.recv().await, Some(Event::Opened { .. })));
    assert!(matches!(heard.recv().await, Some(Event::Frame { .. })));
    // The system resets the first at once, and lies still before it closes the second.
    socket2::SockRef::from(&first).set_linger(Some(Duration::ZERO)).unwrap();
    drop(first);
    assert!(matches!(heard.recv().await, Some(Event::Closed { ending: Ending::Broken, .. })));
    links.close(connection);
    drop(second);
    let proof = tokio::time::timeout(LAST_WORD, heard.recv()).await;
    assert!(matches!(proof, Ok(Some(Event::Closed { ending: Ending::Orderly, .. }))), "{proof:?}");
}

#[tokio::test]
async fn what_was_ordered_before_a_close_still_goes_out() {
    let (events, mut heard) = mpsc::channel(EVENTS_MAX);
    let links = links(events);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connection = ConnectionId::outgoing(1);
    links.connect(connection, "127.0.0.1".into(), listener.local_addr().unwrap().port());
    let (mut peer, _) = listener.accept().await.unwrap();
    assert!(matches!(heard.recv().await, Some(Event::Opened { .. })));
    // Both are there when the connection next looks, and nobody who could order more.
    links.send(connection, Frame { epoch: 1, version: 1, body: Body::Commit { offset: 5 } });
    links.close(connection);
    let mut input = BytesMut::new();
    let frame = first_frame(&mut peer, &mut input).await.unwrap();
    assert!(matches!(frame.body, Body::Commit { offset: 5 }), "{frame:?}");
    assert_eq!(peer.read_buf(&mut input).await.unwrap(), 0, "then it is closed");
}
