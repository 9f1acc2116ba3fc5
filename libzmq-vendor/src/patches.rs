//! The patches, and which of them are applied.

#[cfg(test)]
mod tests;

use crate::Error;
use crate::patch::Patch;
use std::env;
use std::path::Path;

/// Overrides [`Build::patches`](crate::Build::patches).
const VARIABLE: &str = "LIBZMQ_VENDOR_PATCHES";

/// The number of the first patch that [`Patches::Safety`] leaves out.
const FIRST_OF_LOSSES: u16 = 1000;

/// The set of [patches](https://github.com/safe-zmq/safe-zmq/blob/main/libzmq-vendor/patches/README.md) that a build
/// applies to libzmq.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patches {
    /// None: libzmq as released, to test interoperability against exactly that.
    None,
    /// Those below 1000, for faults that corrupt memory, abort, freeze, leak, or let somebody in.
    Safety,
    /// All, also those for faults that lose, mix or reorder messages, and for speed.
    #[default]
    All,
}

impl Patches {
    /// `none`, `safety` or `all`.
    pub fn name(self) -> &'static str {
        match self {
            Patches::None => "none",
            Patches::Safety => "safety",
            Patches::All => "all",
        }
    }

    /// The value of `LIBZMQ_VENDOR_PATCHES`, or `self` if it is not set.
    pub(crate) fn decide(self) -> Result<Patches, Error> {
        println!("cargo:rerun-if-env-changed={VARIABLE}");
        match env::var_os(VARIABLE) {
            Some(value) if !value.is_empty() => [Patches::None, Patches::Safety, Patches::All]
                .into_iter()
                .find(|patches| value == patches.name())
                .ok_or_else(|| Error::new(format!("{VARIABLE} must be none, safety or all, and is {value:?}"))),
            _ => Ok(self),
        }
    }

    fn has(self, patch: &Patch) -> bool {
        match self {
            Patches::None => false,
            Patches::Safety => patch.number < FIRST_OF_LOSSES,
            Patches::All => true,
        }
    }
}

/// All patches, in the order in which they are applied.
///
/// # Errors
///
/// The text of a patch is malformed; the error names it.
pub fn all() -> Result<Vec<Patch>, Error> {
    TEXTS.iter().map(|(name, text)| Patch::parse(name, text)).collect()
}

/// Applies `patches` to the libzmq in `source`.
pub(crate) fn apply(patches: Patches, source: &Path) -> Result<(), Error> {
    all()?.iter().filter(|patch| patches.has(patch)).try_for_each(|patch| patch.apply(source))
}

/// The patches are compiled in, so that Cargo builds libzmq again if one of them changes.
macro_rules! texts {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../patches/", $name, ".patch")))),*]
    };
}

