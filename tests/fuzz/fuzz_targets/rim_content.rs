//! libFuzzer's door to the target `rim_content`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("rim_content", bytes));
