//! `starling fsck`: what the state directory holds, and what is wrong with it.
//!
//! It reads the files themselves, so it works on the directory of a stopped host and of a running
//! one, and never writes. One line a finding, which names the file, what is wrong and what to do;
//! then one line that sums up.

use std::fmt::Write;

use super::failure::CommandError;
use super::output;
use crate::daemon::logger::one_line;
use crate::daemon::state_dir::{self, Finding, Report};
use crate::model::json::{self, Map, Value, object};
use crate::settings::Settings;

/// Checks the state directory and prints what was found. The failure is that something is wrong.
pub(super) fn run(settings: &Settings, as_json: bool) -> Result<(), CommandError> {
    let report = state_dir::check(&settings.state)?;
    let text = if as_json {
        json::unit_format(&report_json(&report)).replace("\r\n", "\n")
    } else {
        page(&report)
    };
    output::print(&text)?;
    match report.faults() {
        0 => Ok(()),
        1 => Err(CommandError::Failed(format!(
            "{}: one thing is wrong",
            settings.state.display()
        ))),
        many => Err(CommandError::Failed(format!(
            "{}: {many} things are wrong",
            settings.state.display()
        ))),
    }
}

fn page(report: &Report) -> String {
    let mut page: String = report.findings.iter().map(line).collect();
    let fleet = report
        .fleet
        .as_ref()
        .map_or("no fleet".to_owned(), |fleet| format!("fleet {fleet}"));
    let (revisions, groups) = (
        counted(report.revisions(), "revision"),
        counted(report.groups.len(), "group"),
    );
    write!(page, "{fleet}: {revisions} of {groups}").expect("a String takes everything");
    for (name, (_, head)) in &report.groups {
        write!(
            page,
            "; {name} is at {}, height {}",
            head.id.short(),
            head.height
        )
        .expect("a String takes everything");
    }
    page.push('\n');
    page
}

/// Names of files are whatever somebody called them: they are made harmless for terminals.
fn line(finding: &Finding) -> String {
    let grade = if finding.is_wrong { "wrong" } else { "note" };
    format!(
        "{grade}: {}: {}; {}\n",
        one_line(&finding.path.display().to_string()),
        finding.what,
        finding.cure
    )
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn report_json(report: &Report) -> Value {
    let groups = report.groups.iter().map(|(name, (count, head))| {
        let head = object! { "id": head.id.to_string(), "height": head.height };
        (
            name.clone(),
            object! { "revisions": *count, "head": head }.into(),
        )
    });
    let findings = report.findings.iter().map(|finding| {
        object! {
            "file": finding.path.display().to_string(),
            "wrong": finding.is_wrong,
            "what": finding.what.as_str(),
            "cure": finding.cure.as_str(),
        }
    });
    Value::Object(object! {
        "sound": report.faults() == 0,
        "fleet": report.fleet.clone(),
        "groups": groups.collect::<Map<_, _>>(),
        "findings": findings.collect::<Vec<_>>(),
    })
}
