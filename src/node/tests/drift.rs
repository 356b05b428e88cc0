use super::*;
use crate::model::shown::ShownConfig;
use crate::settings::DriftChoice;

/// A node whose server runs `theirs` beside the head, unseen until now, and is to publish it.
fn with_drift() -> (Lone, ShownConfig) {
    let mut lone = Lone::new(true);
    lone.node.cx.setup.drift = DriftChoice::Adopt;
    lone.write(1, "one");
    lone.serve(&Outcome::Applied);
    let mut config = lone.node.head().unwrap().document.config().clone();
    config["theirs"] = 1.into();
    (lone, config.into())
}

/// Serves a node whose server runs `config`, for some seconds.
fn serve_with(lone: &mut Lone, config: &mut ShownConfig) {
    for _ in 0..50 {
        lone.deliver(Input::Tick);
        for effect in std::mem::take(&mut lone.effects) {
            let report = |ticket, outcome| Input::Server(ServerReport::new(ticket, outcome));
            let input = match effect {
                Effect::Disk(
                    DiskJob::Pending(ticket, ..)
                    | DiskJob::Commit(ticket, ..)
                    | DiskJob::Store(ticket, ..),
                ) => Input::Stored(ticket, Ok(())),
                Effect::Server(ticket, ServerJob::Observe) => {
                    let config = config.clone();
                    report(
                        ticket,
                        Outcome::Observed {
                            config,
                            missing: Vec::new(),
                            restarted: false,
                        },
                    )
                }
                Effect::Server(
                    ticket,
                    ServerJob::Try { document, .. } | ServerJob::Apply(document, _),
                ) => {
                    *config = document.config().clone().into();
                    report(ticket, Outcome::Applied)
                }
                _ => continue,
            };
            lone.deliver(input);
        }
        lone.now.elapsed += Duration::from_millis(100);
    }
}

#[test]
fn what_was_changed_on_the_server_just_before_another_change_is_adopted_too() {
    let (mut lone, mut config) = with_drift();
    lone.write(2, "two");
    serve_with(&mut lone, &mut config);
    let head = lone.node.head().unwrap().document.config();
    assert_eq!(
        (&head["routes"], &head["theirs"]),
        (&"two".into(), &1.into())
    );
    assert_eq!(*config, *head);
}

#[test]
fn what_was_changed_on_the_server_just_before_another_head_comes_is_adopted_too() {
    let (mut lone, mut config) = with_drift();
    let mut other = Lone::new(false);
    let text = crate::node::store::revision_file::file_text(lone.node.head().unwrap());
    other.node.load(
        crate::node::store::revision_file::from_file(
            &text,
            lone.node.cx.setup.fleet.id().as_bytes(),
        )
        .unwrap(),
    );
    other.write(2, "two");
    other.serve(&Outcome::Applied);
    lone.linked(1, 2);
    let theirs = Arc::clone(other.node.head().unwrap());
    lone.node
        .changes(|_, below| below.take_revision(Some(1), theirs));
    serve_with(&mut lone, &mut config);
    let head = lone.node.head().unwrap().document.config();
    assert_eq!(
        (&head["routes"], &head["theirs"]),
        (&"two".into(), &1.into())
    );
    assert_eq!(*config, *head);
}
