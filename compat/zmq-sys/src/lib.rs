//! The names and types of the crate zmq-sys 0.12, over safe-zmq-sys: see [compat/README.md].
//!
//! Constants are `u32`, as there. `zmq_msg_t` and `zmq_pollitem_t` have the traits that they have there.
//!
//! [compat/README.md]: https://github.com/safe-zmq/safe-zmq/blob/main/compat/README.md

// zmq.h documents them.
#![allow(missing_docs, non_camel_case_types)]

pub mod errno;

use std::ffi::{c_char, c_int, c_long, c_short, c_uchar, c_void};
use std::ptr;

pub use std::os::fd::RawFd;

pub use safe_sys::{ZMQ_THREAD_PRIORITY_DFLT, ZMQ_THREAD_SCHED_POLICY_DFLT, zmq_free_fn};
pub use safe_sys::{
    zmq_bind, zmq_close, zmq_connect, zmq_ctx_get, zmq_ctx_new, zmq_ctx_set, zmq_ctx_shutdown, zmq_ctx_term,
    zmq_curve_keypair, zmq_device, zmq_disconnect, zmq_errno, zmq_getsockopt, zmq_has, zmq_proxy, zmq_proxy_steerable,
    zmq_recv, zmq_recviov, zmq_send, zmq_send_const, zmq_sendiov, zmq_setsockopt, zmq_socket, zmq_socket_monitor,
    zmq_strerror, zmq_unbind, zmq_version, zmq_z85_decode, zmq_z85_encode,
};

macro_rules! unsigned {
    ($($name:ident)*) => {$(
        pub const $name: u32 = safe_sys::$name as u32;
    )*};
}

unsigned! {
    ZMQ_HAUSNUMERO ZMQ_IO_THREADS ZMQ_MAX_SOCKETS ZMQ_SOCKET_LIMIT ZMQ_THREAD_PRIORITY ZMQ_THREAD_SCHED_POLICY
    ZMQ_MAX_MSGSZ ZMQ_MSG_T_SIZE ZMQ_THREAD_AFFINITY_CPU_ADD ZMQ_THREAD_AFFINITY_CPU_REMOVE ZMQ_THREAD_NAME_PREFIX
    ZMQ_PAIR ZMQ_PUB ZMQ_SUB ZMQ_REQ ZMQ_REP ZMQ_DEALER ZMQ_ROUTER ZMQ_PULL ZMQ_PUSH ZMQ_XPUB ZMQ_XSUB ZMQ_STREAM
    ZMQ_AFFINITY ZMQ_ROUTING_ID ZMQ_SUBSCRIBE ZMQ_UNSUBSCRIBE ZMQ_RATE ZMQ_RECOVERY_IVL ZMQ_SNDBUF ZMQ_RCVBUF
    ZMQ_RCVMORE ZMQ_FD ZMQ_EVENTS ZMQ_TYPE ZMQ_LINGER ZMQ_RECONNECT_IVL ZMQ_BACKLOG ZMQ_RECONNECT_IVL_MAX
    ZMQ_MAXMSGSIZE ZMQ_SNDHWM ZMQ_RCVHWM ZMQ_MULTICAST_HOPS ZMQ_RCVTIMEO ZMQ_SNDTIMEO ZMQ_LAST_ENDPOINT
    ZMQ_ROUTER_MANDATORY ZMQ_TCP_KEEPALIVE ZMQ_TCP_KEEPALIVE_CNT ZMQ_TCP_KEEPALIVE_IDLE ZMQ_TCP_KEEPALIVE_INTVL
    ZMQ_IMMEDIATE ZMQ_XPUB_VERBOSE ZMQ_ROUTER_RAW ZMQ_IPV6 ZMQ_MECHANISM ZMQ_PLAIN_SERVER ZMQ_PLAIN_USERNAME
    ZMQ_PLAIN_PASSWORD ZMQ_CURVE_SERVER ZMQ_CURVE_PUBLICKEY ZMQ_CURVE_SECRETKEY ZMQ_CURVE_SERVERKEY
    ZMQ_PROBE_ROUTER ZMQ_REQ_CORRELATE ZMQ_REQ_RELAXED ZMQ_CONFLATE ZMQ_ZAP_DOMAIN ZMQ_ROUTER_HANDOVER ZMQ_TOS
    ZMQ_CONNECT_ROUTING_ID ZMQ_GSSAPI_SERVER ZMQ_GSSAPI_PRINCIPAL ZMQ_GSSAPI_SERVICE_PRINCIPAL ZMQ_GSSAPI_PLAINTEXT
    ZMQ_HANDSHAKE_IVL ZMQ_SOCKS_PROXY ZMQ_XPUB_NODROP ZMQ_BLOCKY ZMQ_XPUB_MANUAL ZMQ_XPUB_WELCOME_MSG
    ZMQ_STREAM_NOTIFY ZMQ_INVERT_MATCHING ZMQ_HEARTBEAT_IVL ZMQ_HEARTBEAT_TTL ZMQ_HEARTBEAT_TIMEOUT
    ZMQ_XPUB_VERBOSER ZMQ_CONNECT_TIMEOUT ZMQ_TCP_MAXRT ZMQ_THREAD_SAFE ZMQ_MULTICAST_MAXTPDU ZMQ_VMCI_BUFFER_SIZE
    ZMQ_VMCI_BUFFER_MIN_SIZE ZMQ_VMCI_BUFFER_MAX_SIZE ZMQ_VMCI_CONNECT_TIMEOUT ZMQ_USE_FD
    ZMQ_GSSAPI_PRINCIPAL_NAMETYPE ZMQ_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE ZMQ_BINDTODEVICE ZMQ_MORE ZMQ_SHARED
    ZMQ_DONTWAIT ZMQ_SNDMORE ZMQ_NULL ZMQ_PLAIN ZMQ_CURVE ZMQ_GSSAPI ZMQ_GROUP_MAX_LENGTH ZMQ_EVENT_CONNECTED
    ZMQ_EVENT_CONNECT_DELAYED ZMQ_EVENT_CONNECT_RETRIED ZMQ_EVENT_LISTENING ZMQ_EVENT_BIND_FAILED
    ZMQ_EVENT_ACCEPTED ZMQ_EVENT_ACCEPT_FAILED ZMQ_EVENT_CLOSED ZMQ_EVENT_CLOSE_FAILED ZMQ_EVENT_DISCONNECTED
    ZMQ_EVENT_MONITOR_STOPPED ZMQ_EVENT_ALL ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL ZMQ_EVENT_HANDSHAKE_SUCCEEDED
    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED
    ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE
    ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
    ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO
    ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR
    ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME
    ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_METADATA ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
    ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH ZMQ_PROTOCOL_ERROR_ZAP_UNSPECIFIED
    ZMQ_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY ZMQ_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID ZMQ_PROTOCOL_ERROR_ZAP_BAD_VERSION
    ZMQ_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE ZMQ_PROTOCOL_ERROR_ZAP_INVALID_METADATA ZMQ_POLLIN ZMQ_POLLOUT
    ZMQ_POLLERR ZMQ_POLLPRI
    ZMQ_IO_THREADS_DFLT ZMQ_MAX_SOCKETS_DFLT ZMQ_POLLITEMS_DFLT
}

