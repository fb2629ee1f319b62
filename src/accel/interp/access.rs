//! Guest memory as instructions see it: translated, in the guest's byte order, with precise faults.
// UNSAFETY: dereferences host pointers that the TLB made from checked real addresses.
#![expect(unsafe_code, reason = "host pointers from the software TLB; see docs/safety.md")]

use crate::accel::Exit;
use crate::accel::interp::Core;
use crate::accel::interp::Trap;
use crate::accel::interp::tlb;
use crate::accel::interp::tlb::Half;
use crate::accel::interp::tlb::PAGE_MASK;
use crate::cpu::interrupt::Interrupt;
use crate::cpu::state::Reservation;
use crate::isa::regs::Dsisr;
use crate::isa::vectors::Vector;
use crate::memory::FLAG_SHIFT;
use crate::mmu;
use crate::mmu::Access;
use crate::mmu::Fault;
use crate::mmu::Writable;
use crate::units::Ea;
use crate::units::Ra;
use crate::units::Width;
use portable_atomic::AtomicU128;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::atomic::compiler_fence;

/// Integers that loads and stores move.
pub trait Scalar: Copy + PartialEq + Sized {
    /// Bytes in storage.
    const BYTES: u64;
    /// Between bytes in storage read as a native integer and the value, for a little-endian guest.
    fn as_little_endian(self) -> Self;
    /// The same for a big-endian guest.
    fn as_big_endian(self) -> Self;
    /// From the low-order bytes of a wider integer.
    fn narrow(v: u128) -> Self;
    /// Zero-extended.
    fn widen(self) -> u128;
    /// Reads host memory.
    ///
    /// # Safety
    /// `p` is valid for `BYTES` bytes of guest RAM.
    unsafe fn read(p: *const u8) -> Self;
    /// Writes host memory.
    ///
    /// # Safety
    /// As for `read`.
    unsafe fn write(p: *mut u8, v: Self);
    /// Compares and swaps aligned host memory; the value found.
    ///
    /// # Safety
    /// As for `read`, and `p` is aligned to `BYTES`.
    unsafe fn exchange(p: *mut u8, old: Self, new: Self) -> Self;
}

macro_rules! scalar {
    ($($int:ty, $atomic:ty, $bytes:literal;)*) => {$(
        impl Scalar for $int {
            const BYTES: u64 = $bytes;
            #[inline(always)] fn as_little_endian(self) -> Self { <$int>::from_le(self) }
            #[inline(always)] fn as_big_endian(self) -> Self { <$int>::from_be(self) }
            #[inline(always)] fn narrow(v: u128) -> Self { v as $int }
            #[inline(always)] fn widen(self) -> u128 { u128::from(self) }
            #[inline(always)]
            unsafe fn read(p: *const u8) -> Self {
                if $bytes <= 8 && (p as usize).is_multiple_of($bytes) {
                    // SAFETY: valid by contract, aligned as just tested; single-copy atomic as the ISA wants of aligned accesses.
                    unsafe { <$atomic>::from_ptr(p.cast_mut().cast()) }.load(Ordering::Relaxed)
                } else {
                    // SAFETY: valid by contract. A racing guest store may tear it, which the architecture allows.
                    unsafe { p.cast::<$int>().read_unaligned() }
                }
            }
            #[inline(always)]
            unsafe fn write(p: *mut u8, v: Self) {
                if $bytes <= 8 && (p as usize).is_multiple_of($bytes) {
                    // SAFETY: as for reading.
                    unsafe { <$atomic>::from_ptr(p.cast()) }.store(v, Ordering::Relaxed);
                } else {
                    // SAFETY: as for reading.
                    unsafe { p.cast::<$int>().write_unaligned(v) };
                }
            }
            #[inline]
            unsafe fn exchange(p: *mut u8, old: Self, new: Self) -> Self {
                // SAFETY: valid and aligned by contract.
                match unsafe { <$atomic>::from_ptr(p.cast()) }.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst) {
                    Ok(v) | Err(v) => v,
                }
            }
        }
    )*};
}
scalar! { u8, AtomicU8, 1; u16, AtomicU16, 2; u32, AtomicU32, 4; u64, AtomicU64, 8; u128, AtomicU128, 16; }

/// Bytes noted together when a store is noted; what dcbz clears, too.
pub(in crate::accel) const LINE: usize = 128;

