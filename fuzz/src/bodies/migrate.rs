//! What arrives at a machine that waits for a guest.
//!
//! The seeds are whole streams of real moves. The first byte of an input says whether the rest is taken as it is, or whether sequence numbers and checksums of its frames are made right
//! first: else nothing but those would ever be tested. Whatever arrives, the machine either has become what the stream says, and stands, or it has not and cannot run.

use spapr::migrate::Handle;
use spapr::migrate::Options as MigrateOptions;
use spapr::migrate::frame::Broken;
use spapr::migrate::frame::HEADER;
use spapr::migrate::link::Link;
use spapr::migrate::link::Stop;
use spapr::migrate::link::Unix;
use spapr::migrate::source::Open;
use spapr::migrate::target::Door;
use spapr::spapr::smp::SmpSettings;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::vm::Options;
use spapr::vm::Status;
use spapr::vm::Vm;
use std::cell::RefCell;
use std::io::Read;
use std::io::Result;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

const AS_IT_IS: u8 = 0;
const MADE_RIGHT: u8 = 1;

fn settings(ic_mode: &str) -> Settings {
    let caps = [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken"), ("ccf-assist", "off")];
    Settings {
        cpu: Some("power9".into()),
        smp: SmpSettings::parse("2").expect("a topology"),
        memory: 256 << 20,
        ic_mode: Some(ic_mode.into()),
        caps: caps.map(|(n, v)| (n.into(), v.into())).to_vec(),
        ..Settings::default()
    }
}

fn incoming() -> Vm {
    Vm::incoming(check(&settings("dual")).expect("a machine"), Options::default()).expect("memory for a machine")
}

thread_local! {
    /// Used again while it can be: a failed attempt leaves it waiting.
    static MACHINE: RefCell<Option<Vm>> = const { RefCell::new(None) };
}

/// Reads what an enemy has written, and is deaf.
struct Enemy {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Enemy {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let n = buf.len().min(self.bytes.len() - self.at);
        buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

impl Write for Enemy {
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        Ok(buf.len())
    }
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Link for Enemy {}

struct Once(Option<Box<dyn Link>>);

impl Door for Once {
    fn next(&mut self, _: &Stop) -> std::result::Result<Box<dyn Link>, Broken> {
        self.0.take().ok_or(Broken::Closed)
    }
}

/// Numbers the frames and sums them up, as far as their lengths lead.
fn make_right(bytes: &mut [u8]) {
    let (mut at, mut number) = (0, 0u32);
    while at + HEADER <= bytes.len() {
        let length = u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize;
        let Some(end) = at.checked_add(HEADER + length).filter(|e| *e <= bytes.len()) else { return };
        bytes[at + 5..at + 8].fill(0);
        bytes[at + 8..at + 12].copy_from_slice(&number.to_be_bytes());
        let mut sum = crc32(u32::MAX, &bytes[at..at + 12]);
        sum = !crc32(sum, &bytes[at + HEADER..end]);
        bytes[at + 12..at + HEADER].copy_from_slice(&sum.to_be_bytes());
        (at, number) = (end, number + 1);
    }
}

/// CRC-32, a nibble at a time: the fuzz crate has no library for it.
fn crc32(mut sum: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let (mut table, mut n) = ([0; 16], 0);
        while n < 16 {
            let (mut c, mut k) = (n as u32, 0);
            while k < 4 {
                c = if c & 1 != 0 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
                k += 1;
            }
            table[n] = c;
            n += 1;
        }
        table
    };
    for b in bytes {
        sum = TABLE[((sum ^ u32::from(*b)) & 15) as usize] ^ (sum >> 4);
        sum = TABLE[((sum ^ u32::from(*b >> 4)) & 15) as usize] ^ (sum >> 4);
    }
    sum
}

/// One stream.
pub fn run(data: &[u8]) {
    let Some((how, stream)) = data.split_first() else { return };
    let mut bytes = stream.to_vec();
    if *how != AS_IT_IS {
        make_right(&mut bytes);
    }
    MACHINE.with_borrow_mut(|machine| {
        let vm = machine.get_or_insert_with(incoming).clone();
        let mut door = Once(Some(Box::new(Enemy { bytes, at: 0 })));
        let received = vm.receive(&mut door, Duration::from_secs(1), &Handle::new(None));
        match received {
            Ok(_) => {
                vm.pause();
                assert_ne!(vm.status().0, Status::InMigrate);
                vm.close();
                *machine = None;
            }
            Err(_) if vm.memory().lacks_pages() => {
                // Post-copy: the guest came, and pages that it lacks will not.
                vm.close();
                *machine = None;
            }
            Err(e) => {
                assert!(!e.to_string().is_empty());
                assert_eq!(vm.status().0, Status::InMigrate);
                assert!(vm.resume().is_err(), "a machine runs that has no guest: {e}");
            }
        }
    });
}

/// Remembers what is written.
struct Tape {
    link: Unix,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Read for Tape {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.link.read(buf)
    }
}

impl Write for Tape {
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        let n = self.link.write(buf)?;
        self.written.lock().expect("nobody panics with it").extend_from_slice(&buf[..n]);
        Ok(n)
    }
    fn flush(&mut self) -> Result<()> {
        self.link.flush()
    }
}

impl Link for Tape {}

/// The stream of a machine of these settings.
fn recorded(s: &Settings) -> Vec<u8> {
    let from = Vm::new(check(s).expect("a machine"), Options::default()).expect("memory for a machine");
    let to = Vm::incoming(check(s).expect("a machine"), Options::default()).expect("memory for a machine");
    let (a, b) = Unix::pair().expect("sockets");
    let written = Arc::new(Mutex::new(Vec::new()));
    let tape = Tape { link: a, written: written.clone() };
    std::thread::scope(|t| {
        let receiver = t.spawn(|| to.receive(&mut Once(Some(Box::new(b))), Duration::from_secs(20), &Handle::new(None)));
        let links: Vec<Box<dyn Link>> = vec![Box::new(tape)];
        from.migrate(&mut Open(links), &MigrateOptions::default(), &Handle::new(None)).expect("it moves");
        receiver.join().expect("no panic").expect("it arrives");
    });
    let held = written.lock().expect("nobody panics with it");
    held.clone()
}

/// Real streams: of the machine that waits, and of another one.
pub fn seeds() -> Vec<Vec<u8>> {
    let (same, other) = (recorded(&settings("dual")), recorded(&settings("xics")));
    [(AS_IT_IS, &same), (MADE_RIGHT, &same), (MADE_RIGHT, &other)].map(|(how, s)| [&[how][..], s].concat()).to_vec()
}
