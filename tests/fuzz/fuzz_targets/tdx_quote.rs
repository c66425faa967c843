//! libFuzzer's door to the target `tdx_quote`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("tdx_quote", bytes));
