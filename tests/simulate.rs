//! `starling sim`, as people run it: what it takes, that a seed fixes everything, and that fleets
//! heal.

use std::process::{Command, Output};

use starlingd::model::json::{self, Value};

fn run(words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_starling"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .arg("sim")
        .args(words.split_whitespace());
    command.output().expect("the program starts")
}

fn good(words: &str) -> String {
    let output = run(words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words}: {said}");
    assert!(said.is_empty(), "progress is for terminals only: {said}");
    String::from_utf8(output.stdout).expect("a table is text")
}

fn figures(words: &str) -> Value {
    json::parse_own(good(&format!("{words} --json")).as_bytes()).expect("it is JSON")
}

fn number(figures: &Value, name: &str) -> f64 {
    figures
        .get(name)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("{name} is no number in {figures}"))
}

#[test]
fn what_cannot_be_simulated_is_refused_before_anything_is_done() {
    let mistakes = [
        (
            "--nodes 1",
            "--nodes: expected a number from 2 to 8000, found \"1\"",
        ),
        (
            "--nodes many",
            "--nodes: expected a number from 2 to 8000, found \"many\"",
        ),
        (
            "--loss 5",
            "--loss: expected a share from 0% to 50%, found \"5\"",
        ),
        (
            "--die 100%",
            "--die: expected a share from 0% to 90%, found \"100%\"",
        ),
        (
            "--partition 30",
            "--partition: expected a time up to 1h such as 30s, found \"30\"",
        ),
        (
            "--size 3g",
            "--size: expected a size from 200 to 1m, found \"3g\"",
        ),
        ("--listen [::]:1", "--listen is no option of starling sim"),
        ("--node 5", "unknown option --node; did you mean --nodes?"),
        ("more", "starling sim: \"more\" is too much"),
    ];
    for (words, expected) in mistakes {
        let output = run(words);
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            format!("starling: {expected}\n")
        );
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_same_seed_gives_the_same_table_and_another_seed_another() {
    let words = "--nodes 9 --changes 2 --partition 20s --die 30% --seed";
    let first = good(&format!("{words} 7"));
    assert_eq!(first, good(&format!("{words} 7")));
    assert_ne!(first, good(&format!("{words} 8")));
    assert!(
        first.starts_with("9 hosts, seed 7\n") && first.ends_with("All agree in the end.\n"),
        "{first}"
    );
    assert!(
        first.lines().all(|line| line.chars().count() <= 80),
        "{first}"
    );
}

#[test]
fn eight_hosts_are_all_linked_with_each_other_and_a_change_takes_one_hop() {
    let figures = figures("--nodes 8 --changes 3 --partition 0 --die 0");
    assert_eq!(figures.get("agreed"), Some(&Value::Bool(true)));
    assert_eq!(
        (
            number(&figures, "degree_min"),
            number(&figures, "degree_max")
        ),
        (7.0, 7.0)
    );
    assert_eq!(number(&figures, "all_hops"), 1.0);
    assert!(number(&figures, "half_ms") <= number(&figures, "all_ms"));
    assert!(number(&figures, "known_ms") <= 500.0);
    assert!(number(&figures, "change_node_bytes") < 2_000.0);
    assert!(number(&figures, "idle_node_bytes") > 0.0);
    assert!(
        figures.get("heal_ms").is_none() && figures.get("dead").is_none(),
        "nothing of the kind happened"
    );
}

#[test]
fn a_fleet_that_was_cut_in_halves_and_lost_a_third_agrees_again() {
    let figures = figures(
        "--nodes 20 --changes 2 --partition 40s --die 30% --loss 2% --break 0.05% --seed 3",
    );
    assert_eq!(figures.get("agreed"), Some(&Value::Bool(true)), "{figures}");
    assert_eq!(number(&figures, "dead"), 6.0);
    assert_eq!(
        number(&figures, "conflicts"),
        1.0,
        "both halves changed one place"
    );
    assert_eq!(number(&figures, "open_conflicts"), 1.0);
    assert!(
        number(&figures, "replays") >= 1.0,
        "they changed other places too"
    );
    for name in ["heal_ms", "whole_ms", "survive_ms"] {
        assert!(number(&figures, name) < 120_000.0, "{name} in {figures}");
    }
}

/// What one host changes again and again comes to each of the others about once, and takes little
/// longer than if each host sent it over all of its links: so many milliseconds, as was measured.
#[test]
fn what_one_host_changes_comes_to_each_other_once_and_about_as_soon_as_by_a_flood() {
    for (hosts, flood_ms) in [(5, 9.4), (20, 15.5), (60, 23.8)] {
        for (loss, longer) in [("0%", 1.35), ("5%", 3.5)] {
            let figures = figures(&format!(
                "--nodes {hosts} --authors 1 --loss {loss} --node-records 0 --changes 20 \
                 --partition 0 --die 0%"
            ));
            assert_eq!(figures.get("agreed"), Some(&Value::Bool(true)), "{figures}");
            assert!(number(&figures, "duplicates") < 0.4, "{figures}");
            assert!(
                number(&figures, "most_ms") <= longer * flood_ms,
                "{figures}"
            );
        }
    }
}

#[test]
fn without_node_records_the_fleet_comes_together_all_the_same() {
    let table = good("--nodes 30 --node-records 29 --changes 1 --partition 0 --die 0");
    assert!(
        table.starts_with("30 hosts, seed 1; no node records, no servers, full address books\n"),
        "{table}"
    );
    assert!(!table.contains("node records a host"), "{table}");
}
