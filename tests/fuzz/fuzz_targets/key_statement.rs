//! libFuzzer's door to the target `key_statement`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("key_statement", bytes));
