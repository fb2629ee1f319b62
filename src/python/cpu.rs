//! `_spapr.Cpu`: the registers of a vCPU, as they were when it was asked for.
//!
//! A copy, because a running vCPU has no registers that anybody else could read, and a paused one should not change under a
//! reader's eyes when it is resumed.

use numpy::PyArray1;
use numpy::PyArray2;
use pyo3::Bound;
use pyo3::Python;
use pyo3::prelude::pyclass;
use pyo3::prelude::pyfunction;
use pyo3::prelude::pymethods;

use crate::cpu::CpuState;
use crate::cpu::state::Cr;
use crate::cpu::state::Xer;
use crate::error::Error;
use crate::isa::disasm;
use crate::isa::insn::Insn;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::units::CpuIndex;
use crate::vm::Halt;
use crate::vm::Vm;

/// Registers of a vCPU.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct Cpu {
    state: Box<CpuState>,
    timebase: u64,
    halt: Halt,
}

impl Cpu {
    pub(super) fn read(vm: &Vm, cpu: CpuIndex) -> Result<Cpu, Error> {
        Ok(Cpu { state: vm.cpu_state(cpu)?, timebase: vm.timebase(cpu)?, halt: vm.halt(cpu)? })
    }

    pub(super) fn write(vm: &Vm, cpu: CpuIndex, name: &str, value: u64) -> Result<(), Error> {
        let upper = name.to_ascii_uppercase();
        let gpr = upper.strip_prefix("GPR").or(upper.strip_prefix('R')).and_then(|n| n.parse::<usize>().ok()).filter(|n| *n < 32);
        let spr = spr::by_name(name).map(|row| usize::from(row.number));
        let change: Box<dyn FnOnce(&mut CpuState)> = match (upper.as_str(), gpr, spr) {
            (_, Some(n), _) => Box::new(move |s| s.gpr[n] = value),
            ("NIP", ..) => Box::new(move |s| s.nip = value),
            ("MSR", ..) => Box::new(move |s| s.msr = Msr(value)),
            ("CR", ..) => Box::new(move |s| s.cr = Cr::unpack(value as u32)),
            ("LR", ..) => Box::new(move |s| s.lr = value),
            ("CTR", ..) => Box::new(move |s| s.ctr = value),
            ("XER", ..) => Box::new(move |s| s.xer = Xer::unpack(value)),
            (_, None, Some(spr::DEC | spr::TB | spr::TBU | spr::VTB)) => {
                return Err(Error::config(
                    "register",
                    format!("{name} follows the clock"),
                    "use pause() and resume(), which stop the clock too",
                ));
            }
            (_, None, Some(n)) => Box::new(move |s| s.spr[n] = value),
            (_, None, None) => return Err(no_register(name)),
        };
        vm.change_cpu(cpu, change)
    }

    fn spr_value(&self, number: usize) -> u64 {
        let s = &self.state;
        match number {
            spr::XER => s.xer.pack(),
            spr::LR => s.lr,
            spr::CTR => s.ctr,
            spr::DEC => s.dec_expiry.wrapping_sub(self.timebase),
            spr::TB => self.timebase,
            spr::TBU => self.timebase >> 32,
            spr::VTB => self.timebase.wrapping_sub(s.tb_offset).wrapping_add(s.vtb_offset),
            other => s.spr[other],
        }
    }
}

fn no_register(name: &str) -> Error {
    Error::config(
        "register",
        format!("there is no register {name:?}"),
        "use gpr0 to gpr31, nip, msr, cr, or the name of an SPR such as LPCR",
    )
}

#[pymethods]
impl Cpu {
    /// General purpose registers.
    #[getter]
    fn gpr<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u64>> {
        PyArray1::from_slice(py, &self.state.gpr)
    }

    /// Vector-scalar registers: two doublewords each, the most significant first.
    #[getter]
    fn vsr<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<u64>> {
        PyArray2::from_owned_array(py, numpy::ndarray::Array2::from_shape_fn((64, 2), |(n, half)| self.state.vsr[n].0[half]))
    }

    /// Address of the next instruction.
    #[getter]
    fn nip(&self) -> u64 {
        self.state.nip
    }

    /// Machine state register.
    #[getter]
    fn msr(&self) -> u64 {
        self.state.msr.0
    }

    /// Condition register.
    #[getter]
    fn cr(&self) -> u32 {
        self.state.cr.pack()
    }

    /// Fixed-point exception register.
    #[getter]
    fn xer(&self) -> u64 {
        self.state.xer.pack()
    }

    /// Link register.
    #[getter]
    fn lr(&self) -> u64 {
        self.state.lr
    }

    /// Count register.
    #[getter]
    fn ctr(&self) -> u64 {
        self.state.ctr
    }

    /// Floating-point status and control register.
    #[getter]
    fn fpscr(&self) -> u64 {
        self.state.fpscr.0
    }

    /// Vector status and control register.
    #[getter]
    fn vscr(&self) -> u32 {
        self.state.vscr
    }

    /// Timebase.
    #[getter]
    fn timebase(&self) -> u64 {
        self.timebase
    }

    /// `running`, or why the vCPU executes nothing: `ceded`, `awaits-prod`, `stopped`.
    #[getter]
    fn state(&self) -> &'static str {
        match self.halt {
            Halt::No => "running",
            Halt::Ceded => "ceded",
            Halt::AwaitsProd => "awaits-prod",
            Halt::Stopped => "stopped",
        }
    }

    /// Segment lookaside buffer entries that are in use: index, RB, RS of slbmte.
    #[getter]
    fn slb(&self) -> Vec<(usize, u64, u64)> {
        let used = |(n, e): (usize, &crate::cpu::state::SlbEntry)| (e.esid != 0 || e.vsid != 0).then_some((n, e.esid, e.vsid));
        self.state.slb.iter().enumerate().filter_map(used).collect()
    }

    /// A special purpose register by name.
    fn spr(&self, name: &str) -> Result<u64, Error> {
        let row = spr::by_name(name).ok_or_else(|| no_register(name))?;
        Ok(self.spr_value(usize::from(row.number)))
    }

    /// A special purpose register by number.
    fn spr_number(&self, number: u32) -> Result<u64, Error> {
        let row = spr::by_number(number).ok_or_else(|| no_register(&number.to_string()))?;
        Ok(self.spr_value(usize::from(row.number)))
    }
}

/// The names of the special purpose registers.
#[pyfunction]
pub fn spr_names() -> Vec<&'static str> {
    spr::TABLE.iter().map(|row| row.name).collect()
}

/// The fields of the MSR: name and mask, highest first.
#[pyfunction]
pub fn msr_fields() -> Vec<(&'static str, u64)> {
    (0..64).rev().map(|bit| 1_u64 << bit).flat_map(|mask| Msr(mask).names().into_iter().map(move |name| (name, mask))).collect()
}

/// An instruction as text, and its length in bytes. The prefix of a prefixed instruction is the upper half of `image`.
#[pyfunction]
pub fn disassemble(image: u64, at: u64) -> (String, u64) {
    let insn = Insn(image);
    (disasm::disassemble(insn, at), if insn.is_prefixed() { 8 } else { 4 })
}
