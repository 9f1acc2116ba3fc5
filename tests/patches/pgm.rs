//! pgm_socket.cpp, pgm_receiver.cpp: groups of epgm://, and senders to them. The packets are UDP datagrams.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use zmq::{Context, Socket, Sub};

use crate::common::{context, eventually, skip_unless};
use crate::{RECV_TIMEOUT, context_ends_if_the_port_is_taken};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 192, 7, 13);
const ORIGINAL_DATA: u8 = 4;
/// The options of a packet that has further options behind its sequence number.
const HAS_OPTIONS: u8 = 1;
/// The offset of a packet in which no message begins.
const NO_MESSAGE: [u8; 2] = [0xff; 2];

/// The address of the interface that has a route to the group.
fn interface() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.connect((GROUP, 7)).ok()?;
    match socket.local_addr().unwrap().ip() {
        IpAddr::V4(address) if !address.is_loopback() => Some(address),
        _ => None,
    }
}

/// The interface. Reports the test as skipped if libzmq has no PGM, or the system no such interface.
fn usable() -> Option<Ipv4Addr> {
    if skip_unless(zmq::has("pgm"), "this libzmq has no PGM") {
        return None;
    }
    let interface = interface();
    skip_unless(interface.is_some(), "no interface has a route to multicast groups");
    interface
}

/// A sender to the group.
struct Sender {
    socket: UdpSocket,
    port: u16,
    sequence: u32,
}

impl Sender {
    fn new(interface: Ipv4Addr, port: u16) -> Sender {
        let socket = UdpSocket::bind((interface, 0)).unwrap();
        Sender { socket, port, sequence: 1 }
    }

    /// Sends the next packet, with these options and this content.
    fn send(&mut self, options: &[u8], content: &[u8]) {
        let mut packet = [&7_u16.to_be_bytes()[..], &self.port.to_be_bytes()].concat();
        packet.extend([ORIGINAL_DATA, if options.is_empty() { 0 } else { HAS_OPTIONS }, 0, 0]);
        packet.extend(b"sender");
        packet.extend((content.len() as u16).to_be_bytes());
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(0_u32.to_be_bytes());
        packet.extend(options);
        packet.extend(content);
        let checksum = checksum(&packet);
        packet[6..8].copy_from_slice(&checksum.to_be_bytes());
        self.socket.send_to(&packet, (GROUP, self.port)).unwrap();
        self.sequence += 1;
    }

    /// Sends one of two fragments of a content of four bytes.
    fn send_fragment(&mut self, offset: u32) {
        const LENGTH: [u8; 4] = [0, 4, 0, 20];
        // The last option, of sixteen bytes.
        let mut options = [&LENGTH[..], &[0x81, 16, 0, 0]].concat();
        options.extend((self.sequence - offset / 2).to_be_bytes());
        options.extend(offset.to_be_bytes());
        options.extend(4_u32.to_be_bytes());
        self.send(&options, &[0, 0]);
    }

    /// Sends a message, which begins at the start of its packet.
    fn send_message(&mut self, content: &str) {
        self.send(&[], &[&[0, 0, content.len() as u8 + 1, 0], content.as_bytes()].concat());
    }
}

/// The checksum of the Internet protocol.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |&low| low.into()));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

/// A SUB that has received its first message from a sender, and may receive further copies of it.
fn receiving(context: &Context, interface: Ipv4Addr) -> (Socket<'_, Sub>, Sender) {
    // OpenPGM refuses a port that another socket has, whatever its options are.
    let port = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port();
    let sub = context.socket(Sub).unwrap();
    sub.subscribe("").unwrap();
    sub.connect(&format!("epgm://{interface};{GROUP}:{port}")).unwrap();
    let mut sender = Sender::new(interface, port);
    eventually("the SUB receives from the group", || {
        sender.send_message("first");
        sub.within(Duration::from_millis(10)).recv_msg().unwrap().is_some()
    });
    (sub, sender)
}

/// Receives the next message that is not one of [`receiving`].
#[track_caller]
fn next_but_first(sub: &Socket<'_, Sub>, expected: &[u8]) {
    loop {
        let message = sub.within(RECV_TIMEOUT).recv_msg().unwrap();
        let message = message.unwrap_or_else(|| panic!("nothing arrives instead of {expected:?}"));
        if message == expected {
            break;
        }
        assert_eq!(message, "first", "instead of {expected:?}");
    }
}

/// libzmq asserts that a packet has content, is in one piece, and has the offset of a message in it.
#[deadline::test(patches = [78])]
fn malformed_packets_to_a_group_are_dropped() {
    let Some(interface) = usable() else { return };
    let context = context();
    let (sub, mut sender) = receiving(&context, interface);
    let behind_the_end = [0, 9, 2, 0, b'x'];
    type Malformed<'a> = (&'a str, &'a dyn Fn(&mut Sender));
    let malformed: [Malformed<'_>; 4] = [
        ("one byte", &|sender| sender.send(&[], &[0])),
        ("no content", &|sender| sender.send(&[], &[])),
        ("fragments", &|sender| [0, 2].iter().for_each(|&offset| sender.send_fragment(offset))),
        ("an offset behind the end", &|sender| {
            // A frame of length 0 is an error: the stream begins anew.
            sender.send(&[], &[&NO_MESSAGE[..], &[0]].concat());
            sender.send(&[], &behind_the_end);
        }),
    ];
    for (what, malformed) in malformed.iter().chain(malformed.iter().rev()) {
        malformed(&mut sender);
        sender.send_message(what);
        next_but_first(&sub, what.as_bytes());
    }
}

/// A changed mark makes the receiver try again. libzmq asserts that its message has room then.
#[deadline::test(patches = [63])]
fn sub_at_its_mark_receives_from_a_group_when_its_mark_is_set() {
    const MESSAGES: u8 = 20;
    let Some(interface) = usable() else { return };
    let context = context();
    let (sub, mut sender) = receiving(&context, interface);
    sub.set_rcvhwm(1).unwrap();
    let frames = (0..MESSAGES).flat_map(|number| [2, 0, number]);
    sender.send(&[], &[0, 0].into_iter().chain(frames).collect::<Vec<u8>>());
    for number in 0..MESSAGES {
        // Unless all are received, the next message waits for room.
        for _ in 0..10 {
            sub.set_rcvhwm(1).unwrap();
        }
        next_but_first(&sub, &[number]);
    }
    sender.send_message("last");
    next_but_first(&sub, b"last");
}

/// libzmq asserts that OpenPGM can open its sockets.
#[deadline::test(patches = [79])]
fn pgm_session_ends_when_the_system_refuses_its_socket() {
    let Some(interface) = usable() else { return };
    context_ends_if_the_port_is_taken(|port| format!("epgm://{interface};{GROUP}:{port}"));
}
