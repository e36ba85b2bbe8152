//! What `RESTORE` is given: what is accepted can be read back, and says the same again when it is dumped.

use botellier_server::value::rdb::{self, DumpError};
use botellier_server::value::{Digest, Forms, Value};

/// The newest version of the format.
const VERSION: u16 = 12;

/// The bytes are a dump without its version and checksum: without them hardly any input would get further.
pub fn run(data: &[u8]) {
    let forms = Forms::seeded(1);
    let mut sealed = data.to_vec();
    rdb::seal(&mut sealed, VERSION);
    match rdb::restore(&sealed, &forms) {
        Ok((kind, bytes)) => {
            let value = decoded(kind, &bytes, &forms);
            let dump = rdb::dump(&value);
            let (kind, bytes) = rdb::restore(&dump, &forms).expect("what was dumped can be restored");
            assert_eq!(digest(&value), digest(&decoded(kind, &bytes, &forms)), "after another dump");
        }
        Err(DumpError::Footer) => assert!(data.is_empty(), "the footer is right"),
        Err(DumpError::Value(_)) => {}
    }
    // Snapshots and records hold plain values without a checksum of their own.
    if let [kind, bytes @ ..] = data {
        let _ = rdb::decode(*kind, &mut &*bytes, &forms);
    }
}

fn decoded(kind: u8, bytes: &[u8], forms: &Forms) -> Value {
    rdb::decode(kind, &mut &*bytes, forms).expect("what was restored can be read")
}

fn digest(value: &Value) -> Digest {
    let mut digest = Digest::default();
    digest.value(value, false);
    digest
}
