//! What `starling sim` is to simulate: how many hosts, over what network, and what happens to them.
//!
//! Form and bounds only, as for settings; the bounds are those of one machine's memory and of a
//! person's patience. What the figures mean is told by whoever simulates.

use std::time::Duration;

use super::error::SettingsError;
use super::table::Opt;
use crate::limits::{
    SIM_CHANGES_MAX, SIM_DELAY_MAX, SIM_HOSTS_MAX, SIM_NODE_RECORDS_HOSTS, SIM_PARTITION_MAX,
    SIM_SIZE_MAX, SIM_SIZE_MIN,
};

/// A fleet and its fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Hosts, 2 to [`SIM_HOSTS_MAX`].
    pub hosts: usize,
    /// Node records are simulated in fleets of up to so many hosts.
    pub node_records: usize,
    /// The least that anything takes from one host to another.
    pub delay: Duration,
    /// By how much more it may be.
    pub jitter: Duration,
    /// Of a million frames, so many are lost on the way and sent again by TCP.
    pub loss_ppm: u64,
    /// At so many frames of a million the connection is lost.
    pub break_ppm: u64,
    /// The document, in bytes of compact JSON.
    pub size: usize,
    /// Changes by random hosts, one after the other.
    pub changes: u32,
    /// They are by so many hosts only.
    pub authors: usize,
    /// How long the fleet is cut in two halves; zero for not at all.
    pub partition: Duration,
    /// Of a million hosts, so many die at once.
    pub die_ppm: u64,
    /// What all chance comes from.
    pub seed: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            hosts: 100,
            node_records: SIM_NODE_RECORDS_HOSTS,
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(5),
            loss_ppm: 0,
            break_ppm: 0,
            size: 4 << 10,
            changes: 10,
            authors: SIM_HOSTS_MAX,
            partition: Duration::from_secs(30),
            die_ppm: 300_000,
            seed: 1,
        }
    }
}

