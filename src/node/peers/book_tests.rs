use super::*;
use crate::limits::CONTACTS_MAX;
use crate::model::signature::SecretKey;

const SECOND: Duration = Duration::from_secs(1);
/// Where the hosts of these tests are seen.
const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

fn peer(seed: u8) -> PeerId {
    PeerId::from_bytes(SecretKey::from_seed(&[seed; 32]).public()).unwrap()
}

fn numbered(number: u16) -> PeerId {
    let [high, low] = number.to_be_bytes();
    let mut seed = [high; 32];
    seed[0] = low;
    PeerId::from_bytes(SecretKey::from_seed(&seed).public()).unwrap()
}

fn texts(addresses: &[&str]) -> Vec<String> {
    addresses
        .iter()
        .map(|address| (*address).to_owned())
        .collect()
}

/// The wait of a contact, if no dial to it is under way.
fn due(book: &Book, contact: &Contact) -> Option<Duration> {
    let all = book.unlinked_contacts(|_| false);
    all.into_iter()
        .find(|(other, _, _)| *other == contact)
        .and_then(|(_, _, due)| due)
}

/// A dial has been answered by `peer`, and a link was made of it.
fn link(book: &mut Book, dial: u64, peer: PeerId, instance: &str) {
    book.answered(dial, peer, instance, SECOND);
    book.linked(peer, instance, &[], IP, SECOND);
}

fn fail(book: &mut Book, contact: &Contact, now: Duration, rng: &mut Rng) -> Duration {
    let dial = book.dial(contact, now).expect("it has an address").number;
    assert_eq!(
        due(book, contact),
        None,
        "while a dial is under way no other is due"
    );
    book.failed(dial, "refused", now, rng);
    due(book, contact).expect("it is tried for ever")
}

#[test]
fn waits_grow_with_full_jitter_to_a_minute_and_never_beyond() {
    let (mut book, mut rng) = (Book::default(), Rng::new(7));
    let contact = Contact::Address("gull:7117".into());
    book.configure("gull:7117", true);
    let waits: Vec<Duration> = (0..200)
        .map(|_| fail(&mut book, &contact, SECOND, &mut rng) - SECOND)
        .collect();
    assert!(
        waits
            .iter()
            .all(|wait| (RETRY_MIN..=RETRY_MIN + RETRY_MAX).contains(wait))
    );
    assert!(
        waits[0] <= 3 * RETRY_MIN,
        "the first is short: {:?}",
        waits[0]
    );
    let late = &waits[20..];
    let mean = late.iter().sum::<Duration>() / late.len() as u32;
    assert!(
        (20 * SECOND..40 * SECOND).contains(&mean),
        "spread over the whole minute: {mean:?}"
    );
    assert!(
        late.iter().any(|wait| *wait < 10 * SECOND) && late.iter().any(|wait| *wait > 50 * SECOND)
    );
}

#[test]
fn a_peer_that_was_linked_lately_is_tried_every_few_seconds() {
    let (mut book, mut rng) = (Book::default(), Rng::new(7));
    let contact = Contact::Peer(peer(1));
    book.linked(peer(1), "i", &texts(&["10.0.0.1:1"]), IP, SECOND);
    book.unlinked(peer(1), SECOND, &mut rng);
    assert!(due(&book, &contact).unwrap() <= SECOND + RETRY_MIN);
    for _ in 0..100 {
        let wait = fail(&mut book, &contact, 2 * SECOND, &mut rng) - 2 * SECOND;
        assert!(
            (RETRY_MIN..=RETRY_MIN + RETRY_LATELY_MAX).contains(&wait),
            "{wait:?}"
        );
    }
    let later = LATELY + 3 * SECOND;
    let longest = (0..50)
        .map(|_| fail(&mut book, &contact, later, &mut rng) - later)
        .max();
    assert!(
        longest > Some(RETRY_LATELY_MAX + RETRY_MIN),
        "after a while it is taken for gone"
    );
}

#[test]
fn one_that_has_enough_links_is_not_asked_again_at_once() {
    let (mut book, mut rng) = (Book::default(), Rng::new(7));
    book.linked(peer(1), "i", &texts(&["10.0.0.1:1"]), IP, SECOND);
    book.refused(peer(1), SECOND, &mut rng);
    let wait = due(&book, &Contact::Peer(peer(1))).unwrap() - SECOND;
    assert!(
        (RETRY_MAX / 2..=RETRY_MAX + RETRY_MAX / 2).contains(&wait),
        "{wait:?}"
    );
}

