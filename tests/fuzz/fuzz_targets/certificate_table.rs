//! libFuzzer's door to the target `certificate_table`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("certificate_table", bytes));
