//! Any image decodes to a row that it matches, or to none, and prints.

use super::input::Input;
use spapr::isa::Insn;
use spapr::isa::decode::decode;
use spapr::isa::decode::is_prefix;
use spapr::isa::disasm::disassemble;
use spapr::isa::table::rows;

/// Word instructions and prefixed pairs, as many as the input has.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    while !input.is_empty() {
        let first = input.u32();
        one(if is_prefix(first) { (u64::from(first) << 32) | u64::from(input.u32()) } else { first.into() });
        one((1 << 58) | (u64::from(first) << 32 & 0x03ff_ffff_0000_0000) | u64::from(input.u32()));
    }
}

fn one(image: u64) {
    let insn = Insn(image);
    let row = decode(insn);
    let text = disassemble(insn, 0x1000);
    match row {
        Some(r) => {
            assert_eq!(image & r.mask, r.value, "{insn:?} is not a {}", r.name);
            assert_eq!(insn.is_prefixed(), r.is_prefixed(), "{insn:?}: {} has another length", r.name);
            assert!(text.starts_with(r.name) && !text.contains('?'), "{insn:?} prints as {text}");
        }
        None => assert!(text.starts_with(".long"), "{insn:?} prints as {text}"),
    }
}

/// Every row's fixed bits.
pub fn seeds() -> Vec<Vec<u8>> {
    let bytes =
        |r: &spapr::isa::Row| if r.is_prefixed() { r.value.to_be_bytes().to_vec() } else { (r.value as u32).to_be_bytes().to_vec() };
    vec![rows().flat_map(bytes).collect()]
}
