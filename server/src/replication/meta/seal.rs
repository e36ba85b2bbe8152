//! The checksum of `meta.json`: a last field `crc32`, over all the bytes before it.
//!
//! Programs that know nothing of it read past it, as past any field that they do not know, and write files without it: a
//! file that has none is believed.

const HEAD: &[u8] = b",\n  \"crc32\": \"";
const TAIL: &[u8] = b"\"\n}";
const FIELD: &str = "crc32";

/// Puts the checksum to the end of an object that is written with a field a line.
pub fn seal(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(body) = text.strip_suffix(b"\n}") {
        text.truncate(body.len());
        let crc = format!("{:08x}", crc32fast::hash(&text));
        text.extend([HEAD, crc.as_bytes(), TAIL].concat());
    }
    text
}

/// Says what is wrong, if something is.
pub fn verify(text: &[u8]) -> Result<(), String> {
    match sealed(text) {
        Some((body, crc)) => {
            let computed = format!("{:08x}", crc32fast::hash(body));
            if computed.as_bytes() == crc {
                return Ok(());
            }
            Err(format!("checksum {} where {computed} was computed", String::from_utf8_lossy(crc)))
        }
        None if has_field(text) => Err("its checksum is not where it was written".into()),
        None => Ok(()),
    }
}

/// What the checksum is of, and the checksum.
fn sealed(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, crc) = text.strip_suffix(TAIL)?.split_last_chunk::<8>()?;
    Some((rest.strip_suffix(HEAD)?, crc))
}

fn has_field(text: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(text).is_ok_and(|value| value.get(FIELD).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_is_seen_or_leaves_all_that_counts() {
        let plain = b"{\n  \"format\": 1,\n  \"doubt\": true\n}".to_vec();
        assert_eq!(verify(&plain), Ok(()), "as older programs write it");
        let text = seal(plain.clone());
        assert_eq!(verify(&text), Ok(()));
        let parse = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text);
        let counts = parse(&plain).unwrap();
        for bit in 0..text.len() * 8 {
            let mut bad = text.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let Ok(read) = parse(&bad) else { continue };
            let same = ["format", "doubt"].iter().all(|name| read[name] == counts[name]);
            assert!(verify(&bad).is_err() || same, "bit {bit}: {read}");
        }
    }

    #[test]
    fn a_file_that_was_laid_out_anew_is_not_believed() {
        let text = seal(b"{\n  \"format\": 1\n}".to_vec());
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert!(verify(value.to_string().as_bytes()).is_err());
    }
}
