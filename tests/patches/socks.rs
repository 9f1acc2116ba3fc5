//! socks.cpp, socks_connecter.cpp: the answers of a SOCKS5 proxy.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Context, Dealer, Pull, Push, Socket};

use crate::common::{self, DEADLINE, in_own_process, next};
use crate::{accept, listener};

/// The greeting of a client without a user name, and the proxy's choice: no authentication.
const GREETING: [u8; 3] = [5, 1, 0];
const CHOICE: [u8; 2] = [5, 0];

/// A reply with an IPv4 or IPv6 address, or a name.
fn reply(kind: u8, address: &[u8]) -> Vec<u8> {
    [&[5, 0, 0, kind], address, &[0, 7]].concat()
}

fn v4() -> Vec<u8> {
    reply(1, &[127, 0, 0, 1])
}

fn v6() -> Vec<u8> {
    reply(4, &[1; 16])
}

fn name(length: u8) -> Vec<u8> {
    let text = vec![b'n'; usize::from(length)];
    reply(3, &[&[length], &text[..]].concat())
}

/// A socket that connects through the proxy, and tries again at once.
fn proxied<'ctx>(context: &'ctx Context, proxy: &TcpListener) -> Socket<'ctx, Dealer> {
    let socket = context.socket(Dealer).unwrap();
    socket.set_socks_proxy(proxy.local_addr().unwrap().to_string().as_str()).unwrap();
    socket.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
    socket
}

/// Accepts the next connection and answers its greeting.
fn greeted(proxy: &TcpListener) -> TcpStream {
    let mut stream = accept(proxy);
    stream.set_nodelay(true).unwrap();
    assert_eq!(read::<3>(&mut stream), GREETING);
    stream.write_all(&CHOICE).unwrap();
    stream
}

/// Reads a request for a name, and returns the name.
fn requested(stream: &mut TcpStream) -> String {
    let [version, command, _, kind, length] = read(stream);
    assert_eq!((version, command, kind), (5, 1, 3));
    let mut name = vec![0; usize::from(length)];
    stream.read_exact(&mut name).unwrap();
    read::<2>(stream);
    String::from_utf8(name).unwrap()
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Waits until the client has closed its connection.
fn wait_for_end(mut stream: TcpStream) {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // An error is a reset, because the client has not read all bytes.
    if let Err(error) = std::io::copy(&mut stream, &mut std::io::sink()) {
        assert_ne!(error.kind(), ErrorKind::WouldBlock, "the client has not closed its connection");
    }
}

/// Sends a message through a proxy for each reply. The proxy writes the reply in two pieces, with the first bytes of the
/// server right behind.
fn assert_connects(replies: &[(Vec<u8>, usize)]) {
    // Each connection has four descriptors in this process.
    for replies in replies.chunks(100) {
        let context = common::context();
        let pull = context.socket(Pull).unwrap();
        let server = pull.bind("tcp://127.0.0.1:*").unwrap();
        let proxy = listener();
        let clients: Vec<_> = (0..replies.len())
            .map(|index| {
                let socket = context.socket(Push).unwrap();
                socket.set_socks_proxy(proxy.local_addr().unwrap().to_string().as_str()).unwrap();
                socket.connect(&format!("tcp://{index}.invalid:7")).unwrap();
                socket.send(index.to_string()).unwrap();
                socket
            })
            .collect();
        thread::scope(|scope| {
            for _ in &clients {
                let client = accept(&proxy);
                scope.spawn(|| {
                    let mut client = client;
                    client.set_nodelay(true).unwrap();
                    assert_eq!(read::<3>(&mut client), GREETING);
                    client.write_all(&CHOICE).unwrap();
                    let index: usize = requested(&mut client).trim_end_matches(".invalid").parse().unwrap();
                    let (reply, cut) = &replies[index];
                    let mut server = TcpStream::connect(server.trim_start_matches("tcp://")).unwrap();
                    let signature = read::<10>(&mut server);
                    let answer = [&reply[..], &signature].concat();
                    client.write_all(&answer[..*cut]).unwrap();
                    // The client must read the first piece alone. No event reports that it has.
                    thread::sleep(Duration::from_millis(if *cut > 0 { 20 } else { 0 }));
                    client.write_all(&answer[*cut..]).unwrap();
                    relay(client, server);
                });
            }
            let expected: BTreeSet<_> = (0..replies.len()).map(|index| index.to_string().into_bytes()).collect();
            let received: BTreeSet<_> = clients.iter().map(|_| next(&pull).swap_remove(0)).collect();
            assert_eq!(received, expected);
            drop(clients);
        });
    }
}

/// Copies what each side sends to the other, until the client has ended.
fn relay(client: TcpStream, server: TcpStream) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let back = thread::spawn(move || std::io::copy(&mut to, &mut from));
    let _ = std::io::copy(&mut &client, &mut &server);
    let _ = server.shutdown(Shutdown::Both);
    let _ = back.join();
}

/// Names of 128 bytes and more have a negative length.
#[deadline::test(patches = [36])]
fn socks_connecter_reads_names_of_every_length() {
    assert_connects(&(0..=255).map(|length| (name(length), 0)).collect::<Vec<_>>());
}

/// After its first five bytes a reply is read again in full.
#[deadline::test(patches = [36])]
fn socks_connecter_reads_replies_that_arrive_in_pieces() {
    let replies = [v4(), v6(), name(0), name(1), name(128), name(255)];
    let cuts = replies.iter().flat_map(|reply| (1..=reply.len()).map(|cut| (reply.clone(), cut)));
    assert_connects(&cuts.collect::<Vec<_>>());
}

