//! What clients send: the same requests and the same error come out, whether the bytes come at once or in pieces.

use botellier_server::resp::{Batch, Limits, ParseError, Parser};

type Outcome = (Vec<Vec<Vec<u8>>>, Option<ParseError>);

/// The first byte chooses the limits, the second how the rest is cut in pieces.
pub fn run(data: &[u8]) {
    let [how, piece, bytes @ ..] = data else { return };
    let limits = Limits {
        bulk_bytes_max: if how & 1 == 0 { 512 << 20 } else { 64 },
        query_bytes_max: 1 << 30,
        authenticated: how & 2 == 0,
    };
    let whole = parsed(bytes, bytes.len().max(1), limits);
    let pieces = parsed(bytes, usize::from(*piece).max(1), limits);
    assert_eq!(whole, pieces, "in one piece and in pieces of {piece}");
}

fn parsed(bytes: &[u8], piece: usize, limits: Limits) -> Outcome {
    let (mut parser, mut batch, mut requests) = (Parser::default(), Batch::default(), Vec::new());
    for piece in bytes.chunks(piece) {
        parser.buffer.extend_from_slice(piece);
        let result = parser.parse(&limits, &mut batch);
        for index in 0..batch.len() {
            requests.push(batch.get(index).rest(0).map(<[u8]>::to_vec).collect());
        }
        if let Err(error) = result {
            return (requests, Some(error));
        }
    }
    (requests, None)
}
