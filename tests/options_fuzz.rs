//! Extreme and contradictory option values, each in its own process. libzmq aborts the process if a value breaks an assertion,
//! and safe code must not be able to set such a value.

#[path = "options_fuzz/combinations.rs"]
mod combinations;
mod common;

use std::os::unix::process::ExitStatusExt;
use std::sync::Mutex;
use std::time::Duration;

use combinations::COMBINATIONS;
#[cfg(feature = "draft")]
use combinations::DRAFT_COMBINATIONS;
use common::Process;
use zmq::sockopt::OptionValue;
use zmq::{Kind, Socket};

/// The environment variable that names the attack to the child.
const ATTACK: &str = "ZMQ_TEST_ATTACK";

/// The name of an attack, and the function that the child runs. The function may get any error, and must not abort.
type Attack = (&'static str, fn());

/// The time-out for a message that may never arrive.
const RECV_TIMEOUT: Duration = Duration::from_millis(100);
/// The longest time that an option in milliseconds takes.
const AGES: Duration = Duration::from_millis(i32::MAX as u64);
const MOST: u32 = i32::MAX as u32;

/// Sets a value on both ends of a connection over each transport, and sends a message each way.
fn exchange(kinds: (Kind, Kind), set: &dyn Fn(&Socket<'_>) -> zmq::Result<()>) {
    let context = common::context();
    let directory = std::env::temp_dir().join(format!("options-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let endpoints =
        ["tcp://127.0.0.1:*".to_owned(), format!("ipc://{}/s", directory.display()), "inproc://s".to_owned()];
    for endpoint in endpoints {
        println!("{endpoint}");
        let (server, client) = (context.socket(kinds.0).unwrap(), context.socket(kinds.1).unwrap());
        for socket in [&server, &client] {
            if let Err(error) = set(socket) {
                println!("refused: {error}");
            }
        }
        let Ok(bound) = server.bind(&endpoint) else { continue };
        if client.connect(&bound).is_err() {
            continue;
        }
        for (from, to) in [(&client, &server), (&server, &client)] {
            let _ = from.within(RECV_TIMEOUT).send("message");
            let _ = to.within(RECV_TIMEOUT).recv_msg();
        }
        let _ = server.unbind(&bound);
        let _ = client.disconnect(&bound);
    }
    let _ = std::fs::remove_dir_all(&directory);
}

/// Tries values one after the other on sockets that talk both ways.
macro_rules! extremes {
    ($($name:ident: $($value:expr),+;)*) => {
        &[$((stringify!($name), || {
            $({
                println!("{}({})", stringify!($name), stringify!($value));
                exchange((Kind::Dealer, Kind::Dealer), &|socket| socket.$name($value));
            })+
        })),*]
    };
}

const EXTREMES: &[Attack] = extremes! {
    set_affinity: 0, 1, 2, u64::MAX;
    set_routing_id: [0xff; 255], [0], [0; 5], [0; 255];
    set_rate: 1, MOST / 1000, MOST;
    set_recovery_ivl: Duration::ZERO, AGES;
    set_sndbuf: Some(0), Some(1), Some(MOST);
    set_rcvbuf: Some(0), Some(1), Some(MOST);
    set_linger: None, Some(Duration::ZERO), Some(AGES);
    set_reconnect_ivl: None, Some(Duration::ZERO), Some(Duration::from_millis(1)), Some(AGES);
    set_reconnect_ivl_max: Some(Duration::from_millis(1)), Some(AGES);
    set_backlog: 0, 1, MOST;
    set_maxmsgsize: Some(0), Some(1), Some(i64::MAX as u64);
    set_sndhwm: 0, 1, MOST / 2, MOST;
    set_rcvhwm: 0, 1, MOST / 2, MOST;
    set_multicast_hops: 1, MOST;
    set_multicast_maxtpdu: 1, MOST;
    set_rcvtimeo: Some(Duration::ZERO), Some(AGES);
    set_sndtimeo: Some(Duration::ZERO), Some(AGES);
    set_tcp_keepalive: Some(true), Some(false);
    set_immediate: true;
    set_ipv6: true;
    set_plain_server: true;
    set_plain_username: "u".repeat(255).as_str();
    set_plain_password: "p".repeat(255).as_str();
    set_zap_domain: &"d".repeat(255);
    set_tos: 0, 1, 0x28, 0xe0, 255;
    set_handshake_ivl: None, Some(Duration::from_millis(1)), Some(AGES);
    set_socks_proxy: Some("x"), Some(":"), Some("127.0.0.1:0"), Some("127.0.0.1:99999"), Some("[::1]:9"), Some("tcp://;"),
        "x".repeat(4096).as_str();
    set_heartbeat_ivl: Some(Duration::from_millis(1)), Some(AGES);
    set_heartbeat_ttl: Duration::from_millis(1), Duration::from_millis(65_500);
    set_heartbeat_timeout: Some(Duration::ZERO), Some(Duration::from_millis(1)), Some(AGES);
    set_connect_timeout: Some(Duration::from_millis(1)), Some(AGES);
    set_tcp_maxrt: Some(Duration::from_millis(1)), Some(AGES);
    set_bindtodevice: Some("lo"), Some("nosuchdevice0"), Some("x"), "x".repeat(15).as_str();
    set_conflate: true;
    set_probe_router: true;
    set_gssapi_server: true;
    set_gssapi_plaintext: true;
};

#[cfg(feature = "draft")]
const DRAFT_EXTREMES: &[Attack] = extremes! {
    set_zap_enforce_domain: true;
    set_loopback_fastpath: true;
    set_multicast_loop: false;
    set_socks_username: "u".repeat(255).as_str();
    set_socks_password: "p".repeat(255).as_str();
    set_in_batch_size: 1, 8, 9, 63, 64, 65, 1 << 26, MOST;
    set_out_batch_size: 1, 2, 9, 1 << 26, MOST;
    set_busy_poll: Some(Duration::from_micros(1)), Some(Duration::from_micros(i32::MAX as u64));
    set_reconnect_stop: zmq::sockopt::ReconnectStop::CONN_REFUSED | zmq::sockopt::ReconnectStop::HANDSHAKE_FAILED
        | zmq::sockopt::ReconnectStop::AFTER_DISCONNECT;
    set_priority: 0, 6, 7, MOST, u32::MAX;
    set_hello_msg: [0; 1], vec![1; 1 << 20];
    set_hiccup_msg: [0; 1], vec![1; 1 << 20];
};

/// Options that are set by name only: each with each value.
const BY_NAME: Attack = ("set_option", || {
    let values = [
        OptionValue::None,
        true.into(),
        0.into(),
        1.into(),
        u32::MAX.into(),
        u64::MAX.into(),
        "0.0.0.0/0".into(),
        "127.0.0.1/32".into(),
        "::/0".into(),
        "127.0.0.1/1".into(),
        "no key".into(),
    ];
    for option in zmq::sockopt::OptionInfo::all().filter(|option| common::has_no_method(option)) {
        for value in &values {
            println!("{} {value:?}", option.name);
            exchange((Kind::Dealer, Kind::Dealer), &|socket| socket.set_option(option.name, value.clone()));
        }
    }
});

/// Values that are dangerous together, or in one order.
fn attacks() -> Vec<Attack> {
    let all: &[&[Attack]] = &[
        EXTREMES,
        COMBINATIONS,
        &[BY_NAME],
        #[cfg(feature = "draft")]
        DRAFT_EXTREMES,
        #[cfg(feature = "draft")]
        DRAFT_COMBINATIONS,
    ];
    all.concat()
}

/// The attack of `child_that_aborts_is_reported`.
const SUICIDE: Attack = ("suicide", || std::process::abort());

/// Runs the attack that the environment of a child names. In the suite itself it runs nothing.
#[test]
fn child() {
    let Ok(name) = std::env::var(ATTACK) else { return };
    let attack = attacks().into_iter().chain([SUICIDE]).find(|attack| attack.0 == name).unwrap();
    attack.1();
    println!("survived");
}

/// Runs an attack in a child. Returns the end of its output if the child died.
fn death_of(name: &str) -> Option<String> {
    let mut command = common::this_program();
    command.args(["--exact", "child", "--nocapture"]).env(ATTACK, name);
    let mut process = Process::spawn(&mut command);
    let lines = process.rest();
    let status = process.wait();
    if status.success() && lines.iter().any(|line| line.contains("survived")) {
        return None;
    }
    let last = &lines[lines.len().saturating_sub(8)..];
    Some(format!("{name}: {status}, signal {:?}: {last:?}", status.signal()))
}

#[test]
fn accepted_option_values_do_not_abort_the_process() {
    let attacks = Mutex::new(attacks());
    let dead = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((name, _)) = attacks.lock().unwrap().pop() else { return };
                    dead.lock().unwrap().extend(death_of(name));
                }
            });
        }
    });
    let dead = dead.into_inner().unwrap();
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn child_that_aborts_is_reported() {
    let death = death_of(SUICIDE.0).expect("the child died");
    assert!(death.contains(&format!("signal {:?}", Some(libc::SIGABRT))), "{death}");
}