#[test]
fn the_addresses_of_a_contact_are_tried_in_turn_before_it_has_to_wait() {
    let (mut book, mut rng) = (Book::default(), Rng::new(7));
    let contact = Contact::Peer(peer(1));
    book.hear_of(
        peer(1),
        "i",
        &texts(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]),
    );
    let mut tried = Vec::new();
    for turn in 1..=6 {
        let Dial {
            number: dial,
            address,
            ..
        } = book.dial(&contact, SECOND).unwrap();
        tried.push(address);
        book.failed(dial, "refused", SECOND, &mut rng);
        let waits = due(&book, &contact).unwrap() > SECOND;
        assert_eq!(waits, turn >= 3, "after {turn} addresses");
    }
    assert_eq!(
        tried[..3],
        texts(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"])
    );
    assert_eq!(tried[..3], tried[3..]);
}

#[test]
fn a_change_of_the_network_makes_everything_due_even_what_is_under_way() {
    let (mut book, mut rng) = (Book::default(), Rng::new(7));
    let contact = Contact::Address("gull:7117".into());
    book.configure("gull:7117", true);
    for _ in 0..9 {
        fail(&mut book, &contact, SECOND, &mut rng);
    }
    let dial = book.dial(&contact, SECOND).unwrap().number;
    book.kick(5 * SECOND);
    assert_eq!(due(&book, &contact), Some(5 * SECOND));
    assert_eq!(book.dialling(), 0);
    assert!(
        book.failed(dial, "late", 5 * SECOND, &mut rng).is_none(),
        "what became of that dial no longer matters"
    );
    assert!(
        fail(&mut book, &contact, 5 * SECOND, &mut rng) <= 5 * SECOND + 3 * RETRY_MIN,
        "waits begin anew"
    );
}

#[test]
fn only_the_first_of_equal_failures_is_news() {
    let (mut book, mut rng) = (Book::default(), Rng::new(7));
    let contact = Contact::Address("gull:7117".into());
    book.configure("gull:7117", true);
    let mut news = |reason: &str| {
        let dial = book.dial(&contact, SECOND).unwrap().number;
        book.failed(dial, reason, SECOND, &mut rng).unwrap().1
    };
    assert_eq!(
        [
            news("refused"),
            news("refused"),
            news("timed out"),
            news("timed out")
        ],
        [true, false, true, false]
    );
}

#[test]
fn whoever_answers_at_a_configured_address_is_known_by_its_peer_id_from_then_on() {
    let mut book = Book::default();
    book.configure("gull:7117", true);
    assert_eq!(book.known(), 1);
    let dial = book
        .dial(&Contact::Address("gull:7117".into()), SECOND)
        .unwrap()
        .number;
    link(&mut book, dial, peer(1), "i");
    assert_eq!(book.known(), 1, "it is one host");
    assert!(book.is_configured(&peer(1)));
    let contacts: Vec<Contact> = book
        .unlinked_contacts(|_| false)
        .into_iter()
        .map(|(contact, _, _)| contact.clone())
        .collect();
    assert_eq!(
        contacts,
        vec![Contact::Peer(peer(1))],
        "dialled once, not by both names"
    );
    assert!(book.unlinked_contacts(|_| true).is_empty());
}

#[test]
fn an_mdns_instance_becomes_the_peer_that_bears_it() {
    let mut book = Book::default();
    assert!(book.find("abc", &["10.0.0.1:1".parse().unwrap()], 3 * SECOND));
    assert!(
        !book.find("abc", &["10.0.0.1:1".parse().unwrap()], SECOND),
        "seen before"
    );
    assert_eq!(
        due(&book, &Contact::Instance("abc".into())),
        Some(SECOND),
        "the sooner time counts"
    );
    let dial = book
        .dial(&Contact::Instance("abc".into()), SECOND)
        .unwrap()
        .number;
    link(&mut book, dial, peer(1), "abc");
    assert_eq!(book.known(), 1);
    assert!(
        !book.find("abc", &["10.0.0.9:1".parse().unwrap()], 9 * SECOND),
        "it is known as the peer's"
    );
    assert_eq!(
        book.dial(&Contact::Peer(peer(1)), SECOND).unwrap().address,
        "10.0.0.9:1",
        "what mDNS shows is newest"
    );
}

