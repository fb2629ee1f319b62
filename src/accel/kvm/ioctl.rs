//! The system calls: everything that KVM's interface has of raw pointers, behind functions that cannot be called wrongly.
//!
//! [`Kernel`] is what the accelerator asks; [`Host`] is the real one and `script::Script` the recorded one. A structure goes as bytes, whose number is
//! checked against the call's; a register, a RAM slot and a dirty bitmap, whose structures hold pointers, have their own kind of [`Arg`].
// UNSAFETY: ioctl, mmap and signals are the kernel's interface; each is wrapped here so that pointers live long enough and sizes fit.
#![expect(unsafe_code, reason = "KVM is driven by system calls; see docs/safety.md")]

use crate::accel::kvm::irqchip;
use crate::accel::kvm::sys;
use crate::accel::kvm::sys::Op;
use crate::memory::GuestMemory;
use crate::units::Ra;
use std::fs::File;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;

/// What the kernel says when it refuses.
pub type Errno = i32;

/// The argument of a call.
pub enum Arg<'a> {
    /// None.
    None,
    /// A number.
    Value(u64),
    /// A structure that holds no pointer.
    Bytes(&'a mut [u8]),
    /// A register ([`sys::OneReg`]), in the host's byte order.
    OneReg {
        /// Its number.
        id: u64,
        /// As many bytes as the number says.
        value: &'a mut [u8],
    },
    /// RAM of the guest ([`sys::MemoryRegion`]).
    Memory {
        /// Slot.
        slot: u32,
        /// Flags.
        flags: u32,
        /// The RAM, from guest real address 0.
        memory: &'a GuestMemory,
    },
    /// Pages of a slot that were written ([`sys::DirtyLog`]).
    Dirty {
        /// Slot.
        slot: u32,
        /// One bit a page of the host's, for the whole slot.
        bitmap: &'a mut [u64],
    },
    /// A device to be made ([`irqchip::CreateDevice`]), for [`Kernel::create`].
    Device {
        /// `KVM_DEV_TYPE_…`.
        kind: u32,
    },
    /// An attribute of a device ([`irqchip::DeviceAttr`]).
    Attr {
        /// Its group.
        group: u32,
        /// Its number in the group.
        attr: u64,
        /// Its value.
        value: &'a mut u64,
    },
}

