//! libFuzzer's door to the target `saved_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("saved_session", bytes));
