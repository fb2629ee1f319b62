//! Non-volatile memory: bytes that survive a reboot, read and written by RTAS calls (PAPR nvram-fetch, nvram-store).

use crate::dev::Device;
use crate::dev::ResetKind;
use crate::error::Error;
use crate::error::Result;

/// Smallest size in bytes.
pub const BYTES_MIN: usize = 8 << 10;
/// Largest size in bytes.
pub const BYTES_MAX: usize = 1 << 20;
/// Size in bytes unless the user says otherwise.
pub const BYTES_DEFAULT: usize = 64 << 10;

/// The guest asked for bytes that are not there (RTAS −3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange;

/// The memory.
pub struct Nvram {
    bytes: Vec<u8>,
}

impl Nvram {
    /// Memory that starts with these bytes; its size is theirs.
    ///
    /// # Errors
    /// The size is not between 8 KiB and 1 MiB.
    pub fn new(bytes: Vec<u8>) -> Result<Nvram> {
        if !(BYTES_MIN..=BYTES_MAX).contains(&bytes.len()) {
            let problem = format!("{} bytes are not between {BYTES_MIN} and {BYTES_MAX}", bytes.len());
            return Err(Error::config("nvram", problem, format!("use a file of {BYTES_DEFAULT} bytes, or leave nvram out")));
        }
        Ok(Nvram { bytes })
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// nvram-fetch: `len` bytes from `offset`.
    ///
    /// # Errors
    /// They are not all there.
    pub fn fetch(&self, offset: u32, len: u32) -> std::result::Result<&[u8], OutOfRange> {
        let (offset, len) = (offset as usize, len as usize);
        self.bytes.get(offset..offset.checked_add(len).ok_or(OutOfRange)?).ok_or(OutOfRange)
    }

    /// nvram-store: replaces the bytes from `offset` on.
    ///
    /// # Errors
    /// They do not all fit; nothing is changed.
    pub fn store(&mut self, offset: u32, from: &[u8]) -> std::result::Result<(), OutOfRange> {
        let offset = offset as usize;
        let end = offset.checked_add(from.len()).ok_or(OutOfRange)?;
        self.bytes.get_mut(offset..end).ok_or(OutOfRange)?.copy_from_slice(from);
        Ok(())
    }
}

impl Default for Nvram {
    /// 64 KiB of zeros.
    fn default() -> Nvram {
        Nvram { bytes: vec![0; BYTES_DEFAULT] }
    }
}

impl Device for Nvram {
    fn name(&self) -> &str {
        "nvram"
    }

    /// Keeps everything: that is its purpose.
    fn reset(&mut self, _kind: ResetKind) {}

    fn quiesce(&mut self) -> Result<()> {
        Ok(())
    }

    fn resume(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked_whole() {
        let mut nvram = Nvram::default();
        nvram.store(0xfffe, b"ab").unwrap();
        assert_eq!(nvram.fetch(0xfffe, 2), Ok(&b"ab"[..]));
        assert_eq!(nvram.store(0xffff, b"cd"), Err(OutOfRange));
        assert_eq!(nvram.fetch(0xffff, 1), Ok(&b"b"[..]), "a refused store changes nothing");
        assert_eq!(nvram.fetch(0x1_0000, 0), Ok(&b""[..]));
        for (offset, len) in [(0xffff, 2), (0x1_0001, 0), (u32::MAX, u32::MAX), (0, u32::MAX)] {
            assert_eq!(nvram.fetch(offset, len), Err(OutOfRange));
        }
        assert!(Nvram::new(vec![0; BYTES_MIN - 1]).is_err() && Nvram::new(vec![0; BYTES_MAX]).is_ok());
    }
}