/// Whom the accelerator asks. Calls that give a file descriptor go through [`Kernel::create`].
pub trait Kernel: Send + Sync {
    /// Opens /dev/kvm.
    fn open(&self) -> Result<OwnedFd, Errno>;
    /// A call that gives a number.
    fn call(&self, fd: BorrowedFd<'_>, op: &'static Op, arg: Arg<'_>) -> Result<i32, Errno>;
    /// A call that gives a file descriptor.
    fn create(&self, fd: BorrowedFd<'_>, op: &'static Op, arg: Arg<'_>) -> Result<OwnedFd, Errno>;
    /// Reads from a file that a call gave; how many bytes.
    fn read(&self, fd: BorrowedFd<'_>, to: &mut [u8]) -> Result<usize, Errno>;
    /// Writes to one; how many bytes were taken.
    fn write(&self, fd: BorrowedFd<'_>, from: &[u8]) -> Result<usize, Errno>;
    /// The page that a vcpu shares with us.
    fn map(&self, vcpu: BorrowedFd<'_>, bytes: usize) -> Result<RunPage, Errno>;
    /// The host's timebase.
    fn timebase(&self) -> u64;
}

fn errno() -> Errno {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// A structure of [`sys`]: `repr(C)` without padding, so that it is its bytes.
///
/// # Safety
/// Every byte of the type belongs to a field, and every pattern of bytes is a value.
pub unsafe trait Plain: Copy {}
macro_rules! plain {
    ($($name:ident)*) => { $(
        // SAFETY: integers and arrays of integers, whose sizes add up (asserted in sys).
        unsafe impl Plain for sys::$name {}
    )* };
}
plain! { Regs Sregs EnableCap MmuV3 HtabFd ResizeHpt CpuChar SmmuInfo }
// SAFETY: integers and arrays of integers, whose sizes add up (asserted in irqchip).
unsafe impl Plain for irqchip::IrqLevel {}
// SAFETY: as above.
unsafe impl Plain for irqchip::RtasToken {}
// SAFETY: an integer.
unsafe impl Plain for u32 {}

/// A structure as its bytes.
pub fn bytes<T: Plain>(of: &mut T) -> &mut [u8] {
    // SAFETY: `Plain` types are exactly their bytes, and the borrow is exclusive.
    unsafe { std::slice::from_raw_parts_mut(std::ptr::from_mut(of).cast(), size_of::<T>()) }
}

/// The kernel that we run on.
#[derive(Debug)]
pub struct Host;

impl Host {
    fn raw(&self, fd: BorrowedFd<'_>, op: &'static Op, arg: Arg<'_>) -> Result<i32, Errno> {
        // Other architectures' kernels number their calls differently, and mean other things by them.
        if !cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
            return Err(libc::ENOTTY);
        }
        let pointer: *mut libc::c_void;
        let (mut one, mut region, mut log, mut of_device);
        let mut device = irqchip::CreateDevice { kind: 0, fd: 0, flags: 0 };
        match arg {
            Arg::None => pointer = std::ptr::null_mut(),
            Arg::Value(v) => pointer = v as usize as *mut libc::c_void,
            Arg::Bytes(b) => {
                assert_eq!(b.len(), op.size, "{} takes so many bytes", op.name);
                pointer = b.as_mut_ptr().cast();
            }
            Arg::OneReg { id, value } => {
                assert_eq!(value.len(), sys::reg_bytes(id), "register {id:#x} has so many bytes");
                one = sys::OneReg { id, addr: value.as_mut_ptr() as u64 };
                pointer = std::ptr::from_mut(&mut one).cast();
            }
            Arg::Memory { slot, flags, memory } => {
                let base = memory.host(Ra(0), memory.size()).ok_or(libc::EFAULT)?;
                region = sys::MemoryRegion { slot, flags, guest_phys_addr: 0, memory_size: memory.size(), userspace_addr: base as u64 };
                pointer = std::ptr::from_mut(&mut region).cast();
            }
            Arg::Device { kind } => {
                device.kind = kind;
                pointer = std::ptr::from_mut(&mut device).cast();
            }
            Arg::Attr { group, attr, value } => {
                of_device = irqchip::DeviceAttr { flags: 0, group, attr, addr: std::ptr::from_mut(value) as u64 };
                pointer = std::ptr::from_mut(&mut of_device).cast();
            }
            Arg::Dirty { slot, bitmap } => {
                log = sys::DirtyLog { slot, pad: 0, bitmap: bitmap.as_mut_ptr() as u64 };
                pointer = std::ptr::from_mut(&mut log).cast();
            }
        }
        // SAFETY: `pointer` is null, a number, or points to a live structure of the size that the number encodes; what that structure points to
        // lives as long as the call, except RAM, which whoever maps it keeps for as long as the VM (`vm::KvmVm`).
        let done = unsafe { libc::ioctl(fd.as_raw_fd(), op.request() as _, pointer) };
        match done {
            ..0 => Err(errno()),
            // Its descriptor comes in the structure.
            _ if *op == sys::CREATE_DEVICE => Ok(device.fd as i32),
            _ => Ok(done),
        }
    }
}

impl Kernel for Host {
    fn open(&self) -> Result<OwnedFd, Errno> {
        let file = File::options().read(true).write(true).open("/dev/kvm");
        file.map(OwnedFd::from).map_err(|e| e.raw_os_error().unwrap_or(libc::EIO))
    }

    fn call(&self, fd: BorrowedFd<'_>, op: &'static Op, arg: Arg<'_>) -> Result<i32, Errno> {
        self.raw(fd, op, arg)
    }

    fn create(&self, fd: BorrowedFd<'_>, op: &'static Op, arg: Arg<'_>) -> Result<OwnedFd, Errno> {
        let new = self.raw(fd, op, arg)?;
        // SAFETY: the kernel just made this descriptor for us, and nobody else knows of it.
        Ok(unsafe { OwnedFd::from_raw_fd(new) })
    }

    fn read(&self, fd: BorrowedFd<'_>, to: &mut [u8]) -> Result<usize, Errno> {
        rustix::io::read(fd, to).map_err(rustix::io::Errno::raw_os_error)
    }

    fn write(&self, fd: BorrowedFd<'_>, from: &[u8]) -> Result<usize, Errno> {
        rustix::io::write(fd, from).map_err(rustix::io::Errno::raw_os_error)
    }

    fn map(&self, vcpu: BorrowedFd<'_>, bytes: usize) -> Result<RunPage, Errno> {
        RunPage::new(Some(vcpu), bytes)
    }

    fn timebase(&self) -> u64 {
        timebase()
    }
}

/// `struct kvm_run`: memory that the kernel and we share. Its fields are read and written as atomics.
#[derive(Debug)]
pub struct RunPage {
    base: *mut u8,
    bytes: usize,
}

// SAFETY: the mapping lives as long as the value, and every access through it is atomic.
unsafe impl Send for RunPage {}
// SAFETY: as above.
unsafe impl Sync for RunPage {}

impl RunPage {
    /// Maps the page of a vcpu, or, without one, memory that only we see (for a recorded kernel).
    pub fn new(vcpu: Option<BorrowedFd<'_>>, bytes: usize) -> Result<RunPage, Errno> {
        if bytes < sys::run::UNION + 256 {
            return Err(libc::EINVAL);
        }
        let flags = libc::MAP_SHARED | if vcpu.is_none() { libc::MAP_ANONYMOUS } else { 0 };
        let fd = vcpu.map_or(-1, |fd| fd.as_raw_fd());
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, fd, 0) };
        if base == libc::MAP_FAILED { Err(errno()) } else { Ok(RunPage { base: base.cast(), bytes }) }
    }

    fn at(&self, offset: usize, size: usize) -> *mut u8 {
        assert!(offset.is_multiple_of(size) && offset + size <= self.bytes, "fields of kvm_run lie in its page");
        // SAFETY: just checked to lie inside the mapping.
        unsafe { self.base.add(offset) }
    }

    /// A byte.
    pub fn u8(&self, offset: usize) -> &AtomicU8 {
        // SAFETY: inside the mapping, which lives as long as the borrow; the kernel writes it only during our own calls or as single bytes.
        unsafe { AtomicU8::from_ptr(self.at(offset, 1)) }
    }

    /// A 32-bit field.
    pub fn u32(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: as above, and aligned.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    /// A 64-bit field.
    pub fn u64(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: as above, and aligned.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }
    }
}

impl Drop for RunPage {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.base.cast(), self.bytes) };
    }
}

