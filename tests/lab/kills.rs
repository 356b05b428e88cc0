//! `kill -9`, over and over, while clients write on every host.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::clients::{Change, Client, lost};
use super::support::host::Host;
use super::{Pace, lab, publish, wait_all_have};

#[test]
fn two_hundred_kills_during_writes_lose_no_acknowledged_change() {
    lab(3, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3];
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        let seed = std::env::var("SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| RandomState::new().hash_one("kills"));
        println!("SEED={seed}");
        let acknowledged = kill_and_write(&mut lab.hosts, seed);
        println!("{} changes were acknowledged", acknowledged.len());
        assert!(acknowledged.len() > KILLS / 4, "clients were hardly served");
        let settled = lab.wait(
            REST,
            "all agree, and whatever lost is listed by the head",
            || lab.at_rest(&all),
        );
        for i in all {
            let lost = lost(lab, i, &acknowledged);
            assert!(
                lost.is_empty(),
                "host {i} lost {lost:?}\n{}",
                lab.host(i).account()
            );
        }
        let open = lab.host(1).conflicts();
        let nameless = open
            .iter()
            .filter(|conflict| conflict["author"].is_null())
            .count();
        assert_eq!(
            nameless, 0,
            "every author is there: what a change wanted must be told, not only that there was one"
        );
        println!(
            "at rest {settled:?} after the last kill; {} open conflicts",
            open.len()
        );
    });
}

/// Kills these hosts [`KILLS`] times in all, each at moments of its own, while a client of each
/// writes. Gives the marks of the changes that were answered 200.
fn kill_and_write(hosts: &mut [Host], seed: u64) -> Vec<Change> {
    let clients: Vec<Client> = hosts.iter().map(Client::of).collect();
    let (killed, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let over = &over;
        let writers: Vec<_> = clients
            .iter()
            .enumerate()
            .map(|(at, client)| {
                scope.spawn(move || write(client, at, Moments(seed ^ at as u64), over))
            })
            .collect();
        let killers: Vec<_> = hosts
            .iter_mut()
            .map(|host| {
                let (killed, mut moments) = (&killed, Moments(!seed ^ host.number as u64));
                scope.spawn(move || {
                    while killed.fetch_add(1, Ordering::Relaxed) < KILLS {
                        thread::sleep(moments.up_to(ALIVE_MAX));
                        host.kill();
                        host.start();
                    }
                })
            })
            .collect();
        let killers: Vec<_> = killers.into_iter().map(|killer| killer.join()).collect();
        over.store(true, Ordering::Relaxed);
        killers
            .into_iter()
            .for_each(|killer| killer.expect("every host started again"));
        writers
            .into_iter()
            .flat_map(|writer| writer.join().expect("every answer was fair"))
            .collect()
    })
}

/// Makes one change after the other until it is `over`.
fn write(client: &Client, at: usize, mut moments: Moments, over: &AtomicBool) -> Vec<Change> {
    let marks = (0..)
        .map(|round| format!("h{}r{round}", at + 1))
        .take_while(|_| !over.load(Ordering::Relaxed));
    marks
        .filter_map(|mark| {
            thread::sleep(moments.up_to(PAUSE_MAX));
            client.add(&mark)
        })
        .collect()
}

/// Random moments from a seed: splitmix64.
struct Moments(u64);

impl Moments {
    fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        most.mul_f64((mixed >> 32) as f64 / f64::from(u32::MAX))
    }
}

const KILLS: usize = 200;
/// Some live long enough to link, to write and to rebase; some not long enough for any.
const ALIVE_MAX: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// Three hosts that have just been started, and a stand-in after 10 s where one is needed.
const REST: Duration = Duration::from_secs(120);
