use super::*;
use crate::node::testing::peer;

const NOW: Duration = Duration::from_secs(100);
const MS: Duration = Duration::from_millis(1);

fn id(number: u8) -> RecordId {
    RecordId([number; 32])
}

/// A host that is linked with these peers, over links of the same numbers, and knows a tree.
fn linked(peers: &[u8]) -> Trees {
    let mut trees = Trees::default();
    let peers: Vec<PeerId> = peers.iter().map(|number| peer(*number)).collect();
    trees.begin(9, &peers, false);
    trees
}

fn have(number: u8, due: Duration) -> Have {
    let (tree, id) = (9, id(number));
    Have { tree, id, due }
}

#[test]
fn a_link_is_eager_until_it_is_pruned_and_again_once_it_is_grafted() {
    let mut trees = linked(&[1, 2]);
    assert!(trees.is_eager(9, &peer(1)) && trees.is_eager(9, &peer(2)));
    assert!(!trees.is_eager(9, &peer(3)), "it has come later");
    trees.is_pruned(9, &peer(1));
    trees.begin(9, &[peer(1)], false);
    assert!(!trees.is_eager(9, &peer(1)) && trees.is_eager(9, &peer(2)));
    trees.is_grafted(9, peer(1));
    assert!(trees.is_eager(9, &peer(1)));
    trees.without(2, NOW);
    assert!(trees.is_eager(9, &peer(2)), "it may come back");
    trees.joins(&peer(3));
    assert!(trees.is_eager(9, &peer(3)));
}

const NOTHING: TreeChange = TreeChange {
    prune: None,
    graft: None,
};

fn prune(link: LinkId) -> TreeChange {
    TreeChange {
        prune: Some(link),
        graft: None,
    }
}

#[test]
fn trees_and_what_is_remembered_of_them_are_bounded() {
    let mut trees = linked(&[1]);
    for name in 10..10 + TREES_MAX as u64 {
        trees.begin(name, &[], false);
    }
    assert_eq!(trees.trees.len(), TREES_MAX);
    assert!(!trees.is_eager(9, &peer(1)), "it was forgotten");
    for number in 0..=255 {
        trees.is_grafted(20, peer(number));
        trees.comes(1, id(number), 20, NOW);
    }
    assert_eq!(trees.tree(20).unwrap().eager.len(), EAGER_MAX);
    assert_eq!(trees.came.len(), CAME_MAX);
}

#[test]
fn only_a_second_copy_over_the_same_tree_is_pruned_and_not_all_the_time() {
    let mut trees = linked(&[1, 2]);
    assert_eq!(trees.comes(1, id(1), 9, NOW), NOTHING);
    assert_eq!(
        trees.comes(1, id(1), 9, NOW),
        NOTHING,
        "the same link once more"
    );
    assert_eq!(trees.comes(2, id(1), 8, NOW), NOTHING, "another tree");
    assert_eq!(trees.comes(2, id(1), NO_TREE, NOW), NOTHING, "an answer");
    assert_eq!(trees.comes(2, id(1), 9, NOW), prune(2));
    assert_eq!(trees.comes(2, id(1), 9, NOW + MS), NOTHING, "it was told");
    assert_eq!(trees.comes(2, id(1), 9, NOW + PRUNE_AGAIN), prune(2));
    // What an exchange has brought first says nothing of the tree.
    assert_eq!(trees.comes(1, id(2), NO_TREE, NOW), NOTHING);
    assert_eq!(trees.comes(2, id(2), 9, NOW), NOTHING);
    assert_eq!(
        (trees.came_over(&id(1)), trees.came_over(&id(2))),
        (Some(9), None)
    );
    trees.is_made(id(3), 9);
    assert_eq!(
        trees.comes(1, id(3), 9, NOW),
        prune(1),
        "it is this host's own"
    );
    assert_eq!(
        trees.comes_again(1, &id(4), 9, NOW),
        NOTHING,
        "nothing is known of it"
    );
    trees.comes(1, id(5), 9, NOW);
    trees.without(1, NOW);
    assert_eq!(
        trees.comes_again(2, &id(5), 9, NOW),
        NOTHING,
        "that link may take its place"
    );
}

#[test]
fn the_first_change_goes_over_the_tree_of_a_neighbour_and_the_next_over_an_own_one() {
    let me = peer(50);
    let near = [peer(1), peer(2)];
    assert_eq!(Trees::default().for_own(&me, near.iter()), tree_of(&me));
    let mut trees = Trees::default();
    for number in 1..=2 {
        trees.begin(tree_of(&peer(number)), &near, false);
    }
    trees.is_pruned(tree_of(&peer(1)), &peer(1));
    assert_eq!(trees.for_own(&me, near.iter()), tree_of(&peer(2)));
    assert_eq!(trees.for_own(&me, near.iter()), tree_of(&me));
}

