//! XICS sources: where they go, and whether (PAPR, ibm,set-xive and its kin). After XIVE was negotiated they fail before anything
//! else is looked at.

use crate::intc::xics::Xics;
use crate::intc::xics::XicsError;
use crate::intc::xics::XicsResult;
use crate::spapr::hcall::Caller;
use crate::spapr::machine::Machine;
use crate::spapr::rtas::Answer;
use crate::spapr::rtas::Args;
use crate::spapr::rtas::Counts;
use crate::spapr::rtas::Status;
use crate::units::Lisn;
use crate::units::VcpuId;

fn refusal(error: XicsError) -> Status {
    match error {
        XicsError::Absent | XicsError::Inactive => Status::Hardware,
        XicsError::NoServer | XicsError::NoSource => Status::Parameter,
    }
}

fn answer(m: &mut Machine, args: &Args, counts: Counts, run: impl FnOnce(&mut Xics, Lisn) -> XicsResult<Answer>) -> Answer {
    let xics = match m.intc.xics() {
        Ok(xics) => xics,
        Err(e) => return refusal(e).into(),
    };
    if !counts.fit(args) {
        return Status::Parameter.into();
    }
    run(xics, Lisn(args.get(0))).unwrap_or_else(|e| refusal(e).into())
}

/// ibm,set-xive: source, server, priority.
pub fn set_xive(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let Ok(priority) = u8::try_from(args.get(2)) else {
        return answer(m, args, Counts::Both(3, 1), |_, _| Err(XicsError::NoSource));
    };
    let server = VcpuId(args.get(1));
    answer(m, args, Counts::Both(3, 1), |x, source| x.set_xive(source, server, priority).map(|()| Status::Success.into()))
}

/// ibm,get-xive: source → server, priority.
pub fn xive(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    answer(m, args, Counts::Both(1, 3), |x, source| x.xive(source).map(|(server, priority)| Answer::of(&[server.0, priority.into()])))
}

/// ibm,int-off: source.
pub fn int_off(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    answer(m, args, Counts::Both(1, 1), |x, source| x.int_off(source).map(|()| Status::Success.into()))
}

/// ibm,int-on: source.
pub fn int_on(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    answer(m, args, Counts::Both(1, 1), |x, source| x.int_on(source).map(|()| Status::Success.into()))
}
