//! Text from the same rows that decode.
//!
//! The output is what GNU objdump prints with raw mnemonics (`-M raw`): no simplified mnemonics, so that one row has one spelling.

use crate::bits::sign_extend;
use crate::isa::Insn;
use crate::isa::decode::decode;
use std::fmt::Write;

/// How one operand is printed, given the instruction and its address.
pub type Operand = fn(Insn, u64) -> String;

fn reg(prefix: &str, n: usize) -> String {
    format!("{prefix}{n}")
}
fn signed(v: u64) -> String {
    (v as i64).to_string()
}
/// A condition register bit as objdump names it: `eq`, `4*cr1+lt`.
fn crbit(n: usize) -> String {
    let bit = ["lt", "gt", "eq", "so"][n & 3];
    if n < 4 { bit.into() } else { format!("4*cr{}+{bit}", n >> 2) }
}
fn base(i: Insn) -> String {
    if i.ra() == 0 { "0".into() } else { reg("r", i.ra()) }
}

/// Offset of a return address hash, -512 to -8 (ISA I, hashst).
fn hash_offset(i: Insn) -> u64 {
    (u64::from((i.field(31, 31) << 5) | i.field(6, 10)) << 3).wrapping_sub(512)
}

/// Operand names of the rows and how each is printed.
#[rustfmt::skip] // One operand per line.
pub static OPERANDS: &[(&str, Operand)] = &[
    // Fixed point and branches.
    ("rt", |i, _| reg("r", i.rt())),
    ("rs", |i, _| reg("r", i.rt())),
    ("ra", |i, _| reg("r", i.ra())),
    ("ra|0", |i, _| base(i)),
    ("rb", |i, _| reg("r", i.rb())),
    ("rc", |i, _| reg("r", i.rc_field())),
    ("si", |i, _| signed(i.si())),
    ("ui", |i, _| i.ui().to_string()),
    ("d(ra)", |i, _| format!("{}({})", i.si() as i64, base(i))),
    ("ds(ra)", |i, _| format!("{}({})", i.ds() as i64, base(i))),
    ("dq(ra)", |i, _| format!("{}({})", i.dq() as i64, base(i))),
    ("d34(ra)", |i, _| format!("{}({})", i.d34() as i64, base(i))),
    ("si34", |i, _| signed(i.d34())),
    ("pcrel", |i, _| u32::from(i.pcrel()).to_string()),
    ("bf", |i, _| reg("cr", i.bf())),
    ("bfa", |i, _| reg("cr", i.bfa())),
    ("bff", |i, _| i.bf().to_string()),
    ("bffa", |i, _| i.bfa().to_string()),
    ("l", |i, _| i.l().to_string()),
    ("sh5", |i, _| i.sh5().to_string()),
    ("mb5", |i, _| i.mb5().to_string()),
    ("me5", |i, _| i.me5().to_string()),
    ("sh6", |i, _| i.sh6().to_string()),
    ("mb6", |i, _| i.mb6().to_string()),
    ("me6", |i, _| i.mb6().to_string()),
    ("to", |i, _| i.to().to_string()),
    ("bo", |i, _| i.bo().to_string()),
    ("bi", |i, _| crbit(i.bi())),
    ("bh", |i, _| i.bh().to_string()),
    ("bt", |i, _| crbit(i.bt())),
    ("ba", |i, _| crbit(i.ba())),
    ("bb", |i, _| crbit(i.bb())),
    ("bc", |i, _| crbit(i.rc_field())),
    ("target_i", |i, at| format!("{:#x}", if i.aa() != 0 { i.li() } else { at.wrapping_add(i.li()) })),
    ("target_b", |i, at| format!("{:#x}", if i.aa() != 0 { i.bd() } else { at.wrapping_add(i.bd()) })),
    ("spr", |i, _| i.spr().to_string()),
    ("fxm", |i, _| i.fxm().to_string()),
    ("nb", |i, _| if i.nb() == 0 { "32".into() } else { i.nb().to_string() }),
    ("si_dx", |i, _| signed(i.si_dx())),
    ("cy", |i, _| i.field(21, 22).to_string()),
    ("l2", |i, _| i.field(9, 10).to_string()),
    ("l_darn", |i, _| i.field(14, 15).to_string()),
    ("l3", |i, _| i.field(8, 10).to_string()),
    ("sc", |i, _| i.field(14, 15).to_string()),
    ("eh", |i, _| i.rc().to_string()),
    ("fc", |i, _| i.nb().to_string()),
    ("th", |i, _| i.to().to_string()),
    ("ct", |i, _| i.field(7, 10).to_string()),
    ("st", |i, _| i.field(9, 10).to_string()),
    // System.
    ("lev", |i, _| i.field(20, 26).to_string()),
    ("s", |i, _| i.field(20, 20).to_string()),
    ("l15", |i, _| i.field(15, 15).to_string()),
    ("r10", |i, _| i.field(10, 10).to_string()),
    ("a6", |i, _| i.field(6, 6).to_string()),
    ("ih", |i, _| i.field(8, 10).to_string()),
    ("ric", |i, _| i.field(12, 13).to_string()),
    ("prs", |i, _| i.field(14, 14).to_string()),
    ("si5", |i, _| signed(sign_extend(u64::from(i.sh5()), 5))),
    ("bhrbe", |i, _| i.field(11, 20).to_string()),
    ("hash(ra)", |i, _| format!("{}({})", hash_offset(i) as i64, reg("r", i.ra()))),
    // Floating point.
    ("frt", |i, _| reg("f", i.frt())),
    ("frs", |i, _| reg("f", i.frt())),
    ("fra", |i, _| reg("f", i.fra())),
    ("frb", |i, _| reg("f", i.frb())),
    ("frc", |i, _| reg("f", i.frc())),
    ("drm", |i, _| i.field(18, 20).to_string()),
    ("rm", |i, _| i.field(19, 20).to_string()),
    ("flm", |i, _| i.flm().to_string()),
    ("fl", |i, _| i.field(6, 6).to_string()),
    ("w", |i, _| i.field(15, 15).to_string()),
    ("u", |i, _| i.field(16, 19).to_string()),
    ("btf", |i, _| i.bt().to_string()),
    // Decimal floating point.
    ("frtp", |i, _| reg("f", i.frt())),
    ("frap", |i, _| reg("f", i.fra())),
    ("frbp", |i, _| reg("f", i.frb())),
    ("dcm", |i, _| i.field(16, 21).to_string()),
    ("dgm", |i, _| i.field(16, 21).to_string()),
    ("te", |i, _| signed(sign_extend(u64::from(i.field(11, 15)), 5))),
    ("drmc", |i, _| i.field(21, 22).to_string()),
    ("dr", |i, _| i.field(15, 15).to_string()),
    ("dsp", |i, _| i.field(11, 12).to_string()),
    ("ds", |i, _| i.field(11, 11).to_string()),
    ("dsh", |i, _| i.field(16, 21).to_string()),
    ("uim6", |i, _| i.field(10, 15).to_string()),
    // Vector.
    ("vrt", |i, _| reg("v", i.frt())),
    ("vrs", |i, _| reg("v", i.frt())),
    ("vra", |i, _| reg("v", i.fra())),
    ("vrb", |i, _| reg("v", i.frb())),
    ("vrc", |i, _| reg("v", i.frc())),
    ("uim5", |i, _| i.field(11, 15).to_string()),
    ("uim4", |i, _| i.field(12, 15).to_string()),
    ("uim3", |i, _| i.field(13, 15).to_string()),
    ("uim2", |i, _| i.field(14, 15).to_string()),
    ("sim5", |i, _| (((i.field(11, 15) << 27) as i32) >> 27).to_string()),
    ("shb", |i, _| i.field(22, 25).to_string()),
    ("sh3", |i, _| i.field(23, 25).to_string()),
    ("sigma", |i, _| i.field(16, 16).to_string()),
    ("six", |i, _| i.field(17, 20).to_string()),
    ("ps", |i, _| i.field(22, 22).to_string()),
    ("n3", |i, _| i.field(13, 15).to_string()),
    ("mp", |i, _| i.field(15, 15).to_string()),
    ("bm16", |i, _| (((i.field(16, 25) << 6) | (i.field(11, 15) << 1) | i.field(31, 31)) as u16 as i16).to_string()),
    // VSX.
    ("xt", |i, _| reg("vs", i.xt())),
    ("xs", |i, _| reg("vs", i.xt())),
    ("xt_dq", |i, _| reg("vs", i.xt_dq())),
    ("xtp", |i, _| reg("vs", i.xtp())),
    ("dm", |i, _| i.field(22, 23).to_string()),
    ("imm8", |i, _| i.field(13, 20).to_string()),
    ("uim5b", |i, _| i.field(16, 20).to_string()),
    ("xa", |i, _| reg("vs", i.xa())),
    ("xb", |i, _| reg("vs", i.xb())),
    ("xc", |i, _| reg("vs", i.xc())),
    ("dcmx", |i, _| i.field(9, 15).to_string()),
    ("dcmx_split", |i, _| ((i.field(25, 25) << 6) | (i.field(29, 29) << 5) | i.field(11, 15)).to_string()),
    ("r", |i, _| i.field(15, 15).to_string()),
    ("rmc", |i, _| i.field(21, 22).to_string()),
    // Prefixed and matrix-multiply.
    ("rtp", |i, _| reg("r", i.rt())),
    ("rsp", |i, _| reg("r", i.rt())),
    ("pxt", |i, _| reg("vs", i.pxt())),
    ("xt_8rr", |i, _| reg("vs", i.xt_8rr())),
    ("imm32", |i, _| i.imm32().to_string()),
    ("ix", |i, _| i.field(14, 14).to_string()),
    ("uim3_8rr", |i, _| i.prefix_field(29, 31).to_string()),
    ("uim8_8rr", |i, _| i.prefix_field(24, 31).to_string()),
    ("at", |i, _| reg("a", i.bf())),
    ("xap", |i, _| reg("vs", i.xa())),
    ("xmsk", |i, _| i.prefix_field(24, 27).to_string()),
    ("ymsk", |i, _| i.prefix_field(28, 31).to_string()),
    ("ymsk2", |i, _| i.prefix_field(28, 29).to_string()),
    ("pmsk8", |i, _| i.prefix_field(16, 23).to_string()),
    ("pmsk4", |i, _| i.prefix_field(16, 19).to_string()),
    ("pmsk2", |i, _| i.prefix_field(16, 17).to_string()),
];

