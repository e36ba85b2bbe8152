//! Short bounded strings inside frames: `len u16 | bytes`.

use super::WireError;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Names, ids, passwords and details are short; what is longer is cut when it is ours and refused when it is theirs.
pub const TEXT_MAX: usize = 4096;

pub fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(TEXT_MAX)];
    out.put_u16_le(bytes.len() as u16);
    out.put_slice(bytes);
}

pub fn put_text(out: &mut BytesMut, text: &str) {
    put_bytes(out, &text.as_bytes()[..text.floor_char_boundary(TEXT_MAX)]);
}

pub fn put_text_opt(out: &mut BytesMut, text: Option<&str>) {
    out.put_u8(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(out, text);
    }
}

pub fn get_bytes(bytes: &mut Bytes, kind: u8) -> Result<Bytes, WireError> {
    let len = bytes.try_get_u16_le().map_err(|_| WireError::Truncated(kind))? as usize;
    if len > TEXT_MAX {
        return Err(WireError::Bad { kind, field: "text" });
    }
    if bytes.len() < len {
        return Err(WireError::Truncated(kind));
    }
    Ok(bytes.split_to(len))
}

pub fn get_text(bytes: &mut Bytes, kind: u8) -> Result<String, WireError> {
    String::from_utf8(get_bytes(bytes, kind)?.to_vec()).map_err(|_| WireError::Bad { kind, field: "text" })
}

pub fn get_text_opt(bytes: &mut Bytes, kind: u8) -> Result<Option<String>, WireError> {
    match bytes.try_get_u8().map_err(|_| WireError::Truncated(kind))? {
        0 => Ok(None),
        1 => get_text(bytes, kind).map(Some),
        _ => Err(WireError::Bad { kind, field: "flag" }),
    }
}
