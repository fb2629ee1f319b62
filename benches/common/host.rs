//! What the kernel says of a process: CPU time and resident memory.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;

/// Clock ticks a second in /proc (USER_HZ, the same on every Linux that we run on).
const TICKS: f64 = 100.0;

/// CPU seconds, user and system, of a process's threads, to the nanosecond. Threads that ended are not in it, so it is for differences between
/// moments when the same threads are there.
pub fn threads_cpu(process: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the guest's process is there");
    let nanoseconds = tasks.filter_map(|t| {
        let text = fs::read_to_string(t.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}

/// CPU seconds, user and system, of a process since it began, in steps of a tick.
pub fn process_cpu(process: u32) -> f64 {
    // Fields 14 and 15 of proc(5).
    ticks(&format!("/proc/{process}/stat"), [11, 12])
}

/// CPU seconds, user and system, of the children that ended.
pub fn children_cpu() -> f64 {
    // Fields 16 and 17.
    ticks("/proc/self/stat", [13, 14])
}

fn ticks(stat: &str, after_the_name: [usize; 2]) -> f64 {
    let stat = fs::read_to_string(stat).expect("Linux has /proc");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name in parentheses").1.split_whitespace().collect();
    after_the_name.iter().filter_map(|k| fields[*k].parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// MiB of guest RAM that are resident, and MiB resident besides. RAM is the mapping of `ram` bytes, and whatever else maps the same file.
pub fn resident(process: u32, ram: u64) -> (f64, f64) {
    let smaps = fs::read_to_string(format!("/proc/{process}/smaps")).expect("the guest's process is there");
    let mut mappings = Vec::new();
    for line in smaps.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            "Size:" | "Rss:" | "Pss:" => {
                let kib = value.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0);
                let last: &mut Mapping = mappings.last_mut().expect("a mapping comes before its figures");
                match key {
                    "Size:" => last.size = kib,
                    "Rss:" => last.resident = kib,
                    _ => last.share = kib,
                }
            }
            _ if !key.ends_with(':') => {
                let inode = value.split_whitespace().nth(3).and_then(|n| n.parse().ok()).unwrap_or(0);
                let shared = value.split_whitespace().next().is_some_and(|rights| rights.ends_with('s'));
                mappings.push(Mapping { inode, shared, ..Mapping::default() });
            }
            _ => {}
        }
    }
    // A file that is mapped more than once has its pages counted once, by their shares: guest RAM, and the two views of translated code.
    let mut times: HashMap<u64, u32> = HashMap::new();
    mappings.iter().filter(|m| m.inode != 0).for_each(|m| *times.entry(m.inode).or_default() += 1);
    let counted = |m: &Mapping| if m.shared && times.get(&m.inode).is_some_and(|n| *n > 1) { m.share } else { m.resident };
    let is_ram: HashSet<u64> = mappings.iter().filter(|m| m.size == ram >> 10 && m.inode != 0).map(|m| m.inode).collect();
    let (of_ram, others): (Vec<_>, Vec<_>) = mappings.iter().partition(|m| m.size == ram >> 10 || is_ram.contains(&m.inode));
    assert!(!of_ram.is_empty(), "no mapping has the size of guest RAM");
    let mib = |kib: u64| kib as f64 / 1024.0;
    (mib(of_ram.iter().map(|m| m.share).sum()), mib(others.iter().map(|m| counted(m)).sum()))
}

#[derive(Default)]
struct Mapping {
    inode: u64,
    /// Stores reach the file.
    shared: bool,
    size: u64,
    resident: u64,
    share: u64,
}
