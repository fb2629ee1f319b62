//! The emitter for x86-64: one pass over a block's instructions, each by its template.
//!
//! # Where things are
//!
//! `rbp` points into the vCPU ([`Core`]), r15 holds the fuel, ten guest registers live in host registers ([`PINNED`]) in all translated code, so
//! that blocks follow each other without moving anything. `rax`, `rcx`, `rdx` and the xmm registers are free for templates. Everything else is in the vCPU, in the form that the
//! interpreter uses, so that calling an instruction's function takes storing and loading the pinned registers and nothing else.
//!
//! # Adding a template
//!
//! Write a function of type [`Template`] into a file of its subject, and a line with its mnemonic into that file's `TEMPLATES`, which is
//! listed in [`CHAPTERS`]. It emits code that does for the registers what the interpreter's function does, and returns [`Form::Done`]; for a form that it does not cover
//! it emits *nothing* and returns [`Form::Step`], and the function is called. It may use:
//!
//! * [`Emitter::src`] (a host register that holds a GPR), [`Emitter::dst`] and [`Emitter::put`] (to write one), [`Emitter::at_vsr`] and its kin (where things
//!   are from rbp), and `dynasm!(e.a; …)` for everything else;
//! * [`Emitter::fallback`]: a label; code that jumps there has the whole instruction done by its function instead, which is how rare operands are left to it. Nothing
//!   architected may have been changed before such a jump;
//! * [`memory`]'s `load` and `store` parts for whatever accesses storage.
//!
//! What a template may not do: keep anything in a scratch register beyond its end, change the stack pointer, call anything. A row with the trait `ENDS`, and
//! whatever changes MSR or translation, must not have one, except the branches.

mod atomic;
pub(in crate::accel::tcg) mod branch;
mod carry;
mod compare;
mod float;
mod float_memory;
mod integer;
mod lanes;
mod loops;
mod memory;
mod moves;
mod operands;
mod quad;
mod rotate;
pub(in crate::accel::tcg) mod stubs;
mod vector_float;
mod vsx;

pub use stubs::Stubs;

use crate::accel::interp::Core;
use crate::accel::interp::block::Decoded;
use crate::accel::tcg::exec;
use crate::accel::tcg::sites::Class;
use crate::cpu::CpuState;
use crate::cpu::Cr;
use crate::cpu::Xer;
use crate::isa::Insn;
use crate::isa::Isa;
use crate::isa::Row;
use crate::isa::table::Facility;
use dynasmrt::DynamicLabel;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::VecAssembler;
use dynasmrt::dynasm;
use dynasmrt::x64::X64Relocation;
use std::collections::HashMap;
use std::mem::offset_of;
use std::sync::OnceLock;

/// Emits one instruction.
pub type Template = fn(&mut Emitter<'_>, Insn) -> Form;

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// The code is emitted.
    Done,
    /// Not covered, and nothing emitted: the interpreter's function does it.
    Step,
}

/// The templates of every chapter, by mnemonic.
#[rustfmt::skip] // Names in order.
static CHAPTERS: &[&[(&str, Template)]] = &[
    atomic::TEMPLATES, branch::TEMPLATES, carry::TEMPLATES, compare::TEMPLATES, float::TEMPLATES, float_memory::TEMPLATES, integer::TEMPLATES,
    lanes::TEMPLATES, memory::TEMPLATES, moves::TEMPLATES, quad::TEMPLATES, rotate::TEMPLATES, vector_float::TEMPLATES, vsx::TEMPLATES,
];

/// The template of a row.
fn template(row: &'static Row) -> Option<Template> {
    static BY_ROW: OnceLock<HashMap<usize, Template>> = OnceLock::new();
    let by_row = BY_ROW.get_or_init(|| {
        let named: HashMap<_, _> = CHAPTERS.iter().flat_map(|c| c.iter().copied()).collect();
        crate::isa::table::rows().filter_map(|r| named.get(r.name).map(|t| (&raw const *r as usize, *t))).collect()
    });
    by_row.get(&(&raw const *row as usize)).copied()
}

/// Host registers by number.
pub(in crate::accel::tcg) const RAX: u8 = 0;
pub(in crate::accel::tcg) const RCX: u8 = 1;
pub(in crate::accel::tcg) const RDX: u8 = 2;

