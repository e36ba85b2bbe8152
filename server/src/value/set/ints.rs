//! Integers in ascending order, packed with the bytes that the largest of them needs: Redis' intset.

/// Each number takes `width` bytes, the lowest first.
#[derive(Debug, Clone)]
pub struct Ints {
    width: usize,
    bytes: Vec<u8>,
}

impl Default for Ints {
    fn default() -> Self {
        Self { width: 2, bytes: Vec::new() }
    }
}

/// The bytes that a number needs.
fn width_of(number: i64) -> usize {
    if i16::try_from(number).is_ok() {
        2
    } else if i32::try_from(number).is_ok() {
        4
    } else {
        8
    }
}

impl Ints {
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// Bytes that are allocated.
    pub fn allocated(&self) -> usize {
        self.bytes.capacity()
    }

    pub fn get(&self, index: usize) -> i64 {
        let bytes = &self.bytes[index * self.width..(index + 1) * self.width];
        // The sign is that of the highest byte.
        let sign = if bytes[self.width - 1] & 0x80 == 0 { 0 } else { 0xff };
        let mut whole = [sign; 8];
        whole[..self.width].copy_from_slice(bytes);
        i64::from_le_bytes(whole)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = i64> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The index of a number, or that at which it would stand.
    fn search(&self, number: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.get(middle).cmp(&number) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    pub fn contains(&self, number: i64) -> bool {
        self.search(number).is_ok()
    }

    /// True if it was not there yet.
    pub fn add(&mut self, number: i64) -> bool {
        let Err(index) = self.search(number) else { return false };
        let width = width_of(number);
        if width > self.width {
            let wider = self.iter().flat_map(|old| old.to_le_bytes().into_iter().take(width)).collect();
            *self = Self { width, bytes: wider };
        }
        let at = index * self.width;
        self.bytes.splice(at..at, number.to_le_bytes().into_iter().take(self.width));
        true
    }

    /// True if it was there.
    pub fn remove(&mut self, number: i64) -> bool {
        let Ok(index) = self.search(number) else { return false };
        self.bytes.drain(index * self.width..(index + 1) * self.width);
        true
    }
}
