//! The Secret with the password, made once and never again while it is there.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::metadata;
use crate::crd::names::{Component, PASSWORD_KEY, auth_secret};
use crate::validate::Prepared;

/// A Secret with a fresh password from 24 random bytes.
pub fn secret(prepared: &Prepared, random: [u8; 24]) -> Secret {
    let password = password(random);
    Secret {
        metadata: metadata(prepared, auth_secret(&prepared.name), Component::Store),
        type_: Some("Opaque".to_owned()),
        data: Some([(PASSWORD_KEY.to_owned(), ByteString(password.into_bytes()))].into()),
        ..Secret::default()
    }
}

/// The file that a Secret's password becomes, or nothing when the Secret cannot serve.
pub fn password_file(secret: &Secret) -> Option<&[u8]> {
    let password = secret.data.as_ref()?.get(PASSWORD_KEY)?;
    (!password.0.trim_ascii().is_empty()).then_some(&password.0)
}

/// 32 characters of 6 bits each: letters, digits, `-` and `_`, safe in a shell and in a URL.
fn password(random: [u8; 24]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = |bits: u8| char::from(ALPHABET[usize::from(bits & 63)]);
    random
        .chunks_exact(3)
        .flat_map(|three| {
            let [a, b, c] = [three[0], three[1], three[2]];
            [letter(a >> 2), letter(a << 4 | b >> 4), letter(b << 2 | c >> 6), letter(c)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::password;

    #[test]
    fn a_password_carries_all_its_bits() {
        assert_eq!(password([0; 24]), "A".repeat(32));
        assert_eq!(password([255; 24]), "_".repeat(32));
        let mut random = [0; 24];
        random[..3].copy_from_slice(&[0x14, 0xfb, 0x9c]);
        assert!(password(random).starts_with("FPucAAAA"));
    }
}
