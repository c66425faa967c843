//! libFuzzer's door to the target `form`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("form", bytes));
