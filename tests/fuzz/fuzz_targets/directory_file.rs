//! libFuzzer's door to the target `directory_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chrysalis_fuzz_targets::run("directory_file", bytes));
