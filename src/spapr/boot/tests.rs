//! Kernels and RAM disks, good, too large and damaged.

use super::*;
use crate::spapr::spec::Settings;
use crate::spapr::spec::check;
use std::path::PathBuf;

/// A minimal big-endian ELF with one segment.
fn elf(paddr: u64, filesz: u64, memsz: u64, entry: u64) -> Vec<u8> {
    let mut f = vec![0x7f, b'E', b'L', b'F', 2, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    f.extend([0, 2, 0, 21, 0, 0, 0, 1]);
    f.extend(entry.to_be_bytes());
    f.extend(64u64.to_be_bytes());
    f.extend([0u8; 8 + 4]);
    f.extend([0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0]);
    f.extend([0, 0, 0, 1, 0, 0, 0, 7]);
    for v in [120u64, paddr, paddr, filesz, memsz, 0x1_0000] {
        f.extend(v.to_be_bytes());
    }
    f.extend(vec![0x60; 64]);
    f
}

#[test]
fn a_kernel_is_moved_to_its_base() {
    let k = Kernel::parse(&elf(0, 64, 0x100, 0xc000_0000_0000_0000), 0x40_0000, 1 << 30).unwrap();
    assert_eq!((k.entry, k.extent, k.order), (0x40_0000, (0x40_0000, 0x100), ByteOrder::Big));
}

#[test]
fn damaged_kernels_are_refused_with_the_reason() {
    let ram = 1 << 28;
    let cases: [(Vec<u8>, &str); 6] = [
        (vec![1, 2, 3], "only 3 bytes"),
        (vec![0; 100], "not an ELF"),
        (elf(0, 0x1000, 0x1000, 0), "cut short"),
        (elf(0, 64, 32, 0), "p_memsz"),
        (elf(0x0f00_0000, 64, 1 << 40, 0x0f00_0000), "beyond the machine's"),
        (elf(0, 64, 64, 0x1000), "entry point"),
    ];
    for (file, want) in cases {
        let problem = Kernel::parse(&file, 0x40_0000, ram).err().unwrap();
        assert!(problem.contains(want), "{problem:?} should say {want:?}");
    }
    let mut other = elf(0, 64, 64, 0);
    other[19] = 62;
    assert!(Kernel::parse(&other, 0, ram).err().unwrap().contains("another machine"));
}

/// xorshift64: the same mutations in every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn no_mutation_of_a_header_panics() {
    let good = elf(0, 64, 0x100, 0);
    let mut taken = 0;
    let mut try_it = |file: &[u8]| {
        if let Ok(kernel) = Kernel::parse(file, 0x40_0000, 1 << 28) {
            taken += 1;
            let held: usize = kernel.segments.iter().map(|s| s.bytes.len()).sum();
            assert!(held <= file.len() && kernel.extent.0 + kernel.extent.1 <= 1 << 28);
        }
    };
    for at in 0..120 {
        for v in [0u8, 1, 0x7f, 0x80, 0xff] {
            let mut f = good.clone();
            f[at] = v;
            try_it(&f);
        }
    }
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..5000 {
        let mut f = good.clone();
        for _ in 0..=random(&mut state) % 6 {
            let r = random(&mut state);
            f[(r % 120) as usize] = (r >> 32) as u8;
        }
        f.truncate((random(&mut state) % 400) as usize);
        try_it(&f);
    }
    assert!(taken > 0);
}

/// A header may say that many segments share one stretch of the file; nothing is allocated by that.
#[test]
fn segments_that_add_up_to_more_than_there_is_are_refused() {
    let mut f = elf(0, 64, 64, 0);
    let header: Vec<u8> = f[64..120].to_vec();
    let count = 3000u16;
    f[56..58].copy_from_slice(&count.to_be_bytes());
    f.splice(120..120, header.repeat(usize::from(count) - 1));
    let small = Kernel::parse(&f, 0x40_0000, 1 << 28).err().unwrap();
    assert!(small.contains("overlap"), "{small}");
    // In memory alone: 3000 times 1 MiB without a byte in the file.
    for k in 0..usize::from(count) {
        f[64 + 56 * k + 32..][..16].copy_from_slice(&[0u64.to_be_bytes(), (1u64 << 20).to_be_bytes()].concat());
    }
    let large = Kernel::parse(&f, 0x40_0000, 1 << 28).err().unwrap();
    assert!(large.contains("add up"), "{large}");
}

