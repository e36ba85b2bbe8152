//! What goes when memory is short: the names of `maxmemory-policy`, and amounts that may be a share of `maxmemory`.

use super::kinds::{Kind, Named, memory};

/// Which keys are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    #[default]
    None,
    AllLru,
    AllLfu,
    AllRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

impl Policy {
    /// Only keys with a deadline.
    pub fn volatile(self) -> bool {
        matches!(
            self,
            Policy::VolatileLru | Policy::VolatileLfu | Policy::VolatileRandom | Policy::VolatileTtl
        )
    }

    /// Keys count how often they are used, instead of when they were last.
    pub fn by_frequency(self) -> bool {
        matches!(self, Policy::AllLfu | Policy::VolatileLfu)
    }

    pub fn random(self) -> bool {
        matches!(self, Policy::AllRandom | Policy::VolatileRandom)
    }
}

impl Named for Policy {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("volatile-lru", Policy::VolatileLru),
        ("volatile-lfu", Policy::VolatileLfu),
        ("volatile-random", Policy::VolatileRandom),
        ("volatile-ttl", Policy::VolatileTtl),
        ("allkeys-lru", Policy::AllLru),
        ("allkeys-lfu", Policy::AllLfu),
        ("allkeys-random", Policy::AllRandom),
        ("noeviction", Policy::None),
    ];
}

/// An amount of memory, or a share of `maxmemory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    Bytes(u64),
    Percent(u8),
}

impl Default for Share {
    fn default() -> Self {
        Share::Bytes(0)
    }
}

impl Share {
    pub fn of(self, whole: u64) -> u64 {
        match self {
            Share::Bytes(bytes) => bytes,
            Share::Percent(percent) => (u128::from(whole) * u128::from(percent) / 100) as u64,
        }
    }
}

/// Bytes, or a percentage.
pub struct MemoryShare;

impl Kind<Share> for MemoryShare {
    fn read(&self, words: &[String], _: &Share, _: bool) -> Result<Share, String> {
        let [word] = words else { return Err("wrong number of arguments".into()) };
        let wrong = || "argument must be a memory or percent value".to_owned();
        if let Some(percent) = word.strip_suffix('%') {
            let percent = percent.parse::<u64>().map_err(|_| wrong())?;
            if percent > 100 {
                return Err("percentage argument must be less or equal to 100".into());
            }
            return Ok(Share::Percent(percent as u8));
        }
        memory(word).map(Share::Bytes).ok_or_else(wrong)
    }
    fn show(&self, value: &Share) -> String {
        match value {
            Share::Bytes(bytes) => bytes.to_string(),
            Share::Percent(percent) => format!("{percent}%"),
        }
    }
    fn form(&self) -> String {
        "memory, or percent of maxmemory".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_bytes_or_percent() {
        let read = |word: &str| MemoryShare.read(&[word.into()], &Share::default(), false);
        assert_eq!(read("5%"), Ok(Share::Percent(5)));
        assert_eq!(read("1kb"), Ok(Share::Bytes(1024)));
        assert!(read("101%").is_err() && read("x").is_err() && read("-1%").is_err());
        assert_eq!(Share::Percent(50).of(u64::MAX), u64::MAX / 2);
    }
}