#[test]
fn a_tree_among_many_takes_their_branches_and_is_pruned_from_its_second_change_on() {
    let all = [1, 2, 3].map(peer);
    let mut trees = Trees::default();
    for name in 10..10 + TREES_TAKEN as u64 {
        trees.begin(name, &all, true);
        trees.is_pruned(name, &peer(1));
        trees.is_pruned(name, &peer(2));
    }
    trees.is_grafted(11, peer(2));
    trees.begin(9, &all, true);
    let branches = all.map(|peer| trees.is_eager(9, &peer));
    assert_eq!(branches, [false, true, true], "those of any of the others");
    trees.comes(1, id(1), 9, NOW);
    assert_eq!(trees.comes(2, id(1), 9, NOW), NOTHING, "the first change");
    trees.begin(9, &all, true);
    trees.comes(1, id(2), 9, NOW);
    assert_eq!(trees.comes(2, id(2), 9, NOW), prune(2));
    trees.begin(8, &all, false);
    assert!(trees.is_eager(8, &peer(1)), "a small fleet");
    trees.begin(7, &[peer(1)], true);
    assert!(trees.is_eager(7, &peer(1)), "there is no other way");
}

#[test]
fn names_go_together_and_those_that_are_superseded_do_not() {
    let mut trees = linked(&[1]);
    let none = |_: &RecordId| false;
    assert!(trees.tell(1, have(1, NOW + 9 * MS), none));
    assert!(trees.tell(1, have(2, NOW + 5 * MS), none));
    assert!(trees.tell(2, have(2, NOW + 7 * MS), none));
    assert!(trees.tell(1, have(3, NOW + 8 * MS), |other| *other == id(1)));
    assert_eq!(trees.due(), Some(NOW + 5 * MS));
    assert!(trees.take_haves(NOW + 4 * MS).is_empty());
    let taken = trees.take_haves(NOW + 5 * MS);
    assert_eq!(
        taken,
        [(1, vec![have(2, NOW + 5 * MS), have(3, NOW + 8 * MS)])]
    );
    for number in 0..HAVES_WAITING_MAX as u8 {
        assert!(trees.tell(1, have(number, NOW), none));
    }
    assert!(
        !trees.tell(1, have(255, NOW), none),
        "an exchange tells of it"
    );
    trees.without(1, NOW);
    assert_eq!(
        trees.due(),
        Some(NOW + 7 * MS),
        "what is for the other link"
    );
}

/// Whom to ask by then, and for what.
fn grafts(trees: &mut Trees, now: Duration) -> Vec<(LinkId, RecordId)> {
    let grafts = trees.take_grafts(now, |_| Some(20 * MS));
    grafts.iter().map(|graft| (graft.link, graft.id)).collect()
}

#[test]
fn what_was_named_and_does_not_come_is_asked_of_one_after_the_other() {
    let mut trees = linked(&[1, 2, 3]);
    for link in [1, 2, 3, 2] {
        assert!(trees.announced(link, 9, id(1), Some(20 * MS), NOW));
    }
    assert!(grafts(&mut trees, NOW + 9 * MS).is_empty());
    assert_eq!(grafts(&mut trees, NOW + 10 * MS), [(1, id(1))]);
    assert!(grafts(&mut trees, NOW + 69 * MS).is_empty());
    assert_eq!(
        grafts(&mut trees, NOW + 70 * MS),
        [(2, id(1))],
        "it costs one timer"
    );
    trees.is_missing(3, &id(7), NOW);
    trees.is_missing(2, &id(1), NOW + 75 * MS);
    assert_eq!(grafts(&mut trees, NOW + 75 * MS), [(3, id(1))], "at once");
    trees.without(3, NOW + 80 * MS);
    assert!(grafts(&mut trees, NOW + 80 * MS).is_empty());
    assert_eq!(trees.due(), None, "nobody is left");
    trees.announced(1, 9, id(2), None, NOW);
    trees.comes(2, id(2), 9, NOW);
    assert_eq!(trees.due(), None, "it has come");
}

#[test]
fn whoever_names_what_does_not_exist_takes_no_place_of_others() {
    let mut trees = linked(&[1, 2]);
    let taken = (0..=255).filter(|number| trees.announced(1, 9, id(*number), None, NOW));
    assert_eq!(taken.count(), ANNOUNCED_BY_LINK_MAX);
    assert!(trees.announced(2, 9, id(200), None, NOW));
    assert!(
        trees.announced(2, 9, id(1), None, NOW),
        "it is sought already"
    );
    for (number, link) in (0..=255).zip((1..=8).cycle()) {
        trees.announced(link, 9, id(number), None, NOW);
    }
    assert!(trees.sought.len() <= ANNOUNCED_MAX);
}

