//! Peers and a disk that stand still.

use super::*;
use crate::limits::{DEAD_AFTER, DISK_PATIENCE, RETRY_MAX, SILENT_AFTER, SILENT_LINKS};
use crate::node::input::LinkId;

/// A link over which nothing comes, until it is given up.
fn silent_link(lone: &mut Lone, link: LinkId) {
    lone.linked(link, 2);
    pass(lone, DEAD_AFTER);
    assert!(
        lone.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Close(closed) if *closed == link))
    );
}

/// So much time goes by.
fn pass(lone: &mut Lone, time: Duration) {
    let until = lone.now.elapsed + time;
    while lone.now.elapsed < until {
        lone.now.elapsed = lone.node.deadline().min(until);
        lone.deliver(Input::Tick);
    }
}

fn problems(lone: &Lone) -> Vec<String> {
    lone.node.view().problems().collect()
}

#[test]
fn a_peer_whose_links_die_without_a_frame_is_named_and_left_until_it_speaks() {
    let mut lone = Lone::new(false);
    for link in 1..=u64::from(SILENT_LINKS) {
        assert!(problems(&lone).is_empty());
        silent_link(&mut lone, link);
    }
    assert!(
        problems(&lone)[0].ends_with("takes connections and says nothing"),
        "{:?}",
        problems(&lone)
    );
    lone.effects.clear();
    pass(&mut lone, RETRY_MAX / 3);
    assert!(
        !lone
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Dial { .. }))
    );
    lone.linked(9, 2);
    lone.deliver(Input::Frame(9, Frame::Degree(0).encode()));
    assert!(problems(&lone).is_empty());
    lone.deliver(Input::Unlinked(9, "closed by the peer".into()));
    lone.linked(10, 2);
    lone.deliver(Input::Unlinked(10, "closed by the peer".into()));
    assert!(problems(&lone).is_empty(), "one is no habit");
}

#[test]
fn what_a_peers_kernel_takes_is_a_sign_of_life_for_a_while_only() {
    let mut lone = Lone::new(false);
    lone.linked(1, 2);
    lone.deliver(Input::Frame(1, Frame::Degree(0).encode()));
    let spoke = lone.now.elapsed;
    while lone.node.peers.link(1).is_some() {
        pass(&mut lone, Duration::from_secs(1));
        lone.deliver(Input::Sent(1, 1));
    }
    assert_eq!(lone.now.elapsed, spoke + SILENT_AFTER);
    // One that answers stays, however much is sent to it.
    lone.linked(2, 2);
    for _ in 0..200 {
        lone.effects.clear();
        pass(&mut lone, Duration::from_secs(1));
        let pings = lone.effects.iter().filter_map(|effect| match effect {
            Effect::Send(2, bytes) => Frame::decode(bytes).ok().flatten(),
            _ => None,
        });
        let pongs: Vec<Frame> = pings
            .filter_map(|frame| {
                if let Frame::Ping(number) = frame {
                    Some(Frame::Pong(number))
                } else {
                    None
                }
            })
            .collect();
        pongs
            .iter()
            .for_each(|pong| lone.deliver(Input::Frame(2, pong.encode())));
        lone.deliver(Input::Sent(2, 1));
    }
    assert!(lone.node.peers.link(2).is_some());
}

/// Answers what the server is asked; the disk does nothing.
fn serve_server(lone: &mut Lone) {
    for effect in std::mem::take(&mut lone.effects) {
        if let Effect::Server(ticket, job) = &effect {
            let outcome = if matches!(job, ServerJob::Observe) {
                observed()
            } else {
                Outcome::Applied
            };
            lone.deliver(Input::Server(ServerReport::new(*ticket, outcome)));
        }
        lone.effects.push(effect);
    }
}

fn ticket_of(lone: &Lone, wanted: impl Fn(&DiskJob) -> bool) -> Option<Ticket> {
    let jobs = lone.effects.iter().filter_map(|effect| {
        if let Effect::Disk(job) = effect {
            Some(job)
        } else {
            None
        }
    });
    jobs.filter(|job| wanted(job))
        .last()
        .and_then(DiskJob::ticket)
}

#[test]
fn a_published_change_that_waits_for_a_disk_that_hangs_is_said_to_be_made_only() {
    let mut lone = Lone::new(true);
    lone.write(1, "one");
    lone.serve(&Outcome::Applied);
    lone.write(2, "two");
    let pending = ticket_of(&lone, |job| matches!(job, DiskJob::Pending(..))).unwrap();
    lone.deliver(Input::Stored(pending, Ok(())));
    lone.effects
        .retain(|effect| !matches!(effect, Effect::Disk(_)));
    serve_server(&mut lone);
    let head = lone.node.head().unwrap().id();
    let commit =
        ticket_of(&lone, |job| matches!(job, DiskJob::Commit(..))).expect("the server took it");
    pass(&mut lone, DISK_PATIENCE);
    assert_eq!(lone.statuses().last(), Some(&(2, 507)));
    lone.write(3, "three");
    assert_eq!(
        lone.statuses().last(),
        Some(&(3, 507)),
        "none is begun meanwhile"
    );
    assert!(problems(&lone)[0].contains("the disk has not answered for 10 s"));
    let answers = lone.statuses().len();
    lone.deliver(Input::Stored(commit, Ok(())));
    assert_eq!(lone.statuses().len(), answers, "nobody is answered twice");
    assert_eq!(lone.node.head().unwrap().id(), head);
    assert!(problems(&lone).is_empty());
    lone.write(4, "four");
    lone.serve(&Outcome::Applied);
    assert_eq!(lone.statuses().last(), Some(&(4, 200)));
}

/// Without a server nothing is published before it is durable, unless the disk has taken writes.
#[test]
fn a_change_that_waits_for_a_disk_that_hangs_is_given_up_and_removed() {
    let mut lone = Lone::new(false);
    lone.write(1, "one");
    let store = ticket_of(&lone, |job| matches!(job, DiskJob::Store(..))).expect("it is stored");
    lone.effects
        .retain(|effect| !matches!(effect, Effect::Disk(_)));
    pass(&mut lone, DISK_PATIENCE);
    assert_eq!(lone.statuses().last(), Some(&(1, 504)));
    assert!(
        lone.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Disk(DiskJob::Remove(..))))
    );
    lone.deliver(Input::Stored(store, Ok(())));
    assert!(
        lone.node.head().is_none(),
        "it is not published, durable or not"
    );
}
