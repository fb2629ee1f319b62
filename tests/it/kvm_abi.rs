//! KVM's numbers and sizes beside the kernel's own headers: a C compiler for powerpc64le holds each of ours against theirs.

use spapr::accel::kvm::irqchip;
use spapr::accel::kvm::sys;
use spapr::cpu::elements;
use std::fmt::Write;
use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;

const COMPILER: &str = "powerpc64le-linux-gnu-gcc";

/// One assertion a line, so that the compiler's complaint names what is wrong.
fn assertions() -> String {
    let mut c = String::from("#include <stddef.h>\n#include <linux/kvm.h>\n#define SAME(a, b) _Static_assert((a) == (b), #a)\n");
    let mut same = |theirs: &str, ours: u64| writeln!(c, "SAME((unsigned long long)({theirs}), {ours:#x}ull);").unwrap();
    for op in sys::OPS {
        same(&format!("(unsigned int){}", op.name), u64::from(op.request()));
    }
    for (name, number) in sys::CAPS {
        same(name, u64::from(*number));
    }
    for (name, value) in [
        ("(unsigned int)KVM_INTERRUPT_SET_LEVEL", sys::INTERRUPT_SET_LEVEL),
        ("(unsigned int)KVM_INTERRUPT_UNSET", sys::INTERRUPT_UNSET),
        ("KVM_MEM_LOG_DIRTY_PAGES", sys::MEM_LOG_DIRTY_PAGES),
        ("KVM_EXIT_UNKNOWN", sys::exit::UNKNOWN),
        ("KVM_EXIT_DEBUG", sys::exit::DEBUG),
        ("KVM_EXIT_MMIO", sys::exit::MMIO),
        ("KVM_EXIT_INTR", sys::exit::INTR),
        ("KVM_EXIT_FAIL_ENTRY", sys::exit::FAIL_ENTRY),
        ("KVM_EXIT_NMI", sys::exit::NMI),
        ("KVM_EXIT_INTERNAL_ERROR", sys::exit::INTERNAL_ERROR),
        ("KVM_EXIT_PAPR_HCALL", sys::exit::PAPR_HCALL),
    ] {
        same(name, u64::from(value));
    }
    same("KVM_VM_PPC_HV", sys::VM_HV);
    same("KVM_VM_PPC_PR", sys::VM_PR);
    same("KVM_PPC_MMUV3_RADIX", sys::MMUV3_RADIX);
    same("KVM_PPC_MMUV3_GTSE", sys::MMUV3_GTSE);
    same("KVM_DEV_TYPE_XICS", u64::from(irqchip::DEVICE_XICS));
    same("KVM_DEV_XICS_GRP_SOURCES", u64::from(irqchip::SOURCES));
    same("KVM_XICS_PRIORITY_SHIFT", u64::from(irqchip::PRIORITY_SHIFT));
    same("KVM_XICS_LEVEL_SENSITIVE", irqchip::LEVEL_SENSITIVE);
    same("KVM_XICS_MASKED", irqchip::MASKED);
    same("KVM_REG_PPC_ICP_STATE", irqchip::REG_ICP_STATE);
    same("0xffull << KVM_REG_PPC_ICP_MFRR_SHIFT | 0xffull << KVM_REG_PPC_ICP_PPRI_SHIFT", irqchip::ICP_RESET);
    same("KVM_PPC_PAGE_SIZES_REAL", sys::PAGE_SIZES_REAL);
    same("KVM_GET_HTAB_WRITE", sys::GET_HTAB_WRITE);
    same("offsetof(struct kvm_run, immediate_exit)", sys::run::IMMEDIATE_EXIT as u64);
    same("offsetof(struct kvm_run, exit_reason)", sys::run::EXIT_REASON as u64);
    same("offsetof(struct kvm_run, papr_hcall.nr)", sys::run::UNION as u64);
    same("offsetof(struct kvm_run, papr_hcall.ret)", sys::run::UNION as u64 + 8);
    same("offsetof(struct kvm_run, papr_hcall.args)", sys::run::UNION as u64 + 16);
    same("offsetof(struct kvm_run, mmio.phys_addr)", sys::run::UNION as u64);
    same("offsetof(struct kvm_run, mmio.data)", sys::run::UNION as u64 + 8);
    same("offsetof(struct kvm_run, mmio.len)", sys::run::UNION as u64 + 16);
    same("offsetof(struct kvm_run, mmio.is_write)", sys::run::UNION as u64 + 20);
    same("offsetof(struct kvm_regs, gpr)", std::mem::offset_of!(sys::Regs, gpr) as u64);
    same("offsetof(struct kvm_sregs, u.s.ppc64.slb)", std::mem::offset_of!(sys::Sregs, slb) as u64);
    for e in elements::all() {
        // KVM names some by an older or a wider name.
        let name = match e.name {
            "PIDR" => "PID",
            "LPCR" => "LPCR_64",
            "PCR" => "ARCH_COMPAT",
            "DAWR0" => "DAWR",
            "DAWRX0" => "DAWRX",
            other => other,
        };
        same(&format!("KVM_REG_PPC_{name}"), e.one_reg);
    }
    same("KVM_REG_PPC_TB_OFFSET", sys::REG_TB_OFFSET);
    same("KVM_REG_PPC_DEC_EXPIRY", sys::REG_DEC_EXPIRY);
    same("KVM_REG_PPC_ARCH_COMPAT", sys::REG_ARCH_COMPAT);
    same("KVM_REG_PPC_VPA_ADDR", sys::REG_VPA_ADDR);
    same("KVM_REG_PPC_VPA_SLB", sys::REG_VPA_SLB);
    same("KVM_REG_PPC_VPA_DTL", sys::REG_VPA_DTL);
    same("KVM_REG_PPC_DPDES", sys::REG_DPDES);
    same("KVM_REG_PPC_VTB", sys::REG_VTB);
    same("sizeof(struct kvm_get_htab_header)", sys::HTAB_HEADER as u64);
    same("offsetof(struct kvm_get_htab_header, n_valid)", 4);
    same("offsetof(struct kvm_get_htab_header, n_invalid)", 6);
    for n in 0..32 {
        same(&format!("KVM_REG_PPC_VSR({n})"), elements::vsr(n));
        same(&format!("KVM_REG_PPC_VR({n})"), elements::vsr(32 + n));
    }
    c
}

/// What the compiler says; `None`: there is none.
fn compile(source: &str) -> Option<String> {
    let run = Command::new(COMPILER).args(["-fsyntax-only", "-x", "c", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut run = run.ok()?;
    run.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    let out = run.wait_with_output().unwrap();
    Some(String::from_utf8_lossy(&out.stderr).into_owned() + if out.status.success() { "" } else { "refused" })
}

#[test]
fn numbers_and_sizes_are_the_headers() {
    let Some(said) = compile(&assertions()) else {
        assert!(std::env::var_os("CI").is_none(), "{COMPILER} is not installed; install gcc-powerpc64le-linux-gnu");
        eprintln!("skipped: {COMPILER} is not installed");
        return;
    };
    assert_eq!(said, "");
    let wrong = assertions().replace("0x2000ae80ull", "0x2000ae81ull");
    assert!(compile(&wrong).unwrap().contains("KVM_RUN"), "the compiler finds a wrong number");
}
