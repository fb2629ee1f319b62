//! How other threads reach a vCPU in KVM_RUN: its interrupt line, and the kick.
//!
//! The line is a level; whoever moves it tells the kernel at once. Two may move it at the same time, so each looks, under a lock, at where it is
//! *now*: the last one to look is right. A kick sets `immediate_exit` and sends a signal to the thread, so it is lost neither before nor
//! during KVM_RUN; what it is for is in [`Signals`].

use crate::accel::kvm::ioctl::Arg;
use crate::accel::kvm::ioctl::Errno;
use crate::accel::kvm::ioctl::Kernel;
use crate::accel::kvm::ioctl::RunPage;
use crate::accel::kvm::ioctl::bytes;
use crate::accel::kvm::ioctl::interrupt;
use crate::accel::kvm::ioctl::this_thread;
use crate::accel::kvm::sys;
use crate::signal;
use crate::signal::Signals;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::SeqCst;

/// What a vCPU shares with whoever wants something of it.
pub struct Line {
    pub(super) kernel: Arc<dyn Kernel>,
    pub(super) fd: OwnedFd,
    pub(super) page: RunPage,
    /// The thread that is in, or about to enter, KVM_RUN; 0: none.
    thread: AtomicI32,
    /// What the kernel was last told of the line, or why it refused to hear it.
    level: Mutex<Result<bool, Errno>>,
}

/// Signals for which a vCPU leaves guest code.
const LEAVE: u32 = signal::KICK | signal::SYSTEM_RESET;

impl Line {
    /// The line is down.
    pub fn new(kernel: Arc<dyn Kernel>, fd: OwnedFd, page: RunPage) -> Line {
        Line { kernel, fd, page, thread: AtomicI32::new(0), level: Mutex::new(Ok(false)) }
    }

    /// Follows a change of the signals.
    pub fn follow(&self, signals: &Signals) {
        self.tell(signals);
        if signals.pending() & LEAVE != 0 {
            self.immediate_exit(1);
            let thread = self.thread.load(SeqCst);
            if thread != 0 {
                interrupt(thread);
            }
        }
    }

    /// Tells the kernel of the line.
    fn tell(&self, signals: &Signals) {
        let mut told = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let up = signals.pending() & signal::EXTERNAL != 0;
        if *told != Ok(up) {
            let mut what = if up { sys::INTERRUPT_SET_LEVEL } else { sys::INTERRUPT_UNSET };
            *told = self.kernel.call(self.fd.as_fd(), &sys::INTERRUPT, Arg::Bytes(bytes(&mut what))).map(|_| up);
        }
    }

    /// The vCPU's thread is about to enter KVM_RUN. What is up that it must leave for at once.
    ///
    /// # Errors
    /// The kernel does not take the interrupt line.
    pub fn enter(&self, signals: &Signals) -> Result<u32, Errno> {
        self.thread.store(this_thread(), SeqCst);
        self.immediate_exit(0);
        self.tell(signals);
        (*self.level.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(signals.pending() & LEAVE)
    }

    /// The vCPU's thread is out of KVM_RUN.
    pub fn leave(&self) {
        self.thread.store(0, SeqCst);
    }

    /// Makes KVM_RUN return at once, or not.
    pub fn immediate_exit(&self, value: u8) {
        self.page.u8(sys::run::IMMEDIATE_EXIT).store(value, SeqCst);
    }
}
