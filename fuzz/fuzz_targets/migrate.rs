//! libFuzzer's door to [`spapr_fuzz::bodies::migrate`]; see docs/testing.md.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spapr_fuzz::bodies::migrate::run(data));
