//! XIVE set-up calls (PAPR, XIVE exploitation mode): H_FUNCTION unless XIVE is in charge.

use crate::intc::xive::XiveError;
use crate::intc::xive::XiveResult;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::machine::Machine;

fn refusal(error: XiveError) -> H {
    match error {
        XiveError::Function => H::Function,
        XiveError::Parameter => H::Parameter,
        XiveError::P2 => H::P2,
        XiveError::P3 => H::P3,
        XiveError::P4 => H::P4,
        XiveError::P5 => H::P5,
        XiveError::Hardware => H::Hardware,
    }
}

fn answer(result: XiveResult<()>) -> Outcome {
    result.err().map_or(H::Success, refusal).into()
}

fn values(result: XiveResult<impl AsRef<[u64]>>) -> Outcome {
    result.map_or_else(|e| refusal(e).into(), |v| Outcome::values(v.as_ref()))
}

/// H_INT_GET_SOURCE_INFO: flags, source → flags, management page, trigger page, page shift.
pub fn source_info(m: &mut Machine, _: Caller, [flags, source, ..]: [u64; 9]) -> Outcome {
    let info = m.intc.xive().and_then(|x| x.source_info(flags, source));
    values(info.map(|i| [i.flags, i.management, i.trigger, i.page_shift]))
}

/// H_INT_SET_SOURCE_CONFIG: flags, source, target, priority, EISN.
pub fn set_source_config(m: &mut Machine, _: Caller, [flags, source, target, priority, eisn, ..]: [u64; 9]) -> Outcome {
    answer(m.intc.xive().and_then(|x| x.set_source_config(flags, source, target, priority, eisn)))
}

/// H_INT_GET_SOURCE_CONFIG: flags, source → target, priority, EISN.
pub fn source_config(m: &mut Machine, _: Caller, [flags, source, ..]: [u64; 9]) -> Outcome {
    values(m.intc.xive().and_then(|x| x.source_config(flags, source)).map(|c| [c.target, c.priority, c.eisn]))
}

/// H_INT_GET_QUEUE_INFO: flags, target, priority → END ESB address, log2 of the size.
pub fn queue_info(m: &mut Machine, _: Caller, [flags, target, priority, ..]: [u64; 9]) -> Outcome {
    values(m.intc.xive().and_then(|x| x.queue_info(flags, target, priority)).map(|q| [q.esb, q.log2_bytes]))
}

/// H_INT_SET_QUEUE_CONFIG: flags, target, priority, page, log2 of the size.
pub fn set_queue_config(m: &mut Machine, _: Caller, [flags, target, priority, page, size, ..]: [u64; 9]) -> Outcome {
    answer(m.intc.xive().and_then(|x| x.set_queue_config(flags, target, priority, page, size)))
}

/// H_INT_GET_QUEUE_CONFIG: flags, target, priority → flags, page, log2 of the size, index.
pub fn queue_config(m: &mut Machine, _: Caller, [flags, target, priority, ..]: [u64; 9]) -> Outcome {
    let config = m.intc.xive().and_then(|x| x.queue_config(flags, target, priority));
    values(config.map(|q| [q.flags, q.page, q.log2_bytes, q.index]))
}

/// The OS reporting line (H_INT_SET_OS_REPORTING_LINE, H_INT_GET_OS_REPORTING_LINE) is not offered.
pub fn not_offered(_: &mut Machine, _: Caller, _: [u64; 9]) -> Outcome {
    H::Function.into()
}

/// H_INT_ESB: flags, source, offset, data → value.
pub fn esb(m: &mut Machine, _: Caller, [flags, source, offset, data, ..]: [u64; 9]) -> Outcome {
    values(m.intc.xive().and_then(|x| x.esb(flags, source, offset, data)).map(|value| [value]))
}

/// H_INT_SYNC: flags, source.
pub fn sync(m: &mut Machine, _: Caller, [flags, source, ..]: [u64; 9]) -> Outcome {
    answer(m.intc.xive().and_then(|x| x.sync(flags, source)))
}

/// H_INT_RESET: flags.
pub fn reset(m: &mut Machine, _: Caller, [flags, ..]: [u64; 9]) -> Outcome {
    answer(m.intc.xive().and_then(|x| x.reset_by_guest(flags)))
}
