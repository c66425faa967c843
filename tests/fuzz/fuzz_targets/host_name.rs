//! libFuzzer's door to the target `host_name`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("host_name", bytes));