/// The instruction at address `at` as text; an image that no row matches is printed as data.
pub fn disassemble(insn: Insn, at: u64) -> String {
    let Some(row) = decode(insn) else {
        return if insn.is_prefixed() {
            format!(".long {:#010x}, {:#010x}", insn.prefix(), insn.word())
        } else {
            format!(".long {:#010x}", insn.word())
        };
    };
    let mut text = row.name.to_string();
    for (bit, suffix) in [(row.overflow, "o"), (row.link, "l"), (row.absolute, "a"), (row.record, ".")] {
        if insn.word() & bit != 0 {
            text.push_str(suffix);
        }
    }
    let mut sep = " ";
    for name in row.operands.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let operand = OPERANDS.iter().find(|(n, _)| *n == name);
        let shown = operand.map_or_else(|| format!("?{name}"), |(_, print)| print(insn, at));
        write!(text, "{sep}{shown}").expect("writing to a String");
        sep = ",";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::table::rows;

    #[test]
    fn every_operand_of_every_row_can_be_printed() {
        for r in rows() {
            for name in r.operands.split(',').map(str::trim).filter(|n| !n.is_empty()) {
                assert!(OPERANDS.iter().any(|(n, _)| *n == name), "{}: operand {name} is not in OPERANDS", r.name);
            }
        }
    }

    #[test]
    fn branches_show_their_targets() {
        assert_eq!(disassemble(Insn(0x4800_0009), 0x1000), "bl 0x1008");
    }
}
