//! libFuzzer's door to the target `release_key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("release_key", bytes));
