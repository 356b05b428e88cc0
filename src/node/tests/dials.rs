use super::*;

/// A host that is gone for good must not be the only one that is ever tried.
#[test]
fn above_the_full_mesh_all_known_peers_get_their_turn_beside_one_that_never_answers() {
    let mut lone = Lone::new(false);
    lone.node.peers.book.configure("10.9.9.9:7117", true);
    for number in 1..=12 {
        let addresses = vec![format!("10.0.0.{number}:7117").parse().unwrap()];
        lone.deliver(Input::Found {
            instance: format!("{number}"),
            addresses,
            unheard: true,
        });
    }
    let (mut links, mut tried, mut next) = (BTreeSet::new(), BTreeSet::new(), 0);
    while lone.now.elapsed < Duration::from_secs(1_200) {
        for effect in std::mem::take(&mut lone.effects) {
            match effect {
                Effect::Dial { dial, address } if address == "10.9.9.9:7117" => {
                    lone.deliver(Input::DialFailed(dial, "no route".into()))
                }
                Effect::Dial { dial, address } => {
                    next += 1;
                    links.insert(next);
                    let identity: u8 = address
                        .strip_prefix("10.0.0.")
                        .and_then(|rest| rest.strip_suffix(":7117"))
                        .unwrap()
                        .parse()
                        .unwrap();
                    tried.insert(identity);
                    let peer =
                        PeerId::from_bytes(SecretKey::from_seed(&[100 + identity; 32]).public())
                            .unwrap();
                    let hello = Hello {
                        peer,
                        run: 5,
                        features: 0,
                        addresses: Vec::new(),
                    };
                    lone.deliver(Input::Linked {
                        link: next,
                        hello,
                        address: address.parse().unwrap(),
                        dial: Some(dial),
                    });
                    lone.deliver(Input::Frame(next, Frame::Degree(3).encode()));
                }
                Effect::Close(link) => drop(links.remove(&link)),
                _ => {}
            }
        }
        for link in &links {
            lone.deliver(Input::Sent(*link, crate::limits::LINK_WINDOW));
            lone.deliver(Input::Frame(*link, Frame::Pong(0).encode()));
        }
        lone.now.elapsed = lone
            .node
            .deadline()
            .max(lone.now.elapsed + Duration::from_millis(1));
        lone.deliver(Input::Tick);
    }
    assert_eq!(tried.len(), 12, "only these were tried: {tried:?}");
    assert!(
        links.len() <= crate::limits::FULL_MESH + 1,
        "{} links",
        links.len()
    );
}

#[test]
fn a_dial_whose_link_ends_before_it_is_admitted_is_over_and_tried_again() {
    let mut lone = Lone::new(false);
    lone.linked(1, 2);
    let peer = PeerId::from_bytes(SecretKey::from_seed(&[2; 32]).public()).unwrap();
    lone.node
        .peers
        .book
        .hear_of(peer, "i", &["10.0.0.2:7117".to_owned()]);
    let dial = lone
        .node
        .peers
        .book
        .dial(
            &crate::node::peers::book::Contact::Peer(peer),
            Duration::ZERO,
        )
        .unwrap()
        .number;
    let hello = Hello {
        peer,
        run: 6,
        features: 0,
        addresses: Vec::new(),
    };
    lone.deliver(Input::Linked {
        link: 2,
        hello,
        address: "10.0.0.2:7117".parse().unwrap(),
        dial: Some(dial),
    });
    lone.deliver(Input::Unlinked(2, "reset".into()));
    assert_eq!(lone.node.peers.book.dialling(), 0);
}
