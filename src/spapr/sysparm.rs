//! System parameters that RTAS ibm,get-system-parameter gives (PAPR, system parameters).

use crate::spapr::spec::MachineSpec;

/// Processor module information and partition sizes, as text.
const SPLPAR_CHARACTERISTICS: u32 = 20;
/// Processor module information: how many sockets.
const DIAGNOSTICS_RUN_MODE: u32 = 42;
/// The partition's UUID.
const UUID: u32 = 48;

/// The value of parameter `token`; `None` if there is no such parameter.
pub fn value(spec: &MachineSpec, token: u32) -> Option<Vec<u8>> {
    match token {
        SPLPAR_CHARACTERISTICS => Some(splpar_characteristics(spec)),
        DIAGNOSTICS_RUN_MODE => Some(vec![0]),
        UUID => Some(spec.uuid.map_or(Vec::new(), |uuid| uuid.to_vec())),
        _ => None,
    }
}

fn splpar_characteristics(spec: &MachineSpec) -> Vec<u8> {
    let (cpus, max) = (spec.smp.cpus, spec.smp.maxcpus);
    let threads = spec.cpu.host_threads.map_or(String::new(), |n| format!(",HostThrs={n}"));
    let mib = spec.ram >> 20;
    format!("MaxEntCap={max},DesMem={mib},DesProcs={cpus},MaxPlatProcs={max}{threads}\0").into_bytes()
}
