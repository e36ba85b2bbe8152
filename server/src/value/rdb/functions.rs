//! Libraries of functions as `FUNCTION DUMP` tells and `FUNCTION RESTORE` takes them: an opcode and the code of each,
//! then the version of the format and a checksum, as of a dumped value.

use super::dump::{VERSION, seal, unseal};
use super::{encode_string, plain};

/// A library; and one of before 7.0 was finished.
const LIBRARY: u8 = 245;
const LIBRARY_EARLY: u8 = 246;

/// What is wrong with a dump of libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionsError {
    /// It was written by a newer version, or its checksum does not fit.
    Footer,
    /// It holds libraries of a form that no release wrote.
    Early,
    /// It holds something else.
    Other,
    /// A library ends too early.
    Damaged,
}

pub fn dump_functions<'c>(codes: impl Iterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for code in codes {
        bytes.push(LIBRARY);
        encode_string(code, &mut bytes);
    }
    seal(&mut bytes, VERSION);
    bytes
}

/// The codes of the libraries of a dump.
pub fn restore_functions(dump: &[u8]) -> Result<Vec<Vec<u8>>, FunctionsError> {
    let mut input = unseal(dump).ok_or(FunctionsError::Footer)?;
    let mut codes = Vec::new();
    while let Some((kind, rest)) = input.split_first() {
        input = rest;
        match *kind {
            LIBRARY => codes.push(plain::string(&mut input).map_err(|_| FunctionsError::Damaged)?),
            LIBRARY_EARLY => return Err(FunctionsError::Early),
            _ => return Err(FunctionsError::Other),
        }
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_come_back_and_damage_is_refused() {
        let long = vec![b'x'; 70_000];
        let codes = [b"#!lua name=a\n".as_slice(), &long];
        let dump = dump_functions(codes.into_iter());
        assert_eq!(restore_functions(&dump), Ok(codes.map(<[u8]>::to_vec).to_vec()));
        assert_eq!(restore_functions(&dump_functions(std::iter::empty())), Ok(Vec::new()));
        assert_eq!(restore_functions(&dump[1..]), Err(FunctionsError::Footer));
        assert_eq!(restore_functions(b""), Err(FunctionsError::Footer));
        let sealed = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            seal(&mut bytes, VERSION);
            bytes
        };
        for (bytes, error) in [
            (&[LIBRARY][..], FunctionsError::Damaged),
            (&[LIBRARY, 5, b'x'], FunctionsError::Damaged),
            (&[LIBRARY_EARLY, 1, b'x'], FunctionsError::Early),
            (&[0, 1, b'x'], FunctionsError::Other),
        ] {
            assert_eq!(restore_functions(&sealed(bytes)), Err(error));
        }
    }
}
