//! The log: one line an event on standard error, `level area: sentence`.
//!
//! The area is the last part of the module's path, or the target that was given instead. There is
//! no time in a line: whoever keeps the log (systemd, a container's engine) adds it. What other
//! crates log is not shown, but for their warnings at `debug`: they know nothing of what a person
//! runs this for, and mdns-sd alone writes a hundred lines a minute.
//!
//! Whoever logs never waits for whoever reads: lines are queued, and the thread `log` writes them
//! (see [`queue`]). Lines for which there is no room are dropped, and their number is said as soon
//! as there is.

mod queue;

use std::io::{self, Write};
use std::sync::OnceLock;

use log::{Level, LevelFilter, Log, Metadata, Record};

use self::queue::LogQueue;
use crate::limits::LOG_END_WAIT;

/// Logs from now on what is at least as grave as `level`. Only the first call counts.
pub fn start(level: Level) {
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(level.to_level_filter());
        // Without a thread for it lines are written by whoever has them; but then there are none
        // for anything else either.
        if let Ok(queue) = LogQueue::start(io::stderr()) {
            QUEUE.get_or_init(|| queue);
        }
    }
}

/// Logs at `debug`. The macro of that name is compiled out of release builds, for the sake of what
/// other crates would say with it.
pub fn debug(area: &str, sentence: &str) {
    if log::max_level() >= LevelFilter::Debug {
        write_line(line(Level::Debug, area, sentence));
    }
}

/// Waits until what was logged before is written, [`LOG_END_WAIT`] at most: for whoever is about to
/// end the process.
pub fn finish() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(LOG_END_WAIT);
    }
}

/// Writes a line that is no event, and all that was logged before: the last that this process says.
/// A process that has no log writes it directly.
pub fn say_last(text: &str) {
    write_line(format!("{text}\n"));
    finish();
}

fn write_line(line: String) {
    match QUEUE.get() {
        Some(queue) => queue.push(line),
        // Whoever closed our standard error does not want the line; there is nobody else to tell.
        None => drop(io::stderr().write_all(line.as_bytes())),
    }
}

/// The way to the thread `log`, once it runs.
static QUEUE: OnceLock<LogQueue> = OnceLock::new();

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_shown(log::max_level(), metadata.level(), metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            write_line(line(
                record.level(),
                record.target(),
                &record.args().to_string(),
            ));
        }
    }

    fn flush(&self) {}
}

fn is_shown(most: LevelFilter, level: Level, target: &str) -> bool {
    let is_ours = target.starts_with(OURS) || !target.contains("::");
    level <= most && (is_ours || (most == LevelFilter::Debug && level <= Level::Warn))
}

/// A whole line of the log, with its end.
fn line(level: Level, target: &str, sentence: &str) -> String {
    let level = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    };
    let area = target.rsplit("::").next().unwrap_or(target);
    format!("{level} {area}: {}\n", one_line(sentence))
}

/// The text with all that [`deceives`] spelt out. Names and words of peers and servers reach
/// people's terminals: nothing in them may end the line, drive the terminal, or make one text look
/// like another.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if deceives(c) {
            line.extend(c.escape_default())
        } else {
            line.push(c)
        }
    }
    line
}

/// Whether a character is not seen where it stands, but changes what is seen elsewhere: control
/// characters, line and paragraph separators, those that turn the direction of writing (Unicode
/// Standard Annex 9, section 2), and those without width.
pub fn deceives(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control()
        || turns
        || matches!(
            c,
            '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}'
        )
}

/// How the paths of our modules begin. A target that we name ourselves is one word.
const OURS: &str = concat!(env!("CARGO_CRATE_NAME"), "::");

/// Logs a line of the node.
pub(super) fn say(level: Level, area: &'static str, text: &str) {
    match level {
        Level::Debug | Level::Trace => debug(area, text),
        level => log::log!(target: area, level, "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_level_area_and_sentence() {
        assert_eq!(
            line(Level::Warn, "starlingd::daemon::disk", "it is full"),
            "warn disk: it is full\n"
        );
        assert_eq!(line(Level::Info, "link", "up"), "info link: up\n");
    }

    #[test]
    fn nothing_from_outside_can_forge_a_line_or_drive_the_terminal() {
        assert_eq!(
            line(Level::Info, "link", "a\nerror x: b\u{1b}[2J"),
            "info link: a\\nerror x: b\\u{1b}[2J\n"
        );
        assert_eq!(
            one_line("a\u{202e}b\u{9b}c\u{feff}"),
            "a\\u{202e}b\\u{9b}c\\u{feff}"
        );
        assert_eq!(
            one_line("Möwe 東京 ‍"),
            "Möwe 東京 ‍",
            "what people write is left alone"
        );
    }

    #[test]
    fn other_crates_are_heard_at_debug_only_and_only_to_warn() {
        assert!(is_shown(
            LevelFilter::Info,
            Level::Info,
            "starlingd::daemon::disk"
        ));
        assert!(is_shown(LevelFilter::Info, Level::Info, "link"));
        assert!(!is_shown(LevelFilter::Info, Level::Debug, "link"));
        assert!(!is_shown(
            LevelFilter::Info,
            Level::Error,
            "mdns_sd::service_daemon"
        ));
        assert!(is_shown(
            LevelFilter::Debug,
            Level::Warn,
            "mdns_sd::service_daemon"
        ));
        assert!(!is_shown(
            LevelFilter::Debug,
            Level::Info,
            "mdns_sd::service_daemon"
        ));
    }
}