/// Bytes behind the reply overrun the decoder.
#[deadline::test(patches = [36])]
fn socks_connecter_reads_nothing_behind_a_reply() {
    in_own_process("socks::socks_connecter_reads_nothing_behind_a_reply", || {
        let context = common::context();
        let proxy = listener();
        let flood = vec![0xff; 100_000];
        let pieces = (1..v4().len()).map(|cut| (v4(), cut)).chain((1..v6().len()).map(|cut| (v6(), cut)));
        let names = (0..=255).step_by(5).map(|length| (name(length), 0));
        for (reply, cut) in pieces.chain(names) {
            // A connection that ends by an error of ZMTP is not made again.
            let socket = proxied(&context, &proxy);
            socket.connect("tcp://name.invalid:7").unwrap();
            let mut stream = greeted(&proxy);
            requested(&mut stream);
            stream.write_all(&reply[..cut]).unwrap();
            thread::sleep(Duration::from_millis(if cut > 0 { 5 } else { 0 }));
            // An error: the client has closed the connection, because the bytes are no greeting of ZMTP.
            let _ = stream.write_all(&[&reply[cut..], &flood].concat());
            let _ = stream.shutdown(Shutdown::Write);
            wait_for_end(stream);
        }
    });
}

/// With the patch each byte of a proxy's answers that the protocol does not allow ends the connection.
#[deadline::test(patches = [1])]
fn socks_connecter_refuses_every_wrong_byte() {
    let context = common::context();
    let proxy = listener();
    let socket = proxied(&context, &proxy);
    socket.connect("tcp://name.invalid:7").unwrap();
    for byte in 0..=255_u8 {
        let mut choices = vec![];
        if byte != CHOICE[0] {
            choices.push([byte, 0]);
        }
        // Authentication by user name is method 2.
        if ![0, 2].contains(&byte) {
            choices.push([5, byte]);
        }
        for choice in choices {
            let mut stream = accept(&proxy);
            assert_eq!(read::<3>(&mut stream), GREETING);
            stream.write_all(&choice).unwrap();
            wait_for_end(stream);
        }
        for (place, allowed) in [(0, &[5][..]), (1, &[0]), (2, &[0]), (3, &[1, 3, 4])] {
            if allowed.contains(&byte) {
                continue;
            }
            let mut stream = greeted(&proxy);
            requested(&mut stream);
            let mut reply = v4();
            reply[place] = byte;
            let _ = stream.write_all(&reply);
            wait_for_end(stream);
        }
    }
}

/// With the patch too, user names and passwords of every length that one byte can state are sent.
#[cfg(feature = "draft")]
#[deadline::test(patches = [1])]
fn socks_connecter_sends_names_and_passwords_of_every_length() {
    let context = common::context();
    for (user, password) in [(1, 0), (1, 1), (127, 128), (128, 127), (255, 255)] {
        let (user, password) = ("u".repeat(user), "p".repeat(password));
        let proxy = listener();
        let socket = proxied(&context, &proxy);
        socket.set_socks_username(user.as_str()).unwrap();
        if !password.is_empty() {
            socket.set_socks_password(password.as_str()).unwrap();
        }
        socket.connect("tcp://name.invalid:7").unwrap();
        // Every answer but the success of version 1 ends the connection.
        for answer in [[1, 1], [1, 255], [5, 0], [0, 0], [255, 0], [1, 0]] {
            let mut stream = accept(&proxy);
            assert_eq!(read::<3>(&mut stream), [5, 1, 2]);
            stream.write_all(&[5, 2]).unwrap();
            assert_eq!(read::<2>(&mut stream), [1, user.len() as u8]);
            let mut text = vec![0; user.len() + 1 + password.len()];
            stream.read_exact(&mut text).unwrap();
            assert_eq!(text, [user.as_bytes(), &[password.len() as u8], password.as_bytes()].concat());
            stream.write_all(&answer).unwrap();
            if answer == [1, 0] {
                assert_eq!(requested(&mut stream), "name.invalid");
            } else {
                wait_for_end(stream);
            }
        }
    }
}

/// A proxy may stop answering at each point. The connecter then waits for ever.
#[deadline::test(patches = [38])]
fn socks_connecter_gives_a_silent_proxy_up() {
    const TIMEOUT: Duration = Duration::from_millis(40);
    /// The number of tries on a busy machine.
    const TRIES: u32 = 50;
    for bounded_by_connect_timeout in [true, false] {
        let context = common::context();
        let proxy = listener();
        let socket = proxied(&context, &proxy);
        if bounded_by_connect_timeout {
            socket.set_connect_timeout(Some(TIMEOUT)).unwrap();
            socket.set_handshake_ivl(None).unwrap();
        } else {
            socket.set_handshake_ivl(Some(TIMEOUT)).unwrap();
        }
        socket.connect("tcp://name.invalid:7").unwrap();
        let mut stages: Vec<Vec<u8>> = vec![vec![], vec![5], CHOICE.to_vec()];
        stages.extend([1, 4, 5, 6, 9].map(|cut| [&CHOICE, &v4()[..cut]].concat()));
        stages.extend([5, 6, 200].map(|cut| [&CHOICE, &name(255)[..cut]].concat()));
        for stage in stages {
            let in_time = (0..TRIES).any(|_| {
                let mut stream = accept(&proxy);
                let start = Instant::now();
                // The client has given the connection up if this process was late.
                let _ = stream.write_all(&stage);
                wait_for_end(stream);
                start.elapsed() < 2 * TIMEOUT
            });
            assert!(in_time, "{stage:?}: {bounded_by_connect_timeout}");
        }
        // A socket that is closed during an attempt ends it.
        let stream = accept(&proxy);
        drop(socket);
        wait_for_end(stream);
    }
}