/// Guest registers that live in host registers.
pub const PINNED: [(usize, u8); 10] = [(1, 3), (3, 6), (4, 7), (5, 8), (6, 9), (7, 10), (8, 11), (9, 12), (10, 13), (31, 14)];

/// The host register of each guest register, if it has one.
const HOST: [Option<u8>; 32] = {
    let mut t = [None; 32];
    let mut k = 0;
    while k < PINNED.len() {
        t[PINNED[k].0] = Some(PINNED[k].1);
        k += 1;
    }
    t
};

/// Distances from rbp, which points at GPR 16 so that all GPRs are near.
const BIAS: usize = offset_of!(Core, state) + offset_of!(CpuState, gpr) + 128;
const STATE: i32 = offset_of!(Core, state) as i32 - BIAS as i32;
const CR: i32 = STATE + offset_of!(CpuState, cr) as i32;
const XER: i32 = STATE + offset_of!(CpuState, xer) as i32;
const SO: i32 = XER + offset_of!(Xer, so) as i32;
const CA: i32 = XER + offset_of!(Xer, ca) as i32;
const CA32: i32 = XER + offset_of!(Xer, ca32) as i32;
const LR: i32 = STATE + offset_of!(CpuState, lr) as i32;
const CTR: i32 = STATE + offset_of!(CpuState, ctr) as i32;
const NIP: i32 = STATE + offset_of!(CpuState, nip) as i32;
const VSR: i32 = STATE + offset_of!(CpuState, vsr) as i32;
const FPSCR: i32 = STATE + offset_of!(CpuState, fpscr) as i32;
const LAST: i32 = offset_of!(Core, words.last) as i32 - BIAS as i32;
const OPERANDS: i32 = offset_of!(Core, words.operands) as i32 - BIAS as i32;
const CONVERTED: i32 = offset_of!(Core, words.converted) as i32 - BIAS as i32;
const CONSTANTS: i32 = offset_of!(Core, words.constants) as i32 - BIAS as i32;
const SPRS: i32 = STATE + offset_of!(CpuState, spr) as i32;
const READ: i32 = offset_of!(Core, tlb.read) as i32 - BIAS as i32;
const WRITE: i32 = offset_of!(Core, tlb.write) as i32 - BIAS as i32;
const DATA: i32 = offset_of!(Core, tlb.data) as i32 - BIAS as i32;
const FETCH: i32 = offset_of!(Core, tlb.fetch) as i32 - BIAS as i32;
const FUEL: i32 = offset_of!(Core, words.fuel) as i32 - BIAS as i32;
const PAGE: i32 = offset_of!(Core, words.page) as i32 - BIAS as i32;
const BRANCH: i32 = offset_of!(Core, words.branch) as i32 - BIAS as i32;
const BRANCH_PAGE: i32 = offset_of!(Core, words.branch_page) as i32 - BIAS as i32;
const JUMPS: i32 = offset_of!(Core, words.jumps) as i32 - BIAS as i32;
/// The field that a compare sets to less, greater and equal, in this order, with SO.
const ORDERS: i32 = offset_of!(Core, words.orders) as i32 - BIAS as i32;
const STACK: i32 = offset_of!(Core, words.stack) as i32 - BIAS as i32;
const FLAGS: i32 = offset_of!(Core, words.flags) as i32 - BIAS as i32;

const RESERVED: i32 = offset_of!(Core, words.reserved) as i32 - BIAS as i32;
const RESERVED_AT: i32 = offset_of!(Core, words.reserved_at) as i32 - BIAS as i32;
const RESERVED_BYTES: i32 = offset_of!(Core, words.reserved_bytes) as i32 - BIAS as i32;
const RESERVED_VALUE: i32 = offset_of!(Core, words.reserved_value) as i32 - BIAS as i32;
const LARGE_READ: i32 = offset_of!(Core, tlb.large_read) as i32 - BIAS as i32;
const LARGE_WRITE: i32 = offset_of!(Core, tlb.large_write) as i32 - BIAS as i32;
const SITE: i32 = offset_of!(Core, words.site) as i32 - BIAS as i32;
const FILLED: i32 = offset_of!(Core, words.filled) as i32 - BIAS as i32;

/// The byte of CR bit `n`, from rbp.
fn cr_bit(n: usize) -> i32 {
    CR + Cr::place(n) as i32
}

