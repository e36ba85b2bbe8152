//! See `src/values.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| botellier_fuzz::values::run(data));
