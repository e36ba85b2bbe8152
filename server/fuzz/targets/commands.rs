//! See `src/commands.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| botellier_fuzz::commands::run(data));