/// The signal that ends KVM_RUN: a real-time one that nobody handles yet, with a handler that does nothing.
fn signal() -> libc::c_int {
    static SIGNAL: OnceLock<libc::c_int> = OnceLock::new();
    extern "C" fn nothing(_: libc::c_int) {}
    *SIGNAL.get_or_init(|| {
        let free = |s: &libc::c_int| {
            // SAFETY: sigaction with a null new action only reads into a structure of ours.
            unsafe {
                let mut old: libc::sigaction = std::mem::zeroed();
                libc::sigaction(*s, std::ptr::null(), &raw mut old) == 0 && old.sa_sigaction == libc::SIG_DFL
            }
        };
        let chosen = (libc::SIGRTMIN() + 2..libc::SIGRTMAX()).find(free).unwrap_or(libc::SIGUSR2);
        // SAFETY: the handler does nothing, so it may run anywhere. Without SA_RESTART, KVM_RUN returns.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
            libc::sigaction(chosen, &raw const action, std::ptr::null_mut());
        }
        chosen
    })
}

/// This thread's number, ready to be interrupted.
pub fn this_thread() -> i32 {
    let signal = signal();
    // SAFETY: a signal set of ours, and this thread's own mask.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::gettid()
    }
}

/// Ends the KVM_RUN that a thread of this process is in. A number that is no thread's any more does nothing.
pub fn interrupt(thread: i32) {
    // SAFETY: plain system call with numbers; the signal's handler does nothing.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal()) };
}

/// The host's timebase. Stable Rust has no name for `mftb` on every version we build with, so the two instructions are put into a page of their own.
#[cfg(all(target_arch = "powerpc64", target_endian = "little"))]
fn timebase() -> u64 {
    static READ: OnceLock<extern "C" fn() -> u64> = OnceLock::new();
    READ.get_or_init(|| {
        // mftb r3; blr
        const CODE: [u32; 2] = [0x7c6c_42a6, 0x4e80_0020];
        // SAFETY: a page of our own gets two instructions and then becomes executable; nobody writes it again. mprotect returns through rfid,
        // which synchronises instruction fetch, and POWER8 and later keep instruction and data caches coherent.
        unsafe {
            let bytes = 1 << 16;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let page = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
            assert!(page != libc::MAP_FAILED, "there is memory for one page");
            std::ptr::copy_nonoverlapping(CODE.as_ptr(), page.cast(), CODE.len());
            assert!(libc::mprotect(page, bytes, libc::PROT_READ | libc::PROT_EXEC) == 0, "code may be made in this process");
            std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> u64>(page)
        }
    })()
}

/// A stand-in with the same rate.
#[cfg(not(all(target_arch = "powerpc64", target_endian = "little")))]
fn timebase() -> u64 {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    crate::clock::ticks(START.get_or_init(std::time::Instant::now).elapsed())
}

/// Bytes of a page of the host's.
pub fn page_bytes() -> u64 {
    // SAFETY: a question without pointers.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}
