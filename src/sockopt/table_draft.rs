//! THE TABLE: the options of the draft API, in the order of their numbers.

use std::time::Duration;

use super::codec::{AnyBytes, Flag, Latch, MAX, Number, OrOff, Text, Time};
use super::kinds::accepted;
use super::options;
use super::types::{ReconnectStop, RouterNotify};
use crate::security::secret::SecretText;

/// The largest batch of an engine: libzmq allocates one for each connection, and aborts if that fails.
const LARGEST_BATCH: u32 = 1 << 26;

/// The smallest batch to receive: if a frame's header fills the buffer, libzmq reads the frame from the memory behind
/// the buffer.
const SMALLEST_BATCH: u32 = 64;

options! {
    draft: true;

    /// Whether peers are refused if a ZAP domain is set and no handler runs, and whether servers of PLAIN and CURVE
    /// fail to bind or connect without a domain: no unless set. Takes effect at the next bind or connect. Draft.
    "ZMQ_ZAP_ENFORCE_DOMAIN" = ZMQ_ZAP_ENFORCE_DOMAIN: Int by (Flag => bool),
        [zap_enforce_domain] [set_zap_enforce_domain], SocketType, true;

    /// Windows' fast path for tcp on one machine: no unless set; no effect on other systems. Takes effect at the next
    /// bind or connect. Draft.
    "ZMQ_LOOPBACK_FASTPATH" = ZMQ_LOOPBACK_FASTPATH: Int by (Flag => bool), [loopback_fastpath] [set_loopback_fastpath],
        SocketType, true;

    /// Whether multicast comes back to the machine that sends it: yes unless set. Takes effect at the next bind or
    /// connect. Draft.
    "ZMQ_MULTICAST_LOOP" = ZMQ_MULTICAST_LOOP: Int by (Flag => bool), [multicast_loop] [set_multicast_loop],
        SocketType, false;

    /// The events for which a ROUTER receives an empty message after the peer's id, peers that connect or disconnect:
    /// none unless set. Takes effect at the next bind or connect. Draft.
    "ZMQ_ROUTER_NOTIFY" = ZMQ_ROUTER_NOTIFY: Int by (RouterNotify => RouterNotify), [router_notify] [set_router_notify],
        RouterKind (accepted::ROUTER), RouterNotify::CONNECT | RouterNotify::DISCONNECT;

    /// Whether `ZMQ_XPUB_MANUAL` is on and the next message after a subscription goes to that subscriber alone: no
    /// unless set. Takes effect at once. It cannot be switched off again. Draft.
    "ZMQ_XPUB_MANUAL_LAST_VALUE" = ZMQ_XPUB_MANUAL_LAST_VALUE: Int by (Latch => bool), [] [set_xpub_manual_last_value],
        XPubKind (accepted::XPUB), true;

    /// The user name for the SOCKS5 proxy: up to 255 bytes; `None`, the default, is none. Takes effect at the next
    /// connect. Draft.
    "ZMQ_SOCKS_USERNAME" = ZMQ_SOCKS_USERNAME: Text(255) by (Text<255> => Option<String>, Option<&str>),
        [socks_username] [set_socks_username], SocketType, "alice" => Some("alice".to_owned());

    /// The password for the SOCKS5 proxy: up to 255 bytes; `None`, the default, is none. Takes effect at the next
    /// connect. Draft.
    "ZMQ_SOCKS_PASSWORD" = ZMQ_SOCKS_PASSWORD: Text(255) by (Text<255> => Option<SecretText>, Option<&str>),
        [socks_password] [set_socks_password], SocketType, "secret" => Some("secret".into());

    /// How many bytes a connection receives at once: 8192 unless set, 64 to 67,108,864. Each connection has a buffer of
    /// that size. If the size is 8192, the vendored libzmq receives up to 65,536 bytes at once while a stream fills the buffer.
    /// Takes effect at the next bind or connect. Draft.
    "ZMQ_IN_BATCH_SIZE" = ZMQ_IN_BATCH_SIZE: Int by (Number<SMALLEST_BATCH, LARGEST_BATCH> => u32),
        [in_batch_size] [set_in_batch_size], SocketType, 4096;

    /// How many bytes a connection sends at once: 8192 unless set, 1 to 67,108,864. Each connection has a buffer of
    /// that size. If the size is 8192, the vendored libzmq sends up to 65,536 bytes at once. Takes effect at the next bind or
    /// connect. Draft.
    "ZMQ_OUT_BATCH_SIZE" = ZMQ_OUT_BATCH_SIZE: Int by (Number<1, LARGEST_BATCH> => u32),
        [out_batch_size] [set_out_batch_size], SocketType, 4096;

    "ZMQ_WSS_KEY_PEM" = ZMQ_WSS_KEY_PEM: Bytes(usize::MAX) by (AnyBytes => impl AsRef<[u8]>), [] [by_name],
        SocketType, b"PEM";

    "ZMQ_WSS_CERT_PEM" = ZMQ_WSS_CERT_PEM: Bytes(usize::MAX) by (AnyBytes => impl AsRef<[u8]>), [] [by_name],
        SocketType, b"PEM";

    "ZMQ_WSS_TRUST_PEM" = ZMQ_WSS_TRUST_PEM: Bytes(usize::MAX) by (AnyBytes => impl AsRef<[u8]>),
        [] [by_name], SocketType, b"PEM";

    "ZMQ_WSS_HOSTNAME" = ZMQ_WSS_HOSTNAME: Bytes(usize::MAX) by (AnyBytes => impl AsRef<[u8]>), [] [by_name],
        SocketType, b"example.org";

    "ZMQ_WSS_TRUST_SYSTEM" = ZMQ_WSS_TRUST_SYSTEM: Int by (Flag => bool), [] [by_name], SocketType, true;

    /// Whether only the first part of a multipart message can be a subscription: no unless set. Takes effect at once.
    /// Draft.
    "ZMQ_ONLY_FIRST_SUBSCRIBE" = ZMQ_ONLY_FIRST_SUBSCRIBE: Int by (Flag => bool), [] [set_only_first_subscribe],
        ForwardingKind (accepted::FORWARDING), true;

    /// The events after which the socket does not connect again: none unless set. Takes effect at the next bind or
    /// connect. Draft.
    "ZMQ_RECONNECT_STOP" = ZMQ_RECONNECT_STOP: Int by (ReconnectStop => ReconnectStop),
        [reconnect_stop] [set_reconnect_stop], SocketType, ReconnectStop::CONN_REFUSED;

    /// The message that every new peer receives first; empty, the default, is none. Takes effect at the next bind or
    /// connect. It is refused with a libzmq without the patches for safety, which writes out of bounds. Draft.
    "ZMQ_HELLO_MSG" = ZMQ_HELLO_MSG: Bytes(usize::MAX) by (AnyBytes => impl AsRef<[u8]>), [] [set_hello_msg],
        GreetingKind, b"hello";

    /// The message that this socket receives when a peer that connected to it has left; empty, the default, is none.
    /// Takes effect at the next bind or connect. Draft.
    "ZMQ_DISCONNECT_MSG" = ZMQ_DISCONNECT_MSG: Bytes(usize::MAX) by (AnyBytes => impl AsRef<[u8]>),
        [] [set_disconnect_msg], DisconnectKind, b"gone";

    /// How long the kernel polls the network card for this socket, in microseconds, up to 2,147,483,647; `None`, the
    /// default, and zero switch it off. It cannot be read. Takes effect at the next bind or connect. Draft.
    "ZMQ_BUSY_POLL" = ZMQ_BUSY_POLL: Int by (OrOff<Time<1, MAX>> => Option<Duration>), [] [set_busy_poll], SocketType,
        Duration::from_micros(50);

    /// The message that this socket receives when a connection that it made breaks and is made again; empty, the
    /// default, is none. Takes effect at the next bind or connect. Draft.
    "ZMQ_HICCUP_MSG" = ZMQ_HICCUP_MSG: Bytes(usize::MAX) by (AnyBytes => impl AsRef<[u8]>), [] [set_hiccup_msg],
        HiccupKind, b"hiccup";

    /// Whether an XSUB forwards every end of a subscription: no unless set. Takes effect at once. Draft.
    ///
    /// The publisher stops sending a topic to this socket at the first end, even if other subscribers behind this socket
    /// still have the topic.
    "ZMQ_XSUB_VERBOSE_UNSUBSCRIBE" = ZMQ_XSUB_VERBOSE_UNSUBSCRIBE: Int by (Flag => bool),
        [] [set_xsub_verbose_unsubscribe], XSubKind (accepted::XSUB), true;

    /// How many subscriptions the socket holds. SUB and XSUB may count repeated ones each time. Draft.
    "ZMQ_TOPICS_COUNT" = ZMQ_TOPICS_COUNT: Int by (Number<0, MAX> => u32), [topics_count] [],
        TopicKind (accepted::TOPIC), 0;

    "ZMQ_NORM_MODE" = ZMQ_NORM_MODE: Int by (Number<0, 4> => u32), [by_name] [by_name],
        SocketType, 0;

    "ZMQ_NORM_UNICAST_NACK" = ZMQ_NORM_UNICAST_NACK: Int by (Flag => bool), [by_name] [by_name],
        SocketType, true;

    "ZMQ_NORM_BUFFER_SIZE" = ZMQ_NORM_BUFFER_SIZE: Int by (Number<1, MAX> => u32),
        [by_name] [by_name], SocketType, 1024;

    "ZMQ_NORM_SEGMENT_SIZE" = ZMQ_NORM_SEGMENT_SIZE: Int by (Number<1, MAX> => u32),
        [by_name] [by_name], SocketType, 1200;

    "ZMQ_NORM_BLOCK_SIZE" = ZMQ_NORM_BLOCK_SIZE: Int by (Number<1, 255> => u32),
        [by_name] [by_name], SocketType, 32;

    "ZMQ_NORM_NUM_PARITY" = ZMQ_NORM_NUM_PARITY: Int by (Number<0, 254> => u32),
        [by_name] [by_name], SocketType, 8;

    "ZMQ_NORM_NUM_AUTOPARITY" = ZMQ_NORM_NUM_AUTOPARITY: Int by (Number<0, 254> => u32),
        [by_name] [by_name], SocketType, 2;

    "ZMQ_NORM_PUSH" = ZMQ_NORM_PUSH: Int by (Flag => bool), [by_name] [by_name], SocketType, true;
}
