//! libFuzzer's door to the target `inside`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("inside", bytes));
