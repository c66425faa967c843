//! libFuzzer's door to the target `snp_chain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("snp_chain", bytes));
