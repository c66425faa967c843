//! libFuzzer's door to the target `question`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("question", bytes));
