//! HyperLogLogs: estimates of how many different elements there were, in the bytes of Redis.
//!
//! Contract: they are strings, byte for byte what Redis makes of the same elements in the same order: a header of 16
//! bytes (magic, encoding, cached cardinality) and 16384 registers of six bits, either all of them (dense) or as runs
//! (sparse). Whatever the bytes, nothing here panics; what contradicts itself is [`Corrupt`].
//!
//! The estimate is that of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017).

/// Registers of a HyperLogLog.
pub const REGISTERS: usize = 1 << 14;

const HEADER: usize = 16;
const DENSE: usize = HEADER + REGISTERS * 6 / 8;
/// Bits of a hash that do not choose the register.
const HASH_BITS: usize = 64 - 14;
/// The highest value that a sparse run can hold, and the most registers of a run of each kind.
const VALUE_MAX: u8 = 32;
const VALUES_MAX: usize = 4;
const ZEROS_MAX: usize = 64;

/// The registers contradict themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

/// All registers, a byte each.
pub type Registers = Box<[u8; REGISTERS]>;

/// One that has seen nothing.
pub fn empty() -> Vec<u8> {
    let mut bytes = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    put_zeros(REGISTERS, &mut bytes);
    bytes
}

/// Whether a string is a HyperLogLog, as far as its header tells.
pub fn is(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER
        && bytes.starts_with(b"HYLL")
        && (bytes[4] == 1 || (bytes[4] == 0 && bytes.len() == DENSE))
}

pub fn is_dense(bytes: &[u8]) -> bool {
    bytes[4] == 0
}

/// The cardinality that was counted last, if nothing has changed since.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let card = bytes[8..HEADER].first_chunk().map(|card| u64::from_le_bytes(*card))?;
    (card >> 63 == 0).then_some(card)
}

/// Where the cached cardinality stands.
pub const CACHE: usize = 8;

fn forget(bytes: &mut [u8]) {
    bytes[HEADER - 1] |= 0x80;
}

/// The register of an element, and what it is raised to.
pub fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element, 0xadc8_3b19);
    let rest = hash >> 14 | 1 << HASH_BITS;
    ((hash % REGISTERS as u64) as usize, rest.trailing_zeros() as u8 + 1)
}

/// MurmurHash2 of 64 bits, by Austin Appleby, on little-endian words whatever the machine.
fn murmur(key: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = seed ^ (key.len() as u64).wrapping_mul(M);
    let (words, rest) = key.as_chunks::<8>();
    for word in words {
        let mut k = u64::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 47;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(M);
    hash ^ hash >> 47
}

/// A run of registers of a sparse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub value: u8,
    pub length: usize,
    /// It is a run of zeros in two bytes.
    pub long: bool,
}

impl Run {
    fn read(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        Some(match first >> 6 {
            0 => Self { value: 0, length: usize::from(first) + 1, long: false },
            1 => {
                let low = usize::from(*bytes.get(1)?);
                Self { value: 0, length: (usize::from(first & 0x3f) << 8 | low) + 1, long: true }
            }
            _ => Self { value: (first >> 2 & 0x1f) + 1, length: usize::from(first & 3) + 1, long: false },
        })
    }

    fn size(self) -> usize {
        1 + usize::from(self.long)
    }
}

fn put_zeros(length: usize, out: &mut Vec<u8>) {
    let bits = length - 1;
    if length > ZEROS_MAX {
        out.extend_from_slice(&[(bits >> 8) as u8 | 0x40, bits as u8]);
    } else {
        out.push(bits as u8);
    }
}

fn value_run(value: u8, length: usize) -> u8 {
    0x80 | (value - 1) << 2 | (length - 1) as u8
}

/// The runs of a sparse one, with the positions where they begin.
pub fn runs(bytes: &[u8]) -> impl Iterator<Item = (usize, Run)> {
    let mut at = HEADER;
    std::iter::from_fn(move || {
        let run = Run::read(bytes.get(at..)?)?;
        let found = (at, run);
        at += run.size();
        Some(found)
    })
}

fn dense_get(bytes: &[u8], index: usize) -> u8 {
    let (byte, shift) = (HEADER + index * 6 / 8, index * 6 % 8);
    let high = u16::from(bytes.get(byte + 1).copied().unwrap_or(0));
    ((high << 8 | u16::from(bytes[byte])) >> shift & 0x3f) as u8
}

