//! Discovery: its machine over arbitrary datagrams and steps of the clock, and over the loopback network.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use common::{DEADLINE, HeldPort, eventually, skip_unless};
use proptest::prelude::*;
use socket2::{Domain, Socket, Type};
use zmq::{Context, Errno, PollEvents, PollItem, poll};
use zmq_patterns::discovery::machine::PeersMachine;
use zmq_patterns::discovery::{Beacon, Event, PeerId};

const EXPIRY: Duration = Duration::from_secs(5);
const OWN: PeerId = PeerId([0; 16]);

/// One step of a run. Peers are numbers; 0 is the own one.
#[derive(Debug, Clone)]
enum Step {
    Beacon(u8),
    Datagram(Vec<u8>),
    Pass(u16),
    Take,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..8_u8).prop_map(Step::Beacon),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Datagram),
        3 => (0..4000_u16).prop_map(Step::Pass),
        3 => Just(Step::Take),
    ]
}

fn address() -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, 1), 9999).into()
}

proptest! {
    /// The peers that are known are those who were heard in the last 5 seconds. Each comes and goes in turn, as the events
    /// say, whenever they are taken.
    #[deadline::test]
    fn peers_machine_knows_who_was_heard(
        max_peers in 1..8_usize,
        is_always_taken in any::<bool>(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut machine = PeersMachine::new(OWN);
        machine.set_max_peers(max_peers);
        let mut now = Instant::now();
        let mut heard: BTreeMap<PeerId, Instant> = BTreeMap::new();
        // As the events say it.
        let mut told: Vec<PeerId> = Vec::new();
        let (mut malformed, mut received) = (0, 0);
        for step in &steps {
            let datagram = match step {
                Step::Beacon(number) => Some(vec![*number; 16]),
                Step::Datagram(datagram) => Some(datagram.clone()),
                _ => None,
            };
            if let Some(datagram) = datagram {
                let (known, refused) = (machine.peers(), machine.statistics().refused);
                machine.on_datagram(now, &datagram, address());
                match <[u8; 16]>::try_from(&datagram[..]).map(PeerId) {
                    Err(_) => malformed += 1,
                    Ok(OWN) => {}
                    Ok(peer) => {
                        received += 1;
                        if machine.statistics().refused == refused {
                            heard.insert(peer, now);
                        } else {
                            prop_assert!(!heard.contains_key(&peer) && (known == max_peers || !is_always_taken));
                        }
                    }
                }
            }
            match step {
                Step::Pass(milliseconds) => {
                    now += Duration::from_millis((*milliseconds).into());
                    machine.on_tick(now);
                    heard.retain(|_, at| now - *at < EXPIRY);
                }
                Step::Beacon(_) | Step::Datagram(_) | Step::Take => {}
            }
            if is_always_taken || matches!(step, Step::Take) {
                while let Some(event) = machine.take_event() {
                    match event {
                        Event::Joined { peer, address: from } => {
                            prop_assert!(!told.contains(&peer) && from == address());
                            told.push(peer);
                        }
                        Event::Left { peer } => {
                            let place = told.iter().position(|other| *other == peer).expect("it has joined");
                            told.remove(place);
                        }
                        other => panic!("{other:?}"),
                    }
                }
                let mut told = told.clone();
                told.sort();
                prop_assert_eq!(told, heard.keys().copied().collect::<Vec<_>>());
            }
            prop_assert_eq!(machine.peers(), heard.len());
            prop_assert!(machine.peers() <= max_peers);
            prop_assert_eq!(machine.next_tick(), heard.values().min().map(|at| *at + EXPIRY));
            prop_assert_eq!((machine.statistics().malformed, machine.statistics().received), (malformed, received));
        }
    }
}

#[deadline::test]
fn peers_machine_forgets_a_peer_after_the_time_that_is_set() {
    let mut machine = PeersMachine::new(OWN);
    machine.set_expiry(EXPIRY / 5);
    let now = Instant::now();
    machine.on_datagram(now, &[1; 16], address());
    assert_eq!(machine.next_tick(), Some(now + EXPIRY / 5));
    let joined = Event::Joined { peer: PeerId([1; 16]), address: address() };
    assert_eq!(machine.event(), Some(&joined));
    assert_eq!(machine.take_event(), Some(joined));
}

#[deadline::test]
fn peers_machine_counts_the_beacons_that_were_sent() {
    let mut machine = PeersMachine::new(OWN);
    [true, true, false].into_iter().for_each(|is_sent| machine.on_sent(is_sent));
    assert_eq!((machine.statistics().sent, machine.statistics().unsent), (2, 1));
}

#[deadline::test]
fn peers_machine_reports_nothing_of_a_peer_whose_coming_was_not_taken() {
    let mut machine = PeersMachine::new(OWN);
    machine.set_max_peers(2);
    let start = Instant::now();
    for round in 0..100_u8 {
        let now = start + 10 * EXPIRY * u32::from(round);
        machine.on_tick(now);
        for number in 1..=3 {
            machine.on_datagram(now, &[number; 16], address());
        }
        assert_eq!(machine.peers(), 2);
    }
    assert_eq!(machine.statistics().refused, 100);
    machine.on_tick(start + 10_000 * EXPIRY);
    assert_eq!((machine.event(), machine.next_tick()), (None, None));
    // Times that no clock can express are as good as never.
    machine.set_expiry(Duration::MAX);
    machine.on_datagram(start, &[1; 16], address());
    assert!(machine.next_tick().is_some_and(|tick| tick > start));
}

/// A port of this host for broadcasts on the loopback network; `None` if the system does not deliver them there.
fn loopback() -> Option<(HeldPort, SocketAddrV4)> {
    let port = HeldPort::new(Type::DGRAM, Ipv4Addr::UNSPECIFIED);
    let broadcast = SocketAddrV4::new(Ipv4Addr::new(127, 255, 255, 255), port.address().port());
    let socket = bare(broadcast);
    let arrives = socket.send_to(b"?", broadcast).is_ok() && socket.recv(&mut [0; 1]).is_ok();
    let is_skipped = skip_unless(arrives, "no broadcasts on the loopback network");
    (!is_skipped).then_some((port, broadcast))
}

/// A socket that hears the broadcasts of others, and waits a moment for them.
fn bare(broadcast: SocketAddrV4) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, broadcast.port())).into()).unwrap();
    socket.into()
}

