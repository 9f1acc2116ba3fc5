//! curve_client_tools.hpp: the handshake of a CURVE client.

use zmq::Dealer;
use zmq::security::Security;

use crate::common::{Process, c_program, context, lacks_curve};

/// The client asserted that the short-term key of its server can be used. libzmq aborted the process.
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
