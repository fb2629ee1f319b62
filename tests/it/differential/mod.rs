//! Differential test: random instructions in the interpreter and the translator, and in QEMU's user mode, every register and flag compared.
//!
//! Cases are made from the table's rows, so that a new chapter is covered when its rows and functions are there. A case is a state of all registers, 512 bytes of
//! memory and a few instructions; hundreds of cases make one static program ([`image`]) that runs once under `qemu-ppc64le-static -cpu power10` and
//! writes the state after each case. The interpreter runs the same bytes at the same addresses ([`ours`]).
//!
//! A mismatch is shortened to the first instruction that differs and printed with what it found. Environment:
//!
//! - `SPAPR_DIFF_CASES`: how many cases (default 1500), `SPAPR_DIFF_SEED`: another sequence of cases;
//! - `SPAPR_DIFF_ROWS`: only rows whose name or chapter is in this list, separated by commas (`xsadddp,vector`);
//! - `SPAPR_DIFF_QEMU`: the emulator. Without one the test is skipped, with a message.

mod cases;
mod image;
mod ours;
mod state;

use cases::Case;
use cases::Pool;
use ours::Make;
use spapr::accel::interp::Interp;
#[cfg(target_arch = "x86_64")]
use spapr::accel::tcg::Options;
#[cfg(target_arch = "x86_64")]
use spapr::accel::tcg::Tcg;
use spapr::isa::disasm::disassemble;
use spapr::isa::regs::Fpscr;
use state::Outcome;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Rows that are not compared, each with the reason.
const LEFT_OUT: &[(&str, &str)] = &[
    ("darn", "gives a random number"),
    ("b bc bclr bcctr bctar", "control flow: the lines under tests/insn have it"),
    ("lmw stmw lswi lswx stswi stswx", "alignment interrupt in little-endian mode"),
    ("tw twi td tdi", "mostly an interrupt, which ends a user program"),
    ("copy paste.", "an interrupt in both"),
    ("wait", "QEMU's user mode stops"),
    ("mtfsf mtfsfi mtfsb1", "could enable floating-point exceptions, which end a user program"),
];

/// Rows on which QEMU 10.0 differs from the book, each with what the book says. `crate::oracle` has another witness for them.
pub const QEMU_DIFFERS: &[(&str, &str)] = &[
    ("divde", "a signed quotient over 2^63 that is below 2^64 is an overflow (ISA I 3.3.9); QEMU only compares |RA| with |RB|"),
    ("icbt", "CT may be any cache (ISA II 4.3.1); QEMU refuses all but 0"),
    ("fre fres xsredp xsresp xvredp xvresp", "the estimate of 1/0 is an infinity and a zero-divide exception (ISA I 4.6.6.1)"),
    ("xsrsqrtedp xsrsqrtesp xvrsqrtedp xvrsqrtesp", "the estimate for zero is a zero-divide exception (ISA I 7.6.1)"),
    ("xsnmsubqp", "with RO the result is rounded to odd (ISA I 7.6.1); QEMU forgets that here"),
    ("xsrqpi xsrqpix xsrqpxp", "RMC = 3 is the rounding mode of FPSCR (ISA I 7.6.1); QEMU takes its number for another mode"),
    ("fctiw fctiwz", "the high word of the result is undefined (ISA I 4.6.7.2) and not the same for a NaN"),
    ("mtvscr", "reserved bits of VSCR are zero (ISA I 6.3.2); QEMU keeps them"),
    ("vrldmi", "bits of VRT outside the mask stay (ISA I 6.11); QEMU clears them"),
    ("vexptefp", "an estimate good to 1/16 (ISA I 6.10.6); QEMU's is far off for large numbers"),
    ("vdiveuq vdivesq", "the quotient is undefined when it overflows (ISA I 6.9.1.5)"),
    ("lxsdx lxsi* lxsspx mtvsrd mtvsrwa mtvsrwz", "the register's second doubleword is cleared (ISA I 7.6); QEMU keeps it"),
    ("bcdcpsgn.", "the sign is VRB's even where VRT is VRB (ISA I 6.17.2); QEMU overwrites it first"),
    (
        "bcdus. bcdutrunc. bcds. bcdsr. bcdtrunc.",
        "CR6 compares the source with zero (ISA I 6.17.3); QEMU compares the result, of unsigned ones without the last digit",
    ),
    ("xststdcsp", "a double below single's denormals is still a denormal (ISA I 7.6.1); QEMU takes it for zero"),
    ("drdpq", "the result is in the even register of the pair (ISA I 5.6.5), as compiled code expects; QEMU puts it into the odd one"),
    ("denbcd denbcdq drrnd drrndq", "an invalid operation sets FPRF, and FEX only if it is enabled (ISA I 5.5.10.1); QEMU always sets FEX"),
    ("drsp", "a signalling NaN passes unchanged, DFP Short being a storage format (ISA I 5.6.5); QEMU makes it quiet"),
    ("dscli dscliq dscri dscriq ddedpd ddedpdq", "an infinity has digits in its trailing significand (ISA I 5.6.6); QEMU loses them"),
];

