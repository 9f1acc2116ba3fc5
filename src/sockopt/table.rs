//! THE TABLE: the stable options, in the order of their numbers, then the deprecated ones.

use std::time::Duration;

use super::codec::{
    AnyBytes, Byte, Bytes, CText, Filter, Flag, Id, Key, Latch, MAX, MOST_PROBES, Milliseconds, Number, OrDefault,
    OrOff, ProbeTime, SocksProxy, Text, TimeToLive, Wide, WideOrNone,
};
use super::kinds::accepted;
use super::options;
use super::types::{GssapiNameType, Mechanism};
use crate::error::Error;
use crate::security::keys::{PublicKey, SecretKey};
use crate::security::secret::SecretText;
use crate::socket::LONGEST_PREFIX;

/// The largest high-water mark: over inproc libzmq adds two of them up in an int.
const LARGEST_MARK: u32 = MAX / 2;

/// The highest rate: libzmq multiplies it by 1000 in an int.
const HIGHEST_RATE: u32 = MAX / 1000;

options! {
    draft: false;

    /// The I/O threads that serve new connections: a bit each, the lowest for the first thread; 0, the default, is the
    /// least loaded thread. Takes effect at the next bind or connect, which fails with `EMTHREAD` if the context has no
    /// such thread.
    "ZMQ_AFFINITY" = ZMQ_AFFINITY: Uint64 by (Wide => u64), [affinity] [set_affinity], SocketType, 3;

    /// The id by which a ROUTER knows this socket: 1 to 255 bytes. `EINVAL` for 5 bytes that begin with a zero: a
    /// ROUTER makes such ids itself. Empty, the default, lets the ROUTER make one. REQ, DEALER and ROUTER announce the
    /// id; other kinds store it. Takes effect at the next bind or connect. It cannot be made empty again. Peers of one
    /// ROUTER must not have the same id: see
    /// [surprises](crate::surprises#a-router-ignores-a-second-peer-with-the-same-routing-id).
    #[doc(alias = "ZMQ_IDENTITY")]
    "ZMQ_ROUTING_ID" = ZMQ_ROUTING_ID: Bytes(255) by (Id => Vec<u8>, impl AsRef<[u8]>), [routing_id] [set_routing_id],
        SocketType, b"alice";

    /// Subscribes to messages that begin with these bytes, 8192 at most; no bytes subscribe to every message. Takes effect
    /// at once. Each repeated subscription needs an [`Socket::unsubscribe`](crate::Socket::unsubscribe) of its own. On an
    /// XPUB with `ZMQ_XPUB_MANUAL` it answers the subscription received last, and does nothing without one. A publisher
    /// that came back gets the subscriptions when the socket is used: see
    /// [surprises](crate::surprises#a-sub-that-is-not-used-does-not-subscribe-again).
    "ZMQ_SUBSCRIBE" = ZMQ_SUBSCRIBE: Bytes(LONGEST_PREFIX) by (Bytes<0, LONGEST_PREFIX> => impl AsRef<[u8]>),
        [] [subscribe], SubscribingKind (accepted::SUBSCRIBING), b"A";

    /// Ends one subscription to these bytes. A subscription that does not exist is no error. Takes effect at once.
    "ZMQ_UNSUBSCRIBE" = ZMQ_UNSUBSCRIBE: Bytes(LONGEST_PREFIX) by (Bytes<0, LONGEST_PREFIX> => impl AsRef<[u8]>),
        [] [unsubscribe], SubscribingKind (accepted::SUBSCRIBING), b"A";

    /// The highest rate of multicast, in kilobits a second: 100 unless set, 1 to 2,147,483. Takes effect at the next
    /// bind or connect.
    "ZMQ_RATE" = ZMQ_RATE: Int by (Number<1, HIGHEST_RATE> => u32), [rate] [set_rate], SocketType, 200;

    /// How long a multicast receiver may be away before messages that it missed are lost: 10 s unless set, in
    /// milliseconds. Takes effect at the next bind or connect.
    "ZMQ_RECOVERY_IVL" = ZMQ_RECOVERY_IVL: Int by (Milliseconds => Duration), [recovery_ivl] [set_recovery_ivl],
        SocketType, Duration::from_millis(2500);

    /// The system's send buffer of each connection, in bytes, 0 to 2,147,483,647; `None`, the default, is the system's
    /// choice. Takes effect at the next bind or connect over tcp.
    "ZMQ_SNDBUF" = ZMQ_SNDBUF: Int by (OrDefault<Number<0, MAX>> => Option<u32>), [sndbuf] [set_sndbuf], SocketType,
        65536 => Some(65536);

    /// The system's receive buffer of each connection, in bytes, 0 to 2,147,483,647; `None`, the default, is the
    /// system's choice. Takes effect at the next bind or connect over tcp.
    "ZMQ_RCVBUF" = ZMQ_RCVBUF: Int by (OrDefault<Number<0, MAX>> => Option<u32>), [rcvbuf] [set_rcvbuf], SocketType,
        65536 => Some(65536);

    /// Whether more parts of the message follow the part received last. [`Message::more`](crate::Message::more) returns the
    /// same for the message itself.
    "ZMQ_RCVMORE" = ZMQ_RCVMORE: Int by (Flag => bool), [rcvmore] [], SocketType, false;

    /// How long unsent messages are kept when the socket closes or disconnects, and so how long the end of its context may
    /// have to wait for them: in milliseconds, `None` is for ever. The default is zero for SUB and XSUB and if the context
    /// is not [`Context::blocky`](crate::Context::blocky), for ever otherwise. Takes effect at once, until the shutdown of
    /// the context. Messages to an `inproc://` name that is not bound are kept for the same time, and not longer than the
    /// context is used. A libzmq without the patches for safety keeps these without end. See
    /// [surprises](crate::surprises#the-end-of-a-context-waits-without-end-for-unsent-messages).
    ///
    /// A message counts as sent once the system has it; over `tcp://` and `ws://` on Linux, once the system of the peer has
    /// it. The peer is given up if it takes nothing for as long as [`Socket::handshake_ivl`](crate::Socket::handshake_ivl), or
    /// for 30 s if that is `None`. On other systems, and with a libzmq without the patches, the system drops what it has not
    /// transmitted if it holds unread data of the peer when the connection is closed, or if the peer sends something
    /// afterwards, such as a heartbeat. A socket that awaits the peer's answer before it closes loses nothing there either.
    "ZMQ_LINGER" = ZMQ_LINGER: Int by (OrDefault<Milliseconds> => Option<Duration>), [linger] [set_linger], SocketType,
        Duration::from_millis(1500) => Some(Duration::from_millis(1500));

    /// How long to wait before connecting again: 100 ms unless set, plus a random part of up to as much; `None` and
    /// zero are never. Takes effect at the next bind or connect.
    "ZMQ_RECONNECT_IVL" = ZMQ_RECONNECT_IVL: Int by (OrDefault<Milliseconds> => Option<Duration>),
        [reconnect_ivl] [set_reconnect_ivl], SocketType, Duration::from_millis(250) => Some(Duration::from_millis(250));

    /// How many connections may wait to be accepted: 100 unless set, 0 to 2,147,483,647. Takes effect at the next bind.
    "ZMQ_BACKLOG" = ZMQ_BACKLOG: Int by (Number<0, MAX> => u32), [backlog] [set_backlog], SocketType, 7;

    /// The longest delay between attempts to connect, which doubles each time: in milliseconds; `None`, the default, keeps
    /// the delay as it is. A value below [`Socket::reconnect_ivl`](crate::Socket::reconnect_ivl) is the delay itself. Takes
    /// effect at the next bind or connect.
    "ZMQ_RECONNECT_IVL_MAX" = ZMQ_RECONNECT_IVL_MAX: Int by (OrOff<Milliseconds> => Option<Duration>),
        [reconnect_ivl_max] [set_reconnect_ivl_max], SocketType, Duration::from_secs(2) => Some(Duration::from_secs(2));

    /// The largest frame that a peer may send, in bytes, 0 to 9,223,372,036,854,775,807; a peer that sends more is
    /// disconnected. `None`, the default, is no limit. Takes effect at the next bind or connect, except over inproc.
    "ZMQ_MAXMSGSIZE" = ZMQ_MAXMSGSIZE: Int64 by (WideOrNone => Option<u64>), [maxmsgsize] [set_maxmsgsize], SocketType,
        1 << 40 => Some(1 << 40);

    /// The high-water mark for sending: how many messages may queue for each peer, up to 1,073,741,823; 0 is no limit.
    /// 1000 unless set, 0 on a DISH. Takes effect at once; with a libzmq without the patches for safety it must be set
    /// before the socket binds or connects. Over inproc the marks of both ends add up, to no limit if either has none.
    /// See [surprises](crate::surprises#a-high-water-mark-counts-at-each-end-of-each-connection).
    "ZMQ_SNDHWM" = ZMQ_SNDHWM: Int by (Number<0, LARGEST_MARK> => u32), [sndhwm] [set_sndhwm], SocketType, 7;

    /// The high-water mark for receiving: how many messages may queue from each peer, up to 1,073,741,823; 0 is no
    /// limit. 1000 unless set. Takes effect at once; with a libzmq without the patches for safety it must be set before
    /// the socket binds or connects. Over inproc the marks of both ends add up, to no limit if either has none.
    ///
    /// The mark counts for each connection. Messages stay queued until they are received, also after their connection is
    /// lost: peers that come back again and again to a socket that is not read fill the memory.
    "ZMQ_RCVHWM" = ZMQ_RCVHWM: Int by (Number<0, LARGEST_MARK> => u32), [rcvhwm] [set_rcvhwm], SocketType, 7;

    /// How many routers a multicast packet may pass: 1 unless set, at least 1. Takes effect at the next bind or
    /// connect.
    "ZMQ_MULTICAST_HOPS" = ZMQ_MULTICAST_HOPS: Int by (Number<1, MAX> => u32), [multicast_hops] [set_multicast_hops],
        SocketType, 5;

    /// How long a receive waits before it fails with `EAGAIN`: in milliseconds, `None`, the default, is for ever. Takes
    /// effect at once. See [`Socket::within`](crate::Socket::within) for a single call.
    "ZMQ_RCVTIMEO" = ZMQ_RCVTIMEO: Int by (OrDefault<Milliseconds> => Option<Duration>), [rcvtimeo] [set_rcvtimeo],
        SocketType, Duration::from_millis(300) => Some(Duration::from_millis(300));

    /// How long a send waits before it fails with `EAGAIN`: in milliseconds, `None`, the default, is for ever. Takes
    /// effect at once. See [`Socket::within`](crate::Socket::within) for a single call.
    "ZMQ_SNDTIMEO" = ZMQ_SNDTIMEO: Int by (OrDefault<Milliseconds> => Option<Duration>), [sndtimeo] [set_sndtimeo],
        SocketType, Duration::from_millis(300) => Some(Duration::from_millis(300));

    /// Whether a message to an unknown peer fails with `EHOSTUNREACH`, and one to a full peer waits, instead of being
    /// dropped silently: no unless set. Takes effect at once. See
    /// [surprises](crate::surprises#a-router-drops-messages-to-peers-that-it-does-not-know).
    #[doc(alias = "ZMQ_FAIL_UNROUTABLE")]
    #[doc(alias = "ZMQ_ROUTER_BEHAVIOR")]
    "ZMQ_ROUTER_MANDATORY" = ZMQ_ROUTER_MANDATORY: Int by (Flag => bool), [] [set_router_mandatory],
        RouterKind (accepted::ROUTER), true;

    /// Whether TCP keeps idle connections alive; `None`, the default, is the system's choice. Takes effect at the next
    /// bind or connect.
    "ZMQ_TCP_KEEPALIVE" = ZMQ_TCP_KEEPALIVE: Int by (OrDefault<Flag> => Option<bool>),
        [tcp_keepalive] [set_tcp_keepalive], SocketType, true => Some(true);

    /// How many unanswered probes TCP sends before it gives a connection up: at least 1, on Linux 127 at most; `None`, the
    /// default, is the system's choice. Needs [`Socket::set_tcp_keepalive`](crate::Socket::set_tcp_keepalive). Takes effect
    /// at the next bind or connect.
    "ZMQ_TCP_KEEPALIVE_CNT" = ZMQ_TCP_KEEPALIVE_CNT: Int by (OrDefault<Number<1, MOST_PROBES>> => Option<u32>),
        [tcp_keepalive_cnt] [set_tcp_keepalive_cnt], SocketType, 3 => Some(3);

    /// How long a connection is idle before TCP probes it: at least a second, on Linux 32,767 at most, in seconds; `None`,
    /// the default, is the system's choice. Needs [`Socket::set_tcp_keepalive`](crate::Socket::set_tcp_keepalive). Takes
    /// effect at the next bind or connect.
    "ZMQ_TCP_KEEPALIVE_IDLE" = ZMQ_TCP_KEEPALIVE_IDLE: Int by (OrDefault<ProbeTime> => Option<Duration>),
        [tcp_keepalive_idle] [set_tcp_keepalive_idle], SocketType,
        Duration::from_secs(60) => Some(Duration::from_secs(60));

    /// How long TCP waits between probes: at least a second, on Linux 32,767 at most, in seconds; `None`, the default, is
    /// the system's choice. Needs [`Socket::set_tcp_keepalive`](crate::Socket::set_tcp_keepalive). Takes effect at the next
    /// bind or connect.
    "ZMQ_TCP_KEEPALIVE_INTVL" = ZMQ_TCP_KEEPALIVE_INTVL: Int by (OrDefault<ProbeTime> => Option<Duration>),
        [tcp_keepalive_intvl] [set_tcp_keepalive_intvl], SocketType,
        Duration::from_secs(10) => Some(Duration::from_secs(10));

    /// Whether messages queue only for peers whose connection is complete: no unless set. Takes effect at the next bind or
    /// connect. If it is on, messages that are queued for a peer are lost when its connection breaks. Each connection that
    /// is made again has its own queue of received messages: see [`Socket::set_rcvhwm`](crate::Socket::set_rcvhwm). No
    /// effect over inproc. See [surprises](crate::surprises#a-connect-succeeds-without-a-peer-and-messages-queue-for-it).
    #[doc(alias = "ZMQ_DELAY_ATTACH_ON_CONNECT")]
    "ZMQ_IMMEDIATE" = ZMQ_IMMEDIATE: Int by (Flag => bool), [immediate] [set_immediate], SocketType, true;

    /// Whether an XPUB receives every subscription, repeated ones too: no unless set. Takes effect at once, and switches
    /// [`Socket::set_xpub_verboser`](crate::Socket::set_xpub_verboser) off. In a forwarder it hides ends of subscriptions:
    /// see [surprises](crate::surprises#behind-forwarders-with-zmq_xpub_verbose-no-end-of-a-subscription-arrives).
    "ZMQ_XPUB_VERBOSE" = ZMQ_XPUB_VERBOSE: Int by (Flag => bool), [] [set_xpub_verbose],
        XPubKind (accepted::XPUB), true;

    /// Whether a ROUTER talks raw TCP: no unless set. Takes effect at the next bind or connect. It cannot be switched off
    /// again, nor combined with [`Socket::set_probe_router`](crate::Socket::set_probe_router): libzmq would abort the
    /// process when it sends an empty message to a raw peer. [`Stream`](crate::Stream) replaces it.
    "ZMQ_ROUTER_RAW" = ZMQ_ROUTER_RAW: Int by (Latch => bool), [] [set_router_raw], RouterKind (accepted::ROUTER), true;

    /// Whether the socket speaks IPv6 too: no unless set, or as [`Context::ipv6`](crate::Context::ipv6) says. Takes effect
    /// at the next bind or connect.
    "ZMQ_IPV6" = ZMQ_IPV6: Int by (Flag => bool), [ipv6] [set_ipv6], SocketType, true;

    /// The security mechanism, which the security options set so far determine: NULL unless one is set.
    "ZMQ_MECHANISM" = ZMQ_MECHANISM: Int by (Mechanism => Mechanism), [mechanism] [], SocketType, Mechanism::Null;

    /// Whether the socket is the server of PLAIN security: no unless set. Setting it to no makes NULL the mechanism.
    /// Takes effect at the next bind or connect. Without a ZAP handler a PLAIN server refuses every client.
    "ZMQ_PLAIN_SERVER" = ZMQ_PLAIN_SERVER: Int by (Flag => bool), [plain_server] [set_plain_server], SocketType, true;

    /// The user name of a PLAIN client: 1 to 255 bytes, `None` is the default. Makes the socket a PLAIN client; `None`
    /// makes NULL the mechanism. Takes effect at the next bind or connect.
    "ZMQ_PLAIN_USERNAME" = ZMQ_PLAIN_USERNAME: Text(255) by (Text<255> => Option<String>, Option<&str>),
        [plain_username] [set_plain_username], SocketType, "alice" => Some("alice".to_owned());

    /// The password of a PLAIN client: 1 to 255 bytes, `None` is the default. Makes the socket a PLAIN client; `None`
    /// makes NULL the mechanism. Takes effect at the next bind or connect.
    "ZMQ_PLAIN_PASSWORD" = ZMQ_PLAIN_PASSWORD: Text(255) by (Text<255> => Option<SecretText>, Option<&str>),
        [plain_password] [set_plain_password], SocketType, "secret" => Some("secret".into());

    /// Whether the socket is the server of CURVE security: no unless set. Setting it to no makes NULL the mechanism.
    /// Takes effect at the next bind or connect, which fails with `EINVAL` without the secret key. Without a ZAP handler
    /// a CURVE server lets every client in: see
    /// [surprises](crate::surprises#curve-without-a-zap-handler-lets-every-client-in).
    "ZMQ_CURVE_SERVER" = ZMQ_CURVE_SERVER: Int by (Flag => bool), [curve_server] [set_curve_server], SocketType, true;

    /// The socket's own public key, which a CURVE client needs: zeros unless set. Makes CURVE the mechanism. Takes
    /// effect at the next bind or connect, which fails with `EINVAL` if a client has not set all three keys.
    /// [`security::Security::curve_client`](crate::security::Security::curve_client) sets them all.
    "ZMQ_CURVE_PUBLICKEY" = ZMQ_CURVE_PUBLICKEY: Key by
        (Key<PublicKey> => PublicKey, impl TryInto<PublicKey, Error: Into<Error>>),
        [curve_publickey] [set_curve_publickey], SocketType,
        PublicKey::from_bytes([7; 32]);

    /// The socket's own secret key, which CURVE clients and servers need: zeros unless set. Makes CURVE the mechanism.
    /// Takes effect at the next bind or connect, which fails with `EINVAL` if a client has not set all three keys.
    "ZMQ_CURVE_SECRETKEY" = ZMQ_CURVE_SECRETKEY: Key by
        (Key<SecretKey> => SecretKey, impl TryInto<SecretKey, Error: Into<Error>>),
        [curve_secretkey] [set_curve_secretkey], SocketType,
        SecretKey::from([7; 32]);

    /// The public key of the server, which a CURVE client needs: zeros unless set. Makes the socket a CURVE client. Takes
    /// effect at the next bind or connect, which fails with `EINVAL` if the client has not set all three keys. A wrong key
    /// is reported as a peer that left:
    /// [`monitor::Event::HandshakeFailedNoDetail`](crate::monitor::Event::HandshakeFailedNoDetail).
    "ZMQ_CURVE_SERVERKEY" = ZMQ_CURVE_SERVERKEY: Key by
        (Key<PublicKey> => PublicKey, impl TryInto<PublicKey, Error: Into<Error>>),
        [curve_serverkey] [set_curve_serverkey], SocketType,
        PublicKey::from_bytes([7; 32]);

    /// Whether the socket sends an empty message on each new connection, so that a ROUTER learns of it: no unless set. It
    /// cannot be combined with [`Socket::set_router_raw`](crate::Socket::set_router_raw). Takes effect at the next
    /// connection, and not when a connection is made again: see
    /// [surprises](crate::surprises#zmq_probe_router-is-silent-when-a-connection-is-made-again).
    "ZMQ_PROBE_ROUTER" = ZMQ_PROBE_ROUTER: Int by (Latch => bool), [] [set_probe_router],
        ProbingKind (accepted::PROBING), true;

    /// Whether a request carries a number, and replies without it are dropped: no unless set. Takes effect from the
    /// next request on. The peer sees one more frame in the envelope.
    "ZMQ_REQ_CORRELATE" = ZMQ_REQ_CORRELATE: Int by (Flag => bool), [] [set_req_correlate],
        ReqKind (accepted::REQ), true;

    /// Whether a REQ may send again before the reply has come, and so abandon the first request: no unless set. Takes
    /// effect at once. Set [`Socket::set_req_correlate`](crate::Socket::set_req_correlate) too, or a late reply answers the
    /// wrong request. Without both options a REQ waits without end if its peer is gone: see
    /// [surprises](crate::surprises#a-req-waits-without-end-for-the-reply-of-a-peer-that-is-gone).
    "ZMQ_REQ_RELAXED" = ZMQ_REQ_RELAXED: Int by (Flag => bool), [] [set_req_relaxed], ReqKind (accepted::REQ), true;

    /// Whether only the newest message of each peer is kept: no unless set. Takes effect at the next bind or connect.
    /// Messages of several parts are refused, and high-water marks have no effect: see
    /// [surprises](crate::surprises#zmq_conflate-keeps-one-part-and-no-mark-counts). A SUB with it keeps changes of its
    /// subscriptions without a bound until a publisher takes them.
    "ZMQ_CONFLATE" = ZMQ_CONFLATE: Int by (Flag => bool), [conflate] [set_conflate], ConflatingKind, true;

    /// The domain in the requests to the ZAP handler: 1 to 255 bytes, `None` is the default. It turns ZAP on for NULL
    /// security too. Takes effect at the next bind or connect. It cannot be made empty again.
    "ZMQ_ZAP_DOMAIN" = ZMQ_ZAP_DOMAIN: Text(255) by (Text<255> => Option<String>, &str), [zap_domain] [set_zap_domain],
        SocketType, "global" => Some("global".to_owned());

    /// Whether a new peer takes over the routing id of another peer, which is disconnected: no unless set, and the new peer
    /// is ignored. The ROUTER receives the messages of the connection that it ends before those of the new one, for up to
    /// 100 such connections at a time; a libzmq without the patch 1044 loses them. The messages of a connection that ended
    /// by itself come in turn with those of later ones. Until the messages of the connections that it has ended are
    /// received, the ROUTER does not learn the new routing id of a server that it connects to: a message to that id is
    /// dropped, or fails with `EHOSTUNREACH` (see
    /// [`Socket::set_router_mandatory`](crate::Socket::set_router_mandatory)). Takes effect at once.
    "ZMQ_ROUTER_HANDOVER" = ZMQ_ROUTER_HANDOVER: Int by (Flag => bool), [] [set_router_handover],
        RouterKind (accepted::ROUTER), true;

    /// The type-of-service byte of IP packets: 0 unless set. Takes effect at the next bind or connect.
    "ZMQ_TOS" = ZMQ_TOS: Int by (Byte => u8), [tos] [set_tos], SocketType, 0x28;

    /// Whether the socket is the server of GSSAPI security: no unless set. Setting it, to yes or no, makes GSSAPI the
    /// mechanism. Takes effect at the next bind or connect.
    "ZMQ_GSSAPI_SERVER" = ZMQ_GSSAPI_SERVER: Int by (Flag => bool), [gssapi_server] [set_gssapi_server],
        SocketType, true;

    /// The socket's own GSSAPI principal: 1 to 255 bytes, `None` is the default. Takes effect at the next bind or
    /// connect.
    "ZMQ_GSSAPI_PRINCIPAL" = ZMQ_GSSAPI_PRINCIPAL: Text(255) by (Text<255> => Option<String>, &str),
        [gssapi_principal] [set_gssapi_principal], SocketType, "client" => Some("client".to_owned());

    /// The GSSAPI principal of the server: 1 to 255 bytes, `None` is the default. Makes the socket a GSSAPI client.
    /// Takes effect at the next bind or connect.
    "ZMQ_GSSAPI_SERVICE_PRINCIPAL" = ZMQ_GSSAPI_SERVICE_PRINCIPAL: Text(255) by (Text<255> => Option<String>, &str),
        [gssapi_service_principal] [set_gssapi_service_principal], SocketType, "server" => Some("server".to_owned());

    /// Whether GSSAPI authenticates without encrypting: no unless set. Both peers must set the same. Takes effect at
    /// the next bind or connect.
    "ZMQ_GSSAPI_PLAINTEXT" = ZMQ_GSSAPI_PLAINTEXT: Int by (Flag => bool), [gssapi_plaintext] [set_gssapi_plaintext],
        SocketType, true;

    /// How long a handshake may take before the connection is dropped: 30 s unless set, in milliseconds; `None` is for
    /// ever. Takes effect at the next bind or connect. libzmq does not limit handshakes of WebSockets and STREAM. A SOCKS
    /// proxy has the same time for its answers, before the handshake, and a peer to take the last messages of a socket
    /// that closes ([`Socket::set_linger`](crate::Socket::set_linger)).
    "ZMQ_HANDSHAKE_IVL" = ZMQ_HANDSHAKE_IVL: Int by (OrOff<Milliseconds> => Option<Duration>),
        [handshake_ivl] [set_handshake_ivl], SocketType, Duration::from_secs(5) => Some(Duration::from_secs(5));

    /// The SOCKS5 proxy, `host:port`, that tcp connects through; `None`, the default, is none. Takes effect at the next
    /// connect. `ZMQ_CONNECT_TIMEOUT` and `ZMQ_HANDSHAKE_IVL` bound the time that the proxy may take. The option is refused
    /// with a libzmq without the patches for safety: a proxy can abort the process, or overrun its memory.
    "ZMQ_SOCKS_PROXY" = ZMQ_SOCKS_PROXY: Text(4096) by (SocksProxy => Option<String>, Option<&str>),
        [socks_proxy] [set_socks_proxy], SocketType, "127.0.0.1:1080" => Some("127.0.0.1:1080".to_owned());

    /// Whether a publisher waits, or fails with `EAGAIN`, if a subscriber is full, instead of dropping its messages: no
    /// unless set. Takes effect at once, except for subscribers that are full already. One full subscriber then delays
    /// all. See [surprises](crate::surprises#a-pub-drops-messages-for-a-subscriber-that-is-slow).
    "ZMQ_XPUB_NODROP" = ZMQ_XPUB_NODROP: Int by (Flag => bool), [] [set_xpub_nodrop],
        PublishingKind (accepted::NODROP), true;

    /// Whether the program decides on subscriptions: no unless set. [`Socket::subscribe`](crate::Socket::subscribe) and
    /// [`Socket::unsubscribe`](crate::Socket::unsubscribe) answer the subscription that was received last. Takes effect at
    /// once. It cannot be switched off again: libzmq would keep pointers to peers that have left.
    "ZMQ_XPUB_MANUAL" = ZMQ_XPUB_MANUAL: Int by (Latch => bool), [] [set_xpub_manual], XPubKind (accepted::XPUB), true;

    /// The message that each new subscriber receives first, if it subscribed to the message's beginning; empty, the
    /// default, is none. Takes effect at the next connection.
    "ZMQ_XPUB_WELCOME_MSG" = ZMQ_XPUB_WELCOME_MSG: Bytes(usize::MAX) by (AnyBytes => impl AsRef<[u8]>),
        [] [set_xpub_welcome_msg], XPubKind (accepted::XPUB), b"welcome";

    /// Whether a STREAM receives an empty message when a peer connects and when it leaves: yes unless set. Takes effect
    /// at the next bind or connect.
    "ZMQ_STREAM_NOTIFY" = ZMQ_STREAM_NOTIFY: Int by (Flag => bool), [] [set_stream_notify],
        StreamKind (accepted::STREAM), false;

    /// Whether subscriptions name the messages that are *not* wanted: no unless set. Publisher and subscriber must set the
    /// same. Takes effect at once.
    "ZMQ_INVERT_MATCHING" = ZMQ_INVERT_MATCHING: Int by (Flag => bool), [invert_matching] [set_invert_matching],
        MatchingKind, true;

    /// How often the peer is pinged, in milliseconds; `None`, the default, is never. Takes effect at the next bind or
    /// connect. A peer whose program hangs answers: see
    /// [surprises](crate::surprises#heartbeats-are-answered-by-a-program-that-hangs).
    "ZMQ_HEARTBEAT_IVL" = ZMQ_HEARTBEAT_IVL: Int by (OrOff<Milliseconds> => Option<Duration>),
        [heartbeat_ivl] [set_heartbeat_ivl], SocketType, Duration::from_millis(750) => Some(Duration::from_millis(750));

    /// How long this socket may be silent before the peer drops the connection: zero, the default, leaves it to the
    /// peer. The unit is 100 ms, the range 0 to 65.5 s, and fractions are rounded up. `EINVAL` for more than 65.5 s: a
    /// libzmq peer would misread it, and drop the connection again and again. Takes effect at the next bind or connect.
    "ZMQ_HEARTBEAT_TTL" = ZMQ_HEARTBEAT_TTL: Int by (TimeToLive => Duration), [heartbeat_ttl] [set_heartbeat_ttl],
        SocketType, Duration::from_millis(1500);

    /// How long to wait for any traffic after a ping before the connection is dropped, in milliseconds; `None`, the
    /// default, stands for [`Socket::heartbeat_ivl`](crate::Socket::heartbeat_ivl), and cannot be set. A peer that has
    /// reached its receive mark reads no ping: choose a time in which its program receives. The time does not count while this socket itself has
    /// reached its receive mark; with a libzmq without all patches it does, and the messages in transit are lost. Takes
    /// effect at the next bind or connect.
    "ZMQ_HEARTBEAT_TIMEOUT" = ZMQ_HEARTBEAT_TIMEOUT: Int by (OrDefault<Milliseconds> => Option<Duration>),
        [heartbeat_timeout] [set_heartbeat_timeout], SocketType,
        Duration::from_millis(750) => Some(Duration::from_millis(750));

    /// Whether an XPUB receives every subscription and every end of one, repeated ones too: no unless set. Takes effect
    /// at once. In a chain of forwarders it hides ends: see
    /// [surprises](crate::surprises#behind-forwarders-with-zmq_xpub_verbose-no-end-of-a-subscription-arrives).
    "ZMQ_XPUB_VERBOSER" = ZMQ_XPUB_VERBOSER: Int by (Flag => bool), [] [set_xpub_verboser],
        XPubKind (accepted::XPUB), true;

    /// How long an attempt to connect over tcp may take, in milliseconds; `None`, the default, is the system's choice.
    /// Takes effect at the next connect. Through a SOCKS proxy it bounds the attempt up to the proxy's last answer.
    "ZMQ_CONNECT_TIMEOUT" = ZMQ_CONNECT_TIMEOUT: Int by (OrOff<Milliseconds> => Option<Duration>),
        [connect_timeout] [set_connect_timeout], SocketType, Duration::from_secs(3) => Some(Duration::from_secs(3));

    /// How long TCP tries to deliver before it gives a connection up, in milliseconds; `None`, the default, is the
    /// system's choice. Takes effect at the next bind or connect.
    "ZMQ_TCP_MAXRT" = ZMQ_TCP_MAXRT: Int by (OrOff<Milliseconds> => Option<Duration>), [tcp_maxrt] [set_tcp_maxrt],
        SocketType, Duration::from_secs(3) => Some(Duration::from_secs(3));

    /// Whether libzmq lets several threads use the socket at once: no stable kind does.
    "ZMQ_THREAD_SAFE" = ZMQ_THREAD_SAFE: Int by (Flag => bool), [thread_safe] [], SocketType, false;

    /// The largest multicast packet, in bytes: 1500 unless set, at least 1. Takes effect at the next bind or connect.
    "ZMQ_MULTICAST_MAXTPDU" = ZMQ_MULTICAST_MAXTPDU: Int by (Number<1, MAX> => u32),
        [multicast_maxtpdu] [set_multicast_maxtpdu], SocketType, 1400;

    "ZMQ_VMCI_BUFFER_SIZE" = ZMQ_VMCI_BUFFER_SIZE: Uint64 by (Wide => u64), [] [by_name],
        SocketType, 65536;

    "ZMQ_VMCI_BUFFER_MIN_SIZE" = ZMQ_VMCI_BUFFER_MIN_SIZE: Uint64 by (Wide => u64), [] [by_name],
        SocketType, 128;

    "ZMQ_VMCI_BUFFER_MAX_SIZE" = ZMQ_VMCI_BUFFER_MAX_SIZE: Uint64 by (Wide => u64), [] [by_name],
        SocketType, 262_144;

    "ZMQ_VMCI_CONNECT_TIMEOUT" = ZMQ_VMCI_CONNECT_TIMEOUT: Int by (OrDefault<Milliseconds> => Option<Duration>),
        [] [by_name], SocketType, Duration::from_secs(3);

    /// The type of the socket's own GSSAPI principal: host-based unless set. Takes effect at the next bind or connect.
    "ZMQ_GSSAPI_PRINCIPAL_NAMETYPE" = ZMQ_GSSAPI_PRINCIPAL_NAMETYPE: Int by (GssapiNameType => GssapiNameType),
        [gssapi_principal_nametype] [set_gssapi_principal_nametype], SocketType, GssapiNameType::UserName;

    /// The type of the server's GSSAPI principal: host-based unless set. Takes effect at the next bind or connect.
    "ZMQ_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE" = ZMQ_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE: Int by
        (GssapiNameType => GssapiNameType),
        [gssapi_service_principal_nametype] [set_gssapi_service_principal_nametype], SocketType,
        GssapiNameType::UserName;

    /// The network interface that connections are tied to: 1 to 15 bytes; `None`, the default, is none. Usually needs a
    /// privilege. Takes effect at the next bind or connect.
    "ZMQ_BINDTODEVICE" = ZMQ_BINDTODEVICE: Text(15) by (Text<15> => Option<String>, Option<&str>),
        [bindtodevice] [set_bindtodevice], SocketType, "lo" => Some("lo".to_owned());

    "ZMQ_IPV4ONLY" = ZMQ_IPV4ONLY: Int by (Flag => bool), [by_name] [by_name], SocketType, false;

    "ZMQ_TCP_ACCEPT_FILTER" = ZMQ_TCP_ACCEPT_FILTER: Text(254) by (CText<254> => Option<&str>),
        [] [by_name], SocketType, Some("127.0.0.1/8");

    "ZMQ_IPC_FILTER_PID" = ZMQ_IPC_FILTER_PID: Uint32 by (Filter => Option<u32>), [] [by_name],
        SocketType, Some(1);

    "ZMQ_IPC_FILTER_UID" = ZMQ_IPC_FILTER_UID: Uint32 by (Filter => Option<u32>), [] [by_name],
        SocketType, Some(0);

    "ZMQ_IPC_FILTER_GID" = ZMQ_IPC_FILTER_GID: Uint32 by (Filter => Option<u32>), [] [by_name],
        SocketType, Some(0);
}