fn beacon(broadcast: SocketAddrV4) -> Beacon {
    Beacon::new().broadcast(broadcast).interval(Duration::from_millis(20))
}

#[deadline::test]
fn peers_find_each_other_and_notice_who_leaves() {
    let Some((_port, broadcast)) = loopback() else { return };
    let context = Context::new().unwrap();
    let start = |expiry| beacon(broadcast).expiry(expiry).start(&context).unwrap();
    let [one, two, three] = [DEADLINE, DEADLINE, Duration::from_secs(2)].map(start);
    let all = [&one, &two, &three];
    for discovery in all {
        let mut found = Vec::new();
        for _ in 0..2 {
            let Some(Event::Joined { peer, address }) = discovery.next_event(DEADLINE).unwrap() else { panic!() };
            assert!(address.ip().is_loopback());
            found.push(peer);
        }
        found.sort();
        let mut others: Vec<_> = all.map(|other| other.id()).into_iter().filter(|id| *id != discovery.id()).collect();
        others.sort();
        assert_eq!((found, discovery.peers()), (others, 2));
    }
    let left = one.id();
    drop(one);
    poll(&mut [PollItem::socket(three.as_ref(), PollEvents::POLLIN)], DEADLINE).unwrap();
    assert_eq!(three.next_event(None).unwrap(), Some(Event::Left { peer: left }));
    assert_eq!(two.next_event(Duration::ZERO).unwrap(), None);
    assert!(three.statistics().sent > 0 && three.statistics().received > 2);
    context.shutdown().unwrap();
    assert_eq!(two.next_event(None).unwrap_err().errno(), Errno::ETERM);
}

/// The beacon is the id; whatever else comes is counted and dropped.
#[deadline::test]
fn discovery_sends_its_id_and_drops_other_datagrams() {
    let Some((_port, broadcast)) = loopback() else { return };
    let context = Context::new().unwrap();
    let hearing = bare(broadcast);
    let discovery = beacon(broadcast).max_peers(1).start(&context).unwrap();
    let mut datagram = [0; 100];
    for _ in 0..3 {
        let len = hearing.recv(&mut datagram).unwrap();
        assert_eq!(datagram[..len], discovery.id().0);
    }
    for other in [&b""[..], b"!", &[1; 15], &[1; 17], &[1; 1000]] {
        hearing.send_to(other, broadcast).unwrap();
    }
    hearing.send_to(&[7; 16], broadcast).unwrap();
    hearing.send_to(&[8; 16], broadcast).unwrap();
    let joined = discovery.next_event(DEADLINE).unwrap();
    assert!(matches!(joined, Some(Event::Joined { peer: PeerId([7, ..]), .. })), "{joined:?}");
    eventually("all datagrams are counted", || {
        let statistics = discovery.statistics();
        (statistics.malformed, statistics.refused) == (5, 1)
    });
    assert_eq!(discovery.peers(), 1);
}

/// Without anybody who takes events, the beacons go on.
#[deadline::test]
fn discovery_goes_on_while_no_event_is_taken() {
    let Some((_port, broadcast)) = loopback() else { return };
    let context = Context::new().unwrap();
    let hearing = bare(broadcast);
    let discovery = beacon(broadcast).start(&context).unwrap();
    for number in 0..5000_u32 {
        let mut id = [9; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        hearing.send_to(&id, broadcast).unwrap();
        if number % 50 == 0 {
            // The system drops datagrams if its buffer is full.
            eventually("it reads", || discovery.statistics().received > u64::from(number));
        }
    }
    let sent = discovery.statistics().sent;
    eventually("beacons are sent", || discovery.statistics().sent > sent + 3);
}

#[deadline::test]
fn discovery_reports_a_port_that_is_taken() {
    let context = Context::new().unwrap();
    // This socket does not share its port.
    let holder = UdpSocket::bind("0.0.0.0:0").unwrap();
    let taken = SocketAddrV4::new(Ipv4Addr::LOCALHOST, holder.local_addr().unwrap().port());
    let error = Beacon::new().broadcast(taken).start(&context).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRINUSE);
    assert!(error.to_string().contains(&taken.port().to_string()), "{error}");
}
