//! Networks, as allow and deny lists have them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::error::{Errno, Error, Result};

/// A network of addresses, `10.0.0.0/8` or `2001:db8::/32`, or a single address.
///
/// An IPv4 address is also an address of the IPv6 network `::ffff:0:0/96`: `::ffff:10.0.0.0/104` is `10.0.0.0/8`, and `::/0`
/// is every address.
///
/// ```
/// use zmq::security::Network;
///
/// let network: Network = "192.168.1.0/24".parse().unwrap();
/// assert_eq!(network.to_string(), "192.168.1.0/24");
/// let mapped: Network = "::ffff:192.168.1.0/120".parse().unwrap();
/// assert_eq!(mapped, network);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// The network's first address, as one of IPv6.
    first: u128,
    /// How many of its 128 bits are the network's.
    prefix: u32,
}

const CALL: &str = "Network";

/// The bits before an IPv4 address in its IPv6 form.
const MAPPED: u32 = 96;

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    /// The network of the first `prefix` bits of an address: 0 to 32 for IPv4, 0 to 128 for IPv6.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the address has fewer bits than `prefix`, or has bits outside of the network: then another network is
    /// likely to be meant.
    ///
    /// ```
    /// use zmq::security::Network;
    ///
    /// let network = Network::new([10, 0, 0, 0], 8).unwrap();
    /// assert_eq!(network.to_string(), "10.0.0.0/8");
    /// assert!(Network::new([10, 0, 0, 1], 8).is_err());
    /// ```
    pub fn new(address: impl Into<IpAddr>, prefix: u32) -> Result<Network> {
        let address = address.into();
        let (offset, most) = if address.is_ipv4() { (MAPPED, 32) } else { (0, 128) };
        if prefix > most {
            return Err(not_a_prefix(&prefix.to_string(), most));
        }
        let network = Network { first: bits(address) & mask(prefix + offset), prefix: prefix + offset };
        if network.first != bits(address) {
            let detail = format_args!("{address}/{prefix} has bits outside of its network, which is {network}");
            return Err(Errno::EINVAL.with_detail(CALL, detail));
        }
        Ok(network)
    }

    /// Whether an address is of this network.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        bits(address) & mask(self.prefix) == self.first
    }
}

/// A network of one address.
impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Network {
        Network { first: bits(address), prefix: 128 }
    }
}

fn not_a_prefix(bits: &str, most: u32) -> Error {
    let detail = format_args!("{bits:?}: the bits of the network are not a number from 0 to {most}");
    Errno::EINVAL.with_detail(CALL, detail)
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Network> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address
            .parse()
            .map_err(|_| Errno::EINVAL.with_detail(CALL, format_args!("{address:?} is not an IP address")))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(bits) if !bits.is_empty() && bits.bytes().all(|digit| digit.is_ascii_digit()) => {
                bits.parse().map_err(|_| not_a_prefix(bits, most))?
            }
            Some(bits) => return Err(not_a_prefix(bits, most)),
        };
        Network::new(address, prefix)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = Ipv6Addr::from_bits(self.first);
        match (first.to_ipv4_mapped(), self.prefix.checked_sub(MAPPED)) {
            (Some(first), Some(prefix)) => write!(f, "{first}/{prefix}"),
            _ => write!(f, "{first}/{}", self.prefix),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({self})")
    }
}

/// The address of a peer, from the text of a ZAP request.
pub(super) fn peer_address(text: &str) -> Option<IpAddr> {
    // A link-local address has its interface after a `%`.
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn contains(text: &str, address: &str) -> bool {
        network(text).contains(peer_address(address).unwrap())
    }

    #[test]
    fn network_contains_its_addresses() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("192.168.1.128/25", "192.168.1.128", "192.168.1.127"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("127.0.0.1/32", "::ffff:127.0.0.1", "::1"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::1", "::1", "127.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("fe80::/10", "fe80::1%eth0", "fec0::1%eth0"),
            ("8000::/1", "ffff::", "7fff::"),
        ] {
            assert!(contains(text, inside), "{inside} in {text}");
            assert!(!contains(text, outside), "{outside} not in {text}");
        }
        for address in ["1.2.3.4", "::", "ffff::1"] {
            assert!(contains("::/0", address), "{address}");
        }
    }

    #[test]
    fn malformed_network_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "\"\" is not an IP address"),
            ("localhost", "\"localhost\" is not an IP address"),
            ("10.0.0.0.0/8", "\"10.0.0.0.0\" is not an IP address"),
            ("10.0.0/8", "\"10.0.0\" is not an IP address"),
            ("10.0.0.0/", "\"\": the bits of the network are not a number from 0 to 32"),
            ("10.0.0.0/33", "\"33\": the bits of the network are not a number from 0 to 32"),
            ("10.0.0.0/-1", "\"-1\": the bits of the network are not a number from 0 to 32"),
            ("10.0.0.0/+8", "\"+8\": the bits of the network are not a number from 0 to 32"),
            ("10.0.0.0/8/8", "\"8/8\": the bits of the network are not a number from 0 to 32"),
            ("::/129", "\"129\": the bits of the network are not a number from 0 to 128"),
            ("::/4294967297", "\"4294967297\": the bits of the network are not a number from 0 to 128"),
            ("10.0.0.1/8", "10.0.0.1/8 has bits outside of its network, which is 10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::1/32 has bits outside of its network, which is 2001:db8::/32"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap_err().detail(), Some(why));
        }
    }

    #[test]
    fn networks_are_shown_as_they_are_read() {
        for text in ["10.0.0.0/8", "127.0.0.1/32", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1/128"] {
            assert_eq!(network(text).to_string(), text);
        }
        assert_eq!(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
        assert_eq!(network("::fffe:0:0/95").to_string(), "::fffe:0:0/95");
    }
}
