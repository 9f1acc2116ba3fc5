//! Kinds that share options: `Kinds` is a set of them, and a trait for each group bounds the methods of its options.

use std::fmt;

#[cfg(feature = "draft")]
use super::{Client, Peer, Radio, Server, XSub};
use super::{Dealer, Kind, Pub, Pull, Push, Req, Router, SocketType as AnyKind, Stream, Sub, XPub};

/// A set of socket kinds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds(u32);

impl Kinds {
    pub(crate) const ALL: Kinds = Kinds(u32::MAX);

    pub(crate) const NONE: Kinds = Kinds(0);

    pub(crate) const fn of(kinds: &[Kind]) -> Kinds {
        let mut bits = 0;
        let mut index = 0;
        while index < kinds.len() {
            bits |= 1 << kinds[index].raw();
            index += 1;
        }
        Kinds(bits)
    }

    /// The kinds, in the order of their numbers.
    fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.iter().copied().filter(move |kind| self.contains(*kind))
    }

    pub(crate) const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind.raw()) != 0
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Kinds::ALL {
            return f.write_str("all");
        }
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Every kind, as a set under the name of the trait that every kind has.
#[allow(non_upper_case_globals)]
pub(crate) const SocketType: Kinds = Kinds::ALL;

/// The kinds with a descriptor to wait on, under the name of their trait.
#[allow(non_upper_case_globals)]
pub(crate) const HasFd: Kinds = {
    let (mut bits, mut index) = (Kinds::ALL.0, 0);
    while index < Kind::ALL.len() {
        if Kind::ALL[index].is_thread_safe() {
            bits &= !(1 << Kind::ALL[index].raw());
        }
        index += 1;
    }
    Kinds(bits)
};

/// Traits of the kinds that share options. Each is also a constant of the same name: the set of those kinds.
macro_rules! groups {
    ($($(#[doc = $doc:literal])* $group:ident: $message:literal, $($kind:ident)*;)*) => {$(
        $(#[doc = $doc])*
        #[diagnostic::on_unimplemented(message = $message, label = "not an option of this kind of socket")]
        pub trait $group: AnyKind {}

        $(
            #[diagnostic::do_not_recommend]
            impl $group for $kind {}
        )*
        #[diagnostic::do_not_recommend]
        impl $group for Kind {}

        #[allow(non_upper_case_globals)]
        pub(crate) const $group: Kinds = Kinds::of(&[$(Kind::$kind),*]);
    )*};
}

groups! {
    /// SUB, and XPUB with `ZMQ_XPUB_MANUAL`.
    SubscribingKind: "a `{Self}` socket does not subscribe: SUB does, and XPUB by hand", Sub XPub;
    /// ROUTER.
    RouterKind: "a `{Self}` socket does not have this option: ROUTER does", Router;
    /// ROUTER and STREAM, which send to a peer by its id.
    RoutingKind: "a `{Self}` socket does not send by routing id: ROUTER and STREAM do", Router Stream;
    /// The kinds that talk to a ROUTER.
    ProbingKind: "a `{Self}` socket does not probe a ROUTER: ROUTER, DEALER and REQ do", Router Dealer Req;
    /// REQ.
    ReqKind: "a `{Self}` socket does not have this option: REQ does", Req;
    /// XPUB.
    XPubKind: "a `{Self}` socket does not have this option: XPUB does", XPub;
    /// The kinds that match subscriptions.
    MatchingKind: "a `{Self}` socket does not match subscriptions: PUB, XPUB and SUB do", Pub XPub Sub;
    /// The kinds that can keep the newest message only.
    ConflatingKind: "a `{Self}` socket cannot conflate: PULL, PUSH, SUB, PUB and DEALER can", Pull Push Sub Pub Dealer;
    /// STREAM.
    StreamKind: "a `{Self}` socket does not have this option: STREAM does", Stream;
}

#[cfg(not(feature = "draft"))]
groups! {
    /// PUB and XPUB.
    PublishingKind: "a `{Self}` socket does not publish: PUB and XPUB do", Pub XPub;
}

#[cfg(feature = "draft")]
groups! {
    /// PUB, XPUB and RADIO.
    PublishingKind: "a `{Self}` socket does not publish: PUB, XPUB and RADIO do", Pub XPub Radio;
    /// The kinds that hold subscriptions.
    TopicKind: "a `{Self}` socket holds no subscriptions: PUB, XPUB, SUB and XSUB do", Pub XPub Sub XSub;
    /// XPUB and XSUB.
    ForwardingKind: "a `{Self}` socket does not have this option: XPUB and XSUB do", XPub XSub;
    /// XSUB.
    XSubKind: "a `{Self}` socket does not have this option: XSUB does", XSub;
    /// The kinds that greet a new peer.
    GreetingKind: "a `{Self}` socket sends no hello: DEALER, ROUTER, CLIENT, SERVER and PEER do",
        Dealer Router Client Server Peer;
    /// The kinds that report a peer that disconnected.
    DisconnectKind: "a `{Self}` socket reports no disconnect: ROUTER, SERVER and PEER do", Router Server Peer;
    /// The kinds that report a connection that broke.
    HiccupKind: "a `{Self}` socket reports no hiccup: DEALER, CLIENT and PEER do", Dealer Client Peer;
}

/// The kinds on which libzmq accepts an option, including kinds that are built on others, on which it has no effect.
pub(crate) mod accepted {
    use super::{Kind, Kinds};

    /// REP is built on ROUTER.
    pub(crate) const ROUTER: Kinds = Kinds::of(&[Kind::Router, Kind::Rep]);
    /// REP is built on ROUTER, and STREAM has the same code for ids.
    pub(crate) const ROUTING: Kinds = Kinds::of(&[Kind::Router, Kind::Rep, Kind::Stream]);
    pub(crate) const PROBING: Kinds = Kinds::of(&[Kind::Router, Kind::Rep, Kind::Dealer, Kind::Req]);
    pub(crate) const REQ: Kinds = Kinds::of(&[Kind::Req]);
    /// PUB is built on XPUB.
    pub(crate) const XPUB: Kinds = Kinds::of(&[Kind::XPub, Kind::Pub]);
    #[cfg(not(feature = "draft"))]
    pub(crate) const NODROP: Kinds = XPUB;
    #[cfg(feature = "draft")]
    pub(crate) const NODROP: Kinds = Kinds::of(&[Kind::XPub, Kind::Pub, Kind::Radio]);
    pub(crate) const SUBSCRIBING: Kinds = Kinds::of(&[Kind::Sub]);
    pub(crate) const STREAM: Kinds = Kinds::of(&[Kind::Stream]);
    #[cfg(feature = "draft")]
    pub(crate) const XSUB: Kinds = Kinds::of(&[Kind::XSub]);
    #[cfg(feature = "draft")]
    pub(crate) const FORWARDING: Kinds = Kinds::of(&[Kind::XPub, Kind::Pub, Kind::XSub]);
    #[cfg(feature = "draft")]
    pub(crate) const TOPIC: Kinds = Kinds::of(&[Kind::Pub, Kind::XPub, Kind::Sub, Kind::XSub]);
}