/// A file of the test's own, removed at its end.
struct File(PathBuf);
impl File {
    fn new(name: &str, bytes: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("spapr-boot-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        File(path)
    }
}
impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A kernel of `memory_bytes` in a machine of 128 MiB (an old one, which takes such), with a RAM disk of `initrd` bytes.
fn images(name: &str, kernel_addr: u64, memory_bytes: u64, initrd: usize) -> std::result::Result<Loaded, String> {
    let kernel = File::new(&format!("{name}-kernel"), &elf(0, 64, memory_bytes, 0));
    let initrd = File::new(&format!("{name}-initrd"), &vec![7; initrd]);
    let settings = Settings {
        machine: "pseries-2.4".into(),
        memory: 128 << 20,
        kernel: Some(kernel.0.clone()),
        initrd: Some(initrd.0.clone()),
        kernel_addr: Some(kernel_addr),
        caps: vec![("htm".into(), "off".into())],
        ..Settings::default()
    };
    let spec = check(&settings).map_err(|e| e.to_string())?;
    let memory = GuestMemory::new(spec.ram).unwrap();
    let images = Files::open(&spec).and_then(|files| Images::read(&spec, &files)).map_err(|e| e.to_string())?;
    let loaded = images.place(&memory);
    let (at, len) = loaded.initrd.unwrap();
    assert_eq!((memory.read_u8(Ra(at)), memory.read_u8(Ra(at + len - 1))), (Ok(7), Ok(7)));
    assert!(at + len <= rtas_address(&spec));
    Ok(loaded)
}

#[test]
fn the_ram_disk_goes_behind_the_kernel() {
    for (bytes, at) in [(0x100, 0x42_0000), (0x1_0000, 0x42_0000), (0x1_0001, 0x43_0000), (0x100_0000, 0x141_0000)] {
        assert_eq!(images(&format!("{bytes:x}"), 0x40_0000, bytes, 1000).unwrap().initrd, Some((at, 1000)), "{bytes:#x}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_room_there_is() {
    let room = (128 << 20) - layout::FIRMWARE_OVERHEAD as usize - 0x42_0000;
    assert!(images("fits", 0x40_0000, 0x100, room).is_ok());
    for (name, addr, bytes, initrd, want) in [
        ("large-initrd", 0x40_0000, 0x100, room + 1, "there is room for"),
        ("large-kernel", 0x40_0000, (128 << 20) - 0x40_0000, 10, "there is room up to"),
        ("no-room", 0x40_0000, (128 << 20) - layout::FIRMWARE_OVERHEAD - 0x40_0000, 10, "there is room for 0x0"),
        ("beyond", 0x40_0000, 128 << 20, 10, "beyond the machine's"),
        ("low", 0, 0x100, 10, "firmware has the first"),
    ] {
        let problem = images(name, addr, bytes, initrd).unwrap_err();
        assert!(problem.contains(want), "{name}: {problem}");
    }
}

#[test]
fn a_large_tree_gets_more_room() {
    let spec = check(&Settings { memory: 256 << 20, ..Settings::default() }).unwrap();
    let memory = GuestMemory::new(spec.ram).unwrap();
    for (bytes, room) in [(100, 2 << 20), (5 << 20, 6 << 20)] {
        let mut tree = Tree::default();
        tree.root.set("x", vec![1; bytes]);
        let (at, got) = place_tree(&spec, &memory, &tree);
        assert_eq!((at, got, memory.read_u32(Ra(at))), ((256 << 20) - room, room, Ok(0xd00d_feed)));
    }
}

/// What a reset gets: the first files, also when others have taken their names; nothing when somebody has written into them.
#[test]
fn images_are_read_again_and_must_be_the_same() {
    let kernel = File::new("again-kernel", &elf(0, 64, 0x100, 0));
    let settings = Settings { kernel: Some(kernel.0.clone()), caps: vec![("htm".into(), "off".into())], ..Settings::default() };
    let spec = check(&settings).unwrap();
    let store = ImageStore::read(&spec).unwrap();
    let first = store.get(&spec).unwrap();
    store.forget();
    let again = store.get(&spec).unwrap();
    assert!(!std::sync::Arc::ptr_eq(&first, &again), "they were forgotten");
    assert_eq!(first.digest(), again.digest());
    store.forget();
    let other = File::new("again-other", &elf(0, 64, 0x200, 0));
    std::fs::rename(&kernel.0, kernel.0.with_extension("old")).unwrap();
    std::fs::rename(&other.0, &kernel.0).unwrap();
    assert_eq!(store.get(&spec).unwrap().digest(), first.digest());
    store.forget();
    let old = File(kernel.0.with_extension("old"));
    std::fs::write(&old.0, elf(0, 64, 0x300, 0)).unwrap();
    let refused = store.get(&spec).err().unwrap().to_string();
    assert!(refused.contains("not what they were when the guest started"), "{refused}");
}