/// What was in RAM, by real address of its lines, before the first store to each.
pub(in crate::accel) type Overwritten = BTreeMap<u64, [u8; LINE]>;

/// Accesses outside RAM by the instruction that is being repeated: those already carried out, in order, and how many were used again.
///
/// An instruction that leaves RAM exits, is answered, and runs again from its start; what it asked for before is answered from here.
#[derive(Default)]
pub struct Mmio {
    pub(super) done: Vec<u64>,
    pub(super) used: usize,
}

impl Core {
    /// Loads from `ea`.
    #[inline(always)]
    pub fn load<T: Scalar>(&mut self, ea: u64) -> Result<T, Trap> {
        let ea = ea & self.ea_mask;
        let e = self.tlb.read[tlb::index(ea)];
        let raw = if e.tag == (ea.wrapping_add(T::BYTES - 1) & PAGE_MASK) | self.tlb.data {
            // SAFETY: the tag says that the whole access lies in a page of RAM mapped at this distance.
            unsafe { T::read(ea.wrapping_add(e.delta) as *const u8) }
        } else {
            self.load_slow(ea)?
        };
        Ok(if self.little_endian { raw.as_little_endian() } else { raw.as_big_endian() })
    }

    /// Stores to `ea`.
    #[inline(always)]
    pub fn store<T: Scalar>(&mut self, ea: u64, value: T) -> Result<(), Trap> {
        let ea = ea & self.ea_mask;
        let raw = if self.little_endian { value.as_little_endian() } else { value.as_big_endian() };
        let e = self.tlb.write[tlb::index(ea)];
        if e.tag == (ea.wrapping_add(T::BYTES - 1) & PAGE_MASK) | self.tlb.data {
            let host = ea.wrapping_add(e.delta) as *mut u8;
            // SAFETY: as for loads; write entries exist only for pages that may be stored to.
            unsafe { T::write(host, raw) };
            self.note(host, T::BYTES);
            Ok(())
        } else {
            self.store_slow(ea, raw)
        }
    }

    /// Looks at the page's flags after a store through `host`.
    #[inline(always)]
    fn note(&mut self, host: *mut u8, len: u64) {
        let ra = host as u64 - self.tlb.memory.base() as u64;
        // The look follows the store in program order; that the processor keeps it too is what `Partition::settle` waits for.
        compiler_fence(Ordering::SeqCst);
        if self.tlb.memory.flags()[(ra >> FLAG_SHIFT) as usize].load(Ordering::Relaxed) != 0 {
            self.code_changed |= self.tlb.memory.stored(Ra(ra), len);
        }
    }

    #[cold]
    fn load_slow<T: Scalar>(&mut self, ea: u64) -> Result<T, Trap> {
        self.watch(ea, T::BYTES, Access::Load)?;
        let mut bytes = [0u8; 16];
        let n = T::BYTES as usize;
        for (from, len) in pieces(ea, T::BYTES) {
            let at = (from.wrapping_sub(ea)) as usize;
            match self.resolve(from & self.ea_mask, Access::Load)? {
                Place::Ram(host) => {
                    for (k, b) in bytes[at..at + len as usize].iter_mut().enumerate() {
                        // SAFETY: `host` is the RAM page of `from`; the piece does not leave it.
                        *b = unsafe { host.add(k).read_volatile() };
                    }
                    if len == T::BYTES {
                        // SAFETY: as above, for the whole access at once, so that aligned accesses stay single-copy atomic.
                        return Ok(unsafe { T::read(host) });
                    }
                }
                Place::Device(ra) => self.device_load(ra, &mut bytes[at..at + len as usize])?,
            }
        }
        let mut v = 0u128;
        for (k, b) in bytes[..n].iter().enumerate() {
            let shift = if cfg!(target_endian = "little") { 8 * k } else { 8 * (n - 1 - k) };
            v |= u128::from(*b) << shift;
        }
        Ok(T::narrow(v))
    }

