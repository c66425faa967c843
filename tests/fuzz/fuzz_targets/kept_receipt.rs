//! libFuzzer's door to the target `kept_receipt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("kept_receipt", bytes));
