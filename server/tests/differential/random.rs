//! Chance that a seed decides: the same numbers and words for the same seed.

/// A small deterministic generator (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }

    /// One of the words, as a word of its own.
    pub fn word(&mut self, words: &[&str]) -> String {
        self.pick(words).into()
    }

    /// A number as `INCRBYFLOAT` may get it.
    pub fn number(&mut self) -> String {
        let sign = self.pick(&["", "", "-", "+"]);
        let digits = (self.next() >> self.below(64)).to_string();
        let fraction = match self.below(3) {
            0 => String::new(),
            1 => format!(".{}", self.below(1000)),
            _ => format!(".{:0>20}", self.next() >> self.below(64)),
        };
        let exponent =
            if self.one_in(6) { format!("e{}", self.below(60) as i64 - 30) } else { String::new() };
        format!("{sign}{digits}{fraction}{exponent}")
    }
}
