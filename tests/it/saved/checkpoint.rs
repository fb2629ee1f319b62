//! Checkpoints in files: whole or not at all, sparse, and the guest survives whatever becomes of the file.

use crate::embedded::Guest;
use crate::embedded::settings;
use spapr::accel::AccelKind;
use spapr::spapr::spec::Settings;
use spapr::state::bulk::Compression;
use spapr::state::file::Durability;
use spapr::vm::CheckpointOptions;
use spapr::vm::Status;
use spapr::vm::Vm;
use std::path::Path;
use std::path::PathBuf;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("spapr-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
    fn names(&self) -> Vec<String> {
        std::fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const FAST: CheckpointOptions = CheckpointOptions { compression: Compression::None, durability: Durability::Cache };

fn problem(vm: spapr::error::Result<Vm>) -> String {
    match vm {
        Ok(_) => panic!("it was accepted"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn a_running_machine_is_written_and_runs_on() {
    let folder = Folder::new("checkpoint");
    let path = folder.0.join("guest.state");
    let mut g = Guest::booted(&settings("le", "power9", "2"));
    let plain = g.vm.save_checkpoint(&path, FAST).unwrap();
    assert_eq!(g.vm.status().0, Status::Running);
    assert!(g.ask("ids").contains("ok"));
    assert!(plain.memory_bytes < 8 << 20, "256 MiB of RAM, of which the guest uses little: {plain:?}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), plain.file_bytes);
    let packed = g.vm.save_checkpoint(&path, CheckpointOptions { compression: Compression::Lz4, ..CheckpointOptions::default() }).unwrap();
    assert!(packed.file_bytes + plain.memory_bytes / 2 < plain.file_bytes, "{packed:?} {plain:?}");
    assert_eq!(folder.names(), ["guest.state"]);
    let mut copy = Guest::of(Vm::load_checkpoint(&path, AccelKind::software()).unwrap());
    copy.vm.resume().unwrap();
    assert!(copy.ask("tick").contains("ok"));
}

#[test]
fn a_file_that_cannot_be_written_costs_nothing() {
    let folder = Folder::new("refused");
    let path = folder.0.join("guest.state");
    let mut g = Guest::booted(&settings("be", "power9", "1"));
    g.vm.save_checkpoint(&path, FAST).unwrap();
    let old = std::fs::read(&path).unwrap();
    for wrong in [folder.0.as_path(), Path::new("/nowhere/state"), Path::new("/proc/self/state")] {
        assert!(g.vm.save_checkpoint(wrong, FAST).is_err(), "{wrong:?}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), old);
    assert!(g.ask("ids").contains("ok"));
}

#[test]
fn another_machine_is_refused_in_the_rules_words_before_anything_moves() {
    let g = Guest::booted(&settings("be", "power9", "2"));
    g.vm.pause();
    let saved = g.vm.save().unwrap();
    let other = |change: fn(&mut Settings)| {
        let mut s = settings("be", "power9", "2");
        change(&mut s);
        spapr::vm::saved::check_description(&saved.header, &Guest::new(&s).vm.describe()).unwrap_err().to_string()
    };
    assert!(other(|s| s.vsmt = Some(8)).contains("section header, field vsmt"));
    assert!(other(|s| s.cpu = Some("power8".into())).contains("field cpu"));
    assert!(other(|s| s.memory = 512 << 20).contains("field memory"));
}

#[test]
fn a_reset_needs_the_images_that_there_were() {
    let folder = Folder::new("images");
    let kernel = folder.0.join("vmlinux");
    std::fs::copy("python/spapr/guests/embedded-be.elf", &kernel).unwrap();
    let g = Guest::booted(&Settings { kernel: Some(kernel.clone()), ..settings("be", "power9", "1") });
    let path = folder.0.join("state");
    g.vm.save_checkpoint(&path, FAST).unwrap();
    std::fs::copy("python/spapr/guests/embedded-le.elf", &kernel).unwrap();
    let mut copy = Guest::of(Vm::load_checkpoint(&path, AccelKind::software()).unwrap());
    let refused = copy.vm.reset().unwrap_err().to_string();
    assert!(refused.contains("are not what they were"), "{refused}");
    copy.vm.resume().unwrap();
    assert!(copy.ask("ids").contains("ok"));
    std::fs::copy("python/spapr/guests/embedded-be.elf", &kernel).unwrap();
    copy.vm.reset().unwrap();
    copy.expect("> ");
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let folder = Folder::new("nothing");
    let path = folder.0.join("state");
    assert!(problem(Vm::load_checkpoint(&path, AccelKind::software())).contains("checkpoint: read"));
    for (bytes, words) in
        [(&b""[..], "section start"), (b"\x7fELF and so on", "the first bytes are not those"), (b"\x89SPAPR\r\n\0\x09\0\0", "format 9")]
    {
        std::fs::write(&path, bytes).unwrap();
        let problem = problem(Vm::load_checkpoint(&path, AccelKind::software()));
        assert!(problem.contains(words) || bytes.is_empty(), "{problem}");
    }
}
