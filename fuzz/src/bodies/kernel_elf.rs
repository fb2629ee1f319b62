//! A kernel image: refused with a reason, or placed inside RAM.

use spapr::memory::GuestMemory;
use spapr::spapr::boot::Kernel;

const BASE: u64 = 0x40_0000;
const RAM: u64 = 16 << 20;
/// Bytes that an accepted image may claim before it is placed, so that a run stays short.
const PLACED_MAX: u64 = 1 << 20;

/// Parses the input as an ELF and places it.
pub fn run(data: &[u8]) {
    match Kernel::parse(data, BASE, RAM) {
        Ok(k) => {
            let (start, len) = k.extent;
            assert!(start >= BASE && start + len <= RAM, "{:x?} is outside RAM", k.extent);
            assert!((start..start + len).contains(&k.entry), "the entry is outside the image");
            if len <= PLACED_MAX {
                k.place(&GuestMemory::new(RAM).expect("16 MiB"));
            }
        }
        Err(problem) => assert!(!problem.is_empty()),
    }
}

/// A one-segment image in each byte order.
pub fn seeds() -> Vec<Vec<u8>> {
    let image = |data: u8| {
        // The bytes of a big-endian number, or of a little-endian one.
        let order = |mut bytes: Vec<u8>| {
            if data == 1 {
                bytes.reverse();
            }
            bytes
        };
        let half = |v: u16| order(v.to_be_bytes().to_vec());
        let word = |v: u32| order(v.to_be_bytes().to_vec());
        let double = |v: u64| order(v.to_be_bytes().to_vec());
        let mut f = vec![0x7f, b'E', b'L', b'F', 2, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        f.extend(half(2).into_iter().chain(half(21)).chain(word(1)));
        f.extend([0u64, 64, 0].into_iter().flat_map(double));
        f.extend(word(0));
        f.extend([64u16, 56, 1, 64, 0, 0].into_iter().flat_map(half));
        f.extend([1u32, 7].into_iter().flat_map(word));
        f.extend([120u64, 0, 0, 64, 0x100, 0x1_0000].into_iter().flat_map(double));
        f.extend([0x60; 64]);
        f
    };
    vec![image(1), image(2)]
}
