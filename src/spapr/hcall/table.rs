//! The table of hypercalls: one row each.
//!
//! Calls of devices that this machine does not have yet stand here with what an absent device answers; a number without a row
//! (nested guests, TPM, in-kernel calls) is H_FUNCTION.

use crate::spapr::hcall::Hcall;
use crate::spapr::hcall::HcallFn;
use crate::spapr::hcall::cpu;
use crate::spapr::hcall::firmware;
use crate::spapr::hcall::logical;
use crate::spapr::hcall::pft;
use crate::spapr::hcall::proc_tbl;
use crate::spapr::hcall::resize_hpt;
use crate::spapr::hcall::splpar;
use crate::spapr::hcall::vio;
use crate::spapr::hcall::vty;
use crate::spapr::hcall::watchdog;
use crate::spapr::hcall::xics;
use crate::spapr::hcall::xive;

const fn row(number: u64, name: &'static str, hypertas: &'static str, spec: &'static str, run: HcallFn) -> Hcall {
    let hypertas = if hypertas.is_empty() { None } else { Some(hypertas) };
    Hcall { number, name, spec, hypertas, run }
}

/// Every hypercall, ascending by number.
#[rustfmt::skip] // One call per line.
pub static TABLE: &[Hcall] = &[
    row(0x04,  "H_REMOVE",                 "hcall-pft",        "PAPR H_REMOVE",                   pft::remove),
    row(0x08,  "H_ENTER",                  "hcall-pft",        "PAPR H_ENTER",                    pft::enter),
    row(0x0c,  "H_READ",                   "hcall-pft",        "PAPR H_READ",                     pft::read),
    row(0x18,  "H_PROTECT",                "hcall-pft",        "PAPR H_PROTECT",                  pft::protect),
    row(0x1c,  "H_GET_TCE",                "hcall-tce",        "PAPR H_GET_TCE",                  vio::no_tce_table),
    row(0x20,  "H_PUT_TCE",                "hcall-tce",        "PAPR H_PUT_TCE",                  vio::no_tce_table),
    row(0x24,  "H_SET_SPRG0",              "hcall-sprg0",      "PAPR H_SET_SPRG0",                cpu::set_sprg0),
    row(0x28,  "H_SET_DABR",               "hcall-dabr",       "PAPR H_SET_DABR",                 cpu::set_dabr),
    row(0x2c,  "H_PAGE_INIT",              "hcall-copy",       "PAPR H_PAGE_INIT",                logical::page_init),
    row(0x3c,  "H_LOGICAL_CI_LOAD",        "hcall-debug",      "PAPR H_LOGICAL_CI_LOAD",          logical::load),
    row(0x40,  "H_LOGICAL_CI_STORE",       "hcall-debug",      "PAPR H_LOGICAL_CI_STORE",         logical::store),
    row(0x44,  "H_LOGICAL_CACHE_LOAD",     "hcall-debug",      "PAPR H_LOGICAL_CACHE_LOAD",       logical::load),
    row(0x48,  "H_LOGICAL_CACHE_STORE",    "hcall-debug",      "PAPR H_LOGICAL_CACHE_STORE",      logical::store),
    row(0x4c,  "H_LOGICAL_ICBI",           "hcall-debug",      "PAPR H_LOGICAL_ICBI",             logical::nothing),
    row(0x50,  "H_LOGICAL_DCBF",           "hcall-debug",      "PAPR H_LOGICAL_DCBF",             logical::nothing),
    row(0x54,  "H_GET_TERM_CHAR",          "hcall-term",       "PAPR H_GET_TERM_CHAR",            vty::get_term_char),
    row(0x58,  "H_PUT_TERM_CHAR",          "hcall-term",       "PAPR H_PUT_TERM_CHAR",            vty::put_term_char),
    row(0x64,  "H_EOI",                    "hcall-interrupt",  "PAPR H_EOI",                      xics::eoi),
    row(0x68,  "H_CPPR",                   "hcall-interrupt",  "PAPR H_CPPR",                     xics::cppr),
    row(0x6c,  "H_IPI",                    "hcall-interrupt",  "PAPR H_IPI",                      xics::ipi),
    row(0x70,  "H_IPOLL",                  "hcall-interrupt",  "PAPR H_IPOLL",                    xics::ipoll),
    row(0x74,  "H_XIRR",                   "hcall-interrupt",  "PAPR H_XIRR",                     xics::xirr),
    row(0xdc,  "H_REGISTER_VPA",           "hcall-splpar",     "PAPR H_REGISTER_VPA",             splpar::register_vpa),
    row(0xe0,  "H_CEDE",                   "hcall-splpar",     "PAPR H_CEDE",                     splpar::cede),
    row(0xe4,  "H_CONFER",                 "hcall-splpar",     "PAPR H_CONFER",                   splpar::confer),
    row(0xe8,  "H_PROD",                   "hcall-splpar",     "PAPR H_PROD",                     splpar::prod),
    row(0xfc,  "H_REG_CRQ",                "hcall-vio",        "PAPR H_REG_CRQ",                  vio::reg_crq),
    row(0x100, "H_FREE_CRQ",               "hcall-vio",        "PAPR H_FREE_CRQ",                 vio::known_unit),
    row(0x104, "H_VIO_SIGNAL",             "hcall-vio",        "PAPR H_VIO_SIGNAL",               vio::vio_signal),
    row(0x108, "H_SEND_CRQ",               "hcall-vio",        "PAPR H_SEND_CRQ",                 vio::send_crq),
    row(0x114, "H_REGISTER_LOGICAL_LAN",   "",                 "PAPR H_REGISTER_LOGICAL_LAN",     vio::no_such_unit),
    row(0x118, "H_FREE_LOGICAL_LAN",       "",                 "PAPR H_FREE_LOGICAL_LAN",         vio::no_such_unit),
    row(0x11c, "H_ADD_LOGICAL_LAN_BUFFER", "",                 "PAPR H_ADD_LOGICAL_LAN_BUFFER",   vio::no_such_unit),
    row(0x120, "H_SEND_LOGICAL_LAN",       "",                 "PAPR H_SEND_LOGICAL_LAN",         vio::no_such_unit),
    row(0x124, "H_BULK_REMOVE",            "hcall-bulk",       "PAPR H_BULK_REMOVE",              pft::bulk_remove),
    row(0x130, "H_MULTICAST_CTRL",         "",                 "PAPR H_MULTICAST_CTRL",           vio::no_such_unit),
    row(0x134, "H_SET_XDABR",              "hcall-dabr",       "PAPR H_SET_XDABR",                cpu::set_xdabr),
    row(0x138, "H_STUFF_TCE",              "hcall-multi-tce",  "PAPR H_STUFF_TCE",                vio::no_tce_table),
    row(0x13c, "H_PUT_TCE_INDIRECT",       "hcall-multi-tce",  "PAPR H_PUT_TCE_INDIRECT",         vio::no_tce_table),
    row(0x14c, "H_CHANGE_LOGICAL_LAN_MAC", "",                 "PAPR H_CHANGE_LOGICAL_LAN_MAC",   vio::no_such_unit),
    row(0x1c8, "H_GET_CPU_CHARACTERISTICS","",                 "PAPR H_GET_CPU_CHARACTERISTICS",  cpu::characteristics),
    row(0x298, "H_JOIN",                   "hcall-join",       "PAPR H_JOIN",                     splpar::join),
    row(0x2b0, "H_ENABLE_CRQ",             "hcall-vio",        "PAPR H_ENABLE_CRQ",               vio::known_unit),
    row(0x2ec, "H_HOME_NODE_ASSOCIATIVITY","hcall-vphn",       "PAPR H_HOME_NODE_ASSOCIATIVITY",  cpu::home_node_associativity),
    row(0x2fc, "H_XIRR_X",                 "hcall-interrupt",  "PAPR H_XIRR-X",                   xics::xirr_x),
    row(0x300, "H_RANDOM",                 "",                 "PAPR H_RANDOM",                   cpu::random),
    row(0x31c, "H_SET_MODE",               "hcall-set-mode",   "PAPR H_SET_MODE",                 cpu::set_mode),
    row(0x36c, "H_RESIZE_HPT_PREPARE",     "hcall-hpt-resize", "PAPR H_RESIZE_HPT_PREPARE",       resize_hpt::prepare),
    row(0x370, "H_RESIZE_HPT_COMMIT",      "hcall-hpt-resize", "PAPR H_RESIZE_HPT_COMMIT",        resize_hpt::commit),
    row(0x374, "H_CLEAN_SLB",              "",                 "PAPR H_CLEAN_SLB",                proc_tbl::not_offered),
    row(0x378, "H_INVALIDATE_PID",         "",                 "PAPR H_INVALIDATE_PID",           proc_tbl::not_offered),
    row(0x37c, "H_REGISTER_PROC_TBL",      "",                 "PAPR H_REGISTER_PROC_TBL",        proc_tbl::register),
    row(0x380, "H_SIGNAL_SYS_RESET",       "",                 "PAPR H_SIGNAL_SYS_RESET",         cpu::signal_sys_reset),
    row(0x3a8, "H_INT_GET_SOURCE_INFO",    "",                 "PAPR H_INT_GET_SOURCE_INFO",      xive::source_info),
    row(0x3ac, "H_INT_SET_SOURCE_CONFIG",  "",                 "PAPR H_INT_SET_SOURCE_CONFIG",    xive::set_source_config),
    row(0x3b0, "H_INT_GET_SOURCE_CONFIG",  "",                 "PAPR H_INT_GET_SOURCE_CONFIG",    xive::source_config),
    row(0x3b4, "H_INT_GET_QUEUE_INFO",     "",                 "PAPR H_INT_GET_QUEUE_INFO",       xive::queue_info),
    row(0x3b8, "H_INT_SET_QUEUE_CONFIG",   "",                 "PAPR H_INT_SET_QUEUE_CONFIG",     xive::set_queue_config),
    row(0x3bc, "H_INT_GET_QUEUE_CONFIG",   "",                 "PAPR H_INT_GET_QUEUE_CONFIG",     xive::queue_config),
    row(0x3c0, "H_INT_SET_OS_REPORTING_LINE", "",              "PAPR H_INT_SET_OS_REPORTING_LINE", xive::not_offered),
    row(0x3c4, "H_INT_GET_OS_REPORTING_LINE", "",              "PAPR H_INT_GET_OS_REPORTING_LINE", xive::not_offered),
    row(0x3c8, "H_INT_ESB",                "",                 "PAPR H_INT_ESB",                  xive::esb),
    row(0x3cc, "H_INT_SYNC",               "",                 "PAPR H_INT_SYNC",                 xive::sync),
    row(0x3d0, "H_INT_RESET",              "",                 "PAPR H_INT_RESET",                xive::reset),
    row(0x3e4, "H_SCM_READ_METADATA",      "",                 "PAPR H_SCM_READ_METADATA",        vio::no_such_unit),
    row(0x3e8, "H_SCM_WRITE_METADATA",     "",                 "PAPR H_SCM_WRITE_METADATA",       vio::no_such_unit),
    row(0x3ec, "H_SCM_BIND_MEM",           "",                 "PAPR H_SCM_BIND_MEM",             vio::no_such_unit),
    row(0x3f0, "H_SCM_UNBIND_MEM",         "",                 "PAPR H_SCM_UNBIND_MEM",           vio::no_such_unit),
    row(0x3fc, "H_SCM_UNBIND_ALL",         "",                 "PAPR H_SCM_UNBIND_ALL",           vio::scm_unbind_all),
    row(0x400, "H_SCM_HEALTH",             "",                 "PAPR H_SCM_HEALTH",               vio::no_such_unit),
    row(0x44c, "H_SCM_FLUSH",              "",                 "PAPR H_SCM_FLUSH",                vio::no_such_unit),
    row(0x45c, "H_WATCHDOG",               "hcall-watchdog",   "PAPR H_WATCHDOG",                 watchdog::watchdog),
    row(0xf000, "KVMPPC_H_RTAS",           "",                 "QEMU hypercall F000",             firmware::rtas),
    row(0xf001, "KVMPPC_H_LOGICAL_MEMOP",  "",                 "QEMU hypercall F001",             logical::memop),
    row(0xf002, "KVMPPC_H_CAS",            "",                 "QEMU hypercall F002",             firmware::cas),
    row(0xf003, "KVMPPC_H_UPDATE_DT",      "",                 "QEMU hypercall F003",             firmware::update_dt),
    row(0xf005, "KVMPPC_H_VOF_CLIENT",     "",                 "QEMU hypercall F005",             firmware::vof_client),
];
