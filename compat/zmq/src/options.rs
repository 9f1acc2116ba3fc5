//! The options of sockets.

use std::time::Duration;

use safe::sockopt;
use safe::{Errno, PublicKey, SecretKey};

use crate::{Error, PollEvents, Result, Socket, SocketType};

#[allow(non_camel_case_types)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    ZMQ_NULL,
    ZMQ_PLAIN,
    ZMQ_CURVE,
    ZMQ_GSSAPI,
}

/// The conversion between a number in C and the value of a safe-zmq method.
trait Number {
    type Safe;

    fn of_c(value: i32) -> Result<Self::Safe>;
    fn to_c(value: Self::Safe) -> i32;
}

struct Count;

impl Number for Count {
    type Safe = u32;

    fn of_c(value: i32) -> Result<u32> {
        u32::try_from(value).map_err(|_| Error::EINVAL)
    }

    fn to_c(value: u32) -> i32 {
        value as i32
    }
}

struct Byte;

impl Number for Byte {
    type Safe = u8;

    fn of_c(value: i32) -> Result<u8> {
        u8::try_from(value).map_err(|_| Error::EINVAL)
    }

    fn to_c(value: u8) -> i32 {
        i32::from(value)
    }
}

struct Flag;

impl Number for Flag {
    type Safe = bool;

    fn of_c(value: i32) -> Result<bool> {
        match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::EINVAL),
        }
    }

    fn to_c(value: bool) -> i32 {
        i32::from(value)
    }
}

/// A time in units of `UNIT` milliseconds.
struct Time<const UNIT: u64>;

type Milliseconds = Time<1>;
type Seconds = Time<1000>;

impl<const UNIT: u64> Number for Time<UNIT> {
    type Safe = Duration;

    fn of_c(value: i32) -> Result<Duration> {
        u64::try_from(value).map(|value| Duration::from_millis(value * UNIT)).map_err(|_| Error::EINVAL)
    }

    fn to_c(value: Duration) -> i32 {
        (value.as_millis() / u128::from(UNIT)) as i32
    }
}

/// A time in milliseconds, rounded down to tenths of a second as in C.
struct Tenths;

impl Number for Tenths {
    type Safe = Duration;

    fn of_c(value: i32) -> Result<Duration> {
        Milliseconds::of_c(value / 100 * 100)
    }

    fn to_c(value: Duration) -> i32 {
        Milliseconds::to_c(value)
    }
}

/// A number, of which `NONE` is `None`.
struct Or<const NONE: i32, C>(std::marker::PhantomData<C>);

impl<const NONE: i32, C: Number> Number for Or<NONE, C> {
    type Safe = Option<C::Safe>;

    fn of_c(value: i32) -> Result<Option<C::Safe>> {
        if value == NONE { Ok(None) } else { C::of_c(value).map(Some) }
    }

    fn to_c(value: Option<C::Safe>) -> i32 {
        value.map_or(NONE, C::to_c)
    }
}

