//! libFuzzer's door to the target `claims`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("claims", bytes));