#[test]
fn one_end_of_a_link_speaks_first_and_not_always_the_same() {
    for number in 0..=255 {
        let one = speaks_first(&id(number), &peer(1), &peer(2));
        assert_ne!(one, speaks_first(&id(number), &peer(2), &peer(1)));
        assert_eq!(one, speaks_first(&id(number % 2), &peer(1), &peer(2)));
    }
}

#[test]
fn the_link_that_has_named_a_revision_much_earlier_is_tried_in_place_of_the_slower() {
    let mut trees = linked(&[1, 2]);
    let named = |trees: &mut Trees, number, at| {
        trees.announced(1, 9, id(number), Some(30 * MS), at);
    };
    named(&mut trees, 1, NOW);
    assert_eq!(trees.comes(2, id(1), 9, NOW + 9 * MS), NOTHING);
    named(&mut trees, 2, NOW);
    let tried = TreeChange {
        prune: None,
        graft: Some(1),
    };
    assert_eq!(trees.comes(2, id(2), 9, NOW + 10 * MS), tried);
    // It was asked for it already, and its answer comes second: it is the better way all the same.
    named(&mut trees, 3, NOW);
    assert_eq!(grafts(&mut trees, NOW + 15 * MS), [(1, id(3))]);
    assert_eq!(trees.comes(2, id(3), 9, NOW + 16 * MS), NOTHING);
    assert_eq!(trees.comes(1, id(3), 9, NOW + 30 * MS), prune(2));
    // One that names and does not bring takes nobody's place.
    named(&mut trees, 4, NOW);
    assert_eq!(grafts(&mut trees, NOW + 15 * MS), [(1, id(4))]);
    assert_eq!(trees.comes(2, id(4), 9, NOW + 16 * MS), NOTHING);
    assert_eq!(trees.comes(3, id(4), 9, NOW + 17 * MS), prune(3));
}

#[test]
fn when_a_link_goes_those_trees_are_named_that_it_has_brought() {
    let mut trees = linked(&[1, 2]);
    trees.hangs_on(9, 1);
    assert!(trees.without(2, NOW).is_empty());
    assert_eq!(trees.without(1, NOW), [9]);
    assert!(trees.without(1, NOW).is_empty());
}

/// What hosts say to each other of trees.
#[derive(Clone, Copy)]
enum Word {
    Record(RecordId),
    Have(RecordId),
    Graft(RecordId),
    Prune,
}

/// Hosts that have trees and nothing else, linked in a ring and across it.
struct Mesh {
    hosts: Vec<Trees>,
    held: Vec<BTreeSet<RecordId>>,
    dead: BTreeSet<usize>,
    /// When what arrives where, from whom; with a number to tell equal times apart.
    under_way: BTreeMap<(Duration, u64), (usize, usize, Word)>,
    now: Duration,
    sent: u64,
    copies: usize,
}

const TREE: TreeName = 9;
const HOSTS: usize = 24;

impl Mesh {
    fn new() -> Self {
        let mut hosts: Vec<Trees> = (0..HOSTS).map(|_| Trees::default()).collect();
        for (number, trees) in hosts.iter_mut().enumerate() {
            let linked: Vec<PeerId> = around(number).map(|other| peer(other as u8)).collect();
            trees.begin(TREE, &linked, false);
        }
        Self {
            hosts,
            held: vec![BTreeSet::new(); HOSTS],
            dead: BTreeSet::new(),
            under_way: BTreeMap::new(),
            now: NOW,
            sent: 0,
            copies: 0,
        }
    }

    /// It takes 5 to 10 ms, and the hundredth longer than anybody waits.
    fn say(&mut self, from: usize, to: usize, word: Word) {
        self.sent += 1;
        let chance = self.sent.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let takes = match chance % 100 {
            0 => 300 * MS,
            _ => Duration::from_micros(5_000 + chance % 5_000),
        };
        self.under_way
            .insert((self.now + takes, self.sent), (from, to, word));
    }

    fn hold(&mut self, host: usize, from: Option<usize>, id: RecordId) {
        self.held[host].insert(id);
        if from.is_none() {
            self.hosts[host].is_made(id, TREE);
        }
        for other in around(host).filter(|other| Some(*other) != from) {
            if self.hosts[host].is_eager(TREE, &peer(other as u8)) {
                self.say(host, other, Word::Record(id));
            } else {
                let due = self.now + HAVE;
                let have = Have {
                    tree: TREE,
                    id,
                    due,
                };
                assert!(self.hosts[host].tell(other as LinkId, have, |_| false));
            }
        }
    }

