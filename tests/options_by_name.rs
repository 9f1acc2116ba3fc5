//! Options by name or number, with values whose types are known at run time. The tests in `src/sockopt/` set each row of the
//! table by name, and read it by its own getter.

mod common;

use std::time::Duration;

use zmq::sockopt::{OptionInfo, OptionValue};
use zmq::{Context, Errno, Error, Kind, SecretKey, Socket, curve_keypair, sys};

/// The error of a refused value: it names the option and shows the value.
#[track_caller]
fn refused(outcome: zmq::Result<()>, option: &str, detail: &str) {
    let error = outcome.expect_err(option);
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, option), "{error}");
    assert_eq!(error.detail(), Some(detail));
}

#[deadline::test]
fn option_names_have_no_case_and_need_no_prefix() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    for (hwm, id) in (1..).zip(["ZMQ_SNDHWM", "zmq_sndhwm", "SNDHWM", "sndhwm", "Zmq_SndHwm"]) {
        socket.set_option(id, hwm).unwrap();
        assert_eq!(socket.option(id).unwrap(), OptionValue::Int(hwm.into()));
        assert_eq!(socket.sndhwm().unwrap(), hwm);
    }
    socket.set_option(sys::ZMQ_SNDHWM, 7).unwrap();
    assert_eq!(socket.sndhwm().unwrap(), 7);
    socket.set_option("identity", "alice").unwrap();
    assert_eq!(socket.option("ZMQ_ROUTING_ID").unwrap(), OptionValue::from(b"alice"));
}

