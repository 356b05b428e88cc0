//! Links, the listener and the dialler, over real sockets on loopback.

#[path = "net/dialling.rs"]
mod dialling;
#[path = "net/links.rs"]
mod links;
#[path = "net/listening.rs"]
mod listening;

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use starlingd::daemon::clock::Clock;
use starlingd::daemon::dialler::{self, Addresses, DialError};
use starlingd::daemon::link::{LinkEvent, LinkParts};
use starlingd::daemon::links::Links;
use starlingd::daemon::listener::{Listener, ListenerSettings};
use starlingd::daemon::pulse::Pulse;
use starlingd::model::signature::SecretKey;
use starlingd::wire::fleet::{Fleet, FleetId, FleetKey};
use starlingd::wire::handshake::LocalPeer;

/// Far more than anything here takes; what takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
const DIAL_WAIT: Duration = Duration::from_secs(5);

fn local(seed: u8, fleet_key: u8) -> Arc<LocalPeer> {
    let owner = FleetId::from_bytes(SecretKey::from_seed(&[200; 32]).public()).unwrap();
    let fleet = Fleet::new(
        "test".to_owned(),
        owner,
        vec![FleetKey::from_bytes([fleet_key; 32])],
    )
    .unwrap();
    let identity = SecretKey::from_seed(&[seed; 32]);
    Arc::new(LocalPeer {
        identity,
        fleet,
        static_secret: [seed; 32],
        run: u64::from(seed),
        features: 0,
    })
}

fn nowhere() -> Addresses {
    Arc::new(|| vec!["192.0.2.1:7117".parse().unwrap()])
}

/// Of a loop that has promised nothing yet.
fn awake() -> Pulse {
    Pulse::new(Clock::new())
}

/// A listener of peer 1, and what it lets in.
fn listener(on: &str) -> (Listener, SocketAddr, Receiver<LinkParts>) {
    let (sender, arrivals) = mpsc::sync_channel(64);
    let settings = ListenerSettings {
        listen: vec![on.parse().unwrap()],
        local: local(1, 7),
        addresses: nowhere(),
        pulse: awake(),
    };
    let listener =
        Listener::start(settings, move |parts| sender.send(parts).unwrap_or(())).unwrap();
    let address = listener.local_addrs()[0];
    (listener, address, arrivals)
}

fn dial(address: SocketAddr, seed: u8, fleet_key: u8) -> Result<LinkParts, DialError> {
    dialler::dial(
        &address.to_string(),
        &local(seed, fleet_key),
        &nowhere(),
        DIAL_WAIT,
    )
}

/// Both ends of a verified connection, the dialler's first.
fn pair(on: &str) -> (LinkParts, LinkParts) {
    let (_listener, address, arrivals) = listener(on);
    let dialled = dial(address, 2, 7).unwrap();
    (dialled, arrivals.recv_timeout(PATIENCE).unwrap())
}

/// A link in a thread that does what the loop does with all of them.
struct RunningLink {
    orders: mpsc::Sender<Order>,
    waker: Arc<mio::Waker>,
}

enum Order {
    Send(Vec<u8>),
    Close,
    Abort,
}

impl RunningLink {
    fn send(&self, frame: Vec<u8>) -> bool {
        self.order(Order::Send(frame))
    }

    fn close(self) {
        self.order(Order::Close);
    }

    fn abort(self) {
        self.order(Order::Abort);
    }

    /// `false` if the link has ended.
    fn order(&self, order: Order) -> bool {
        self.orders.send(order).is_ok() && self.waker.wake().is_ok()
    }
}

impl Drop for RunningLink {
    fn drop(&mut self) {
        self.order(Order::Close);
    }
}

fn start(number: u64, parts: LinkParts) -> (RunningLink, Receiver<LinkEvent>) {
    let (sender, events) = mpsc::sync_channel(1024);
    let (orders, ordered) = mpsc::channel();
    let mut links = Links::new().unwrap();
    let waker = links.waker().unwrap();
    links.add(number, parts).unwrap();
    // A wake-up is lost with the last waker.
    let kept = Arc::clone(&waker);
    let run = move || {
        let _kept = kept;
        while !links.is_empty() {
            for order in ordered.try_iter() {
                match order {
                    Order::Send(frame) => assert!(links.send(number, frame), "within the window"),
                    Order::Close => links.close(number),
                    Order::Abort => links.abort(number),
                }
            }
            links.flush();
            links.wait(PATIENCE).unwrap();
            while let Some(event) = links.next_event() {
                sender.send(event).unwrap_or(());
            }
        }
    };
    thread::spawn(run);
    (RunningLink { orders, waker }, events)
}

fn next_frame(events: &Receiver<LinkEvent>) -> Vec<u8> {
    loop {
        match events.recv_timeout(PATIENCE).expect("a frame") {
            LinkEvent::Frame { bytes, .. } => return bytes,
            LinkEvent::Sent { .. } => {}
            LinkEvent::Down { reason, .. } => panic!("the link is down: {reason}"),
        }
    }
}

/// The reason of the one `Down`: the channel ends when both threads have, so a second one would be
/// seen.
fn the_one_down(events: &Receiver<LinkEvent>) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut reasons = Vec::new();
    loop {
        match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(LinkEvent::Down { reason, .. }) => reasons.push(reason),
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("the link's threads do not end; so far: {reasons:?}")
            }
        }
    }
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    reasons.remove(0)
}

fn raw(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that the other side says before it closes. A reset is a close, too: it has bytes of ours
/// that it did not care to read.
fn heard(mut stream: TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => heard,
    }
}

/// Waits for a condition.
fn wait(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
