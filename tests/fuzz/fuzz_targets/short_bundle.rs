//! libFuzzer's door to the target `short_bundle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("short_bundle", bytes));
