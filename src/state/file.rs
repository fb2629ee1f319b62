//! A file that appears whole or not at all.
//!
//! What is written has no name until it is complete and on the disk; then it takes the place of the old file in one step. So a crash, a full disk or a
//! power failure leaves the old file, and nothing beside it. Where the file system has no files without names, a hidden one beside the old file serves, which a crash
//! leaves behind.

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::RenameFlags;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Error;
use std::io::ErrorKind;
use std::io::Result;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

/// Tells files of one process apart.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Whether a file must be on the disk before it takes its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// Yes: it survives a power failure right after.
    #[default]
    Disk,
    /// No: it survives the program's end, but the system writes it when it likes.
    Cache,
}

impl Durability {
    /// `disk` or `cache`.
    ///
    /// # Errors
    /// It is neither.
    pub fn named(name: &str) -> crate::error::Result<Durability> {
        match name {
            "disk" => Ok(Durability::Disk),
            "cache" => Ok(Durability::Cache),
            other => Err(crate::error::Error::config("durability", format!("{other:?} is not known"), "use \"disk\" or \"cache\"")),
        }
    }
}

/// A file in the making.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    to: PathBuf,
    /// Where it lies until it is complete; `None`: nowhere.
    hidden: Option<PathBuf>,
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl NewFile {
    /// Begins what will be `path`.
    ///
    /// # Errors
    /// The folder does not take files, or `path` is no name of one.
    pub fn create(path: &Path) -> Result<NewFile> {
        if path.file_name().is_none() || path.is_dir() {
            return Err(Error::new(ErrorKind::IsADirectory, format!("{} is no name of a file", path.display())));
        }
        // Through a link, the file that it names is replaced.
        let to = if path.is_symlink() { path.canonicalize()? } else { path.to_path_buf() };
        let nameless = OpenOptions::new().write(true).custom_flags(rustix::fs::OFlags::TMPFILE.bits() as i32).open(folder(&to));
        match nameless {
            Ok(file) => Ok(NewFile { file, to, hidden: None }),
            Err(e) if matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::IsADirectory) => NewFile::named(to),
            Err(e) => Err(e),
        }
    }

    fn named(to: PathBuf) -> Result<NewFile> {
        let hidden = NewFile::hidden_name(&to);
        let file = OpenOptions::new().write(true).create_new(true).open(&hidden)?;
        Ok(NewFile { file, to, hidden: Some(hidden) })
    }

    fn hidden_name(to: &Path) -> PathBuf {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        folder(to).join(format!(".{name}.{}.{count}.part", std::process::id()))
    }

    /// Puts the complete file in its place.
    ///
    /// # Errors
    /// The disk is full or broken; the old file is as it was.
    pub fn complete(mut self, durability: Durability) -> Result<()> {
        match durability {
            Durability::Disk => self.file.sync_all()?,
            Durability::Cache => {}
        }
        if self.hidden.is_none() {
            let hidden = NewFile::hidden_name(&self.to);
            let open = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            rustix::fs::linkat(CWD, open, CWD, &hidden, AtFlags::SYMLINK_FOLLOW)?;
            self.hidden = Some(hidden);
        }
        if let Some(hidden) = &self.hidden {
            match durability {
                Durability::Disk => std::fs::rename(hidden, &self.to)?,
                Durability::Cache => take_place(hidden, &self.to)?,
            }
            self.hidden = None;
        }
        match durability {
            // The name is part of the folder.
            Durability::Disk => File::open(folder(&self.to))?.sync_all(),
            Durability::Cache => Ok(()),
        }
    }
}

/// Gives `from` the name `to`, and lets the file go that had it. To rename over a file makes some file systems (ext4) write the new one to the disk at once; to
/// exchange the two names does not.
fn take_place(from: &Path, to: &Path) -> Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE) {
        Ok(()) => std::fs::remove_file(from),
        // There is no old file, or no such call.
        Err(_) => std::fs::rename(from, to),
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // Nobody waits for an answer.
            let _ = std::fs::remove_file(hidden);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("spapr-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state");
        std::fs::write(&path, "old").unwrap();
        for make in [NewFile::create as fn(&Path) -> Result<NewFile>, |p| NewFile::named(p.to_path_buf())] {
            let mut unfinished = make(&path).unwrap();
            unfinished.write_all(b"half").unwrap();
            drop(unfinished);
            assert_eq!(std::fs::read(&path).unwrap(), b"old");
            assert_eq!(listing(&folder), ["state"]);
        }
        for durability in [Durability::Disk, Durability::Cache] {
            let mut file = NewFile::create(&path).unwrap();
            file.write_all(format!("{durability:?}").as_bytes()).unwrap();
            file.complete(durability).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{durability:?}"));
            assert_eq!(listing(&folder), ["state"]);
        }
        assert!(NewFile::create(&folder).is_err() && NewFile::create(Path::new("/nowhere/state")).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