    fn hear(&mut self, from: usize, host: usize, word: Word) {
        let link = from as LinkId;
        match word {
            Word::Record(id) => {
                self.copies += 1;
                let coming = self.hosts[host].comes(link, id, TREE, self.now);
                if let Some(link) = coming.prune {
                    self.say(host, link as usize, Word::Prune);
                }
                if let Some(link) = coming.graft {
                    self.say(host, link as usize, Word::Graft(NONE));
                }
                if !self.held[host].contains(&id) {
                    self.hold(host, Some(from), id);
                }
            }
            Word::Have(id) if !self.held[host].contains(&id) => {
                self.hosts[host].announced(link, TREE, id, Some(15 * MS), self.now);
            }
            Word::Have(_) => {}
            Word::Graft(id) => {
                self.hosts[host].is_grafted(TREE, peer(from as u8));
                if id != NONE {
                    self.say(host, from, Word::Record(id));
                }
            }
            Word::Prune => self.hosts[host].is_pruned(TREE, &peer(from as u8)),
        }
    }

    /// Lets all be said that there is to say; `dies` at that step.
    fn run(&mut self, dies: Option<(usize, usize)>) -> usize {
        let mut steps = 0;
        loop {
            let due = (0..HOSTS).filter_map(|host| Some((self.hosts[host].due()?, host)));
            let due = due.filter(|(_, host)| !self.dead.contains(host)).min();
            let next = self.under_way.keys().next().copied();
            match (due, next) {
                (Some((at, host)), next) if next.is_none_or(|(then, _)| at <= then) => {
                    self.now = self.now.max(at);
                    for (link, haves) in self.hosts[host].take_haves(self.now) {
                        for have in haves {
                            self.say(host, link as usize, Word::Have(have.id));
                        }
                    }
                    for graft in self.hosts[host].take_grafts(self.now, |_| Some(15 * MS)) {
                        self.say(host, graft.link as usize, Word::Graft(graft.id));
                    }
                }
                (_, Some(key)) => {
                    self.now = key.0;
                    let (from, to, word) = self.under_way.remove(&key).unwrap();
                    if !self.dead.contains(&to) {
                        self.hear(from, to, word);
                    }
                }
                (..) => return steps,
            }
            steps += 1;
            if let Some((at, host)) = dies
                && at == steps
            {
                self.dead.insert(host);
            }
        }
    }

    fn lacking(&self, id: RecordId) -> Vec<usize> {
        let alive = (0..HOSTS).filter(|host| !self.dead.contains(host));
        alive
            .filter(|host| !self.held[*host].contains(&id))
            .collect()
    }
}

const NONE: RecordId = RecordId::NONE;
const HAVE: Duration = Duration::from_millis(3);

/// Each has six links.
fn around(host: usize) -> impl Iterator<Item = usize> {
    [1, 4, 9, HOSTS - 1, HOSTS - 4, HOSTS - 9]
        .into_iter()
        .map(move |step| (host + step) % HOSTS)
}

#[test]
fn after_one_flood_each_gets_what_follows_about_once() {
    let mut mesh = Mesh::new();
    mesh.hold(0, None, id(1));
    mesh.run(None);
    assert!(mesh.lacking(id(1)).is_empty());
    assert!(mesh.copies > 3 * HOSTS, "at first all links are eager");
    for number in 2..12 {
        mesh.hold(0, None, id(number));
        mesh.run(None);
        assert!(mesh.lacking(id(number)).is_empty());
    }
    mesh.copies = 0;
    for number in 12..22 {
        mesh.hold(0, None, id(number));
        mesh.run(None);
        assert!(mesh.lacking(id(number)).is_empty());
    }
    let most = 10 * (HOSTS - 1) * 13 / 10;
    assert!(
        mesh.copies < most,
        "{} copies, {most} are the most",
        mesh.copies
    );
}

#[test]
fn whoever_dies_at_whatever_step_the_others_get_what_is_under_way_and_what_follows() {
    let mut mesh = Mesh::new();
    mesh.hold(0, None, id(1));
    mesh.run(None);
    mesh.hold(0, None, id(2));
    let steps = mesh.run(None);
    for step in 1..=steps {
        let mut mesh = Mesh::new();
        mesh.hold(0, None, id(1));
        mesh.run(None);
        mesh.hold(0, None, id(2));
        mesh.run(Some((step, 1 + step % (HOSTS - 1))));
        assert!(mesh.lacking(id(2)).is_empty(), "step {step}");
        mesh.hold(0, None, id(3));
        mesh.run(None);
        assert!(mesh.lacking(id(3)).is_empty(), "after step {step}");
    }
}