    #[cold]
    fn store_slow<T: Scalar>(&mut self, ea: u64, raw: T) -> Result<(), Trap> {
        self.watch(ea, T::BYTES, Access::Store)?;
        let n = T::BYTES as usize;
        let bytes: [u8; 16] = std::array::from_fn(|k| {
            let shift = if cfg!(target_endian = "little") { 8 * k } else { 8 * (n - 1).saturating_sub(k) };
            if k < n { (raw.widen() >> shift) as u8 } else { 0 }
        });
        // All pieces are translated before the first byte is stored: a fault leaves storage as it was.
        for (from, _) in pieces(ea, T::BYTES) {
            self.resolve(from & self.ea_mask, Access::Store)?;
        }
        for (from, len) in pieces(ea, T::BYTES) {
            let at = (from.wrapping_sub(ea)) as usize;
            match self.resolve(from & self.ea_mask, Access::Store)? {
                Place::Ram(host) if len == T::BYTES => {
                    // SAFETY: `host` is the RAM page of `from`, writable; the access does not leave it.
                    unsafe { T::write(host, raw) };
                    self.note(host, len);
                }
                Place::Ram(host) => {
                    for (k, b) in bytes[at..at + len as usize].iter().enumerate() {
                        // SAFETY: as above, byte by byte.
                        unsafe { host.add(k).write_volatile(*b) };
                    }
                    self.note(host, len);
                }
                Place::Device(ra) => self.device_store(ra, &bytes[at..at + len as usize])?,
            }
        }
        Ok(())
    }

    /// Where `ea` lies; fills the TLB if that is RAM.
    fn resolve(&mut self, ea: u64, access: Access) -> Result<Place, Trap> {
        let e = match access {
            Access::Store => self.tlb.write[tlb::index(ea)],
            Access::Load | Access::Fetch => self.tlb.read[tlb::index(ea)],
        };
        if e.tag == (ea & PAGE_MASK) | self.tlb.data {
            return Ok(Place::Ram(ea.wrapping_add(e.delta) as *mut u8));
        }
        let half = if access == Access::Store { Half::Write } else { Half::Read };
        if let Some(delta) = self.tlb.refill(ea, half) {
            return Ok(Place::Ram(ea.wrapping_add(delta) as *mut u8));
        }
        let cx = mmu::Context { state: self, model: self.model, partition: &self.partition };
        let mut t = match mmu::translate(&cx, Ea(ea), access) {
            Ok(t) => t,
            Err(fault) => return Err(self.fault(ea, access, fault)),
        };
        let page = Ra(t.ra.0 & PAGE_MASK);
        let Some(host) = self.tlb.memory.host(page, 1 << tlb::PAGE_SHIFT) else {
            return Ok(Place::Device(t.ra));
        };
        let delta = (host as u64).wrapping_sub(ea & PAGE_MASK);
        if self.overwritten.is_some() {
            if access == Access::Store {
                self.note_lines(t.ra);
            }
            return Ok(Place::Ram(ea.wrapping_add(delta) as *mut u8));
        }
        match self.stops.near(ea) {
            // Each of its accesses comes here.
            (true, _) => return Ok(Place::Ram(ea.wrapping_add(delta) as *mut u8)),
            (false, true) => t.page_shift = tlb::PAGE_SHIFT,
            (false, false) => {}
        }
        self.tlb.fill(ea, half, delta, &t);
        if access == Access::Load && t.writable == Writable::Yes {
            self.tlb.fill(ea, Half::Write, delta, &t);
        }
        Ok(Place::Ram(ea.wrapping_add(delta) as *mut u8))
    }

    /// Notes what is where a store at `ra` may reach in its page.
    fn note_lines(&mut self, ra: Ra) {
        let first = ra.0 & !(LINE as u64 - 1);
        let memory = self.tlb.memory.clone();
        let Some(log) = &mut self.overwritten else { return };
        for at in [first, first + LINE as u64].into_iter().filter(|at| at & PAGE_MASK == ra.0 & PAGE_MASK) {
            log.entry(at).or_insert_with(|| {
                let mut line = [0; LINE];
                memory.read(Ra(at), &mut line).expect("a page that was translated to is in RAM");
                line
            });
        }
    }

    /// Leaves before an access that the user watches. Watched pages are not in the TLB.
    fn watch(&mut self, ea: u64, len: u64, access: Access) -> Result<(), Trap> {
        if self.stops.watches(ea, len, access) {
            return Err(self.exit(Exit::Watchpoint { at: Ea(ea), bytes: len as u8, access }));
        }
        Ok(())
    }