fn dense_put(bytes: &mut [u8], index: usize, value: u8) {
    let (byte, shift) = (HEADER + index * 6 / 8, index * 6 % 8);
    let (mask, value) = (0x3fu16 << shift, u16::from(value) << shift);
    bytes[byte] = bytes[byte] & !(mask as u8) | value as u8;
    if mask > 0xff {
        bytes[byte + 1] = bytes[byte + 1] & !((mask >> 8) as u8) | (value >> 8) as u8;
    }
}

/// The value of one register.
pub fn get(bytes: &[u8], index: usize) -> Result<u8, Corrupt> {
    if is_dense(bytes) {
        return Ok(dense_get(bytes, index));
    }
    let mut first = 0;
    for (_, run) in runs(bytes) {
        first += run.length;
        if index < first {
            return Ok(run.value);
        }
    }
    Err(Corrupt)
}

/// Raise `registers` to those of a HyperLogLog where they are lower.
pub fn merge(bytes: &[u8], registers: &mut Registers) -> Result<(), Corrupt> {
    if is_dense(bytes) {
        for (index, register) in registers.iter_mut().enumerate() {
            *register = (*register).max(dense_get(bytes, index));
        }
        return Ok(());
    }
    let (mut first, mut size) = (0, HEADER);
    for (at, run) in runs(bytes) {
        let end = first + run.length;
        let covered = registers.get_mut(first..end).ok_or(Corrupt)?;
        covered.iter_mut().for_each(|register| *register = (*register).max(run.value));
        (first, size) = (end, at + run.size());
    }
    if first == REGISTERS && size == bytes.len() { Ok(()) } else { Err(Corrupt) }
}

pub fn registers() -> Registers {
    Box::new([0; REGISTERS])
}

/// How many different elements there were, about.
pub fn estimate(registers: &Registers) -> u64 {
    const ALPHA: f64 = 0.721_347_520_444_481_7;
    let mut histogram = [0u32; 64];
    registers.iter().for_each(|register| histogram[usize::from(register & 0x3f)] += 1);
    let m = REGISTERS as f64;
    let of = |value: usize| f64::from(histogram[value]);
    let mut z = m * tau((m - of(HASH_BITS + 1)) / m);
    for value in (1..=HASH_BITS).rev() {
        z += of(value);
        z *= 0.5;
    }
    z += m * sigma(of(0) / m);
    (ALPHA * m * m / z).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before.to_bits() == z.to_bits() {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if before.to_bits() == z.to_bits() {
            return z / 3.0;
        }
    }
}

/// Write all registers out. The cached cardinality stays.
pub fn make_dense(bytes: &mut Vec<u8>) -> Result<(), Corrupt> {
    if is_dense(bytes) {
        return Ok(());
    }
    let mut all = registers();
    merge(bytes, &mut all)?;
    let mut dense = vec![0; DENSE];
    dense[..HEADER].copy_from_slice(&bytes[..HEADER]);
    dense[4] = 0;
    for (index, value) in all.iter().enumerate().filter(|(_, value)| **value > 0) {
        dense_put(&mut dense, index, *value);
    }
    *bytes = dense;
    Ok(())
}

/// Raise a register, if it is lower. A sparse one becomes dense when it would be longer than `sparse_max` bytes.
pub fn raise(bytes: &mut Vec<u8>, index: usize, value: u8, sparse_max: usize) -> Result<bool, Corrupt> {
    if get(bytes, index)? >= value {
        return Ok(false);
    }
    if is_dense(bytes) || value > VALUE_MAX || !raise_sparse(bytes, index, value, sparse_max)? {
        make_dense(bytes)?;
        dense_put(bytes, index, value);
    }
    forget(bytes);
    Ok(true)
}

