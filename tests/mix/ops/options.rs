//! Options: a row is a setter and the values that programs set.

use std::time::Duration;

use zmq::sockopt::{OptionInfo, OptionValue};
use zmq::{PublicKey, SecretKey, Socket};

use super::{Row, Thread, row};
use crate::common::has_no_method;
use crate::common::rng::Rng;

pub const ROWS: &[Row] = &[
    row("set-option", 40, set_option),
    row("set-by-name", 2, set_by_name),
    row("subscribe", 15, subscribe),
    row("secure", 3, secure),
    row("set-metadata", 1, set_metadata),
];

/// A setter's name, and a call with one of its values.
type Setter = (&'static str, fn(&Socket<'static>, &mut Rng));

macro_rules! setters {
    ($($name:ident: $($value:expr),+;)*) => {
        &[$((stringify!($name), |socket, rng| {
            let values: &[&dyn Fn()] = &[$(&|| drop(socket.$name($value))),+];
            rng.pick(values)();
        })),*]
    };
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Each option is here: `every_option_is_set_by_programs` compares this table with `OptionInfo::all`.
const SETTERS: &[Setter] = setters! {
    set_affinity: 0, 1, 2;
    set_routing_id: "x", "y", "a long routing id of more than 33 bytes, which is no inline message", [0, 0, 0, 0, 1];
    set_rate: 1, 1000;
    set_recovery_ivl: ms(0), ms(1000);
    set_sndbuf: None, Some(1), Some(4096);
    set_rcvbuf: None, Some(1), Some(4096);
    // An infinite linger period keeps a context from ending, as it must. The flow `terminate` has one.
    set_linger: Some(ms(0)), Some(ms(20)), Some(ms(1000));
    set_reconnect_ivl: None, Some(ms(1)), Some(ms(20));
    set_reconnect_ivl_max: None, Some(ms(1)), Some(ms(50));
    set_backlog: 0, 1, 100;
    set_maxmsgsize: None, Some(0), Some(100), Some(1 << 40);
    set_sndhwm: 0, 1, 2, 3, 1000;
    set_rcvhwm: 0, 1, 2, 3, 1000;
    set_multicast_hops: 1, 255;
    set_multicast_maxtpdu: 1, 1500;
    set_rcvtimeo: Some(ms(0)), None;
    set_sndtimeo: Some(ms(0)), None;
    set_router_mandatory: true, false;
    set_tcp_keepalive: None, Some(true), Some(false);
    set_tcp_keepalive_cnt: None, Some(1);
    set_tcp_keepalive_idle: None, Some(Duration::from_secs(1));
    set_tcp_keepalive_intvl: None, Some(Duration::from_secs(1));
    set_immediate: true, false;
    set_xpub_verbose: true, false;
    set_router_raw: true;
    set_ipv6: true, false;
    set_plain_server: true, false;
    set_plain_username: None, Some("alice");
    set_plain_password: None, Some("secret");
    set_curve_server: true, false;
    set_curve_publickey: PublicKey::from_bytes([1; 32]);
    set_curve_secretkey: SecretKey::from([2; 32]);
    set_curve_serverkey: PublicKey::from_bytes([3; 32]);
    set_probe_router: true;
    set_req_correlate: true, false;
    set_req_relaxed: true, false;
    set_conflate: true, false;
    set_zap_domain: "", "domain";
    set_router_handover: true, false;
    set_tos: 0, 0x28;
    set_gssapi_server: true;
    set_gssapi_principal: "client";
    set_gssapi_service_principal: "server";
    set_gssapi_plaintext: true;
    set_gssapi_principal_nametype: zmq::sockopt::GssapiNameType::HostBased;
    set_gssapi_service_principal_nametype: zmq::sockopt::GssapiNameType::HostBased;
    set_handshake_ivl: None, Some(ms(1)), Some(ms(50));
    set_socks_proxy: None, Some("127.0.0.1:1"), Some("localhost:1");
    set_xpub_nodrop: true, false;
    set_xpub_manual: true;
    set_xpub_welcome_msg: "", "welcome";
    set_stream_notify: true, false;
    set_invert_matching: true, false;
    set_heartbeat_ivl: None, Some(ms(1)), Some(ms(20));
    set_heartbeat_ttl: ms(100), ms(1000);
    set_heartbeat_timeout: None, Some(ms(1)), Some(ms(50));
    set_xpub_verboser: true, false;
    set_connect_timeout: None, Some(ms(1)), Some(ms(100));
    set_tcp_maxrt: None, Some(ms(100));
    set_bindtodevice: None, Some("lo");
};

#[cfg(not(feature = "draft"))]
const DRAFT_SETTERS: &[Setter] = &[];

#[cfg(feature = "draft")]
const DRAFT_SETTERS: &[Setter] = setters! {
    set_zap_enforce_domain: true, false;
    set_loopback_fastpath: true;
    set_multicast_loop: true, false;
    set_router_notify: zmq::sockopt::RouterNotify::CONNECT,
        zmq::sockopt::RouterNotify::CONNECT | zmq::sockopt::RouterNotify::DISCONNECT;
    set_xpub_manual_last_value: true;
    set_socks_username: None, Some("alice");
    set_socks_password: None, Some("secret");
    set_in_batch_size: 64, 65, 8192;
    set_out_batch_size: 1, 64, 8192;
    set_only_first_subscribe: true, false;
    set_reconnect_stop: zmq::sockopt::ReconnectStop::CONN_REFUSED, zmq::sockopt::ReconnectStop::AFTER_DISCONNECT;
    set_hello_msg: "", "hello", [7; 100];
    set_disconnect_msg: "", "gone", [7; 100];
    set_hiccup_msg: "", "hiccup", [7; 100];
    set_busy_poll: None, Some(Duration::from_micros(1));
    set_xsub_verbose_unsubscribe: true, false;
    set_priority: 0, 6;
};

/// The names of the setters.
pub fn names() -> impl Iterator<Item = &'static str> {
    SETTERS.iter().chain(DRAFT_SETTERS).map(|(name, _)| *name)
}

