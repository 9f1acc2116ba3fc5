//! The types of options that are neither numbers, texts nor times.

use super::codec::enumeration;

enumeration! {
    /// How a socket's connections are secured.
    Mechanism {
        /// Not at all.
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
    /// What a GSSAPI principal's name is.
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
enumeration! {
    /// How a NORM sender controls its rate. Draft.
    NormMode {
        /// At the fixed rate of `ZMQ_RATE`.
        Fixed = ZMQ_NORM_FIXED "ZMQ_NORM_FIXED",
        /// Congestion control.
        Cc = ZMQ_NORM_CC "ZMQ_NORM_CC",
        /// Congestion control for lossy networks.
        Ccl = ZMQ_NORM_CCL "ZMQ_NORM_CCL",
        /// Congestion control by explicit notification too.
        Cce = ZMQ_NORM_CCE "ZMQ_NORM_CCE",
        /// Congestion control by explicit notification only.
        CceEcnOnly = ZMQ_NORM_CCE_ECNONLY "ZMQ_NORM_CCE_ECNONLY",
    }
}

#[cfg(feature = "draft")]
super::codec::bits! {
    /// Which comings and goings of peers a ROUTER reports. Draft.
    RouterNotify {
        /// A peer that connected.
        CONNECT = ZMQ_NOTIFY_CONNECT "ZMQ_NOTIFY_CONNECT",
        /// A peer that disconnected.
        DISCONNECT = ZMQ_NOTIFY_DISCONNECT "ZMQ_NOTIFY_DISCONNECT",
    }
}

#[cfg(feature = "draft")]
super::codec::bits! {
    /// When not to connect again. Draft.
    ReconnectStop {
        /// When the connection was refused (tcp and vmci).
        CONN_REFUSED = ZMQ_RECONNECT_STOP_CONN_REFUSED "ZMQ_RECONNECT_STOP_CONN_REFUSED",
        /// When the handshake failed.
        HANDSHAKE_FAILED = ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED "ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED",
        /// After [`crate::Socket::disconnect`] (ipc).
        AFTER_DISCONNECT = ZMQ_RECONNECT_STOP_AFTER_DISCONNECT "ZMQ_RECONNECT_STOP_AFTER_DISCONNECT",
    }
}