macro_rules! options {
    (
        numbers { $($get_number:ident = $number:ident, $set_number:ident: $codec:ty;)* }
        flags { $($get_flag:ident = $flag:ident, $set_flag:ident;)* }
        unreadable flags { $($unreadable:ident;)* }
        flags to set { $($set_only:ident;)* }
        texts { $($get_text:ident = $text:ident, $set_text:ident: $argument:ty;)* }
        keys { $($get_key:ident = $key:ident, $set_key:ident: $kind:ident;)* }
    ) => {
        impl Socket {
            $(
                pub fn $get_number(&self) -> Result<i32> {
                    Ok(<$codec>::to_c(self.inner.$number()?))
                }

                pub fn $set_number(&self, value: i32) -> Result<()> {
                    Ok(self.inner.$set_number(<$codec>::of_c(value)?)?)
                }
            )*
            $(
                pub fn $get_flag(&self) -> Result<bool> {
                    Ok(self.inner.$flag()?)
                }

                pub fn $set_flag(&self, value: bool) -> Result<()> {
                    Ok(self.inner.$set_flag(value)?)
                }
            )*
            $(
                /// `EINVAL`: libzmq has no way to read the option.
                pub fn $unreadable(&self) -> Result<bool> {
                    Err(Error::EINVAL)
                }
            )*
            $(
                pub fn $set_only(&self, value: bool) -> Result<()> {
                    Ok(self.inner.$set_only(value)?)
                }
            )*
            $(
                pub fn $get_text(&self) -> Result<std::result::Result<String, Vec<u8>>> {
                    Ok(Ok(self.inner.$text()?.map_or_else(String::new, |text| text.as_str().to_owned())))
                }

                pub fn $set_text(&self, value: $argument) -> Result<()> {
                    Ok(self.inner.$set_text(value)?)
                }
            )*
            $(
                pub fn $get_key(&self) -> Result<Vec<u8>> {
                    Ok(self.inner.$key()?.as_bytes().to_vec())
                }

                /// Takes 32 bytes, or the 40 characters of Z85.
                pub fn $set_key(&self, value: &[u8]) -> Result<()> {
                    Ok(self.inner.$set_key(&$kind::from(key(value)?))?)
                }
            )*
        }
    };
}

options! {
    numbers {
        get_sndhwm = sndhwm, set_sndhwm: Count;
        get_rcvhwm = rcvhwm, set_rcvhwm: Count;
        get_rate = rate, set_rate: Count;
        get_recovery_ivl = recovery_ivl, set_recovery_ivl: Milliseconds;
        get_sndbuf = sndbuf, set_sndbuf: Or<-1, Count>;
        get_rcvbuf = rcvbuf, set_rcvbuf: Or<-1, Count>;
        get_tos = tos, set_tos: Byte;
        get_linger = linger, set_linger: Or<-1, Milliseconds>;
        get_reconnect_ivl = reconnect_ivl, set_reconnect_ivl: Or<-1, Milliseconds>;
        get_reconnect_ivl_max = reconnect_ivl_max, set_reconnect_ivl_max: Or<0, Milliseconds>;
        get_backlog = backlog, set_backlog: Count;
        get_multicast_hops = multicast_hops, set_multicast_hops: Count;
        get_rcvtimeo = rcvtimeo, set_rcvtimeo: Or<-1, Milliseconds>;
        get_sndtimeo = sndtimeo, set_sndtimeo: Or<-1, Milliseconds>;
        get_tcp_keepalive = tcp_keepalive, set_tcp_keepalive: Or<-1, Flag>;
        get_tcp_keepalive_cnt = tcp_keepalive_cnt, set_tcp_keepalive_cnt: Or<-1, Count>;
        get_tcp_keepalive_idle = tcp_keepalive_idle, set_tcp_keepalive_idle: Or<-1, Seconds>;
        get_tcp_keepalive_intvl = tcp_keepalive_intvl, set_tcp_keepalive_intvl: Or<-1, Seconds>;
        get_handshake_ivl = handshake_ivl, set_handshake_ivl: Or<0, Milliseconds>;
        get_heartbeat_ivl = heartbeat_ivl, set_heartbeat_ivl: Or<0, Milliseconds>;
        get_heartbeat_ttl = heartbeat_ttl, set_heartbeat_ttl: Tenths;
        get_heartbeat_timeout = heartbeat_timeout, set_heartbeat_timeout: Or<-1, Milliseconds>;
        get_connect_timeout = connect_timeout, set_connect_timeout: Or<0, Milliseconds>;
    }
    flags {
        is_ipv6 = ipv6, set_ipv6;
        is_immediate = immediate, set_immediate;
        is_plain_server = plain_server, set_plain_server;
        is_conflate = conflate, set_conflate;
        is_curve_server = curve_server, set_curve_server;
        is_gssapi_server = gssapi_server, set_gssapi_server;
        is_gssapi_plaintext = gssapi_plaintext, set_gssapi_plaintext;
    }
    unreadable flags {
        is_probe_router;
        is_router_mandatory;
        is_router_handover;
    }
    flags to set {
        set_probe_router;
        set_router_mandatory;
        set_router_handover;
        set_req_relaxed;
        set_req_correlate;
        set_xpub_verbose;
    }
    texts {
        get_socks_proxy = socks_proxy, set_socks_proxy: Option<&str>;
        get_plain_username = plain_username, set_plain_username: Option<&str>;
        get_plain_password = plain_password, set_plain_password: Option<&str>;
        get_zap_domain = zap_domain, set_zap_domain: &str;
        get_gssapi_principal = gssapi_principal, set_gssapi_principal: &str;
        get_gssapi_service_principal = gssapi_service_principal, set_gssapi_service_principal: &str;
    }
    keys {
        get_curve_publickey = curve_publickey, set_curve_publickey: PublicKey;
        get_curve_secretkey = curve_secretkey, set_curve_secretkey: SecretKey;
        get_curve_serverkey = curve_serverkey, set_curve_serverkey: PublicKey;
    }
}