/// The four bytes of CR field `n`, from rbp.
fn cr_field(n: usize) -> i32 {
    cr_bit(4 * n + 3)
}

/// An SPR without a field of its own, from rbp.
fn spr_at(n: usize) -> i32 {
    SPRS + 8 * n as i32
}

/// How the host's flags tell the order that a compare found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Signed,
    Unsigned,
}

/// What was compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compared {
    /// Two GPRs; doublewords if the first number is not zero.
    Registers(u32, usize, usize),
    /// A GPR and a constant.
    Constant(u32, usize, i32),
    /// Something that is not there any more.
    Gone,
}

/// What the host's flags show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shown {
    /// The CR fields that were set from them, a bit each.
    fields: u8,
    order: Order,
    compared: Compared,
}

/// Where a jump between blocks goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// Offset of the jump's distance in the code.
    pub at: u32,
    /// Offset of the code that asks for the link to be made.
    pub stub: u32,
    /// Offset of the tag that the target's page and context are compared with; 0 for a link inside the page.
    pub tag_at: u32,
    /// Word in the target page.
    pub slot: u16,
    /// Target page less this page, in pages.
    pub pages: i32,
}

/// Code that is not in the way of the usual.
enum Cold {
    /// The interpreter's function does the instruction; then on at `back`.
    Step { from: DynamicLabel, back: DynamicLabel, index: usize },
    /// A branch out of the middle, taken.
    Side { from: DynamicLabel, index: usize, target: i64 },
    /// The site at address `site` does not know the effective address, from which rcx is as far as from where the site was.
    Unknown { from: DynamicLabel, back: DynamicLabel, fallback: DynamicLabel, site: usize, look_up: usize },
    /// A scalar result that is not normal: fine if it is zero for a good reason. See [`float::Zero`].
    Zero(float::Zero),
    /// The same for a vector. See [`vector_float::Zeros`].
    Zeros(vector_float::Zeros),
    /// A return to elsewhere than where the last call came from; the address is in rax.
    Return { from: DynamicLabel, index: usize },
    /// Asks for link `number`.
    Ask { from: DynamicLabel, number: usize },
}

/// Emits one block.
pub struct Emitter<'a> {
    /// The assembler.
    pub a: VecAssembler<X64Relocation>,
    stubs: &'a Stubs,
    block: &'a [(u16, Decoded)],
    /// Index of the instruction being emitted.
    index: usize,
    little_endian: bool,
    class: Class,
    /// Floating-point templates are wanted.
    host_fp: bool,
    /// The edition has CA32.
    carry32: bool,
    core: &'a Core,
    cold: Vec<Cold>,
    links: Vec<Link>,
    /// Address of the next free site.
    site: usize,
    /// Where the code addresses a site: the end of the distance, which ends the instruction, and the address.
    distances: Vec<(usize, usize)>,
    /// Which CR fields the host's flags still show, and how.
    shown: Option<Shown>,
    /// The present template has left the flags alone.
    kept: bool,
    fallback: Option<DynamicLabel>,
    /// The host register of each guest register, if it has one in this block.
    host: [Option<u8>; 32],
    /// How often each guest register was used.
    uses: [u32; 32],
    /// Where `host` is not [`HOST`].
    exchanges: Vec<loops::Exchange>,
    /// The start of the block, if it is a loop with exchanges.
    head: Option<DynamicLabel>,
}

/// One block's code.
pub struct Code {
    /// To be placed where the assembler was told.
    pub bytes: Vec<u8>,
    /// The links out of it; their offsets are from the start of the code.
    pub links: Vec<Link>,
    /// Address of the first site that it does not use.
    pub site: usize,
    /// Instructions without a template.
    pub steps: u32,
}

/// What a block's code is made for.
#[derive(Clone, Copy)]
pub struct Place {
    /// Where the code will be.
    pub base: usize,
    /// The number of its first link.
    pub first_link: usize,
    /// The address of its first site.
    pub site: usize,
}

