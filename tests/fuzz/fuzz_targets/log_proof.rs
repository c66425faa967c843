//! libFuzzer's door to the target `log_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("log_proof", bytes));