/// The bytes of a key, from bytes or from Z85 with or without a NUL at its end.
fn key(value: &[u8]) -> Result<[u8; 32]> {
    if let Ok(key) = value.try_into() {
        return Ok(key);
    }
    let text = value.strip_suffix(b"\0").unwrap_or(value);
    let text = str::from_utf8(text).map_err(|_| Error::EINVAL)?;
    let bytes = safe::z85_decode(text).map_err(|_| Error::EINVAL)?;
    bytes.try_into().map_err(|_| Error::EINVAL)
}

impl Socket {
    pub fn get_socket_type(&self) -> Result<SocketType> {
        Ok(SocketType::of_kind(self.inner.kind()))
    }

    pub fn get_rcvmore(&self) -> Result<bool> {
        Ok(self.inner.rcvmore()?)
    }

    pub fn get_maxmsgsize(&self) -> Result<i64> {
        Ok(self.inner.maxmsgsize()?.map_or(-1, |size| size as i64))
    }

    pub fn set_maxmsgsize(&self, value: i64) -> Result<()> {
        Ok(self.inner.set_maxmsgsize(u64::try_from(value).ok())?)
    }

    pub fn get_affinity(&self) -> Result<u64> {
        Ok(self.inner.affinity()?)
    }

    pub fn set_affinity(&self, value: u64) -> Result<()> {
        Ok(self.inner.set_affinity(value)?)
    }

    pub fn get_events(&self) -> Result<PollEvents> {
        Ok(PollEvents::from_bits_truncate(self.inner.events()?.into()))
    }

    pub fn get_identity(&self) -> Result<Vec<u8>> {
        Ok(self.inner.routing_id()?)
    }

    pub fn set_identity(&self, value: &[u8]) -> Result<()> {
        Ok(self.inner.set_routing_id(value)?)
    }

    pub fn set_subscribe(&self, value: &[u8]) -> Result<()> {
        Ok(self.inner.subscribe(value)?)
    }

    pub fn set_unsubscribe(&self, value: &[u8]) -> Result<()> {
        Ok(self.inner.unsubscribe(value)?)
    }

    pub fn set_xpub_welcome_msg(&self, value: Option<&str>) -> Result<()> {
        Ok(self.inner.set_xpub_welcome_msg(value.unwrap_or_default())?)
    }

    pub fn get_mechanism(&self) -> Result<Mechanism> {
        Ok(match self.inner.mechanism()? {
            sockopt::Mechanism::Null => Mechanism::ZMQ_NULL,
            sockopt::Mechanism::Plain => Mechanism::ZMQ_PLAIN,
            sockopt::Mechanism::Curve => Mechanism::ZMQ_CURVE,
            sockopt::Mechanism::Gssapi => Mechanism::ZMQ_GSSAPI,
            _ => return Err(Errno::EINVAL.into()),
        })
    }

    pub fn get_last_endpoint(&self) -> Result<std::result::Result<String, Vec<u8>>> {
        Ok(Ok(self.inner.last_endpoint()?.unwrap_or_default()))
    }
}
