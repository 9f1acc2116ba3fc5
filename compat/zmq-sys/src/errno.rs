//! Error numbers.

macro_rules! numbers {
    ($($name:ident)*) => {$(
        pub const $name: i32 = libc::$name;
    )*};
}

numbers! {
    EACCES EADDRINUSE EAGAIN EBUSY ECONNREFUSED EFAULT EINTR EHOSTUNREACH EINPROGRESS EINVAL EMFILE EMSGSIZE
    ENAMETOOLONG ENODEV ENOENT ENOMEM ENOTCONN ENOTSOCK EPROTO EPROTONOSUPPORT ENOTSUP ENOBUFS ENETDOWN EADDRNOTAVAIL
}

pub use safe_sys::{EFSM, EMTHREAD, ENOCOMPATPROTO, ETERM};

macro_rules! alternatives {
    ($($name:ident = $offset:literal;)*) => {$(
        pub const $name: i32 = safe_sys::ZMQ_HAUSNUMERO + $offset;
    )*};
}

// The numbers that zmq.h gives to errors which a system does not have.
alternatives! {
    ENOTSUP_ALT = 1;
    EPROTONOSUPPORT_ALT = 2;
    ENOBUFS_ALT = 3;
    ENETDOWN_ALT = 4;
    EADDRINUSE_ALT = 5;
    EADDRNOTAVAIL_ALT = 6;
    ECONNREFUSED_ALT = 7;
    EINPROGRESS_ALT = 8;
    ENOTSOCK_ALT = 9;
    EMSGSIZE_ALT = 10;
    EAFNOSUPPORT_ALT = 11;
    ENETUNREACH_ALT = 12;
    ECONNABORTED_ALT = 13;
    ECONNRESET_ALT = 14;
    ENOTCONN_ALT = 15;
    ETIMEDOUT_ALT = 16;
    EHOSTUNREACH_ALT = 17;
    ENETRESET_ALT = 18;
}
