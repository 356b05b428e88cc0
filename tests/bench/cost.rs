//! What programs and their network cost so far, as the kernel counts it: read before and after,
//! nothing of it costs those who are measured anything.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Sub;
use std::time::Duration;

/// The counters of some processes, and of the interfaces of their hosts.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// Time on a processor, of all threads that ever ran; counted in hundredths of a second for
    /// each process.
    pub processor: Duration,
    /// How often a thread went to sleep and was woken, by thread: of those that have ended by then
    /// nothing is known.
    wakes: BTreeMap<(u32, u32), u64>,
    /// Ethernet frames that the hosts sent. One of them may stand for some that a real card would
    /// have cut (GSO).
    pub packets: u64,
    /// Bytes that the hosts sent, with the headers of Ethernet, IP and TCP.
    pub bytes: u64,
    /// Bytes that the processes caused to be written to disk.
    pub written: u64,
}

impl Cost {
    /// The counters at this moment: of the processes `programs`, and of the network of each of
    /// `hosts`, which are processes in different namespaces.
    pub fn now(programs: &[u32], hosts: &[u32]) -> Self {
        let mut cost = Self::default();
        for &pid in programs {
            cost.processor += processor(pid);
            cost.wakes.extend(wakes(pid));
            cost.written += written(pid);
        }
        for &pid in hosts {
            let (bytes, packets) = sent(pid);
            cost.bytes += bytes;
            cost.packets += packets;
        }
        cost
    }

    /// How often a thread was woken.
    pub fn wakes(&self) -> u64 {
        self.wakes.values().sum()
    }
}

impl Sub<&Cost> for Cost {
    type Output = Cost;

    fn sub(mut self, before: &Cost) -> Cost {
        for (thread, count) in &mut self.wakes {
            *count -= before.wakes.get(thread).copied().unwrap_or_default();
        }
        Cost {
            processor: self.processor.saturating_sub(before.processor),
            wakes: self.wakes,
            packets: self.packets - before.packets,
            bytes: self.bytes - before.bytes,
            written: self.written - before.written,
        }
    }
}

/// How many threads a process has.
pub fn threads(pid: u32) -> u64 {
    tasks(pid).len() as u64
}

/// A size of a process in MB, by its name in `/proc/PID/status`.
pub fn memory_mb(pid: u32, name: &str) -> f64 {
    field(&read(pid, "status"), name) as f64 * 1024.0 / 1e6
}

/// `utime` and `stime` of proc(5), which the kernel gives in hundredths of a second.
fn processor(pid: u32) -> Duration {
    let stat = read(pid, "stat");
    // The name of the program, in brackets, may hold anything.
    let (_, after) = stat.rsplit_once(')').unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    Duration::from_millis(
        10 * ticks
            .filter_map(|tick| tick.parse::<u64>().ok())
            .sum::<u64>(),
    )
}

/// Time on a processor of the threads that live, to the nanosecond: the first field of `schedstat`.
pub fn living(pid: u32) -> Duration {
    let spent = |thread: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks(pid).into_iter().filter_map(spent).sum())
}

fn wakes(pid: u32) -> BTreeMap<(u32, u32), u64> {
    let counted = |thread: u32| {
        // A thread that ends between two looks is none.
        let status = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).ok()?;
        Some(((pid, thread), field(&status, "voluntary_ctxt_switches")))
    };
    tasks(pid).into_iter().filter_map(counted).collect()
}

fn tasks(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).expect("what is measured runs");
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn written(pid: u32) -> u64 {
    field(&read(pid, "io"), "write_bytes")
}

/// The bytes and frames that left through `eth0` of the namespace in which a process is.
fn sent(pid: u32) -> (u64, u64) {
    let interfaces = read(pid, "net/dev");
    let line = interfaces
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("eth0:"));
    let counts: Vec<u64> = line
        .expect("each host of a lab has eth0")
        .split_whitespace()
        .filter_map(|count| count.parse().ok())
        .collect();
    (counts[8], counts[9])
}

fn read(pid: u32, file: &str) -> String {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The number on the line `name:`.
fn field(text: &str, name: &str) -> u64 {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("{name} is no field of\n{text}"))
}
