//! libFuzzer's door to the target `gpu_evidence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("gpu_evidence", bytes));
