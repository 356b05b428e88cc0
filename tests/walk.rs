//! The README's example, walked: its commands, word for word, with the built program on three hosts
//! before stand-in servers, and what they print, compared with the page.
//!
//! What differs each time is not compared: IDs, times, addresses, sizes; nor is what the page
//! leaves out. A revision that the page names in a later command is the one that stood at that
//! place.

#[path = "walk/hosts.rs"]
mod hosts;
#[path = "walk/page.rs"]
mod page;
#[path = "support/skip.rs"]
mod skip;
#[path = "standin/server.rs"]
mod standin;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use hosts::Hosts;
use page::Step;

#[test]
fn the_example_of_the_readme_prints_what_the_page_shows() {
    if hosts::lacks("curl") {
        return skip::skip("the program `curl`");
    }
    let mut walk = Walk {
        hosts: Hosts::new(),
        revisions: BTreeMap::new(),
        shell: String::new(),
    };
    let steps = page::steps();
    assert!(
        steps.len() >= 10,
        "the example has {} steps: is the page read rightly?",
        steps.len()
    );
    for step in &steps {
        walk.go(step);
    }
    walk.hosts.have_touched_no_application();
}

struct Walk {
    hosts: Hosts,
    /// The page's revisions, and what they are here.
    revisions: BTreeMap<String, String>,
    /// Variables that the page has set.
    shell: String,
}

impl Walk {
    fn go(&mut self, step: &Step) {
        let Some(command) = &step.command else {
            return self.is_logged(step);
        };
        if command.starts_with("S=") {
            self.shell = format!("{command}; ");
            return;
        }
        if let Some(run) = command.strip_suffix(" &") {
            return self.hosts.run("host-a", run);
        }
        let command = self
            .revisions
            .iter()
            .fold(command.clone(), |command, (page, is)| {
                command.replace(page, is)
            });
        let late = Instant::now() + UNTIL_MAX;
        // What reads may be asked again: the other hosts follow when they do.
        let again = command.starts_with("starling status") || command.starts_with("starling log");
        loop {
            let printed = self
                .hosts
                .shell(step.host(), &format!("{}{command}", self.shell));
            let (wanted, is) = (page::plain(&step.output), self.hosts.plain(&printed));
            if wanted == is || step.output.is_empty() && !printed.contains("error") {
                self.learn(step, &printed);
                break;
            }
            let fine = again && Instant::now() < late;
            assert!(
                fine,
                "# {command}\n{printed}\n--- that is, without what varies\n{is:#?}\n--- the page\n{wanted:#?}"
            );
            thread::sleep(POLL);
        }
        if let Some((_, host)) = command.split_once("| ssh ") {
            let host = host.split(' ').next().expect("a word");
            for host in self.hosts.others(host) {
                self.hosts.join_and_run(&host, &command);
            }
        }
    }

    /// Remembers which revision stands where the page has another.
    fn learn(&mut self, step: &Step, printed: &str) {
        let ids = |text: &str| {
            text.split_whitespace()
                .filter(|word| page::is_revision(word))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        self.revisions
            .extend(ids(&step.output).into_iter().zip(ids(printed)));
    }

    /// Each line in its order in the log of a host that followed.
    fn is_logged(&self, step: &Step) {
        let (wanted, log) = (page::plain(&step.output), self.hosts.log("host-b"));
        let said = self.hosts.plain(&log);
        let mut said = said.iter();
        assert!(
            wanted.iter().all(|line| said.any(|other| other == line)),
            "the page:\n{wanted:#?}\nthe log:\n{log}"
        );
    }
}

/// Longer than a fleet of three takes to settle.
const UNTIL_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