/// A message. A copy of the value is another name of the same message.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub struct zmq_msg_t {
    pub __: [c_uchar; 64],
}

const _: () = assert!(size_of::<zmq_msg_t>() == size_of::<safe_sys::zmq_msg_t>());
const _: () = assert!(align_of::<zmq_msg_t>() >= align_of::<safe_sys::zmq_msg_t>());

/// Zeros, for one of the `zmq_msg_init` functions to fill.
impl Default for zmq_msg_t {
    fn default() -> zmq_msg_t {
        zmq_msg_t { __: [0; 64] }
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zmq_pollitem_t {
    pub socket: *mut c_void,
    pub fd: c_int,
    pub events: c_short,
    pub revents: c_short,
}

const _: () = assert!(size_of::<zmq_pollitem_t>() == size_of::<safe_sys::zmq_pollitem_t>());

impl Default for zmq_pollitem_t {
    fn default() -> zmq_pollitem_t {
        zmq_pollitem_t { socket: ptr::null_mut(), fd: 0, events: 0, revents: 0 }
    }
}

// The functions that take one of the two types. safe-zmq-sys links them.
unsafe extern "C" {
    pub fn zmq_msg_init(msg: *mut zmq_msg_t) -> c_int;
    pub fn zmq_msg_init_size(msg: *mut zmq_msg_t, size: usize) -> c_int;
    pub fn zmq_msg_init_data(
        msg: *mut zmq_msg_t,
        data: *mut c_void,
        size: usize,
        free: zmq_free_fn,
        hint: *mut c_void,
    ) -> c_int;
    pub fn zmq_msg_send(msg: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    pub fn zmq_msg_recv(msg: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    pub fn zmq_msg_close(msg: *mut zmq_msg_t) -> c_int;
    pub fn zmq_msg_move(dest: *mut zmq_msg_t, src: *mut zmq_msg_t) -> c_int;
    pub fn zmq_msg_copy(dest: *mut zmq_msg_t, src: *mut zmq_msg_t) -> c_int;
    pub fn zmq_msg_data(msg: *mut zmq_msg_t) -> *mut c_void;
    pub fn zmq_msg_size(msg: *const zmq_msg_t) -> usize;
    pub fn zmq_msg_more(msg: *const zmq_msg_t) -> c_int;
    pub fn zmq_msg_get(msg: *const zmq_msg_t, property: c_int) -> c_int;
    pub fn zmq_msg_set(msg: *mut zmq_msg_t, property: c_int, value: c_int) -> c_int;
    pub fn zmq_msg_gets(msg: *const zmq_msg_t, property: *const c_char) -> *const c_char;
    pub fn zmq_sendmsg(socket: *mut c_void, msg: *mut zmq_msg_t, flags: c_int) -> c_int;
    pub fn zmq_recvmsg(socket: *mut c_void, msg: *mut zmq_msg_t, flags: c_int) -> c_int;
    pub fn zmq_poll(items: *mut zmq_pollitem_t, count: c_int, timeout: c_long) -> c_int;
}