    /// The interrupt for a failed data access at `ea`.
    #[cold]
    pub(super) fn fault(&mut self, ea: u64, access: Access, fault: Fault) -> Trap {
        let store = if access == Access::Store && fault.vector == Vector::DataStorage { Dsisr::STORE } else { 0 };
        self.raise(match access {
            Access::Fetch => Interrupt::new(fault.vector, fault.status),
            Access::Load | Access::Store if fault.vector == Vector::DataSegment => {
                Interrupt { dsisr: None, ..Interrupt::data(fault.vector, ea, 0) }
            }
            Access::Load | Access::Store => Interrupt::data(fault.vector, ea, fault.status | store),
        })
    }

    /// An alignment interrupt for `ea`.
    #[cold]
    pub fn misaligned(&mut self, ea: u64) -> Trap {
        self.raise(Interrupt { dsisr: None, ..Interrupt::data(Vector::Alignment, ea, 0) })
    }

    fn device_load(&mut self, ra: Ra, to: &mut [u8]) -> Result<(), Trap> {
        // Vectors and split accesses reach devices in naturally sized pieces.
        let n = to.len();
        for (at, len) in naturals(ra.0, n) {
            let v = self.device_answer(|width, ra| Exit::MmioRead { at: ra, width }, Ra(ra.0 + at as u64), len)?;
            to[at..at + len].copy_from_slice(&v.to_be_bytes()[8 - len..]);
        }
        Ok(())
    }

    fn device_store(&mut self, ra: Ra, from: &[u8]) -> Result<(), Trap> {
        for (at, len) in naturals(ra.0, from.len()) {
            let value = from[at..at + len].iter().fold(0, |v, b| (v << 8) | u64::from(*b));
            self.device_answer(|width, ra| Exit::MmioWrite { at: ra, width, value }, Ra(ra.0 + at as u64), len)?;
        }
        Ok(())
    }

    fn device_answer(&mut self, exit: impl Fn(Width, Ra) -> Exit, ra: Ra, len: usize) -> Result<u64, Trap> {
        if let Some(v) = self.mmio.done.get(self.mmio.used).copied() {
            self.mmio.used += 1;
            return Ok(v);
        }
        let width = Width::of(len as u64).expect("natural pieces have a width");
        Err(self.exit(exit(width, ra)))
    }

    /// The host address of an aligned RAM operand that will be stored to; outside RAM a data storage interrupt, as for a wrong kind of storage.
    fn atomic_place(&mut self, ea: u64, bytes: u64, access: Access) -> Result<*mut u8, Trap> {
        let ea = ea & self.ea_mask;
        if !ea.is_multiple_of(bytes) {
            return Err(self.misaligned(ea));
        }
        self.watch(ea, bytes, access)?;
        match self.resolve(ea, access)? {
            Place::Ram(host) => Ok(host),
            Place::Device(_) => Err(self.fault(ea, access, Fault { vector: Vector::DataStorage, status: Dsisr::BADACCESS })),
        }
    }

    fn guest_order<T: Scalar>(&self, raw: T) -> T {
        if self.little_endian { raw.as_little_endian() } else { raw.as_big_endian() }
    }

    /// Loads an aligned operand atomically, 16 bytes too (lq).
    pub fn load_atomic<T: Scalar>(&mut self, ea: u64) -> Result<T, Trap> {
        let host = self.atomic_place(ea, T::BYTES, Access::Load)?;
        if T::BYTES <= 8 {
            // SAFETY: `host` is an aligned RAM operand.
            return Ok(self.guest_order(unsafe { T::read(host) }));
        }
        // SAFETY: aligned by `atomic_place`; x86-64 and POWER hosts load 16 bytes atomically through this type.
        let raw = unsafe { AtomicU128::from_ptr(host.cast()) }.load(Ordering::SeqCst);
        Ok(self.guest_order(T::narrow(raw)))
    }

    /// Stores an aligned operand atomically, 16 bytes too (stq).
    pub fn store_atomic<T: Scalar>(&mut self, ea: u64, value: T) -> Result<(), Trap> {
        let host = self.atomic_place(ea, T::BYTES, Access::Store)?;
        let raw = self.guest_order(value);
        if T::BYTES <= 8 {
            // SAFETY: `host` is an aligned, writable RAM operand.
            unsafe { T::write(host, raw) };
        } else {
            // SAFETY: as above.
            unsafe { AtomicU128::from_ptr(host.cast()) }.store(raw.widen(), Ordering::SeqCst);
        }
        self.note(host, T::BYTES);
        Ok(())
    }

