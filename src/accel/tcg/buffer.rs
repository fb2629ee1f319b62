//! Memory for translated code: one object mapped twice, once to be written and once to be executed, so that no page is ever both.
// UNSAFETY: maps memory and copies code into it.
#![expect(unsafe_code, reason = "mmap, and copies into the mapping; see docs/safety.md")]

use std::ffi::CStr;
use std::io::Error;
use std::io::Result;
use std::ptr::null_mut;

/// The name of the object in `/proc/…/maps`.
const NAME: &CStr = c"spapr code";
/// Code begins at multiples of this.
const ALIGNMENT: usize = 16;

/// A run of code, appended to at its end and patched anywhere.
pub struct CodeBuffer {
    write: *mut u8,
    execute: *mut u8,
    size: usize,
    used: usize,
}

// SAFETY: the mappings belong to this value alone, and are unmapped with it.
unsafe impl Send for CodeBuffer {}

/// Maps all of `object`.
fn map(object: i32, size: usize, protection: i32) -> Result<*mut u8> {
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let at = unsafe { libc::mmap(null_mut(), size, protection, libc::MAP_SHARED, object, 0) };
    if at == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(at.cast()) }
}

impl CodeBuffer {
    /// A buffer of `size` bytes; the host gives memory as it is used.
    pub fn new(size: usize) -> Result<CodeBuffer> {
        // SAFETY: the name is a C string.
        let object = unsafe { libc::memfd_create(NAME.as_ptr(), libc::MFD_CLOEXEC) };
        if object < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: `object` was just opened.
        let sized = if unsafe { libc::ftruncate(object, size as i64) } == 0 { Ok(()) } else { Err(Error::last_os_error()) };
        let views = sized.and_then(|()| {
            let write = map(object, size, libc::PROT_READ | libc::PROT_WRITE)?;
            map(object, size, libc::PROT_READ | libc::PROT_EXEC).map(|execute| (write, execute)).inspect_err(|_| {
                // SAFETY: mapped just now with this size; nobody knows of it.
                unsafe { libc::munmap(write.cast(), size) };
            })
        });
        // SAFETY: opened here; the mappings keep the object.
        unsafe { libc::close(object) };
        views.map(|(write, execute)| CodeBuffer { write, execute, size, used: 0 })
    }

    /// Where the next code will be executed.
    pub fn next(&self) -> usize {
        self.execute as usize + self.used
    }

    /// The address at which the code at `offset` is executed.
    pub fn address(&self, offset: u32) -> usize {
        self.execute as usize + offset as usize
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes left.
    pub fn left(&self) -> usize {
        self.size - self.used
    }

    /// Forgets everything after the first `used` bytes.
    pub fn truncate(&mut self, used: usize) {
        self.used = self.used.min(used);
    }

    /// Appends `code`, which was made for [`CodeBuffer::next`]; its offset. There must be room.
    pub fn append(&mut self, code: &[u8]) -> u32 {
        let at = self.used;
        assert!(code.len() <= self.left(), "{} bytes of code do not fit", code.len());
        // SAFETY: the range lies inside the writable mapping, as just tested.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), self.write.add(at), code.len()) };
        self.used = (at + code.len()).next_multiple_of(ALIGNMENT).min(self.size);
        at as u32
    }

    /// Replaces bytes of code that this thread is not executing. They do not cross a cache line, or nobody executes them.
    pub fn patch(&mut self, at: u32, bytes: &[u8]) {
        assert!(at as usize + bytes.len() <= self.used, "a patch lies inside the code");
        // SAFETY: inside the writable mapping, as just tested.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.write.add(at as usize), bytes.len()) };
    }
}

impl Drop for CodeBuffer {
    fn drop(&mut self) {
        // SAFETY: both were mapped with this size, and code is executed only by whoever borrows the buffer.
        unsafe {
            libc::munmap(self.write.cast(), self.size);
            libc::munmap(self.execute.cast(), self.size);
        }
    }
}
