//! libFuzzer's door to the target `handed_over`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("handed_over", bytes));