fn set_option(thread: &mut Thread<'_>, rng: &mut Rng) {
    let place = rng.below(SETTERS.len() + DRAFT_SETTERS.len());
    let (_, set) = SETTERS.iter().chain(DRAFT_SETTERS).nth(place).expect("below their number");
    if let Some(socket) = thread.socket(rng) {
        set(socket, rng);
    }
}

/// An option that has no setter.
fn set_by_name(thread: &mut Thread<'_>, rng: &mut Rng) {
    let rows: Vec<_> = OptionInfo::all().filter(|option| option.set && has_no_method(option)).collect();
    let value: OptionValue = match rng.below(6) {
        0 => OptionValue::None,
        1 => rng.coin().into(),
        2 => 1.into(),
        3 => 65536.into(),
        4 => "127.0.0.1".into(),
        _ => "10.0.0.0/8".into(),
    };
    let name = rng.pick(&rows).name;
    let _ = thread.socket(rng).map(|socket| (socket.set_option(name, value), socket.option(name)));
}

fn subscribe(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Some(socket) = thread.socket(rng) else { return };
    let prefix =
        *rng.pick(&["", "a", "\u{1}", "\0", "\0\0\0\0", "a prefix of more than thirty-three bytes, which is long"]);
    let _ = if rng.coin() { socket.subscribe(prefix) } else { socket.unsubscribe(prefix) };
    #[cfg(feature = "draft")]
    let _ = socket.topics_count();
}

#[cfg(feature = "draft")]
fn set_metadata(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Some(socket) = thread.socket(rng) else { return };
    let _ = socket.set_metadata(if rng.coin() { "X-a" } else { "X-b" }, if rng.coin() { "" } else { "value" });
}

#[cfg(not(feature = "draft"))]
fn set_metadata(_: &mut Thread<'_>, _: &mut Rng) {}

/// The options of a mechanism, set together.
fn secure(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Some(socket) = thread.socket(rng) else { return };
    let secret = SecretKey::from([9; 32]);
    let security = match rng.below(5) {
        0 => zmq::security::Security::plain_server(),
        1 => zmq::security::Security::plain_client("alice", "secret"),
        2 => zmq::security::Security::curve_server(&secret),
        3 => match zmq::curve_public(&secret) {
            Ok(public) => zmq::security::Security::curve_client(&secret, &public),
            Err(_) => return,
        },
        _ => zmq::security::Security::null(),
    };
    let _ = socket.secure(&security);
}
