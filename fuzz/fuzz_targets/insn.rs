//! libFuzzer's door to [`spapr_fuzz::bodies::insn`]; see docs/testing.md.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spapr_fuzz::bodies::insn::run(data));
