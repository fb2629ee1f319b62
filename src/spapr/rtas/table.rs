//! The table of RTAS calls: one row each. Calls of PCI host bridges answer as on a machine without one.

use crate::spapr::hcall::Caller;
use crate::spapr::machine::Machine;
use crate::spapr::rtas;
use crate::spapr::rtas::Answer;
use crate::spapr::rtas::Counts;
use crate::spapr::rtas::Counts::Any;
use crate::spapr::rtas::Counts::Args;
use crate::spapr::rtas::Counts::Between;
use crate::spapr::rtas::Counts::Both;
use crate::spapr::rtas::Counts::ResultsBetween;
use crate::spapr::rtas::Needs;
use crate::spapr::rtas::RtasCall;
use crate::spapr::rtas::RtasFn;
use crate::spapr::rtas::Status;
use crate::spapr::rtas::connectors;
use crate::spapr::rtas::events;
use crate::spapr::rtas::interrupts;
use crate::spapr::rtas::nvram;
use crate::spapr::rtas::processors;
use crate::spapr::rtas::run_state;
use crate::spapr::rtas::sysparm;
use crate::spapr::rtas::time;

const fn row(number: u32, name: &'static str, counts: Counts, run: RtasFn) -> RtasCall {
    RtasCall { name, number, counts, miscounted: Status::Parameter, needs: Needs::Nothing, run }
}

const fn xics(number: u32, name: &'static str, counts: Counts, run: RtasFn) -> RtasCall {
    RtasCall { needs: Needs::Xics, ..row(number, name, counts, run) }
}

const fn config(number: u32, name: &'static str, counts: Counts) -> RtasCall {
    RtasCall { miscounted: Status::Hardware, ..row(number, name, counts, no_bridge_for_config) }
}

/// A call on a host bridge, of which there is none.
fn no_bridge(_: &mut Machine, _: Caller, _: &rtas::Args) -> Answer {
    Status::Parameter.into()
}

/// Configuration space of a host bridge, of which there is none.
fn no_bridge_for_config(_: &mut Machine, _: Caller, _: &rtas::Args) -> Answer {
    Status::Hardware.into()
}

/// Every RTAS call, ascending by number.
#[rustfmt::skip] // One call per line.
pub static TABLE: &[RtasCall] = &[
    row(0x00, "display-character",                   Any,                  run_state::display_character),
    row(0x01, "get-time-of-day",                     Both(0, 8),           time::time_of_day),
    row(0x02, "set-time-of-day",                     Both(7, 1),           time::set_time_of_day),
    row(0x03, "power-off",                           Both(2, 1),           run_state::power_off),
    row(0x04, "system-reboot",                       Both(0, 1),           run_state::system_reboot),
    row(0x05, "query-cpu-stopped-state",             Both(1, 2),           processors::query_cpu_stopped_state),
    row(0x06, "start-cpu",                           Both(3, 1),           processors::start_cpu),
    row(0x07, "stop-self",                           Any,                  processors::stop_self),
    row(0x08, "ibm,get-system-parameter",            Any,                  sysparm::system_parameter),
    row(0x09, "ibm,set-system-parameter",            Any,                  sysparm::set_system_parameter),
    xics(0x0a, "ibm,set-xive",                       Any,                  interrupts::set_xive),
    xics(0x0b, "ibm,get-xive",                       Any,                  interrupts::xive),
    xics(0x0c, "ibm,int-off",                        Any,                  interrupts::int_off),
    xics(0x0d, "ibm,int-on",                         Any,                  interrupts::int_on),
    row(0x0e, "check-exception",                     Between(6, 7, 1),     events::check_exception),
    row(0x0f, "event-scan",                          Both(4, 1),           events::event_scan),
    row(0x10, "ibm,set-tce-bypass",                  Args(2),              no_bridge),
    row(0x11, "quiesce",                             Args(0),              run_state::quiesce),
    row(0x12, "nvram-fetch",                         Both(3, 2),           nvram::fetch),
    row(0x13, "nvram-store",                         Both(3, 2),           nvram::store),
    config(0x14, "read-pci-config",                  Both(2, 2)),
    config(0x15, "write-pci-config",                 Both(3, 1)),
    config(0x16, "ibm,read-pci-config",              Both(4, 2)),
    config(0x17, "ibm,write-pci-config",             Both(5, 1)),
    row(0x18, "ibm,query-interrupt-source-number",   Any,                  no_bridge),
    row(0x19, "ibm,change-msi",                      Any,                  no_bridge),
    row(0x1a, "set-indicator",                       Both(3, 1),           connectors::set_indicator),
    row(0x1b, "set-power-level",                     Both(2, 2),           connectors::set_power_level),
    row(0x1c, "get-power-level",                     Both(1, 2),           connectors::power_level),
    row(0x1d, "get-sensor-state",                    Both(2, 2),           connectors::sensor_state),
    row(0x1e, "ibm,configure-connector",             Both(2, 1),           connectors::configure_connector),
    row(0x1f, "ibm,os-term",                         Any,                  run_state::os_term),
    row(0x20, "ibm,set-eeh-option",                  Both(4, 1),           no_bridge),
    row(0x21, "ibm,get-config-addr-info2",           Both(4, 2),           no_bridge),
    row(0x22, "ibm,read-slot-reset-state2",          ResultsBetween(3, 4, 5), no_bridge),
    row(0x23, "ibm,set-slot-reset",                  Both(4, 1),           no_bridge),
    row(0x24, "ibm,configure-pe",                    Both(3, 1),           no_bridge),
    row(0x25, "ibm,slot-error-detail",               Both(8, 1),           no_bridge),
    row(0x26, "ibm,query-pe-dma-window",             ResultsBetween(3, 5, 6), no_bridge),
    row(0x27, "ibm,create-pe-dma-window",            Both(5, 4),           no_bridge),
    row(0x28, "ibm,remove-pe-dma-window",            Both(1, 1),           no_bridge),
    row(0x29, "ibm,reset-pe-dma-window",             Both(3, 1),           no_bridge),
    row(0x2a, "ibm,suspend-me",                      Both(0, 1),           run_state::suspend_me),
    row(0x2b, "ibm,nmi-register",                    Any,                  processors::nmi_register),
    row(0x2c, "ibm,nmi-interlock",                   Any,                  processors::nmi_interlock),
];

const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(TABLE[i].number as usize == i, "tokens are given without gaps, in order");
        i += 1;
    }
};
