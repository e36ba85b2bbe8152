//! Frames come back as they went, and what is no frame is refused.

use super::*;

fn every_body() -> Vec<Body> {
    let position = Position { epoch: 3, offset: 99, crc: 7 };
    let member = Member { id: "cache-1".into(), incarnation: "ab".repeat(16) };
    let hello = Hello {
        protocol: PROTOCOL,
        password: Bytes::from_static(b"secret \xff"),
        cluster: Some("c0ffee".into()),
        id: member.id.clone(),
        incarnation: member.incarnation.clone(),
        zone: None,
        remembered: Stamp { epoch: 3, version: 8 },
        whole: true,
        copy: false,
        history: History { base: 5, end: position, epochs: vec![EpochStart { epoch: 1, start: 0 }] },
    };
    let beat = Heartbeat {
        stamp: Time::from_nanos(12),
        commit: 90,
        needed: 95,
        lease: Duration::from_millis(400),
        wall_ms: 1_700_000_000_000,
    };
    let ack = Ack {
        held: 9,
        durable: 8,
        whole: true,
        stamp: Time::from_nanos(12),
        granted: Duration::from_millis(4),
    };
    vec![
        Body::Hello(Box::new(hello)),
        Body::Welcome(Welcome { cluster: "c0ffee".into(), plan: Plan::Resume(position), token: 4 }),
        Body::Welcome(Welcome { cluster: "c0ffee".into(), plan: Plan::Copy, token: 5 }),
        Body::Records { start: 1, commit: 2, bytes: Bytes::from_static(b"record") },
        Body::Commit { offset: 77 },
        Body::Heartbeat(beat),
        Body::Ack(ack),
        Body::CopyBegin { position, bytes: 1 << 40 },
        Body::CopyChunk { bytes: Bytes::from_static(b"entries") },
        Body::CopyEnd,
        Body::Handover { end: 99 },
        Body::Refused(Refused {
            reason: Reason::NotLeader,
            by: member.clone(),
            whole: true,
            position,
            detail: "see cache-0".into(),
        }),
        Body::Watch(Watch {
            password: Bytes::new(),
            id: member.id,
            incarnation: member.incarnation,
            token: 4,
        }),
    ]
}

fn encoded(body: Body) -> BytesMut {
    let mut bytes = BytesMut::new();
    Frame { epoch: 3, version: 8, body }.encode(&mut bytes);
    bytes
}

#[test]
fn every_frame_survives_the_wire() {
    for body in every_body() {
        let mut bytes = encoded(body.clone());
        let frame = Frame::decode(&mut bytes).unwrap().unwrap();
        assert_eq!(frame, Frame { epoch: 3, version: 8, body });
        assert!(bytes.is_empty());
    }
}

#[test]
fn frames_are_found_however_the_bytes_arrive() {
    let mut all = BytesMut::new();
    for body in every_body() {
        all.extend_from_slice(&encoded(body));
    }
    let mut input = BytesMut::new();
    let mut bodies = Vec::new();
    for byte in all {
        input.put_u8(byte);
        while let Some(frame) = Frame::decode(&mut input).unwrap() {
            bodies.push(frame.body);
        }
    }
    assert_eq!(bodies, every_body());
}

#[test]
fn a_frame_cut_short_anywhere_is_an_error_and_never_another_frame() {
    for body in every_body() {
        let whole = encoded(body.clone());
        for cut in 4..whole.len() {
            let mut bytes = BytesMut::from(&whole[..cut]);
            bytes[..4].copy_from_slice(&((cut - 4) as u32).to_le_bytes());
            match Frame::decode(&mut bytes) {
                // Bulk has no inner length: the log's own checksums find what is missing.
                Err(_) | Ok(Some(Frame { body: Body::Records { .. } | Body::CopyChunk { .. }, .. })) => {}
                other => panic!("{body:?} cut at {cut}: {other:?}"),
            }
        }
    }
}

#[test]
fn too_long_a_frame_is_refused_before_it_is_buffered() {
    let mut bytes = BytesMut::from(&(FRAME_MAX as u32 + 1).to_le_bytes()[..]);
    assert_eq!(Frame::decode(&mut bytes), Err(WireError::TooLong(FRAME_MAX + 1)));
}

#[test]
fn bulk_over_the_limit_is_refused() {
    let mut bytes = encoded(Body::CopyChunk { bytes: Bytes::from(vec![0; BULK_MAX + 1]) });
    assert!(matches!(Frame::decode(&mut bytes), Err(WireError::Bad { field: "length", .. })));
}

#[test]
fn unknown_types_and_newer_layouts_stop_the_reader() {
    let mut bytes = encoded(Body::Commit { offset: 1 });
    bytes[4] = 99;
    assert_eq!(Frame::decode(&mut bytes), Err(WireError::UnknownType(99)));
    let mut bytes = encoded(Body::Commit { offset: 1 });
    bytes[5] = LAYOUT + 1;
    assert_eq!(Frame::decode(&mut bytes), Err(WireError::Newer { kind: 4, version: LAYOUT + 1 }));
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = encoded(Body::Commit { offset: 1 });
    bytes.put_u8(0);
    let len = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    assert!(matches!(Frame::decode(&mut bytes), Err(WireError::Bad { field: "length", .. })));
}

#[test]
fn a_hello_with_too_many_epochs_keeps_the_newest() {
    let epochs: Vec<_> = (0..EPOCHS_MAX as u64 + 5).map(|n| EpochStart { epoch: n, start: n }).collect();
    let history = History { epochs, ..History::default() };
    let mut bytes = encoded(Body::Hello(Box::new(Hello { history, ..Hello::default() })));
    let Body::Hello(hello) = Frame::decode(&mut bytes).unwrap().unwrap().body else { panic!() };
    assert_eq!(hello.history.epochs.len(), EPOCHS_MAX);
    assert_eq!(hello.history.epochs[0].epoch, 5);
}

#[test]
fn the_head_of_records_matches_the_frame() {
    let stamp = Stamp { epoch: 3, version: 8 };
    let mut bytes = records_head(stamp, 1, 2, 6);
    bytes.extend_from_slice(b"record");
    assert_eq!(bytes, encoded(Body::Records { start: 1, commit: 2, bytes: Bytes::from_static(b"record") }));
}