/// A host was installed anew, or two have changed places.
#[test]
fn an_address_where_another_peer_answers_is_taken_from_the_one_that_was_meant() {
    let mut book = Book::default();
    book.configure("10.0.0.1:1", true);
    let dial = book
        .dial(&Contact::Address("10.0.0.1:1".into()), SECOND)
        .unwrap()
        .number;
    link(&mut book, dial, peer(1), "i");
    let dial = book.dial(&Contact::Peer(peer(1)), SECOND).unwrap().number;
    link(&mut book, dial, peer(2), "j");
    let left = book.unlinked_contacts(|other| *other == peer(2));
    assert!(left.is_empty(), "nothing is left to dial: {left:?}");
    let left: Vec<Contact> = book
        .unlinked_contacts(|_| false)
        .into_iter()
        .map(|(contact, _, _)| contact.clone())
        .collect();
    assert_eq!(left, vec![Contact::Peer(peer(2))]);
    assert!(book.is_configured(&peer(2)));
}

#[test]
fn the_book_has_1024_contacts_at_most_and_never_forgets_a_configured_one() {
    let mut book = Book::default();
    book.configure("gull:7117", true);
    for number in 0..CONTACTS_MAX as u32 + 500 {
        let address = SocketAddr::from((std::net::Ipv4Addr::from(number), 7117));
        match number % 2 {
            0 => drop(book.find(&format!("{number}"), &[address], SECOND)),
            _ => book.hint(&address),
        }
        book.hear_of(
            peer((number % 200) as u8),
            &format!("p{}", number % 200),
            &[address.to_string()],
        );
    }
    assert!(book.entries.len() <= CONTACTS_MAX, "{}", book.entries.len());
    assert!(
        book.entries
            .contains_key(&Contact::Address("gull:7117".into()))
    );
    assert!(
        book.entries
            .values()
            .all(|entry| entry.addresses.len() <= ADDRESSES_MAX)
    );
}

#[test]
fn a_full_book_has_the_same_hosts_in_any_order_and_everybody_has_others() {
    const HEARD_OF: u16 = CONTACTS_MAX as u16 + 300;
    let fleet: Vec<PeerId> = (0..HEARD_OF).map(numbered).collect();
    let mut books = [Book::of(&peer(1)), Book::of(&peer(1)), Book::of(&peer(2))];
    fleet.iter().for_each(|peer| {
        assert!(
            books[0].hear_of(*peer, "i", &texts(&["10.0.0.1:1"]))
                || books[0].entries.len() == CONTACTS_MAX
        )
    });
    fleet.iter().rev().for_each(|peer| {
        assert!(
            books[1].hear_of(*peer, "i", &texts(&["10.0.0.1:1"]))
                || books[1].entries.len() == CONTACTS_MAX
        )
    });
    fleet.iter().for_each(|peer| {
        assert!(
            books[2].hear_of(*peer, "i", &texts(&["10.0.0.1:1"]))
                || books[2].entries.len() == CONTACTS_MAX
        )
    });
    let known = |book: &Book| book.entries.keys().cloned().collect::<Vec<Contact>>();
    assert_eq!(known(&books[0]), known(&books[1]));
    assert_ne!(known(&books[0]), known(&books[2]));
    let before = known(&books[0]);
    let news = fleet
        .iter()
        .filter(|peer| books[0].hear_of(**peer, "i", &texts(&["10.0.0.1:1"])))
        .count();
    assert_eq!(
        (news, known(&books[0])),
        (0, before),
        "what is heard again changes nothing"
    );
    let missing = *fleet
        .iter()
        .find(|peer| !books[0].entries.contains_key(&Contact::Peer(**peer)))
        .unwrap();
    books[0].linked(missing, "i", &texts(&["10.0.0.9:1"]), IP, SECOND);
    assert!(
        books[0].entries.contains_key(&Contact::Peer(missing)),
        "who is met has a place"
    );
    assert_eq!(books[0].entries.len(), CONTACTS_MAX);
}

#[test]
fn whether_many_are_known_is_told_without_counting_all() {
    let mut book = Book::default();
    for number in 0..5 {
        assert_eq!(book.known(), usize::from(number));
        assert!(!book.knows_more_than(usize::from(number)));
        book.hear_of(peer(number), "i", &[]);
        assert!(book.knows_more_than(usize::from(number)));
    }
}