/// Emits `block`.
pub fn emit(c: &Core, stubs: &Stubs, place: Place, block: &[(u16, Decoded)]) -> Code {
    let (mut e, mut steps) = emit_with(c, stubs, place, block, Vec::new());
    // A loop of its own would go by a breakpoint at its start.
    if e.is_loop() && steps == 0 && !c.stops.cuts(usize::from(block[0].0)) {
        let exchanges = loops::choose(&e.uses);
        if !exchanges.is_empty() {
            (e, steps) = emit_with(c, stubs, place, block, exchanges);
        }
    }
    let mut bytes = e.a.finalize().expect("labels are bound and near");
    for l in &e.links {
        let distance = l.stub.wrapping_sub(l.at + 4);
        bytes[l.at as usize..][..4].copy_from_slice(&distance.to_le_bytes());
    }
    for (end, to) in &e.distances {
        let distance = to.wrapping_sub(place.base + end) as u32;
        bytes[end - 4..*end].copy_from_slice(&distance.to_le_bytes());
    }
    Code { bytes, links: e.links, site: e.site, steps }
}

/// Emits `block` with these exchanges; how many of its instructions have no template.
fn emit_with<'a>(
    c: &'a Core,
    stubs: &'a Stubs,
    place: Place,
    block: &'a [(u16, Decoded)],
    exchanges: Vec<loops::Exchange>,
) -> (Emitter<'a>, u32) {
    let Place { base, first_link, site } = place;
    let mut e = Emitter {
        a: VecAssembler::new_with_capacity(base, 128 * block.len() + 128, 0, 0, 64, 0, 64),
        stubs,
        block,
        index: 0,
        little_endian: c.little_endian,
        class: Class::of(c.msr),
        core: c,
        host_fp: c.words.host_fp,
        carry32: c.model.isa >= Isa::V3_0,
        cold: Vec::with_capacity(32),
        links: Vec::with_capacity(8),
        site,
        distances: Vec::with_capacity(32),
        shown: None,
        kept: false,
        fallback: None,
        host: HOST,
        uses: [0; 32],
        exchanges: Vec::new(),
        head: None,
    };
    e.exchange(exchanges);
    let steps = e.whole(first_link);
    (e, steps)
}

