//! libFuzzer's door to [`spapr_fuzz::bodies::kernel_elf`]; see docs/testing.md.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spapr_fuzz::bodies::kernel_elf::run(data));
