//! What other nodes send: a frame is read or refused, and a frame that was read is the same when it is sent again.

use botellier_server::replication::wire::Frame;
use bytes::BytesMut;

pub fn run(data: &[u8]) {
    let mut input = BytesMut::from(data);
    while let Ok(Some(frame)) = Frame::decode(&mut input) {
        let mut encoded = BytesMut::new();
        frame.encode(&mut encoded);
        assert_eq!(Frame::decode(&mut encoded), Ok(Some(frame)));
        assert!(encoded.is_empty());
    }
}
