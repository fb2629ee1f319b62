//! Where a machine's images come from, at its start and at each reset.
//!
//! Images are large, and a machine needs them for a moment: when they have been placed they are forgotten, and read again at the next reset. Their files stay open, so
//! that other files of the same name (a kernel that was built anew) change nothing; and what is read again must be what it was.

use crate::error::Error;
use crate::error::Result;
use crate::spapr::boot::Images;
use crate::spapr::spec::MachineSpec;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;

/// A file that a setting names, open.
pub struct ImageFile {
    /// As the setting gives it, for messages.
    pub path: PathBuf,
    doing: String,
    file: File,
    /// It can be read again: a pipe cannot.
    regular: bool,
}

impl ImageFile {
    /// Opens the file of a setting.
    ///
    /// # Errors
    /// It cannot be opened; the message names the setting.
    pub fn open(setting: &str, path: &Path) -> Result<ImageFile> {
        let doing = format!("{setting}: read {}", path.display());
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.is_file(), file)));
        match opened {
            Ok((regular, file)) => Ok(ImageFile { path: path.into(), doing, file, regular }),
            Err(source) => Err(Error::Host { doing, source }),
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// The host's.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        self.whole().map_err(|source| Error::Host { doing: self.doing.clone(), source })
    }

    fn whole(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if !self.regular {
            (&self.file).read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
        bytes.resize(usize::try_from(self.file.metadata()?.len()).map_err(|_| std::io::ErrorKind::OutOfMemory)?, 0);
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// The files of a machine.
#[derive(Default)]
pub struct Files {
    /// The kernel.
    pub kernel: Option<ImageFile>,
    /// The initial RAM disk.
    pub initrd: Option<ImageFile>,
}

impl Files {
    /// Opens what the spec names. Without a kernel there is nothing to place.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub fn open(spec: &MachineSpec) -> Result<Files> {
        let Some(kernel) = &spec.kernel else { return Ok(Files::default()) };
        let initrd = spec.initrd.as_ref().map(|path| ImageFile::open("initrd", path)).transpose()?;
        Ok(Files { kernel: Some(ImageFile::open("kernel", kernel)?), initrd })
    }

    /// Whether all can be read again.
    fn lasting(&self) -> bool {
        [&self.kernel, &self.initrd].into_iter().flatten().all(|f| f.regular)
    }
}

/// Where a machine's images come from. Machines that were forked from each other share one.
pub struct ImageStore {
    /// What the images are; not yet computed while they are here for the first time.
    digest: OnceLock<[u8; 32]>,
    state: Mutex<State>,
}

struct State {
    /// `None`: not opened by this process yet.
    files: Option<Files>,
    here: Option<Arc<Images>>,
}

impl ImageStore {
    /// Reads what the spec names.
    ///
    /// # Errors
    /// A file cannot be read, or holds nothing that can be placed.
    pub fn read(spec: &MachineSpec) -> Result<ImageStore> {
        let files = Files::open(spec)?;
        let images = Images::read(spec, &files)?;
        Ok(ImageStore { digest: OnceLock::new(), state: Mutex::new(State { files: Some(files), here: Some(Arc::new(images)) }) })
    }

    /// Images that are read when they are needed, and must be those of this digest: a checkpoint names files, and which files a guest gets to see is not its
    /// writer's choice.
    pub fn expecting(digest: [u8; 32]) -> ImageStore {
        ImageStore { digest: OnceLock::from(digest), state: Mutex::new(State { files: None, here: None }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The images.
    ///
    /// # Errors
    /// They cannot be read, or are other ones than they were.
    pub fn get(&self, spec: &MachineSpec) -> Result<Arc<Images>> {
        let mut state = self.state();
        if let Some(images) = &state.here {
            return Ok(Arc::clone(images));
        }
        let opened = state.files.is_none().then(|| Files::open(spec)).transpose()?;
        let files = opened.as_ref().or(state.files.as_ref()).expect("opened now or before");
        let images = Arc::new(Images::read(spec, files)?);
        if self.digest.get().is_some_and(|expected| *expected != images.digest()) {
            let name = |path: &Option<PathBuf>| path.as_ref().map_or_else(|| "none".into(), |p| p.display().to_string());
            let problem = format!("{} and initrd {} are not what they were when the guest started", name(&spec.kernel), name(&spec.initrd));
            let hint = "put the files back with which it started, or let the guest run without a reset".into();
            return Err(Error::Boot { setting: "kernel".into(), problem, hint });
        }
        if let Some(files) = opened {
            state.files = Some(files);
        }
        state.here = Some(Arc::clone(&images));
        Ok(images)
    }

    /// The images have been placed, and are not needed before the next reset.
    pub fn forget(&self) {
        self.digest();
        let mut state = self.state();
        if state.files.as_ref().is_some_and(Files::lasting) {
            state.here = None;
        }
    }

    /// What tells these images from others.
    ///
    /// # Panics
    /// Never: a store has its images here until it knows their digest.
    pub fn digest(&self) -> [u8; 32] {
        *self.digest.get_or_init(|| self.state().here.as_ref().expect("images are here until their digest is known").digest())
    }
}
