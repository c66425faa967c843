//! libFuzzer's door to the target `azure_td`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("azure_td", bytes));
