//! The types of options that are neither numbers, texts nor times.

#[cfg(feature = "draft")]
use std::ffi::c_int;

use super::codec::enumeration;
#[cfg(feature = "draft")]
use super::{codec::IntCodec, row::Row, value::OptionValue};
#[cfg(feature = "draft")]
use crate::{bit_set::bit_set, error::Result};

enumeration! {
    /// The security mechanism of a socket's connections.
    Mechanism {
        /// No security.
        Null = ZMQ_NULL "ZMQ_NULL",
        /// User name and password, in clear.
        Plain = ZMQ_PLAIN "ZMQ_PLAIN",
        /// Encryption and authentication by elliptic curves.
        Curve = ZMQ_CURVE "ZMQ_CURVE",
        /// Kerberos.
        Gssapi = ZMQ_GSSAPI "ZMQ_GSSAPI",
    }
}

enumeration! {
    /// The type of a GSSAPI principal's name.
    GssapiNameType {
        /// A service at a host.
        HostBased = ZMQ_GSSAPI_NT_HOSTBASED "ZMQ_GSSAPI_NT_HOSTBASED",
        /// A local user.
        UserName = ZMQ_GSSAPI_NT_USER_NAME "ZMQ_GSSAPI_NT_USER_NAME",
        /// A Kerberos principal.
        Krb5Principal = ZMQ_GSSAPI_NT_KRB5_PRINCIPAL "ZMQ_GSSAPI_NT_KRB5_PRINCIPAL",
    }
}

#[cfg(feature = "draft")]
bit_set! {
    /// The events of peers that a ROUTER reports. Draft.
    RouterNotify(c_int) {
        /// No event.
        NONE;
        /// A peer that connected.
        CONNECT = ZMQ_NOTIFY_CONNECT, "ZMQ_NOTIFY_CONNECT";
        /// A peer that disconnected.
        DISCONNECT = ZMQ_NOTIFY_DISCONNECT, "ZMQ_NOTIFY_DISCONNECT";
    }
}

#[cfg(feature = "draft")]
bit_set! {
    /// The events after which a socket does not connect again. Draft.
    ReconnectStop(c_int) {
        /// No event.
        NONE;
        /// The connection was refused (tcp and vmci).
        CONN_REFUSED = ZMQ_RECONNECT_STOP_CONN_REFUSED, "ZMQ_RECONNECT_STOP_CONN_REFUSED";
        /// The handshake failed.
        HANDSHAKE_FAILED = ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED, "ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED";
        /// [`Socket::disconnect`](crate::Socket::disconnect) was called (ipc).
        AFTER_DISCONNECT = ZMQ_RECONNECT_STOP_AFTER_DISCONNECT, "ZMQ_RECONNECT_STOP_AFTER_DISCONNECT";
    }
}

/// A set of flags is an int in C.
#[cfg(feature = "draft")]
macro_rules! bit_set_codecs {
    ($($name:ident)*) => {$(
        /// The number that C has for the set.
        impl From<$name> for OptionValue {
            fn from(value: $name) -> OptionValue {
                value.0.into()
            }
        }

        impl IntCodec for $name {
            type Value = $name;

            fn encode(_row: Row, value: $name) -> Result<c_int> {
                Ok(value.0)
            }

            fn decode(_row: Row, value: c_int) -> Result<$name> {
                Ok($name(value))
            }
        }
    )*};
}

#[cfg(feature = "draft")]
bit_set_codecs! { RouterNotify ReconnectStop }
