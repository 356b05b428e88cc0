//! Nothing is put over what could not be kept.

use super::*;
use crate::daemon::api::refusals::{Said, said};

/// Everything that it asks of disk and server is answered so, until it asks for nothing more or has
/// given the server something.
fn serve(lone: &mut Lone, look: &Outcome, kept: &Result<(), String>) -> bool {
    loop {
        let mut inputs = Vec::new();
        for effect in &lone.effects {
            match effect {
                Effect::Disk(DiskJob::BeforeStarling(ticket, _) | DiskJob::Probe(ticket)) => {
                    inputs.push(Input::Stored(*ticket, kept.clone()));
                }
                Effect::Disk(DiskJob::Pending(ticket, ..) | DiskJob::Commit(ticket, ..)) => {
                    inputs.push(Input::Stored(*ticket, Ok(())));
                }
                Effect::Server(ticket, ServerJob::Observe) => {
                    inputs.push(Input::Server(ServerReport::new(*ticket, look.clone())));
                }
                Effect::Server(..) => return true,
                _ => {}
            }
        }
        lone.effects
            .retain(|effect| matches!(effect, Effect::Answer(..) | Effect::Say(..)));
        if inputs.is_empty() {
            return false;
        }
        inputs.into_iter().for_each(|input| lone.deliver(input));
    }
}

/// So many seconds go by.
fn wait(lone: &mut Lone, seconds: u64, look: &Outcome, kept: &Result<(), String>) -> bool {
    (0..seconds).any(|_| {
        lone.now.elapsed += Duration::from_secs(1);
        lone.deliver(Input::Tick);
        serve(lone, look, kept)
    })
}

fn told(lone: &Lone, wanted: ClientId) -> Option<(u16, String)> {
    lone.effects.iter().find_map(|effect| match effect {
        Effect::Answer(client, Answer::Denied(denial)) if *client == wanted => {
            let Said {
                status,
                error,
                detail,
                ..
            } = said(denial);
            Some((status, format!("{error} {detail}")))
        }
        _ => None,
    })
}

fn theirs() -> Outcome {
    let config = Value::from_iter([("theirs".to_owned(), Value::from(1))]).into();
    Outcome::Observed {
        config,
        missing: Vec::new(),
        restarted: false,
    }
}

#[test]
fn a_server_whose_configuration_cannot_be_stored_is_left_alone_until_it_can() {
    let mut lone = Lone::new(true);
    let full = Err("before-starling.json: No space left on device (os error 28)".to_owned());
    lone.write(1, "one");
    assert!(
        !serve(&mut lone, &theirs(), &full),
        "the server is given nothing"
    );
    let (status, words) = told(&lone, 1).expect("it is answered");
    assert!(
        status == 507 && words.contains("No space left") && words.contains("make room"),
        "{status} {words}"
    );
    assert_eq!(lone.node.verdict(), "untouched");
    lone.write(2, "two");
    assert!(
        !serve(&mut lone, &theirs(), &full) && told(&lone, 2).is_some_and(|told| told.0 == 507),
        "nor for another"
    );
    assert!(!wait(&mut lone, 60, &theirs(), &full) && lone.node.verdict() == "untouched");
    let said = lone
        .effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Say(Level::Error, "server", _)))
        .count();
    assert_eq!(said, 1, "it is said once");
    lone.write(3, "three");
    assert!(
        serve(&mut lone, &theirs(), &Ok(())),
        "kept, it is given the change"
    );
}

#[test]
fn a_server_whose_configuration_cannot_be_stored_is_not_given_the_fleets() {
    let mut lone = Lone::new(false);
    lone.write(1, "one");
    lone.serve(&Outcome::Applied);
    lone.node.server_appears();
    let full = Err("No space left on device (os error 28)".to_owned());
    assert!(!wait(&mut lone, 60, &theirs(), &full));
    assert_eq!(lone.node.verdict(), "untouched");
    assert!(wait(&mut lone, 10, &theirs(), &Ok(())), "it is tried again");
}

#[test]
fn a_server_whose_configuration_cannot_be_read_is_left_alone_until_it_can() {
    let mut lone = Lone::new(false);
    lone.write(1, "one");
    lone.serve(&Outcome::Applied);
    lone.node.server_appears();
    let unreadable = Outcome::Unreadable("of /config only the beginning comes".into());
    assert!(!wait(&mut lone, 60, &unreadable, &Ok(())));
    assert_eq!(lone.node.verdict(), "untouched");
    lone.write(2, "two");
    assert!(!serve(&mut lone, &unreadable, &Ok(())));
    let (status, words) = told(&lone, 2).expect("it is answered");
    assert!(
        status == 503 && words.contains("left alone") && words.contains("only the beginning"),
        "{status} {words}"
    );
    assert!(
        wait(&mut lone, 10, &theirs(), &Ok(())),
        "it is looked at again"
    );
}
