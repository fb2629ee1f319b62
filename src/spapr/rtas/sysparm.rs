//! System parameters, read and (not) written.

use crate::spapr::hcall::Caller;
use crate::spapr::machine::Machine;
use crate::spapr::rtas::Answer;
use crate::spapr::rtas::Args;
use crate::spapr::rtas::Status;
use crate::spapr::sysparm;

/// Bytes of the length before a value.
const LENGTH_BYTES: usize = 2;

/// ibm,get-system-parameter: token, buffer, its length. Writes the value's length and as much of it as fits.
pub fn system_parameter(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let (at, room) = (args.address(1), args.get(2) as usize);
    let Some(value) = sysparm::value(&m.spec, args.get(0)) else { return Status::Parameter.into() };
    if room < LENGTH_BYTES {
        return Status::SystemParameter.into();
    }
    let fits = value.len().min(room - LENGTH_BYTES);
    let mut bytes = (value.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(&value[..fits]);
    m.memory.write(at, &bytes).map_err(|_| Status::SystemParameter).into()
}

/// ibm,set-system-parameter: token, buffer. None may be set.
pub fn set_system_parameter(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    match sysparm::value(&m.spec, args.get(0)) {
        Some(_) => Status::NotAuthorized.into(),
        None => Status::Parameter.into(),
    }
}
