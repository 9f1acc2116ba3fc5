//! The names that methods have in C and in rust-zmq, if they have other names here.
//!
//! A call does not compile, and the error names the method to call. The compiler suggests no method of another crate by an alias
//! or by a similar name. It suggests types and functions by their aliases. All names here are hidden from the documentation.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::socket::Socket;

/// Declares the flags of C and rust-zmq. To name one is an error, which names the method that takes its place.
///
/// A flag is a superfluous argument. The compiler reports that too, and advises to remove it: the call then compiles, and does
/// something else. The number of a method's arguments is fixed, so this advice cannot be prevented.
macro_rules! flags {
    ($($slip:ident: $message:literal, $label:literal, $note:literal { $($name:ident)* })*) => {$(
        #[diagnostic::on_unimplemented(message = $message, label = $label, note = $note)]
        pub trait $slip {}

        $(
            #[doc(hidden)]
            #[allow(non_snake_case, reason = "the name is that of a constant")]
            pub fn $name<'slip>()
            where
                &'slip (): $slip,
            {
                unreachable!("no type implements the trait")
            }
        )*
    )*};
}

flags! {
    SendMore: "`send_more(part)` sends a part that others follow", "call `send_more(part)`",
        "`send(part)` without the flag ends the message" {
        SNDMORE
        ZMQ_SNDMORE
    }

    Now: "a method of `socket.now()` does not wait", "call `now()` first, as in `socket.now().recv_msg()`",
        "without the flag and without `now()`, the call waits" {
        DONTWAIT
        ZMQ_DONTWAIT
    }
}

/// Declares methods that cannot be called. A row has the trait that no type implements, its message and label, and the methods.
macro_rules! slips {
    ($(
        $slip:ident: $message:literal, $label:literal {
            $(impl[$($kind:ident)?] $of:ty { $($name:ident($($argument:ident),*) -> $returned:ty;)* })*
        }
    )*) => {$(
        #[diagnostic::on_unimplemented(message = $message, label = $label)]
        pub trait $slip {}

        $(
            impl$(<$kind>)? $of {
                $(
                    #[doc(hidden)]
                    #[allow(non_camel_case_types, reason = "an argument and its type have one name")]
                    pub fn $name<'slip, $($argument),*>(&'slip self, $(_: $argument),*) -> $returned
                    where
                        &'slip Self: $slip,
                    {
                        unreachable!("no type implements the trait")
                    }
                )*
            }
        )*
    )*};
}

slips! {
    End: "a context ends when it is dropped", "to end it within a time, call `terminate(timeout)`" {
        impl[] Context {
            term() -> Result<()>;
            destroy() -> Result<()>;
        }
    }

    GetOption: "each option has a method: `linger()` for `ZMQ_LINGER`", "call that, or `option(..)` by number" {
        impl[T] Socket<'_, T> {
            getsockopt(option) -> Result<()>;
        }
        impl[] Context {
            get(option) -> Result<()>;
        }
    }

    SetOption: "each option has a method: `set_linger(..)` for `ZMQ_LINGER`", "call that, or `set_option(..)` by number" {
        impl[T] Socket<'_, T> {
            setsockopt(option, value) -> Result<()>;
        }
        impl[] Context {
            set(option, value) -> Result<()>;
        }
    }

    Getter: "the getter of an option has no `get_` in its name", "call it without `get_`" {
        impl[T] Socket<'_, T> {
            get_affinity() -> Result<()>;
            get_backlog() -> Result<()>;
            get_connect_timeout() -> Result<()>;
            get_curve_publickey() -> Result<()>;
            get_curve_secretkey() -> Result<()>;
            get_curve_serverkey() -> Result<()>;
            get_fd() -> Result<()>;
            get_gssapi_principal() -> Result<()>;
            get_gssapi_service_principal() -> Result<()>;
            get_handshake_ivl() -> Result<()>;
            get_heartbeat_ivl() -> Result<()>;
            get_heartbeat_timeout() -> Result<()>;
            get_heartbeat_ttl() -> Result<()>;
            get_linger() -> Result<()>;
            get_maxmsgsize() -> Result<()>;
            get_multicast_hops() -> Result<()>;
            get_plain_password() -> Result<()>;
            get_plain_username() -> Result<()>;
            get_rate() -> Result<()>;
            get_rcvbuf() -> Result<()>;
            get_rcvhwm() -> Result<()>;
            get_rcvtimeo() -> Result<()>;
            get_reconnect_ivl() -> Result<()>;
            get_reconnect_ivl_max() -> Result<()>;
            get_recovery_ivl() -> Result<()>;
            get_sndbuf() -> Result<()>;
            get_sndhwm() -> Result<()>;
            get_sndtimeo() -> Result<()>;
            get_socks_proxy() -> Result<()>;
            get_tcp_keepalive() -> Result<()>;
            get_tcp_keepalive_cnt() -> Result<()>;
            get_tcp_keepalive_idle() -> Result<()>;
            get_tcp_keepalive_intvl() -> Result<()>;
            get_tos() -> Result<()>;
            get_zap_domain() -> Result<()>;
        }
        impl[] Context {
            get_io_threads() -> Result<()>;
        }
    }

    SetIdentity: "`ZMQ_IDENTITY` is an old name of `ZMQ_ROUTING_ID`", "call `set_routing_id(..)`" {
        impl[T] Socket<'_, T> {
            set_identity(id) -> Result<()>;
        }
    }

    GetIdentity: "`ZMQ_IDENTITY` is an old name of `ZMQ_ROUTING_ID`", "call `routing_id()`" {
        impl[T] Socket<'_, T> {
            get_identity() -> Result<()>;
        }
    }

    GetType: "the kind of a socket is `kind()`", "call `kind()`" {
        impl[T] Socket<'_, T> {
            get_socket_type() -> Result<()>;
        }
    }

    RecvBytes: "`recv_msg()` receives bytes: a `Message` is a slice of them", "call `recv_msg()`" {
        impl[T] Socket<'_, T> {
            recv_bytes(flags) -> Result<Vec<u8>>;
        }
    }

    PollOne: "`within(time)` waits for one socket", "call `within(time).recv_msg()`, or `zmq::poll` for several sockets" {
        impl[T] Socket<'_, T> {
            poll(events, timeout) -> Result<()>;
        }
    }

    AsPollItem: "poll items are made by `PollItem::socket`", "call `PollItem::socket(&socket, events)`" {
        impl[T] Socket<'_, T> {
            as_poll_item(events) -> ();
        }
    }

    Size: "a message is a slice of bytes", "call `len()`" {
        impl[] Message {
            size() -> usize;
        }
    }

    Data: "a message is a slice of bytes", "read `&message[..]`, write `message.make_mut()`" {
        impl[] Message {
            data() -> ();
        }
    }

    Close: "a message is freed when it is dropped", "remove the call" {
        impl[] Message {
            close() -> ();
        }
    }

    ToRaw: "an error has its number in `errno()`", "call `errno().raw()`, or compare the error with an `Errno`" {
        impl[] Error {
            to_raw() -> i32;
        }
    }
}