/// FPSCR bits that are ignored after some rows, `*` for every row: names, bits, reason.
const IGNORED: &[(&str, u64, &str)] = &[
    ("*", Fpscr::FR, "QEMU never tells whether a result was rounded up"),
    (
        "fadds fsubs fmuls fdivs fsqrts fres frsqrtes frsp fmadds fmsubs fnmadds fnmsubs",
        SINGLE,
        "QEMU classes a single result as a double, and misses an underflow to a single's denormal",
    ),
    ("xsaddsp xssubsp xsmulsp xsdivsp xssqrtsp xsresp xsrsp xsrsqrtesp xsmaddasp xsmaddmsp xsmsubasp xsmsubmsp", SINGLE, "as for fadds"),
    ("xsnmaddasp xsnmaddmsp xsnmsubasp xsnmsubmsp xscvsxdsp xscvuxdsp", SINGLE, "as for fadds"),
    (
        "xsmaxjdp xsminjdp",
        Fpscr::VXSNAN | Fpscr::VX | Fpscr::FX,
        "either signalling NaN is reported (ISA I 7.6.1); QEMU forgets B's after a NaN in A",
    ),
    ("xscvdpsx* xscvdpux* xscvqps* xscvqpu*", FPRF, "undefined after a conversion to an integer (ISA I 7.6.1)"),
    (
        "xv* pmxv*",
        Fpscr::FI | Fpscr::UX,
        "vector operations leave FI alone; several exceptions at once are all set (ISA I 7.6.1), QEMU drops underflow",
    ),
    (DECIMAL, Fpscr::FI, "FI tells about the last instruction (ISA I 5.5.11); QEMU's decimal instructions never clear it"),
    ("fcfids fcfidu fcfidus", FPRF, "QEMU does not class the result"),
    ("fcmpu fcmpo", Fpscr::FI | Fpscr::C, "a comparison leaves FI and C alone (ISA I 4.6.8)"),
];
/// Decimal rows that set FI.
const DECIMAL: &str = "dadd* dsub* dmul* ddiv* dqua* drint* dct* drdpq dcffix*";
const SINGLE: u64 = FPRF | Fpscr::UX;
const FPRF: u64 = Fpscr::C | Fpscr::FL | Fpscr::FG | Fpscr::FE | Fpscr::FU;

/// Rows (in the manner of [`among`]) that read a register with ignored bits: they come first in their case, when those bits are still as given.
const FIRST: &str = "mffs* mcrfs";

/// Rows that are compared without directed rounding: the book negates what was rounded, QEMU rounds what was negated (ISA I 4.6.6.2).
const NEAREST: &str =
    "fnm* xsnm* xvnm* xvf32gern* xvf64gern* xvf16ger2n* xvbf16ger2n* pmxvf32gern* pmxvf64gern* pmxvf16ger2n* pmxvbf16ger2n*";

/// Whether `names`, separated by spaces, have `name`; a star at the end of one stands for anything.
pub fn among(names: &str, name: &str) -> bool {
    names.split(' ').any(|n| n.strip_suffix('*').map_or(n == name, |start| name.starts_with(start)))
}

/// The ignored bits of FPSCR after the rows of a case.
fn ignored(case: &Case) -> u64 {
    let applies = |names: &str| case.steps.iter().any(|s| among(names, s.name));
    IGNORED.iter().filter(|(names, ..)| applies(names)).fold(0, |m, (_, bits, _)| m | bits)
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |v| v.parse().unwrap_or_else(|_| panic!("{name}={v}: write a number")))
}

fn wanted(name: &str, chapter: &str) -> bool {
    std::env::var("SPAPR_DIFF_ROWS").map_or(true, |list| list.split(',').any(|w| w == name || w == chapter))
}

