//! What decides the form in which a value is kept: packed bytes while it is small, a hash table when it is large.
//!
//! A form never changes what a value is, so nodes with other settings hold the same data.

use crate::config::Config;

/// The limits of the packed forms, and the seed of hash tables.
#[derive(Debug, Clone, Copy)]
pub struct Forms {
    /// Keys the hashes of tables, so that nobody can choose members that collide.
    pub seed: u64,
    pub set_intset_entries: usize,
    pub set_listpack_entries: usize,
    pub set_listpack_value: usize,
    pub zset_listpack_entries: usize,
    pub zset_listpack_value: usize,
    /// Items, or -1 to -5 for 4 to 64 KiB.
    pub list_listpack_size: i64,
    pub hash_listpack_entries: usize,
    pub hash_listpack_value: usize,
}

impl Forms {
    pub fn new(config: &Config, seed: u64) -> Self {
        Self {
            seed,
            set_intset_entries: config.set_max_intset_entries as usize,
            set_listpack_entries: config.set_max_listpack_entries as usize,
            set_listpack_value: config.set_max_listpack_value as usize,
            zset_listpack_entries: config.zset_max_listpack_entries as usize,
            zset_listpack_value: config.zset_max_listpack_value as usize,
            list_listpack_size: config.list_max_listpack_size,
            hash_listpack_entries: config.hash_max_listpack_entries as usize,
            hash_listpack_value: config.hash_max_listpack_value as usize,
        }
    }

    /// The settings changed. Values change their form when they next grow.
    pub fn configure(&mut self, config: &Config) {
        *self = Self::new(config, self.seed);
    }

    /// The default limits.
    pub fn seeded(seed: u64) -> Self {
        Self::new(&Config::default(), seed)
    }
}