/// Raise a register of a sparse one; false if there is no room for that.
fn raise_sparse(bytes: &mut Vec<u8>, index: usize, value: u8, sparse_max: usize) -> Result<bool, Corrupt> {
    let (mut first, mut before) = (0, HEADER);
    let mut found = None;
    for (at, run) in runs(bytes) {
        if index < first + run.length {
            found = Some((at, run));
            break;
        }
        (first, before) = (first + run.length, at);
    }
    let (at, run) = found.ok_or(Corrupt)?;
    // The run falls into what is before the register, the register, and what is after it.
    let mut parts = Vec::with_capacity(5);
    let put = |length: usize, parts: &mut Vec<u8>| match (length, run.value) {
        (0, _) => {}
        (_, 0) => put_zeros(length, parts),
        (_, old) => parts.push(value_run(old, length)),
    };
    put(index - first, &mut parts);
    parts.push(value_run(value, 1));
    put(first + run.length - 1 - index, &mut parts);
    let grown = parts.len() > run.size();
    if grown && bytes.len() + parts.len() - run.size() > sparse_max {
        return Ok(false);
    }
    bytes.splice(at..at + run.size(), parts);
    join(bytes, before);
    Ok(true)
}

/// Join equal neighbours among the five runs from a position on, where one run has room for both.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(run) = bytes.get(at..).and_then(Run::read) else { return };
        let next = bytes.get(at + 1..).and_then(Run::read).filter(|next| next.value > 0);
        match next.filter(|next| run.value == next.value && run.length + next.length <= VALUES_MAX) {
            Some(next) => {
                bytes[at + 1] = value_run(run.value, run.length + next.length);
                bytes.remove(at);
            }
            None => at += run.size(),
        }
    }
}

/// What adding elements or merging makes of a string: some registers are raised, each given as its number in two
/// bytes, little endian, and its value. If nothing else says so, the cached cardinality is forgotten.
pub fn change(bytes: &mut Vec<u8>, dense: bool, keep_cache: bool, sparse_max: usize, raised: &[u8]) {
    if bytes.is_empty() {
        *bytes = empty();
    }
    if !is(bytes) {
        return;
    }
    // One that is corrupt stays as it is: commands told so already.
    if dense && make_dense(bytes).is_err() {
        return;
    }
    for [low, high, value] in raised.as_chunks::<3>().0 {
        let index = usize::from(u16::from_le_bytes([*low, *high]));
        if index >= REGISTERS || *value > 63 || raise(bytes, index, *value, sparse_max).is_err() {
            return;
        }
    }
    if !keep_cache {
        forget(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_and_dense_agree_with_plain_registers() {
        for seed in 0..4u64 {
            let (mut plain, mut bytes) = (registers(), empty());
            let mut state = seed + 1;
            for step in 0..6_000u64 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Few registers and values make neighbours that can be joined.
                let index = (state >> 33) as usize % if seed < 2 { 40 } else { REGISTERS };
                let value = ((state >> 20) % if seed == 3 { 40 } else { 4 }) as u8 + 1;
                let raised = raise(&mut bytes, index, value, 3_000).unwrap();
                assert_eq!(raised, plain[index] < value, "seed {seed}, step {step}");
                plain[index] = plain[index].max(value);
                if step % 100 == 0 {
                    let mut merged = registers();
                    merge(&bytes, &mut merged).unwrap();
                    assert_eq!(merged, plain, "seed {seed}, step {step}");
                }
            }
            assert_eq!(is_dense(&bytes), seed >= 2);
            let mut merged = registers();
            make_dense(&mut bytes).unwrap();
            merge(&bytes, &mut merged).unwrap();
            assert_eq!(merged, plain);
        }
    }

    #[test]
    fn the_estimate_is_near() {
        for count in [0u64, 1, 100, 10_000, 300_000] {
            let mut plain = registers();
            for number in 0..count {
                let (index, value) = place(number.to_string().as_bytes());
                plain[index] = plain[index].max(value);
            }
            let error = estimate(&plain).abs_diff(count) as f64;
            assert!(error <= count as f64 * 0.03, "{count}: {error}");
        }
    }

    #[test]
    fn corrupt_ones_are_refused() {
        let mut short = empty();
        short.truncate(17);
        assert!(is(&short));
        assert_eq!(merge(&short, &mut registers()), Err(Corrupt));
        assert_eq!(raise(&mut short, 5, 1, 3_000), Err(Corrupt));
        let mut long = empty();
        long.push(0);
        assert_eq!(merge(&long, &mut registers()), Err(Corrupt));
    }
}
