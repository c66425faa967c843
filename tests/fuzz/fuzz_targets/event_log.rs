//! libFuzzer's door to the target `event_log`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("event_log", bytes));