#[deadline::test]
fn unknown_options_are_errors_that_show_no_value() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    refused(
        socket.set_option("plain_pasword", "hush"),
        "zmq_setsockopt",
        r#""plain_pasword" is no option of a socket"#,
    );
    refused(socket.set_option(-1, 7), "zmq_setsockopt", "the number -1 is no option of a socket");
    refused(socket.set_option("io_threads", 7), "zmq_setsockopt", r#""io_threads" is no option of a socket"#);
    refused(socket.option("").map(drop), "zmq_getsockopt", r#""" is no option of a socket"#);
    // The prefix alone, and a name whose fourth byte is inside a character.
    for name in ["ZMQ_", "ZMÜ_LINGER"] {
        assert!(socket.set_option(name, 7).is_err());
    }
    refused(context.set_option("sndhwm", 7), "zmq_ctx_set", r#""sndhwm" is no option of a context"#);
    refused(context.option(987).map(drop), "zmq_ctx_get", "the number 987 is no option of a context");
}

#[deadline::test]
fn values_of_other_types_are_refused_by_name() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    let time = "a time such as 250ms, nor a number";
    refused(socket.set_option("linger", "soon"), "ZMQ_LINGER", &format!(r#""soon" is not {time}"#));
    refused(socket.set_option("linger", "1 hour"), "ZMQ_LINGER", &format!(r#""1 hour" is not {time}"#));
    refused(socket.set_option("linger", true), "ZMQ_LINGER", &format!("true is not {time}"));
    refused(socket.set_option("linger", b"1"), "ZMQ_LINGER", &format!("a value of 1 bytes is not {time}"));
    refused(socket.set_option("immediate", 2), "ZMQ_IMMEDIATE", "2 is not yes or no");
    refused(socket.set_option("immediate", "maybe"), "ZMQ_IMMEDIATE", r#""maybe" is not yes or no"#);
    refused(socket.set_option("probe_router", OptionValue::None), "ZMQ_PROBE_ROUTER", "none is not yes or no");
    refused(socket.set_option("sndhwm", Duration::from_secs(1)), "ZMQ_SNDHWM", "1s is not a number");
    refused(socket.set_option("sndhwm", OptionValue::None), "ZMQ_SNDHWM", "none is not a number");
    refused(socket.set_option("affinity", "all"), "ZMQ_AFFINITY", r#""all" is not a number"#);
    refused(socket.set_option("maxmsgsize", "1 MB"), "ZMQ_MAXMSGSIZE", r#""1 MB" is not a number"#);
    refused(socket.set_option("routing_id", 7), "ZMQ_ROUTING_ID", "7 is not a text or bytes");
    refused(socket.set_option("zap_domain", 7), "ZMQ_ZAP_DOMAIN", "the value is no text");
    refused(socket.set_option("zap_domain", &[0xff]), "ZMQ_ZAP_DOMAIN", "a value of 1 bytes is no text");
    refused(context.set_option("io_threads", "many"), "ZMQ_IO_THREADS", r#""many" is not a number"#);
    refused(context.set_option("blocky", 3), "ZMQ_BLOCKY", "3 is not yes or no");
    let subscriber = context.socket(Kind::Sub).unwrap();
    refused(subscriber.set_option("subscribe", OptionValue::None), "ZMQ_SUBSCRIBE", "none is not a text or bytes");
}

#[deadline::test]
fn values_out_of_range_are_refused_as_by_the_methods() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    let same = |id: &str, value: OptionValue, typed: zmq::Result<()>| {
        let typed = typed.expect_err(id);
        assert_eq!(socket.set_option(id, value).unwrap_err(), typed);
        assert_eq!(typed.errno(), Errno::EINVAL);
    };
    same("sndhwm", OptionValue::Int(1 << 30), socket.set_sndhwm(1 << 30));
    same("rate", "0".into(), socket.set_rate(0));
    same("linger", Duration::from_secs(1 << 40).into(), socket.set_linger(Some(Duration::from_secs(1 << 40))));
    same("heartbeat_ttl", "70s".into(), socket.set_heartbeat_ttl(Duration::from_secs(70)));
    same("tcp_keepalive_idle", 0.into(), socket.set_tcp_keepalive_idle(Some(Duration::ZERO)));
    same("maxmsgsize", u64::MAX.into(), socket.set_maxmsgsize(Some(u64::MAX)));
    same("plain_password", "k".repeat(256).into(), socket.set_plain_password("k".repeat(256).as_str()));
    same("routing_id", "".into(), socket.set_routing_id(""));
    same("routing_id", b"\0abcd".into(), socket.set_routing_id(b"\0abcd"));
    same("zap_domain", "hush\0hush".into(), socket.set_zap_domain("hush\0hush"));

    // Numbers outside the argument types of the methods.
    refused(socket.set_option("sndhwm", -5), "ZMQ_SNDHWM", "-5 is not in 0..=1073741823");
    refused(
        socket.set_option("sndhwm", "1000000000000"),
        "ZMQ_SNDHWM",
        "1000000000000 is not in -2147483648..=2147483647",
    );
    refused(socket.set_option("linger", -2), "ZMQ_LINGER", "-2 is not in 0..");
    refused(socket.set_option("tos", 256), "ZMQ_TOS", "256 is not in 0..=255");
    refused(socket.set_option("affinity", -1), "ZMQ_AFFINITY", "-1 is not in 0..=18446744073709551615");
    refused(
        socket.set_option("ipc_filter_pid", 1_u64 << 32),
        "ZMQ_IPC_FILTER_PID",
        "4294967296 is not in 0..=4294967295",
    );
    refused(context.set_option("max_sockets", -1), "ZMQ_MAX_SOCKETS", "-1 is not in 0..=2147483647");
    refused(context.set_option("max_sockets", 0), "ZMQ_MAX_SOCKETS", "0 is not in 1..=1048576");

    // Options that cannot be made empty again.
    for id in ["zap_domain", "gssapi_principal"] {
        assert_eq!(socket.set_option(id, "").unwrap_err().errno(), Errno::EINVAL, "{id}");
    }
}

#[deadline::test]
fn values_that_option_gives_are_accepted_by_set_option() {
    let context = Context::new().unwrap();
    // A descriptor can be set by a method only.
    let both = |row: &&OptionInfo| row.get && row.set && row.is_available() && row.name != "ZMQ_USE_FD";
    for row in OptionInfo::all().filter(both) {
        for kind in common::kinds().into_iter().filter(|kind| row.applies_to(*kind)) {
            let socket = context.socket(kind).unwrap();
            let value = socket.option(row.name).unwrap();
            let set = socket.set_option(row.name, value.clone());
            set.unwrap_or_else(|error| panic!("{kind:?} {value:?}: {error}"));
            assert_eq!(socket.option(row.name).unwrap(), value, "{kind:?} {}", row.name);
        }
    }
}

#[deadline::test]
fn numbers_mean_the_same_as_in_c() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    socket.set_option("linger", 0).unwrap();
    assert_eq!(socket.linger().unwrap(), Some(Duration::ZERO));
    socket.set_option("linger", -1).unwrap();
    assert_eq!(socket.linger().unwrap(), None);
    socket.set_option("tcp_keepalive", 0).unwrap();
    assert_eq!(socket.tcp_keepalive().unwrap(), Some(false));
    socket.set_option("tcp_keepalive", "-1").unwrap();
    assert_eq!(socket.tcp_keepalive().unwrap(), None);
    socket.set_option("tcp_keepalive_idle", 60).unwrap();
    assert_eq!(socket.tcp_keepalive_idle().unwrap(), Some(Duration::from_secs(60)), "in seconds");
    socket.set_option("heartbeat_ivl", 750).unwrap();
    assert_eq!(socket.heartbeat_ivl().unwrap(), Some(Duration::from_millis(750)));
    socket.set_option("heartbeat_ivl", 0).unwrap();
    assert_eq!(socket.option("heartbeat_ivl").unwrap(), OptionValue::None);
    socket.set_option("maxmsgsize", -1).unwrap();
    assert_eq!(socket.maxmsgsize().unwrap(), None);
    socket.set_option("affinity", u64::MAX).unwrap();
    assert_eq!(socket.option("affinity").unwrap(), u64::MAX.into());
}

#[deadline::test]
fn passwords_and_keys_are_never_shown() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    for value in [OptionValue::from("hush\0hush"), b"hush\xff".into(), 4_242.into()] {
        let error = socket.set_option("plain_password", value.clone()).unwrap_err();
        let shown = format!("{error} {value:?}");
        assert!(!shown.contains("hush") && !error.to_string().contains("4242"), "{shown}");
    }
    socket.set_option("plain_password", "open sesame").unwrap();
    let read = socket.option("plain_password").unwrap();
    assert_eq!(read, "open sesame".into());
    assert_eq!(format!("{read:?}"), "Text(..)");

    if !zmq::has("curve") {
        return;
    }
    let secret = curve_keypair().unwrap().1;
    socket.set_option("curve_secretkey", &secret).unwrap();
    assert_eq!(socket.curve_secretkey().unwrap(), secret);
    assert_eq!(socket.option("curve_secretkey").unwrap(), secret.to_z85().into());
    socket.set_option("curve_secretkey", secret.as_bytes()).unwrap();
    assert_eq!(socket.curve_secretkey().unwrap(), secret);
    let text = secret.to_z85();
    let error = socket.set_option("curve_secretkey", &text[1..]).unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_CURVE_SECRETKEY"));
    assert!(!error.to_string().contains(&text[1..]), "{error}");
    assert!(socket.set_option("curve_secretkey", 7).is_err());
    assert_ne!(socket.curve_secretkey().unwrap(), SecretKey::from([7; 32]));
}

/// The errors of a get and a set by name.
fn errors(socket: &Socket<'_>, name: &str) -> [Option<Error>; 2] {
    [socket.option(name).err(), socket.set_option(name, 1).err()]
}

#[deadline::test]
fn rows_say_why_they_cannot_be_got_or_set_by_name() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Router).unwrap();
    let why = |name: &str| errors(&socket, name).map(|error| error.map(|error| error.detail().unwrap().to_owned()));
    for (name, detail) in [
        ("ZMQ_FD", "its value is a descriptor, which Socket::fd lends"),
        ("ZMQ_USE_FD", "its value is a descriptor, which Socket::bind_fd adopts"),
        ("ZMQ_CONNECT_ROUTING_ID", "Socket::connect_with_routing_id sets it for its connection"),
    ] {
        assert_eq!(why(name), [Some(detail.to_owned()), Some(detail.to_owned())]);
    }
    assert_eq!(why("ZMQ_TYPE"), [None, Some("it cannot be set".to_owned())]);
    assert_eq!(why("ZMQ_ROUTER_MANDATORY"), [Some("it cannot be read".to_owned()), None]);

    // All other rows can be got and set as the table says.
    for row in OptionInfo::all().filter(|row| row.is_available()) {
        let Some(kind) = Kind::ALL.iter().copied().find(|kind| row.applies_to(*kind)) else { continue };
        let socket = context.socket(kind).unwrap();
        let [get, set] = errors(&socket, row.name);
        let by_method = ["ZMQ_FD", "ZMQ_USE_FD", "ZMQ_CONNECT_ROUTING_ID"].contains(&row.name);
        assert_eq!(get.is_none(), row.get && !by_method, "{}: {get:?}", row.name);
        let cannot = set.and_then(|error| error.detail().map(|why| why == "it cannot be set")).unwrap_or_default();
        assert_eq!(cannot, !row.set && !by_method, "{}", row.name);
    }
    assert_eq!(socket.option("type").unwrap(), OptionValue::Int(sys::ZMQ_ROUTER.into()));
    assert_eq!(socket.option("events").unwrap(), OptionValue::Int(0));
    assert_eq!(socket.option("last_endpoint").unwrap(), OptionValue::None);
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
    assert_eq!(socket.option("last_endpoint").unwrap(), endpoint.into());
}

#[deadline::test]
fn sockets_of_other_kinds_and_of_ended_contexts_refuse_options_by_name() {
    let context = Context::new().unwrap();
    let socket = context.socket(zmq::Push).unwrap();
    let [get, set] = errors(&socket.into_untyped(), "ZMQ_SUBSCRIBE").map(Option::unwrap);
    assert_eq!(get, set);
    assert!(set.to_string().ends_with("a ZMQ_PUSH socket has no such option"), "{set}");

    let socket = context.socket(zmq::Push).unwrap();
    context.shutdown().unwrap();
    assert_eq!(socket.set_option("sndhwm", 1).unwrap_err().errno(), Errno::ETERM);
    assert_eq!(socket.option("sndhwm").unwrap_err().errno(), Errno::ETERM);
    socket.set_option("linger", 0).unwrap();
}

#[deadline::test]
fn setters_convert_their_bytes_before_they_check_the_socket() {
    struct Ends<'a>(&'a Context);

    impl AsRef<[u8]> for Ends<'_> {
        fn as_ref(&self) -> &[u8] {
            self.0.shutdown().unwrap();
            b"id"
        }
    }

    let context = Context::new().unwrap();
    let socket = context.socket(zmq::Dealer).unwrap();
    let error = socket.set_routing_id(Ends(&context)).unwrap_err();
    assert_eq!(error.errno(), Errno::ETERM);
    assert_eq!(error, socket.set_routing_id("id").unwrap_err());
}

#[deadline::test]
fn context_options_are_set_and_read_by_name() {
    let context = Context::new().unwrap();
    context.set_option("ZMQ_IO_THREADS", 2).unwrap();
    context.set_option(sys::ZMQ_MAX_SOCKETS, "17").unwrap();
    context.set_option("max_msgsz", 1000).unwrap();
    context.set_option("ipv6", "on").unwrap();
    context.set_option("blocky", false).unwrap();
    context.set_option("thread_name_prefix", 7).unwrap();
    assert_eq!((context.io_threads(), context.max_sockets(), context.max_msgsz()), (2, 17, 1000));
    assert_eq!((context.ipv6(), context.blocky(), context.thread_name_prefix()), (true, false, 7));
    for (name, value) in [
        ("io_threads", OptionValue::Int(2)),
        ("max_sockets", 17.into()),
        ("socket_limit", 65535.into()),
        ("max_msgsz", 1000.into()),
        ("msg_t_size", 64.into()),
        ("thread_sched_policy", OptionValue::None),
        ("ipv6", true.into()),
        ("blocky", false.into()),
        ("thread_name_prefix", 7.into()),
    ] {
        assert_eq!(context.option(name).unwrap(), value, "{name}");
    }
    refused(context.set_option("msg_t_size", 64), "ZMQ_MSG_T_SIZE", "it cannot be set");
    refused(context.option("thread_priority").map(drop), "ZMQ_THREAD_PRIORITY", "it cannot be read");
    refused(
        context.set_option("thread_affinity_cpu_remove", 3),
        "ZMQ_THREAD_AFFINITY_CPU_REMOVE",
        context.remove_thread_affinity_cpu(3).unwrap_err().detail().unwrap(),
    );
    context.set_option("thread_affinity_cpu_add", 0).unwrap();
    context.set_option("thread_affinity_cpu_remove", 0).unwrap();
    context.set_option("thread_sched_policy", 0).unwrap();
    assert_eq!(context.option("thread_sched_policy").unwrap(), OptionValue::Int(0));
}

#[cfg(feature = "draft")]
#[deadline::test]
fn draft_options_are_set_and_read_by_name() {
    let context = Context::new().unwrap();
    context.set_option("zero_copy_recv", "no").unwrap();
    assert_eq!(context.option("zero_copy_recv").unwrap(), OptionValue::Bool(false));
    context.set_option("thread_name_prefix", "broker").unwrap();
    assert_eq!(context.option("thread_name_prefix").unwrap(), "broker".into());
    refused(context.set_option("thread_name_prefix", true), "ZMQ_THREAD_NAME_PREFIX", "true is not a number");

    let socket = context.socket(Kind::Dealer).unwrap();
    socket.set_option("metadata", "X-Version:7").unwrap();
    refused(
        socket.set_option("metadata", "X-Version"),
        "ZMQ_METADATA",
        r#""X-Version" is not a text such as X-name:value"#,
    );
    refused(socket.set_option("metadata", 7), "ZMQ_METADATA", "7 is not a text");
    socket.set_option("priority", 5).unwrap();
    assert_eq!(socket.option("priority").unwrap(), OptionValue::Int(5));
    socket.set_option("busy_poll", "50us").unwrap();
    socket.set_option("reconnect_stop", zmq::sockopt::ReconnectStop::CONN_REFUSED).unwrap();
    assert_eq!(socket.reconnect_stop().unwrap(), zmq::sockopt::ReconnectStop::CONN_REFUSED);

    // libzmq reads an int, whatever the length says, and a null pointer.
    let xsub = context.socket(Kind::XSub).unwrap();
    for value in [OptionValue::None, "".into(), b"".into()] {
        let error = xsub.set_option("xsub_verbose_unsubscribe", value).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_XSUB_VERBOSE_UNSUBSCRIBE"));
    }
    // libzmq has no answer for a read of this option.
    assert_eq!(socket.option("busy_poll").unwrap_err().errno(), Errno::EINVAL);
}

#[cfg(feature = "serde")]
#[deadline::test]
fn option_values_are_deserialized_from_each_json_type() {
    use std::collections::BTreeMap;

    let read = |json: &str| serde_json::from_str::<OptionValue>(json);
    for (json, value) in [
        ("true", OptionValue::Bool(true)),
        ("7", 7.into()),
        ("-1", OptionValue::Int(-1)),
        ("18446744073709551615", u64::MAX.into()),
        ("\"250ms\"", "250ms".into()),
        ("\"\\u0041\"", "A".into()),
        ("[0, 255]", (&[0, 255]).into()),
        ("[]", Vec::new().into()),
        ("null", OptionValue::None),
    ] {
        assert_eq!(read(json).unwrap(), value, "{json}");
    }
    for json in ["1.5", "{}", "[256]", "[\"a\"]"] {
        assert!(read(json).is_err(), "{json}");
    }
    assert!(read("1.5").unwrap_err().to_string().contains("expected a boolean, an integer, a text, bytes or nothing"));

    let file =
        r#"{"context": {"io_threads": 2, "blocky": false}, "socket": [["router_mandatory", true], ["linger", 0]]}"#;
    let mut file: BTreeMap<String, serde_json::Value> = serde_json::from_str(file).unwrap();
    let of_context: BTreeMap<String, OptionValue> = serde_json::from_value(file.remove("context").unwrap()).unwrap();
    let of_socket: Vec<(String, OptionValue)> = serde_json::from_value(file.remove("socket").unwrap()).unwrap();
    let context = Context::new().unwrap();
    of_context.into_iter().for_each(|(name, value)| context.set_option(&name, value).unwrap());
    assert_eq!((context.io_threads(), context.blocky()), (2, false));
    let socket = context.socket(zmq::Router).unwrap();
    of_socket.into_iter().for_each(|(name, value)| socket.set_option(&name, value).unwrap());
    assert_eq!(socket.linger().unwrap(), Some(Duration::ZERO));
}

#[deadline::test]
fn options_without_methods_are_set_and_read_by_name() {
    let context = Context::new().unwrap();
    let set = |name: &str, value: OptionValue, read: Option<OptionValue>| {
        let option = OptionInfo::find(name).unwrap();
        let socket = context.socket(Kind::Dealer).unwrap();
        let outcome = socket.set_option(name, value);
        if !option.is_available() {
            return assert_eq!(outcome.unwrap_err().errno(), Errno::EINVAL, "{name}");
        }
        outcome.unwrap();
        assert_eq!(read.is_some(), option.get, "{name}");
        if let Some(read) = read {
            assert_eq!(socket.option(name).unwrap(), read, "{name}");
            assert_ne!(context.socket(Kind::Dealer).unwrap().option(name).unwrap(), read, "{name}");
        }
    };
    set("ipv4only", false.into(), Some(false.into()));
    set("tcp_accept_filter", "127.0.0.1/8".into(), None);
    for name in ["ipc_filter_pid", "ipc_filter_uid", "ipc_filter_gid"] {
        set(name, 1.into(), None);
        set(name, OptionValue::None, None);
    }
    for name in ["vmci_buffer_size", "vmci_buffer_min_size", "vmci_buffer_max_size"] {
        set(name, 65536.into(), None);
    }
    set("vmci_connect_timeout", "3s".into(), None);
    #[cfg(feature = "draft")]
    {
        for name in ["wss_key_pem", "wss_cert_pem", "wss_trust_pem", "wss_hostname"] {
            set(name, "PEM".into(), None);
        }
        set("wss_trust_system", true.into(), None);
        for (name, value) in [
            ("norm_mode", sys::ZMQ_NORM_FIXED),
            ("norm_buffer_size", 1024),
            ("norm_segment_size", 1200),
            ("norm_block_size", 32),
            ("norm_num_parity", 8),
            ("norm_num_autoparity", 2),
        ] {
            set(name, value.into(), Some(value.into()));
        }
        set("norm_unicast_nack", true.into(), Some(true.into()));
        set("norm_push", true.into(), Some(true.into()));
    }
}