    /// Load and reserve (ISA II, lbarx … lqarx).
    pub fn load_reserve<T: Scalar>(&mut self, ea: u64) -> Result<T, Trap> {
        let value = self.load_atomic::<T>(ea)?;
        self.reservation = Some(Reservation { ea: ea & self.ea_mask, bytes: T::BYTES as u8, value: self.guest_order(value).widen() });
        Ok(value)
    }

    /// Store conditional: whether it stored. The reservation is gone in either case (ISA II, stbcx. … stqcx.).
    pub fn store_conditional<T: Scalar>(&mut self, ea: u64, value: T) -> Result<bool, Trap> {
        let host = self.atomic_place(ea, T::BYTES, Access::Store)?;
        let Some(r) = self.reservation.take() else { return Ok(false) };
        if r.ea != ea & self.ea_mask || u64::from(r.bytes) != T::BYTES {
            return Ok(false);
        }
        let (old, new) = (T::narrow(r.value), self.guest_order(value));
        // SAFETY: aligned, writable RAM operand.
        let done = unsafe { T::exchange(host, old, new) } == old;
        if done {
            self.note(host, T::BYTES);
        }
        Ok(done)
    }

    /// Replaces an aligned operand by `f` of it, atomically; gives the old value (ISA 3.0, lwat, stdat …).
    pub fn update_atomic<T: Scalar>(&mut self, ea: u64, f: impl Fn(T) -> T) -> Result<T, Trap> {
        let host = self.atomic_place(ea, T::BYTES, Access::Store)?;
        loop {
            // SAFETY: aligned, writable RAM operand.
            let raw = unsafe { T::read(host) };
            let new = self.guest_order(f(self.guest_order(raw)));
            // SAFETY: as above.
            if unsafe { T::exchange(host, raw, new) } == raw {
                self.note(host, T::BYTES);
                return Ok(self.guest_order(raw));
            }
        }
    }

    /// Zeroes the aligned block of `bytes` (a power of two up to 4096) around `ea` (dcbz).
    pub fn zero_block(&mut self, ea: u64, bytes: u64) -> Result<(), Trap> {
        let ea = (ea & self.ea_mask) & !(bytes - 1);
        self.watch(ea, bytes, Access::Store)?;
        match self.resolve(ea, Access::Store)? {
            Place::Ram(host) => {
                // SAFETY: the block is aligned and so does not leave its RAM page.
                unsafe { std::ptr::write_bytes(host, 0, bytes as usize) };
                self.note(host, bytes);
                Ok(())
            }
            // dcbz to cache-inhibited storage is an alignment interrupt (ISA II, dcbz).
            Place::Device(_) => Err(self.misaligned(ea)),
        }
    }

    /// Acts as if `ea` had just been stored to, as far as decoded code is concerned; faults like a load.
    pub fn forget_code(&mut self, ea: u64) -> Result<(), Trap> {
        if let Place::Ram(host) = self.resolve(ea & self.ea_mask, Access::Load)? {
            self.note(host, 1);
        }
        Ok(())
    }

    /// Whether `ea` may be accessed, without accessing it; faults like the access would.
    pub fn probe(&mut self, ea: u64, access: Access) -> Result<(), Trap> {
        self.resolve(ea & self.ea_mask, access).map(|_| ())
    }
}

/// Where a translated address lies.
enum Place {
    /// Host address of the byte.
    Ram(*mut u8),
    /// Not RAM.
    Device(Ra),
}

/// An access cut at page boundaries: start and length of each piece (at most two).
fn pieces(ea: u64, bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let first = bytes.min(0x1000 - (ea & 0xfff));
    [(ea, first), (ea.wrapping_add(first), bytes - first)].into_iter().filter(|(_, n)| *n > 0)
}

/// A run of `n` bytes at `ra` cut into naturally aligned accesses: offset and length of each.
fn naturals(ra: u64, n: usize) -> Vec<(usize, usize)> {
    let mut v = Vec::new();
    let mut at = 0;
    while at < n {
        let mut len = 8;
        while len > n - at || !(ra + at as u64).is_multiple_of(len as u64) {
            len /= 2;
        }
        v.push((at, len));
        at += len;
    }
    v
}
