//! Files that are spoiled on disk, while a peer is stopped or while it runs: set aside, reported,
//! and whole again with the help of others.

use std::fs;
use std::path::Path;

use super::peer::Peer;
use super::private::Scratch;
use super::{names, wait};

/// Three peers with the same history; the third is stopped.
fn fleet() -> (Scratch, [Peer; 3]) {
    let scratch = Scratch::new();
    let [mut one, mut two, mut three] = Peer::fleet(scratch.path());
    one.start(&[]);
    two.start(&[&one]);
    three.start(&[&one, &two]);
    assert_eq!(
        one.put("/config", r#"{"listeners":{},"routes":{}}"#).status,
        200
    );
    ["a", "b", "c", "d", "e"]
        .iter()
        .for_each(|name| one.change(name));
    // Whoever was linked only after some of the changes fetches them when somebody looks.
    let looked_at = |peer: &Peer| {
        peer.json("/fleet/revisions")
            .as_array()
            .is_some_and(|list| list.len() == 6)
    };
    let has_all =
        |peer: &Peer| looked_at(peer) && peer.kept() == one.kept() && one.kept().len() == 6;
    wait("all have the history", || {
        [&two, &three].into_iter().all(has_all)
    });
    wait("all are in step", || {
        [&two, &three]
            .iter()
            .all(|peer| peer.json("/fleet").pointer("/peer/joined") == Some(&true.into()))
    });
    three.stop();
    (scratch, [one, two, three])
}

/// Every revision's file of `peer` is, byte for byte, that of `other`.
fn is_as_whole_as(peer: &Peer, other: &Peer) -> bool {
    let read = |peer: &Peer, name: &String| fs::read(peer.revisions().join(name)).ok();
    peer.kept() == other.kept()
        && peer
            .kept()
            .iter()
            .all(|name| read(peer, name) == read(other, name))
}

fn aside(peer: &Peer) -> Vec<String> {
    names(&peer.revisions())
        .into_iter()
        .filter(|name| name.contains(".damaged-"))
        .collect()
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Spoils revision `number` of the third peer, starts it, and sees it mended: `aside` files are set
/// aside, whose fault is reported.
fn mended(number: usize, spoil: impl FnOnce(&Path), set_aside: usize) {
    let (_scratch, [one, two, mut three]) = fleet();
    let name = one.kept()[number].clone();
    spoil(&three.revisions().join(&name));
    three.start(&[&one, &two]);
    wait("the revision is fetched again", || {
        is_as_whole_as(&three, &one)
    });
    assert!(is_as_whole_as(&two, &one));
    assert_eq!(
        aside(&three).len(),
        set_aside,
        "{:?}",
        names(&three.revisions())
    );
    let reported = |text: &str| text.contains("a damaged revision was set aside as ");
    assert_eq!(
        three
            .problems()
            .iter()
            .filter(|problem| reported(problem))
            .count(),
        set_aside,
        "{:?}",
        three.problems()
    );
    let log = three.log.tail(usize::MAX);
    assert_eq!(
        log.lines().filter(|line| reported(line)).count(),
        set_aside,
        "{log}"
    );
    assert_eq!(three.json("/config"), one.json("/config"));
    wait("it is in step", || three.is_in_step());
    three.change("after");
    wait("it speaks for the fleet", || {
        one.has("after") && two.has("after")
    });
    assert_eq!(three.try_command(&["fsck"], "").0, 0);
}

#[test]
fn a_flipped_byte_in_the_history_is_mended() {
    mended(2, flip, 1);
}

#[test]
fn a_flipped_byte_in_the_heads_file_is_mended() {
    mended(5, flip, 1);
}

#[test]
fn a_truncated_file_is_mended() {
    mended(
        4,
        |path| {
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(100)
                .unwrap()
        },
        1,
    );
}

#[test]
fn an_empty_head_is_mended() {
    mended(5, |path| fs::write(path, "").unwrap(), 1);
}

#[test]
fn a_directory_in_a_files_place_is_mended() {
    let replace = |path: &Path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
        fs::write(path.join("x"), "x").unwrap();
    };
    mended(5, replace, 1);
}

#[test]
fn garbage_is_mended() {
    mended(
        1,
        |path| fs::write(path, (0..=255).cycle().take(100_000).collect::<Vec<u8>>()).unwrap(),
        1,
    );
}

#[test]
fn another_revisions_content_is_mended() {
    let exchange = |path: &Path| {
        let other = names(path.parent().unwrap())[1].clone();
        fs::copy(path.with_file_name(other), path).unwrap();
    };
    mended(3, exchange, 1);
}

#[test]
fn a_wrong_name_is_put_right_without_anybodys_help() {
    mended(
        5,
        |path| fs::rename(path, path.with_file_name("head")).unwrap(),
        0,
    );
}

#[test]
fn a_host_that_is_alone_puts_a_wrong_name_right_and_goes_on() {
    let (_scratch, [mut one, mut two, three]) = fleet();
    two.stop();
    one.stop();
    let kept = one.kept();
    fs::rename(one.revisions().join(&kept[5]), one.revisions().join("head")).unwrap();
    fs::rename(
        one.revisions().join(&kept[2]),
        one.revisions().join(kept[2].replace("0003", "0004")),
    )
    .unwrap();
    one.start(&[]);
    assert_eq!(one.kept(), kept);
    assert!(
        one.has("e") && one.problems().is_empty(),
        "{:?}",
        one.problems()
    );
    one.change("after");
    drop(three);
}

#[test]
fn a_host_whose_head_is_damaged_does_not_speak_for_the_fleet_alone() {
    let (_scratch, [one, two, mut three]) = fleet();
    drop((one, two));
    flip(&three.revisions().join(&three.kept()[5]));
    three.start(&[]);
    assert!(three.has("d") && !three.has("e"));
    let reply = three.put("/config/routes/x", "[]");
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert_eq!(
        three.try_command(&["fsck"], "").0,
        0,
        "what was set aside is no fault any more"
    );
}

#[test]
fn a_file_that_is_spoiled_while_the_peer_runs_is_mended_when_it_is_read() {
    let (_scratch, [one, two, mut three]) = fleet();
    let name = one.kept()[2].clone();
    let id = name.split_once('-').unwrap().1.to_owned();
    // The third has lost it altogether and asks the first, whose file turns out to be damaged; the
    // second has it.
    flip(&three.revisions().join(&name));
    flip(&one.revisions().join(&name));
    three.start(&[&one]);
    wait("the first reports it", || {
        one.problems()
            .iter()
            .any(|problem| problem.contains(&id[..8]))
    });
    wait("the first is whole again", || is_as_whole_as(&one, &two));
    assert_eq!(aside(&one), [format!("{name}.damaged-1")]);
    assert!(
        one.log
            .wait(0, super::SOON, |line| line
                .contains(" is damaged; peers are asked for it again"))
            .is_some()
    );
}

#[test]
fn a_damaged_address_book_is_set_aside_and_the_peer_goes_on() {
    let (_scratch, [one, two, mut three]) = fleet();
    let book = three.state.join("addresses.json");
    for spoil in ["{\"addresses\":[{\"addr", "[]", "\u{0}"] {
        fs::write(&book, spoil).unwrap();
        three.start(&[&one, &two]);
        assert!(
            three
                .problems()
                .iter()
                .any(|problem| problem.contains("no address book; it was set aside as "))
        );
        wait("it is linked", || {
            three
                .json("/fleet/links")
                .as_array()
                .is_some_and(|links| links.len() == 2)
        });
        three.stop();
    }
    fs::create_dir(&book).unwrap();
    three.start(&[&one]);
    let kept = names(&three.state)
        .into_iter()
        .filter(|name| name.starts_with("addresses.json.damaged-"));
    assert_eq!(kept.count(), 4);
}

#[test]
fn damaged_keys_end_the_start_with_what_to_do() {
    let scratch = Scratch::new();
    let [mut peer] = Peer::fleet(scratch.path());
    let cases = [
        (
            "identity.key",
            "",
            "put back a copy of it, or move it and fleet.json away and join again",
        ),
        (
            "identity.key",
            "starling identity key 1",
            "put back a copy of it, or move it and fleet.json away and join again",
        ),
        (
            "fleet.json",
            "",
            "put back a copy of it, or move it away and join again",
        ),
        (
            "fleet.json",
            "{\"name\":\"gulls\"}",
            "put back a copy of it, or move it away and join again",
        ),
        (
            "fleet.json",
            &"x".repeat(1 << 20),
            "put back a copy of it, or move it away and join again",
        ),
    ];
    for (name, spoiled, what_to_do) in cases {
        let path = peer.state.join(name);
        let sound = fs::read(&path).unwrap();
        fs::write(&path, spoiled).unwrap();
        let (status, _, complaint) = peer.try_command(&["run"], "");
        assert_eq!(status, 1, "{complaint}");
        assert!(
            complaint.contains(&format!("{}: ", path.display())) && complaint.contains(what_to_do),
            "{complaint}"
        );
        assert_eq!(
            fs::read(&path).unwrap(),
            spoiled.as_bytes(),
            "nothing is guessed"
        );
        fs::write(&path, sound).unwrap();
    }
    peer.start(&[]);
}