/// The name and the text of each file in `patches/`.
const TEXTS: &[(&str, &str)] = texts! {
    "0001-socks-handle-removed-twice"
    "0002-router-generated-routing-id"
    "0003-conflate-more-flag"
    "0004-zmtp1-reconnect-to-full-pipe"
    "0005-reference-count-overflow"
    "0006-long-group-references"
    "0007-radio-join-long-group"
    "0008-dish-datagram-group-length"
    "0009-udp-send-buffer-overrun"
    "0010-udp-bound-device-retry"
    "0011-udp-socket-refused"
    "0012-dgram-port-taken"
    "0013-mailbox-safe-own-lock"
    "0014-wait-for-departed-peer"
    "0015-curve-small-order-key"
    "0016-welcome-for-closed-connection"
    "0017-incomplete-message-of-ended-connection"
    "0018-unread-connection-blocks-term"
    "0019-zap-pipe-blocks-term"
    "0020-given-up-connection-blocks-term"
    "0021-hello-for-closed-connection"
    "0022-commands-to-freed-pipe"
    "0023-changed-marks"
    "0024-restart-input-of-new-engine"
    "0025-heartbeat-on-lost-connection"
    "0026-zws2-without-mechanism-and-zap"
    "0027-short-ping-reads-beyond-message"
    "0028-thread-safe-connect-wakes-senders"
    "0029-unread-messages-of-lost-connection"
    "0030-xpub-manual-pending-pipes"
    "0031-probe-router-before-bind"
    "0032-conflate-reader-awake-race"
    "0033-pipe-ends-in-mid-message"
    "0034-conflate-message-as-routing-id"
    "0035-ws-masks-foreign-memory"
    "0036-socks-reply-overrun"
    "0037-probe-behind-hello"
    "0038-socks-proxy-never-answers"
    "0039-hiccup-message-uncounted"
    "0040-inproc-close-during-bind"
    "0041-inproc-linger-before-bind"
    "0042-connect-routing-id-in-use"
    "0043-poll-after-shutdown"
    "0044-resolver-without-descriptors"
    "0045-listener-pauses"
    "0046-used-descriptor-blocks"
    "0047-reaper-without-descriptors"
    "0048-descriptor-limit-lowered"
    "0049-connection-error-not-listed"
    "0050-udp-unbind"
    "0051-zap-status-300-waits"
    "0052-errno-after-monitor-event"
    "0053-hiccup-of-closed-pipe"
    "0054-linger-after-shutdown"
    "0055-ws-heartbeat-without-mechanism"
    "0056-ws-reconnect-to-full-pipe"
    "0057-send-error-not-listed"
    "0058-thread-refused"
    "0059-default-scheduling"
    "0060-router-message-of-freed-pipe"
    "0061-generated-routing-id-in-use"
    "0062-router-handover-of-full-pipe"
    "0063-pgm-restart-without-room"
    "0064-req-reply-id-at-mark"
    "0065-curve-client-hello-leak"
    "0066-content-alignment"
    "0067-interrupted-look-for-commands"
    "0070-gssapi-zap-refusal"
    "0071-gssapi-tokens"
    "0072-parts-of-departed-peer"
    "0073-ws-malformed-frame"
    "0074-channel-leaks-parts"
    "0077-frames-of-radio-and-dish-sessions"
    "0078-pgm-malformed-packet"
    "0079-pgm-or-norm-refused"
    "0080-norm-object-is-no-stream"
    "0082-ws-curve-subscriptions"
    "0083-user-id-of-req-and-dish"
    "0084-subscription-of-255-bytes"
    "0085-gssapi-subscriptions"
    "0086-dgram-bound-again"
    "0087-pair-peer-comes-back"
    "0088-zap-user-id-lowers-mark"
    "0089-channel-peer-comes-back"
    "0090-pair-peer-waits"
    "0091-epoll-watches"
    "0092-uninitialised-disconnected"
    "1001-rep-malformed-request"
    "1002-udp-would-block"
    "1006-topics-count-of-departed-peers"
    "1008-mailbox-signal-outside-lock"
    "1009-commands-before-drop"
    "1011-router-peer-comes-back"
    "1012-req-peer-leaves-in-mid-request"
    "1013-pair-peer-leaves-in-mid-message"
    "1015-conflate-subscriptions"
    "1017-stream-end-at-mark"
    "1019-handshake-at-mark"
    "1020-immediate-disconnect-loses-messages"
    "1021-linger-of-new-connection"
    "1023-heartbeat-ttl-overflow"
    "1024-dish-heartbeat"
    "1025-self-connection"
    "1026-peer-leaves-in-mid-message"
    "1027-commands-before-would-block"
    "1028-conflate-newest-message"
    "1029-router-handover-id"
    "1030-router-peer-changes-id"
    "1031-ends-of-subscriptions"
    "1032-joins-of-dish"
    "1033-ws-path"
    "1037-full-when-connection-ends"
    "1040-close-in-mid-batch"
    "1041-xsub-reconnects-in-mid-message"
    "1043-heartbeat-at-mark"
    "1044-router-handover-unread"
    "1045-close-resets-connection"
    "2001-queue-in-cache-lines"
    "2002-signaler-without-getpid"
    "2003-mailbox-without-poll"
    "2004-small-batches"
};
