//! curve_client_tools.hpp: the handshake of a CURVE client.

use zmq::Dealer;
use zmq::security::Security;

use crate::common::{Process, c_program, context, lacks_curve};

/// The client asserts that the short-term key of its server can be used. libzmq aborts the process.
#[deadline::test(patches = [15])]
fn curve_ends_only_the_connection_when_a_key_has_a_small_order() {
    if lacks_curve() {
        return;
    }
    let (public, secret) = zmq::curve_keypair().unwrap();
    let server = Process::start(c_program("low_order.c"), &[&secret.to_z85()]);
    let line = server.line();
    let context = context();
    let (_, own) = zmq::curve_keypair().unwrap();
    let client = context.socket(Dealer).unwrap();
    client.set_reconnect_ivl(None).unwrap();
    client.secure(&Security::curve_client(&own, &public)).unwrap();
    client.connect(line.strip_prefix("bound ").unwrap()).unwrap();
    assert_eq!(server.line(), "dropped");
    server.succeeds();
}

/// A client that cannot encrypt its HELLO tries again when its socket disconnects. The earlier HELLO leaks: 240 bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[deadline::test(patches = [65])]
fn curve_client_frees_each_hello_that_it_cannot_encrypt() {
    use crate::common::{DEADLINE, TCP, in_own_process};
    use zmq::PublicKey;
    use zmq::monitor::{Event, Events};

    if lacks_curve() {
        return;
    }
    in_own_process("curve::curve_client_frees_each_hello_that_it_cannot_encrypt", || {
        // The queues of a connection that has not ended yet have 48 KiB: less than half of the leak.
        const COUNT: usize = 1000;
        let context = context();
        let (_, secret) = zmq::curve_keypair().unwrap();
        let server = context.socket(Dealer).unwrap();
        server.secure(&Security::curve_server(&secret)).unwrap();
        let client = context.socket(Dealer).unwrap();
        let mut small_order = [0; 32];
        small_order[0] = 1;
        client.secure(&Security::curve_client(&secret, &PublicKey::from_bytes(small_order))).unwrap();
        let monitor = client.monitor(Events::HANDSHAKE_FAILED_PROTOCOL).unwrap();
        let endpoint = server.bind(TCP).unwrap();
        let fails = || {
            let notice = monitor.next_event(DEADLINE).unwrap().expect("an event");
            assert!(matches!(notice.event(), Event::HandshakeFailedProtocol { .. }));
        };
        // The least number of bytes in use while COUNT connections fail. It leaves out bytes that wait to be read or freed.
        let least_in_use = || {
            let mut least = usize::MAX;
            for _ in 0..COUNT {
                client.connect(&endpoint).unwrap();
                fails();
                client.disconnect(&endpoint).unwrap();
                fails();
                // The sockets process the ends of their connections.
                for socket in [&client, &server] {
                    socket.events().unwrap();
                }
                // SAFETY: has no preconditions.
                least = least.min(unsafe { libc::mallinfo2() }.uordblks);
            }
            least
        };
        least_in_use();
        let before = least_in_use();
        let after = least_in_use();
        assert!(after.saturating_sub(before) < COUNT * 100, "{before}, {after}");
    });
}
