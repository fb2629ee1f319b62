//! The virtual terminal: the guest's console, read and written 16 bytes at a time (PAPR H_GET_TERM_CHAR, H_PUT_TERM_CHAR).
//!
//! Output goes straight to the host end, which takes everything; so a vCPU never waits here, whoever may have stopped reading.
//! Input passes a FIFO of 16 bytes, and the guest is interrupted only when data arrives while that is empty: the guest's driver
//! reads until it finds nothing. What does not fit waits at the host end and follows as the guest drains (departs: QEMU drops it).

use crate::dev::Device;
use crate::dev::ResetKind;
use crate::dev::chardev::Chardev;
use crate::dev::irq::IrqLine;
use crate::dev::irq::IrqSink;
use crate::error::Result;
use std::sync::Arc;

/// Bytes of the FIFO, and of one hypercall.
pub const FIFO_BYTES: usize = 16;

/// The FIFO, as saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VtyState {
    /// Waiting bytes, oldest first.
    pub fifo: [u8; FIFO_BYTES],
    /// How many of them there are.
    pub len: usize,
}

/// Bytes for one H_GET_TERM_CHAR.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Chars {
    /// The bytes; zero beyond `len`.
    pub bytes: [u8; FIFO_BYTES],
    /// How many of them there are.
    pub len: usize,
}

/// A virtual terminal.
pub struct Vty {
    name: String,
    irq: IrqLine,
    chardev: Arc<Chardev>,
    /// The FIFO.
    pub state: VtyState,
}

impl Vty {
    /// A terminal that talks to `chardev` and interrupts on `irq`. `name` is that of its device tree node.
    pub fn new(name: impl Into<String>, irq: IrqLine, chardev: Arc<Chardev>) -> Vty {
        Vty { name: name.into(), irq, chardev, state: VtyState::default() }
    }

    /// The host end.
    pub fn chardev(&self) -> &Arc<Chardev> {
        &self.chardev
    }

    /// Where it interrupts.
    pub fn irq(&self) -> IrqLine {
        self.irq
    }

    /// Takes as much input from the host end as fits. To be called after [`Chardev::push_input`].
    pub fn poll_input(&mut self, interrupts: &mut dyn IrqSink) {
        let was_empty = self.state.len == 0;
        let taken = self.chardev.take_input(&mut self.state.fifo[self.state.len..]);
        self.state.len += taken;
        if was_empty && taken > 0 {
            self.irq.pulse(interrupts);
        }
    }

    /// H_GET_TERM_CHAR: what waits in the FIFO, which then fills again. A NUL right after a CR is held back for the next call, since
    /// guests drop it within one packet (a workaround for an old PowerVM).
    pub fn get_chars(&mut self, interrupts: &mut dyn IrqSink) -> Chars {
        let VtyState { fifo, len } = &mut self.state;
        let held = fifo[..*len].windows(2).position(|w| w == [b'\r', 0]);
        let count = held.map_or(*len, |cr| cr + 1);
        let mut chars = Chars { len: count, ..Chars::default() };
        chars.bytes[..count].copy_from_slice(&fifo[..count]);
        fifo.copy_within(count..*len, 0);
        *len -= count;
        self.poll_input(interrupts);
        chars
    }

    /// H_PUT_TERM_CHAR, display-character: output. Never waits.
    pub fn put_chars(&mut self, bytes: &[u8]) {
        self.chardev.write(bytes);
    }
}

impl Device for Vty {
    fn name(&self) -> &str {
        &self.name
    }

    /// What was typed before a reboot is still there after it.
    fn reset(&mut self, _kind: ResetKind) {}

    fn quiesce(&mut self) -> Result<()> {
        Ok(())
    }

    fn resume(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::irq::record::Record;
    use crate::units::Lisn;

    fn vty() -> (Vty, Arc<Chardev>, Record) {
        let chardev = Arc::new(Chardev::new());
        (Vty::new("vty@71000000", IrqLine(Lisn(0x1100)), Arc::clone(&chardev)), chardev, Record::default())
    }

    fn get(vty: &mut Vty, irqs: &mut Record) -> Vec<u8> {
        let chars = vty.get_chars(irqs);
        assert!(chars.bytes[chars.len..].iter().all(|&b| b == 0));
        chars.bytes[..chars.len].to_vec()
    }

    #[test]
    fn an_interrupt_only_when_the_fifo_was_empty() {
        let (mut vty, host, mut irqs) = vty();
        vty.poll_input(&mut irqs);
        assert_eq!(irqs.0.len(), 0, "nothing arrived");
        for byte in b"ab" {
            host.push_input(&[*byte]);
            vty.poll_input(&mut irqs);
        }
        assert_eq!(irqs.0, [(Lisn(0x1100), None)]);
        assert_eq!(get(&mut vty, &mut irqs), b"ab");
        assert_eq!(get(&mut vty, &mut irqs), b"");
        assert_eq!(irqs.0.len(), 1);
    }

    #[test]
    fn nothing_typed_is_lost() {
        let (mut vty, host, mut irqs) = vty();
        let text: Vec<u8> = (1..=100).collect();
        host.push_input(&text);
        vty.poll_input(&mut irqs);
        vty.reset(ResetKind::Guest);
        let mut seen = Vec::new();
        for _ in 0..7 {
            seen.extend(get(&mut vty, &mut irqs));
        }
        assert_eq!(seen, text);
        assert_eq!(irqs.0.len(), 7, "each refill of the empty FIFO interrupts");
        assert_eq!(host.input_len(), 0);
    }

    #[test]
    fn a_nul_after_cr_comes_alone() {
        let (mut vty, host, mut irqs) = vty();
        host.push_input(b"x\r\0\0y\r");
        vty.poll_input(&mut irqs);
        assert_eq!(get(&mut vty, &mut irqs), b"x\r");
        assert_eq!(get(&mut vty, &mut irqs), b"\0\0y\r");
        host.push_input(b"\r\0");
        vty.poll_input(&mut irqs);
        assert_eq!([get(&mut vty, &mut irqs), get(&mut vty, &mut irqs)], [b"\r".to_vec(), b"\0".to_vec()]);
    }

    #[test]
    fn output_is_kept_whoever_reads() {
        let (mut vty, host, _) = vty();
        vty.put_chars(b"hello ");
        vty.put_chars(b"world");
        assert_eq!(host.output(0, 100), b"hello world");
        assert_eq!(host.output(0, 100), b"hello world");
    }
}