#[test]
fn the_text_of_a_book_is_read_back_and_anything_else_is_left_out() {
    let mut book = Book::default();
    book.linked(
        peer(1),
        "i",
        &texts(&["10.0.0.1:1", "10.0.0.2:1"]),
        IP,
        SECOND,
    );
    book.linked(
        peer(1),
        "i",
        &texts(&["10.0.0.2:1"]),
        "10.0.0.2".parse().unwrap(),
        SECOND,
    );
    book.linked(
        peer(2),
        "j",
        &texts(&["[fd00::1]:1"]),
        "fd00::1".parse().unwrap(),
        SECOND,
    );
    book.configure("token:7117", false);
    book.configure("settings:7117", true);
    let text = book.to_text();
    let mut back = Book::default();
    back.read(&text, |_| "i".into());
    assert_eq!(back.to_text(), text);
    assert_eq!(
        back.known(),
        3,
        "what is configured comes from the settings"
    );
    for nonsense in [
        &b"{"[..],
        b"[]",
        b"{\"peers\":[{\"id\":\"x\"}],\"addresses\":7}",
        b"\xff",
    ] {
        let mut empty = Book::default();
        empty.read(nonsense, |_| "i".into());
        assert_eq!(empty.known(), 0);
    }
}

#[test]
fn what_is_only_somebodys_word_is_forgotten_after_three_rounds_and_never_saved() {
    let (mut book, mut rng) = (Book::default(), Rng::new(7));
    book.hear_of(peer(1), "i", &texts(&["203.0.113.1:9", "203.0.113.2:9"]));
    book.find("abc", &["203.0.113.3:9".parse().unwrap()], SECOND);
    book.hint(&"203.0.113.4:9".parse().unwrap());
    book.linked(
        peer(2),
        "j",
        &texts(&["10.0.0.1:1", "203.0.113.5:9"]),
        IP,
        SECOND,
    );
    let text = String::from_utf8(book.to_text()).unwrap();
    assert!(
        !text.contains("203.0.113.") && text.contains("10.0.0.1:1"),
        "{text}"
    );
    let mut tries: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..20 {
        let contacts: Vec<Contact> = book.entries.keys().cloned().collect();
        for contact in contacts {
            let Some(dial) = book.dial(&contact, SECOND) else {
                continue;
            };
            *tries.entry(dial.address).or_default() += 1;
            book.failed(dial.number, "refused", SECOND, &mut rng);
        }
    }
    assert_eq!(
        [1, 2, 3, 4, 5].map(|n| tries[&format!("203.0.113.{n}:9")]),
        [3, 3, 3, 1, 3]
    );
    assert_eq!(
        tries["10.0.0.1:1"], 17,
        "whom one has spoken with is tried for ever"
    );
    assert_eq!(
        book.entries.keys().collect::<Vec<_>>(),
        [&Contact::Peer(peer(2))]
    );
}

#[test]
fn whoever_is_met_under_a_thousand_names_pushes_out_nobody_at_another_place() {
    let mut book = Book::default();
    for number in 0..8 {
        book.linked(
            numbered(number),
            "i",
            &texts(&[&format!("10.0.1.{number}:1")]),
            format!("10.0.1.{number}").parse().unwrap(),
            SECOND,
        );
    }
    for number in 100..100 + 2 * CONTACTS_MAX as u16 {
        book.linked(
            numbered(number),
            "j",
            &texts(&[&format!("10.0.0.1:{number}")]),
            IP,
            2 * SECOND,
        );
    }
    assert_eq!(book.entries.len(), CONTACTS_MAX);
    assert!((0..8).all(|number| book.entries.contains_key(&Contact::Peer(numbered(number)))));
}

#[test]
fn an_address_that_means_no_other_host_is_of_no_use() {
    let all = [
        "127.0.0.1:7",
        "[::1]:7",
        "[::ffff:127.0.0.1]:7",
        "0.0.0.0:7",
        "[::]:7",
        "224.0.0.1:7",
        "[ff02::fb]:7",
        "255.255.255.255:7",
        "0.1.2.3:7",
        "240.0.0.1:7",
        "[fe80::1]:7",
        "10.0.0.1:0",
    ];
    let of_use = |here: bool| {
        all.iter()
            .filter(|text| usable(&text.parse().unwrap(), here).is_some())
            .count()
    };
    assert_eq!((of_use(false), of_use(true)), (0, 3));
    assert_eq!(
        usable(&"[::ffff:10.0.0.1]:7".parse().unwrap(), false),
        Some("10.0.0.1:7".parse().unwrap())
    );
}
