//! libFuzzer's door to the target `tdx_statements`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("tdx_statements", bytes));
