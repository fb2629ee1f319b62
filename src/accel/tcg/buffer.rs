//! Memory for translated code: one object mapped twice, once to be written and once to be executed, so that no page is ever both; and behind the executable view, near enough
//! for code to address it relative to itself, plain memory for the words that the code keeps.
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
    /// Bytes of plain memory behind the code.
    words: usize,
}

// SAFETY: the mappings belong to this value alone, and are unmapped with it.
unsafe impl Send for CodeBuffer {}

/// Maps all of `object`, anywhere or over what is mapped at `at`.
///
/// # Safety
/// `at` is null, or begins `size` bytes of a mapping that belongs to the caller and that nobody uses.
unsafe fn map(object: i32, size: usize, protection: i32, at: *mut u8) -> Result<*mut u8> {
    let flags = libc::MAP_SHARED | if at.is_null() { 0 } else { libc::MAP_FIXED };
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists; over another one it is the caller's.
    let at = unsafe { libc::mmap(at.cast(), size, protection, flags, object, 0) };
    if at == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(at.cast()) }
}

/// Maps plain memory.
fn map_plain(size: usize) -> Result<*mut u8> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let at = unsafe { libc::mmap(null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if at == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(at.cast()) }
}

impl CodeBuffer {
    /// A buffer of `size` bytes, with `words` bytes of plain memory behind it; both multiples of the host's page. The host gives memory as it is used.
    pub fn new(size: usize, words: usize) -> Result<CodeBuffer> {
        // SAFETY: the name is a C string.
        let object = unsafe { libc::memfd_create(NAME.as_ptr(), libc::MFD_CLOEXEC) };
        if object < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: `object` was just opened.
        let sized = if unsafe { libc::ftruncate(object, size as i64) } == 0 { Ok(()) } else { Err(Error::last_os_error()) };
        let views = sized.and_then(|()| {
            let execute = map_plain(size + words)?;
            let unmap = |_: &Error| {
                // SAFETY: mapped just now with this size; nobody knows of it.
                unsafe { libc::munmap(execute.cast(), size + words) };
            };
            // SAFETY: the first `size` bytes of the mapping just made.
            unsafe { map(object, size, libc::PROT_READ | libc::PROT_EXEC, execute) }.inspect_err(unmap)?;
            // SAFETY: anywhere.
            let write = unsafe { map(object, size, libc::PROT_READ | libc::PROT_WRITE, null_mut()) }.inspect_err(unmap)?;
            Ok((write, execute))
        });
        // SAFETY: opened here; the mappings keep the object.
        unsafe { libc::close(object) };
        views.map(|(write, execute)| CodeBuffer { write, execute, size, used: 0, words })
    }

    /// Where the plain memory begins, and its bytes.
    pub fn words(&self) -> (usize, usize) {
        (self.execute as usize + self.size, self.words)
    }

    /// Zeroes the word of plain memory at `address`.
    #[inline]
    pub fn zero_word(&mut self, address: usize) {
        let at = address.wrapping_sub(self.words().0);
        assert!(at < self.words && at.is_multiple_of(8), "a word behind the code");
        // SAFETY: inside the mapping, behind the code, as just tested.
        unsafe { self.execute.add(self.size + at).cast::<u64>().write(0) };
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
            libc::munmap(self.execute.cast(), self.size + self.words);
        }
    }
}
