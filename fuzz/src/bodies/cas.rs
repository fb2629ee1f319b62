//! Any request to ibm,client-architecture-support, on each machine.

use super::machine;
use super::machine::BLOCK;
use spapr::spapr::cas;
use spapr::units::Ra;

/// KVMPPC_H_CAS (QEMU hypercall F002): request, buffer for the reply and its size.
const H_CAS: u64 = 0xf002;
const REPLY_AT: u64 = 0x10_0000;

/// First byte: which machine and where the request lies; the rest is the request.
pub fn run(data: &[u8]) {
    let Some((&first, request)) = data.split_first() else { return };
    let mut m = machine::machine(usize::from(first & 3));
    // Sometimes the request ends with RAM, so that reading on runs into nothing.
    let len = (request.len() as u64).min(0x1_0000);
    let at = if first & 0x80 == 0 { BLOCK } else { m.spec.ram - len };
    m.memory.write(Ra(at), &request[..len as usize]).expect("the request lies in RAM");
    let agreed = cas::negotiate(&m.spec, &m.memory, Ra(at));
    let again = cas::negotiate(&m.spec, &m.memory, Ra(at));
    assert_eq!(agreed.as_ref().err(), again.as_ref().err(), "negotiation has no memory");
    machine::call(&mut m, H_CAS, [at, REPLY_AT, u64::from(first >> 2) << 16, 0, 0, 0, 0, 0, 0]);
    let _ = m.device_tree().to_dtb();
}

/// What Linux asks for, in short: all processors, and option vectors 1 to 6 with radix and XIVE wanted.
pub fn seeds() -> Vec<Vec<u8>> {
    let pvrs: [(u32, u32); 4] = [(0xffff_0000, 0x0080_0000), (0xffff_0000, 0x004e_0000), (0xffff_ffff, 0x0f00_0006), (0, 0x0f00_0001)];
    let request = |mmu: u8, ic: u8| {
        let mut r = vec![0x7c];
        r.extend(pvrs.iter().flat_map(|(m, p)| [m.to_be_bytes(), p.to_be_bytes()].concat()));
        r.push(5);
        r.extend([1, 0xff, 0xff]);
        r.extend([1, 0, 0]);
        r.extend([0, 0]);
        r.extend([1, 0, 0]);
        let mut ov5 = [0u8; 26];
        (ov5[2], ov5[5], ov5[6], ov5[23], ov5[24], ov5[26 - 1]) = (0xff, 0xc0, 0x40, ic, mmu, 0x40);
        r.push(25);
        r.extend(ov5);
        r.extend([0, 0]);
        r
    };
    [(0, 0), (0x40, 0x40), (0x80, 0x80), (0x40, 0)].map(|(mmu, ic)| request(mmu, ic)).to_vec()
}
