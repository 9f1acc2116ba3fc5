//! `SocketEvent`: the events of `Socket::monitor`.

macro_rules! socket_events {
    ($($name:ident = $number:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SocketEvent {
            $($name = zmq_sys::$number as isize,)*
        }

        impl SocketEvent {
            pub fn to_raw(self) -> u16 {
                self as u16
            }

            /// # Panics
            ///
            /// If no event has the number.
            pub fn from_raw(raw: u16) -> SocketEvent {
                match u32::from(raw) {
                    $(zmq_sys::$number => SocketEvent::$name,)*
                    raw => panic!("unknown event type {raw}"),
                }
            }
        }
    };
}

socket_events! {
    CONNECTED = ZMQ_EVENT_CONNECTED
    CONNECT_DELAYED = ZMQ_EVENT_CONNECT_DELAYED
    CONNECT_RETRIED = ZMQ_EVENT_CONNECT_RETRIED
    LISTENING = ZMQ_EVENT_LISTENING
    BIND_FAILED = ZMQ_EVENT_BIND_FAILED
    ACCEPTED = ZMQ_EVENT_ACCEPTED
    ACCEPT_FAILED = ZMQ_EVENT_ACCEPT_FAILED
    CLOSED = ZMQ_EVENT_CLOSED
    CLOSE_FAILED = ZMQ_EVENT_CLOSE_FAILED
    DISCONNECTED = ZMQ_EVENT_DISCONNECTED
    MONITOR_STOPPED = ZMQ_EVENT_MONITOR_STOPPED
    HANDSHAKE_FAILED_NO_DETAIL = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
    HANDSHAKE_SUCCEEDED = ZMQ_EVENT_HANDSHAKE_SUCCEEDED
    HANDSHAKE_FAILED_PROTOCOL = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
    HANDSHAKE_FAILED_AUTH = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
    ALL = ZMQ_EVENT_ALL
}