impl Scenario {
    /// The usual one but for what these options say; those that are about something else are passed
    /// over. An error names the option and what was expected.
    pub fn new(options: &[(&'static Opt, String)]) -> Result<Self, SettingsError> {
        let mut scenario = Self::default();
        for (option, text) in options {
            scenario
                .take(option.name, text)
                .map_err(|expected| SettingsError::Value {
                    place: format!("--{}", option.name),
                    expected,
                    found: text.clone(),
                })?;
        }
        Ok(scenario)
    }

    fn take(&mut self, option: &str, text: &str) -> Result<(), &'static str> {
        match option {
            "nodes" => set(
                &mut self.hosts,
                number(text).filter(|n| (2..=SIM_HOSTS_MAX).contains(n)),
                "a number from 2 to 8000",
            ),
            "node-records" => set(
                &mut self.node_records,
                number(text).filter(|n| *n <= SIM_HOSTS_MAX),
                "a number from 0 to 8000",
            ),
            "delay" => set(
                &mut self.delay,
                duration(text).filter(|time| *time <= SIM_DELAY_MAX),
                "a time up to 10s such as 20ms",
            ),
            "jitter" => set(
                &mut self.jitter,
                duration(text).filter(|time| *time <= SIM_DELAY_MAX),
                "a time up to 10s such as 20ms",
            ),
            "loss" => set(
                &mut self.loss_ppm,
                share(text).filter(|ppm| *ppm <= 500_000),
                "a share from 0% to 50%",
            ),
            "break" => set(
                &mut self.break_ppm,
                share(text).filter(|ppm| *ppm <= 100_000),
                "a share from 0% to 10%",
            ),
            "size" => set(
                &mut self.size,
                size(text).filter(|n| (SIM_SIZE_MIN..=SIM_SIZE_MAX).contains(n)),
                "a size from 200 to 1m",
            ),
            "changes" => set(
                &mut self.changes,
                number(text).filter(|n| *n <= SIM_CHANGES_MAX),
                "a number from 0 to 1000",
            ),
            "authors" => set(
                &mut self.authors,
                number(text).filter(|n| (1..=SIM_HOSTS_MAX).contains(n)),
                "a number from 1 to 8000",
            ),
            "partition" => set(
                &mut self.partition,
                duration(text).filter(|time| *time <= SIM_PARTITION_MAX),
                "a time up to 1h such as 30s",
            ),
            "die" => set(
                &mut self.die_ppm,
                share(text).filter(|ppm| *ppm <= 900_000),
                "a share from 0% to 90%",
            ),
            "seed" => set(&mut self.seed, number(text), "a number"),
            _ => Ok(()),
        }
    }
}

fn set<T>(place: &mut T, value: Option<T>, expected: &'static str) -> Result<(), &'static str> {
    value.map(|value| *place = value).ok_or(expected)
}

/// Digits only: no sign, no space.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// A number with at most four decimals, in ten-thousandths.
fn decimal(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = u32::try_from(part.len())
        .ok()
        .filter(|digits| (1..=4).contains(digits))?;
    number::<u64>(whole)?
        .checked_mul(10_000)?
        .checked_add(number::<u64>(part)? * 10_u64.pow(4 - digits))
}

/// `5%` or `0.25%`, in millionths.
fn share(text: &str) -> Option<u64> {
    if text == "0" {
        Some(0)
    } else {
        decimal(text.strip_suffix('%')?)
    }
}

/// `30s`, `1.5s`, `20ms`, `200us` or `2m`; `0` needs no unit.
fn duration(text: &str) -> Option<Duration> {
    let (text, micros) = match text {
        "0" => (text, 0),
        _ => UNITS
            .iter()
            .find_map(|(unit, micros)| Some((text.strip_suffix(unit)?, *micros)))?,
    };
    Some(Duration::from_micros(
        decimal(text)?.checked_mul(micros)? / 10_000,
    ))
}

/// Bytes: `1000`, `64k` or `1m`.
fn size(text: &str) -> Option<usize> {
    let (digits, shift) = match text.strip_suffix(['k', 'm']) {
        Some(digits) => (digits, if text.ends_with('k') { 10 } else { 20 }),
        None => (text, 0),
    };
    number::<usize>(digits)?.checked_mul(1 << shift)
}

/// Units of time in microseconds; of two that end alike the longer comes first.
const UNITS: [(&str, u64); 5] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::options::{OPTIONS, option};
    use crate::settings::table::Subcommand;

    fn with(option_name: &str, text: &str) -> Result<Scenario, SettingsError> {
        Scenario::new(&[(option(option_name).unwrap(), text.to_owned())])
    }

    /// A good value for every option that is about the scenario, and one that is out of its bounds.
    const VALUES: [(&str, &str, &str); 12] = [
        ("nodes", "500", "1"),
        ("node-records", "0", "8001"),
        ("delay", "20ms", "11s"),
        ("jitter", "1.5s", "1h"),
        ("loss", "5%", "50.1%"),
        ("break", "0.0005%", "11%"),
        ("size", "64k", "2m"),
        ("changes", "0", "1001"),
        ("authors", "2", "0"),
        ("partition", "2m", "61m"),
        ("die", "20%", "91%"),
        ("seed", "7", "-7"),
    ];

    #[test]
    fn every_option_of_a_simulation_is_understood_within_its_bounds() {
        for (name, good, bad) in VALUES {
            assert_ne!(with(name, good).unwrap(), Scenario::default(), "{name}");
            for bad in [
                bad,
                "",
                "x",
                "1 0",
                "+1",
                "%",
                "s",
                "1.%",
                "99999999999999999999",
            ] {
                let error = with(name, bad).unwrap_err().to_string();
                assert!(
                    error.starts_with(&format!("--{name}: expected a ")),
                    "{name} {bad}: {error}"
                );
            }
        }
        let known = |option: &&Opt| option.commands == [Subcommand::Sim];
        let unnamed: Vec<_> = OPTIONS
            .iter()
            .filter(known)
            .filter(|o| VALUES.iter().all(|(name, ..)| *name != o.name))
            .collect();
        assert!(unnamed.is_empty(), "{unnamed:?}");
    }

    #[test]
    fn values_are_what_their_units_say() {
        assert_eq!(with("die", "0.25%").unwrap().die_ppm, 2500);
        assert_eq!(with("loss", "0").unwrap().loss_ppm, 0);
        assert_eq!(
            with("delay", "250us").unwrap().delay,
            Duration::from_micros(250)
        );
        assert_eq!(
            with("partition", "1.5m").unwrap().partition,
            Duration::from_secs(90)
        );
        assert_eq!(with("partition", "0").unwrap().partition, Duration::ZERO);
        assert_eq!(with("size", "2k").unwrap().size, 2048);
    }
}