impl Emitter<'_> {
    fn whole(&mut self, first_link: usize) -> u32 {
        let n = self.block.len() as i32;
        let dry = self.a.new_dynamic_label();
        self.stop_here();
        self.take_over();
        if !self.exchanges.is_empty() {
            let head = self.a.new_dynamic_label();
            dynasm!(self.a ; =>head);
            self.head = Some(head);
        }
        dynasm!(self.a ; sub r15, n ; js =>dry);
        let mut steps = 0;
        let mut open = true;
        for index in 0..self.block.len() {
            self.index = index;
            let d = &self.block[index].1;
            let shown = self.shown;
            self.kept = false;
            let form = d.row.and_then(template).map_or(Form::Step, |t| t(self, d.op.insn));
            if self.shown == shown {
                let gone = |s| Shown { compared: Compared::Gone, ..s };
                self.shown = shown.filter(|_| self.kept).map(gone);
            }
            if form == Form::Step {
                self.shown = None;
                steps += 1;
                self.step(if d.ends { Then::Look } else { Then::GoOn });
            }
            open = !d.ends;
            if let Some(from) = self.fallback.take() {
                self.shown = None;
                let back = self.a.new_dynamic_label();
                dynasm!(self.a ; =>back);
                self.cold.push(Cold::Step { from, back, index });
            }
        }
        if open {
            let last = &self.block[self.block.len() - 1];
            let next = i64::from(last.0) + last.1.op.insn.len() as i64 / 4;
            self.go(next, None);
        }
        self.rest(first_link);
        let offset = i32::from(self.block[0].0) * 4;
        dynasm!(self.a ; =>dry ; add r15, n);
        self.hand_back();
        dynasm!(self.a ; mov ecx, offset ; jmp extern self.stubs.fuel);
        steps
    }

    /// Where a breakpoint has the offset of this block, goes back to the run loop if it is in this page.
    fn stop_here(&mut self) {
        let slot = self.block[0].0;
        for page in self.core.stops.pages(usize::from(slot)) {
            let offset = i32::from(slot) * 4;
            dynasm!(self.a
                ; mov rax, QWORD page as i64
                ; cmp rax, [rbp + PAGE]
                ; jne >elsewhere
                ; add rax, offset
                ; mov [rbp + NIP], rax
                ; mov eax, exec::LOOK as i32
                ; jmp extern self.stubs.leave
                ; elsewhere:
            );
        }
    }

    /// The cold code.
    fn rest(&mut self, first_link: usize) {
        let mut k = 0;
        while k < self.cold.len() {
            match self.cold[k] {
                Cold::Zero(z) => self.zero(z),
                Cold::Zeros(z) => self.zeros(z),
                Cold::Step { from, back, index } => {
                    self.index = index;
                    dynasm!(self.a ; =>from);
                    self.step(Then::GoOn);
                    dynasm!(self.a ; jmp =>back);
                }
                Cold::Side { from, index, target } => {
                    self.index = index;
                    let refund = self.refund() as i32;
                    dynasm!(self.a ; =>from ; add r15, refund);
                    self.go(target, Some(index));
                }
                Cold::Unknown { from, back, fallback, site, look_up } => {
                    dynasm!(self.a ; =>from ; lea rax, [rip + 0]);
                    self.near(site);
                    dynasm!(self.a ; call extern look_up);
                    match self.cold.get(k + 1) {
                        // It follows.
                        Some(Cold::Step { from, .. }) if *from == fallback => dynasm!(self.a ; je =>back),
                        _ => dynasm!(self.a ; jne =>fallback ; jmp =>back),
                    }
                }
                Cold::Return { from, index } => {
                    self.index = index;
                    dynasm!(self.a ; =>from);
                    self.go_indirect();
                }
                Cold::Ask { from, number } => {
                    dynasm!(self.a ; =>from);
                    self.links[number].stub = self.a.offset().0 as u32;
                    let why = exec::LINK as i32 + (first_link + number) as i32;
                    dynasm!(self.a ; mov eax, why ; jmp extern self.stubs.leave);
                }
            }
            k += 1;
        }
    }

    /// The instruction just emitted ends with the distance from rip to `at`.
    fn near(&mut self, at: usize) {
        self.distances.push((self.a.offset().0, at));
    }

    /// Fuel that the instructions after this one would have used.
    fn refund(&self) -> u32 {
        (self.block.len() - 1 - self.index) as u32
    }

    /// Calls the interpreter's function of the present instruction.
    fn step(&mut self, then: Then) {
        let (slot, d) = &self.block[self.index];
        let floats = if d.row.is_none_or(|r| r.facility != Facility::None) { exec::FLOATS } else { 0 };
        let position = (exec::position(u32::from(*slot) * 4, self.refund()) | floats) as i32;
        let run = exec::distance(d.op.run);
        let (prefixed, image) = (d.op.insn.is_prefixed(), d.op.insn.0);
        self.hand_back();
        dynasm!(self.a ; mov eax, position ; mov edx, run);
        if prefixed {
            let image = image as i64;
            dynasm!(self.a ; mov rcx, QWORD image);
        } else {
            let image = image as i32;
            dynasm!(self.a ; mov ecx, image);
        }
        match then {
            Then::GoOn => {
                dynasm!(self.a ; call extern self.stubs.step);
                self.take_over();
            }
            Then::Look => dynasm!(self.a ; jmp extern self.stubs.step_and_look),
        }
    }

    /// Goes on at word `target` of this page, or of another one; `branch` is the branch that goes there, for CFAR.
    fn go(&mut self, target: i64, branch: Option<usize>) {
        self.leave_for(target, branch, Leave::Jump);
    }

    /// As [`Emitter::go`]; a call comes back behind it.
    fn leave_for(&mut self, target: i64, branch: Option<usize>, leave: Leave) {
        self.hand_back();
        let number = self.links.len();
        let ask = self.a.new_dynamic_label();
        let from = branch.map(|index| i32::from(self.block[index].0) * 4);
        let (pages, slot) = (target.div_euclid(1024) as i32, target.rem_euclid(1024) as u16);
        let mut tag_at = 0;
        if pages == 0 {
            if let Some(from) = from {
                dynasm!(self.a ; mov DWORD [rbp + BRANCH], from);
            }
        } else {
            dynasm!(self.a ; mov rax, [rbp + PAGE]);
            self.leave_page(from);
            dynasm!(self.a ; add rax, pages << 12 ; mov rcx, rax ; or rcx, [rbp + FETCH]);
            dynasm!(self.a ; mov rdx, QWORD 0);
            tag_at = self.a.offset().0 as u32 - 8;
            dynasm!(self.a ; cmp rcx, rdx ; jne =>ask ; mov [rbp + PAGE], rax);
        }
        match leave {
            Leave::Jump => dynasm!(self.a ; .u8 0xe9 ; .i32 0),
            Leave::Call => dynasm!(self.a ; .u8 0xe8 ; .i32 0),
        }
        let at = self.a.offset().0 as u32 - 4;
        self.links.push(Link { at, stub: 0, tag_at, slot, pages });
        self.cold.push(Cold::Ask { from: ask, number });
    }

    /// Keeps what CFAR needs to know of this page, whose address is in rax, before another one is entered. Uses rcx.
    fn leave_page(&mut self, branch: Option<i32>) {
        if let Some(from) = branch {
            let from = from | crate::accel::interp::core::FAR_BRANCH as i32;
            dynasm!(self.a ; mov [rbp + BRANCH_PAGE], rax ; mov DWORD [rbp + BRANCH], from);
            return;
        }
        let far = crate::accel::interp::core::FAR_BRANCH as i32;
        dynasm!(self.a
            ; mov rcx, [rbp + BRANCH_PAGE]
            ; test DWORD [rbp + BRANCH], far
            ; cmovz rcx, rax
            ; mov [rbp + BRANCH_PAGE], rcx
            ; or DWORD [rbp + BRANCH], far
        );
    }

    /// The label to jump to for having the present instruction done by its interpreter function.
    pub fn fallback(&mut self) -> DynamicLabel {
        match self.fallback {
            Some(label) => label,
            None => {
                let label = self.a.new_dynamic_label();
                self.fallback = Some(label);
                label
            }
        }
    }

    /// Where VSR `n` is, from rbp: doubleword 0, then doubleword 1, each in the host's byte order.
    pub fn at_vsr(n: usize) -> i32 {
        VSR + 16 * n as i32
    }

    /// CR field `n` from the host's flags after a comparison. Uses rax; the flags stay.
    fn order(&mut self, n: usize, order: Order) {
        self.shown = None;
        self.order_of(n, order, Compared::Gone);
    }

    /// How the host's flags show CR field `n`, if they do.
    fn shown_order(&self, n: usize) -> Option<Order> {
        self.shown.filter(|s| s.fields >> n & 1 != 0).map(|s| s.order)
    }

    /// Whether the host's flags show this comparison.
    fn shows(&self, order: Order, compared: Compared) -> bool {
        self.shown.is_some_and(|s| s.order == order && s.compared == compared && compared != Compared::Gone)
    }

    /// As [`Emitter::order`]; the flags may have shown the same before.
    fn order_of(&mut self, n: usize, order: Order, compared: Compared) {
        let before = if self.shows(order, compared) { self.shown.map_or(0, |s| s.fields) } else { 0 };
        dynasm!(self.a ; mov eax, [rbp + ORDERS + 8]);
        match order {
            Order::Signed => dynasm!(self.a ; cmovl eax, [rbp + ORDERS] ; cmovg eax, [rbp + ORDERS + 4]),
            Order::Unsigned => dynasm!(self.a ; cmovb eax, [rbp + ORDERS] ; cmova eax, [rbp + ORDERS + 4]),
        }
        dynasm!(self.a ; mov [rbp + cr_field(n)], eax);
        self.shown = Some(Shown { fields: before | 1 << n, order, compared });
    }

    /// CR0 for the result in GPR `n`, if the instruction has its record bit on.
    fn record_gpr(&mut self, i: Insn, n: usize) {
        if i.rc() != 0 {
            self.test(n);
            self.order(0, Order::Signed);
        }
    }

    /// CR0 for a result that the host's flags show, as they do after its logical instructions, if the instruction has its record bit on.
    fn record_shown(&mut self, i: Insn) {
        if i.rc() != 0 {
            self.order(0, Order::Signed);
        }
    }

    /// CR0 for a result in `host`, if the instruction has its record bit on.
    fn record(&mut self, i: Insn, host: u8) {
        if i.rc() != 0 {
            dynasm!(self.a ; test Rq(host), Rq(host));
            self.order(0, Order::Signed);
        }
    }
}

/// How a block is left for another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    Jump,
    /// With the way back on the host's stack: see [`branch`].
    Call,
}

/// What follows the call of an interpreter function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    Look,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_has_a_row() {
        for (name, _) in CHAPTERS.iter().flat_map(|c| c.iter()) {
            assert!(crate::isa::table::rows().any(|r| r.name == *name), "template {name} has no row");
        }
    }
}
