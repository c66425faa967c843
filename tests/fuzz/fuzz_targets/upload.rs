//! libFuzzer's door to the target `upload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("upload", bytes));