/// Runs `cases` on both sides; the indices of those that differ.
fn differing(make: Make, qemu: &str, cases: &[Case]) -> Vec<usize> {
    let theirs = image::run(qemu, cases);
    let ours = ours::run(make, cases);
    (0..cases.len()).filter(|k| !same(&cases[*k], &ours[*k], &theirs[*k])).collect()
}

fn same(case: &Case, a: &Outcome, b: &Outcome) -> bool {
    match (a, b) {
        (Outcome::Done(a), Outcome::Done(b)) => {
            let mask = |at: usize| if at == state::FPSCR { !ignored(case) } else { u64::MAX };
            (0..state::BLOCK).step_by(8).all(|at| (state::get(a, at) ^ state::get(b, at)) & mask(at) == 0)
        }
        (Outcome::Refused(_), Outcome::Refused(_)) => true,
        (Outcome::Done(_), Outcome::Refused(_)) | (Outcome::Refused(_), Outcome::Done(_)) => false,
    }
}

/// The shortest beginning of `case` that differs: name of its last instruction and a report.
fn shorten(make: Make, qemu: &str, case: &Case) -> (String, String) {
    for n in 1..=case.steps.len() {
        let short = Case { steps: case.steps[..n].to_vec(), ..case.clone() };
        let list = [short];
        let (theirs, ours) = (image::run(qemu, &list), ours::run(make, &list));
        if same(&list[0], &ours[0], &theirs[0]) {
            continue;
        }
        let step = &list[0].steps[n - 1];
        let before = Case { steps: case.steps[..n - 1].to_vec(), ..case.clone() };
        let mut text = String::new();
        for insn in &step.insns {
            let image =
                if insn.is_prefixed() { format!("{:08x} {:08x}", insn.prefix(), insn.word()) } else { format!("{:08x}", insn.word()) };
            writeln!(text, "  {image}  {}", disassemble(*insn, 0)).unwrap();
        }
        let last = disassemble(*step.insns.last().unwrap(), 0);
        text += &state::report(&last, &ours::run(make, &[before])[0], &ours[0], &theirs[0]);
        return (step.name.to_string(), text);
    }
    ("?".into(), "differs only as a whole".into())
}

#[test]
fn the_interpreter_agrees_with_qemu() {
    agrees(|parts| Box::new(Interp::new(parts)));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_translator_agrees_with_qemu() {
    agrees(|parts| Box::new(Tcg::new(parts, Options { longest: 2, ..Options::default() }).unwrap()));
}

fn agrees(make: Make) {
    let qemu = std::env::var("SPAPR_DIFF_QEMU").unwrap_or_else(|_| "qemu-ppc64le-static".into());
    if std::process::Command::new(&qemu).arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "{qemu} is not installed: `tests/tools/qemu.sh user` fetches it");
        eprintln!("skipped: {qemu} is not installed (`tests/tools/qemu.sh user` fetches it)");
        return;
    }
    let left_out = |name: &str| LEFT_OUT.iter().chain(QEMU_DIFFERS).any(|(names, _)| among(names, name));
    let pool = Pool::new(|name, chapter| wanted(name, chapter) && (chapter != "system") && !left_out(name));
    let total = setting("SPAPR_DIFF_CASES", 1500);
    let seed = setting("SPAPR_DIFF_SEED", 1);
    let mut found: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut at = 0;
    while at < total && found.len() < 40 {
        let n = (total - at).min(image::CASES_MAX as u64);
        let cases: Vec<Case> = (0..n).map(|k| pool.case(seed.wrapping_mul(1 << 32) + at + k, k as usize)).collect();
        for k in differing(make, &qemu, &cases) {
            let (name, text) = shorten(make, &qemu, &cases[k]);
            found.entry(name).or_insert((0, text)).0 += 1;
        }
        at += n;
    }
    let report: Vec<String> = found.iter().map(|(name, (n, text))| format!("{name} ({n} cases)\n{text}")).collect();
    assert!(found.is_empty(), "{} rows differ from QEMU:\n\n{}", found.len(), report.join("\n"));
}

#[test]
fn exclusions_name_rows_and_reasons() {
    let known = |name: &str| spapr::isa::table::rows().any(|r| among(name, r.name));
    let lists = LEFT_OUT.iter().chain(QEMU_DIFFERS).map(|(names, reason)| (*names, *reason));
    let masks = IGNORED.iter().map(|(names, _, reason)| (*names, *reason));
    for (names, reason) in lists.chain(masks).chain([(FIRST, "above"), (NEAREST, "above")]) {
        assert!(names.split(' ').all(known), "one of {names} is not a row");
        assert!(!reason.is_empty());
    }
}
