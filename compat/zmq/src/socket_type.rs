//! `SocketType`.

use safe::Kind;

macro_rules! socket_types {
    ($($name:ident = $kind:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SocketType {
            $($name,)*
        }

        impl SocketType {
            pub(crate) fn kind(self) -> Kind {
                match self {
                    $(SocketType::$name => Kind::$kind,)*
                }
            }

            pub(crate) fn of_kind(kind: Kind) -> SocketType {
                match kind {
                    $(Kind::$kind => SocketType::$name,)*
                    kind => panic!("rust-zmq has no {kind} sockets"),
                }
            }
        }
    };
}

socket_types! {
    PAIR = Pair
    PUB = Pub
    SUB = Sub
    REQ = Req
    REP = Rep
    DEALER = Dealer
    ROUTER = Router
    PULL = Pull
    PUSH = Push
    XPUB = XPub
    XSUB = XSub
    STREAM = Stream
}
