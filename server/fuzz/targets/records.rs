//! See `src/records.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| botellier_fuzz::records::run(data));
