//! The configuration that the linked libzmq was compiled with, checked on the running library. A build with less of libzmq's
//! configuration lacks these features silently.

#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use common::{DEADLINE, eventually, in_own_process, skip_unless};
use zmq::sockopt::OptionValue;
use zmq::{Context, Errno, Pull, Push, Rep, Req, Socket};

/// The open descriptors of this process, and their targets.
fn descriptors() -> BTreeMap<c_int, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        // The descriptor of this directory is left out.
        if let Ok(target) = fs::read_link(&path).map(|target| target.to_string_lossy().into_owned())
            && !target.starts_with("/proc/")
        {
            found.insert(path.file_name().unwrap().to_str().unwrap().parse().unwrap(), target);
        }
    }
    found
}

/// The descriptors that are open now and were not open before.
fn opened_since(before: &BTreeMap<c_int, String>) -> BTreeMap<c_int, String> {
    let mut now = descriptors();
    now.retain(|number, _| !before.contains_key(number));
    now
}

fn socket_option(fd: c_int, level: c_int, option: c_int) -> std::io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the system checks the number; the length is that of the value.
    let rc = unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &raw mut len) };
    if rc == 0 { Ok(value) } else { Err(std::io::Error::last_os_error()) }
}

/// The address family of a connected stream socket; `None` for every other descriptor.
fn connected_family(fd: c_int) -> Option<c_int> {
    // SAFETY: a zeroed sockaddr_storage is a valid one.
    let mut address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: the system checks the number; the length is that of the storage.
    let rc = unsafe { libc::getpeername(fd, (&raw mut address).cast(), &raw mut len) };
    (rc == 0 && socket_option(fd, libc::SOL_SOCKET, libc::SO_TYPE).is_ok_and(|kind| kind == libc::SOCK_STREAM))
        .then_some(c_int::from(address.ss_family))
}

/// The names of this process's threads, and the processors that they may run on.
fn threads() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/task").unwrap() {
        let task = entry.unwrap().path();
        let name = fs::read_to_string(task.join("comm")).unwrap_or_default().trim_end().to_owned();
        let status = fs::read_to_string(task.join("status")).unwrap_or_default();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        found.push((name, allowed.unwrap_or_default().trim().to_owned()));
    }
    found
}

/// One message from a PUSH to a PULL, after which both connections are complete.
fn deliver(push: &Socket<'_, Push>, pull: &Socket<'_, Pull>) {
    push.send("x").unwrap();
    assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "x");
}

#[deadline::test]
fn linked_libzmq_is_the_declared_one() {
    let (major, minor, patch) = zmq::version();
    assert_eq!(linked::VERSION_NUMBER, (major * 10_000 + minor * 100 + patch).to_string());
    let loaded = fs::read_to_string("/proc/self/maps").unwrap();
    let mut libraries: Vec<&str> = loaded
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|path| path.contains("libzmq"))
        .collect();
    libraries.dedup();
    if cfg!(zmq_vendored) {
        assert_eq!((major, minor, patch), (4, 3, 5));
        assert_eq!(libraries, [""; 0], "a second libzmq is in this process");
    } else {
        assert!(libraries.len() <= 1, "{libraries:?}");
    }
}

#[deadline::test]
fn linked_libzmq_has_the_declared_capabilities() {
    for (name, declared) in [
        ("ipc", cfg!(zmq_has = "ipc")),
        ("tipc", cfg!(zmq_has = "tipc")),
        ("curve", cfg!(zmq_has = "curve")),
        ("gssapi", cfg!(zmq_has = "gssapi")),
        ("pgm", cfg!(zmq_has = "pgm")),
        ("norm", cfg!(zmq_has = "norm")),
        ("vmci", cfg!(zmq_has = "vmci")),
        ("draft", cfg!(zmq_has = "draft")),
        ("WS", cfg!(zmq_has = "WS")),
        ("WSS", cfg!(zmq_has = "WSS")),
    ] {
        assert_eq!(zmq::has(name), declared, "{name}");
    }
    if skip_unless(cfg!(zmq_vendored), "the distributor of a system libzmq chooses its capabilities") {
        return;
    }
    assert!(zmq::has("ipc"));
    assert!(zmq::has("tipc"));
    assert!(zmq::has("WS"));
    assert_eq!(zmq::has("curve"), cfg!(feature = "curve"));
    assert_eq!(zmq::has("draft"), cfg!(feature = "draft"));
    assert_eq!(zmq::has("gssapi"), cfg!(feature = "gssapi"));
}

#[test]
fn signals_between_threads_are_eventfds() {
    in_own_process("signals_between_threads_are_eventfds", || {
        let before = descriptors();
        let context = Context::new().unwrap();
        let _socket = context.socket(Pull).unwrap();
        let opened = opened_since(&before);
        let count = |what: &str| opened.values().filter(|target| target.contains(what)).count();
        // One for the context's end, one for the reaper, one for the I/O thread, one for the socket.
        assert_eq!(count("eventfd"), 4, "{opened:?}");
        assert_eq!(count("eventpoll"), 2, "{opened:?}");
        assert_eq!(count("socket:"), 0, "{opened:?}");
    });
}

#[test]
fn keepalive_options_are_set_on_connections() {
    in_own_process("keepalive_options_are_set_on_connections", || {
        let context = Context::new().unwrap();
        let pull = context.socket(Pull).unwrap();
        let push = context.socket(Push).unwrap();
        let set = |idle: u64, interval: u64, count: u32, socket: &Socket<'_>| {
            socket.set_tcp_keepalive(Some(true)).unwrap();
            socket.set_tcp_keepalive_cnt(Some(count)).unwrap();
            socket.set_tcp_keepalive_idle(Some(Duration::from_secs(idle))).unwrap();
            socket.set_tcp_keepalive_intvl(Some(Duration::from_secs(interval))).unwrap();
        };
        let (pull, push) = (pull.into_untyped(), push.into_untyped());
        set(77, 11, 3, &pull);
        set(78, 12, 4, &push);
        push.connect(&pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        push.send("x").unwrap();
        assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "x");

        let mut found: Vec<[c_int; 4]> = Vec::new();
        for fd in descriptors().into_keys().filter(|&fd| connected_family(fd) == Some(libc::AF_INET)) {
            found.push([
                socket_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE).unwrap(),
                socket_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE).unwrap(),
                socket_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL).unwrap(),
                socket_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT).unwrap(),
            ]);
        }
        found.sort_unstable();
        assert_eq!(found, [[1, 77, 11, 3], [1, 78, 12, 4]]);
    });
}

#[test]
#[cfg(feature = "draft")]
fn priority_is_set_on_connections() {
    in_own_process("priority_is_set_on_connections", || {
        let context = Context::new().unwrap();
        let pull = context.socket(Pull).unwrap();
        let push = context.socket(Push).unwrap();
        push.set_priority(5).unwrap();
        push.connect(&pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        deliver(&push, &pull);
        let priorities = descriptors()
            .into_keys()
            .filter(|&fd| connected_family(fd) == Some(libc::AF_INET))
            .map(|fd| socket_option(fd, libc::SOL_SOCKET, libc::SO_PRIORITY).unwrap());
        assert_eq!(priorities.filter(|&priority| priority == 5).count(), 1);
    });
}

#[test]
fn threads_have_names() {
    in_own_process("threads_have_names", || {
        let plain = Context::new().unwrap();
        let numbered = Context::new().unwrap();
        numbered.set_thread_name_prefix(7).unwrap();
        numbered.set_io_threads(2).unwrap();
        let _sockets = (plain.socket(Pull).unwrap(), numbered.socket(Pull).unwrap());
        for name in ["ZMQbg/Reaper", "ZMQbg/IO/0", "7/ZMQbg/Reaper", "7/ZMQbg/IO/0", "7/ZMQbg/IO/1"] {
            eventually(name, || threads().iter().filter(|(found, _)| found == name).count() == 1);
        }
    });
}

#[test]
fn threads_run_on_the_processors_they_are_given() {
    in_own_process("threads_run_on_the_processors_they_are_given", || {
        // SAFETY: a zeroed cpu_set_t is the empty set.
        let mut allowed: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: 0 is the calling thread; the size is that of the set.
        assert_eq!(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut allowed) }, 0);
        let cpus: Vec<u32> = (0..libc::CPU_SETSIZE as u32)
            // SAFETY: the number is below CPU_SETSIZE.
            .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu as usize, &allowed) })
            .collect();
        if skip_unless(cpus.len() > 1, "this process may run on one processor only") {
            return;
        }
        for cpu in [cpus[0], cpus[cpus.len() - 1]] {
            let context = Context::new().unwrap();
            context.add_thread_affinity_cpu(cpu).unwrap();
            let socket = context.socket(Pull).unwrap();
            let on_it = || {
                threads().iter().filter(|(name, on)| name.starts_with("ZMQbg") && *on == cpu.to_string()).count() == 2
            };
            eventually("both threads are on their processor", on_it);
            drop(socket);
        }
    });
}

#[test]
fn every_descriptor_closes_on_exec() {
    in_own_process("every_descriptor_closes_on_exec", || {
        let before = descriptors();
        let context = Context::new().unwrap();
        context.set_io_threads(2).unwrap();
        let directory = tempdir("cloexec");
        let mut pairs = Vec::new();
        let mut endpoints = vec!["tcp://127.0.0.1:*".to_owned(), format!("ipc://{}/socket", directory.display())];
        endpoints.extend(zmq::has("WS").then(|| "ws://127.0.0.1:*".to_owned()));
        endpoints.push("ipc://*".to_owned());
        for endpoint in &endpoints {
            let (pull, push) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
            push.connect(&pull.bind(endpoint).unwrap()).unwrap();
            deliver(&push, &pull);
            pairs.push((pull, push));
        }
        zmq::interrupt::catch_signals(zmq::interrupt::TERMINATION).unwrap();

        let opened = opened_since(&before);
        // At least a listener and both ends of a connection for each.
        let sockets = opened.values().filter(|target| target.starts_with("socket:")).count();
        assert!(sockets >= 3 * endpoints.len(), "{opened:?}");
        for (fd, target) in &opened {
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
            let flags = c_int::from_str_radix(flags, 8).unwrap();
            assert!(flags & libc::O_CLOEXEC != 0, "{fd} ({target}) stays open in programs that are started");
        }
        drop(pairs);
        fs::remove_dir_all(directory).unwrap();
    });
}

#[deadline::test]
fn bind_accepts_the_name_of_a_network_interface() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    let endpoint = pull.bind("tcp://lo:*").unwrap();
    assert!(endpoint.starts_with("tcp://127."), "{endpoint}");
    let push = context.socket(Push).unwrap();
    push.connect(&endpoint).unwrap();
    deliver(&push, &pull);
}

#[deadline::test]
fn socket_is_tied_to_a_network_interface() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_bindtodevice(Some("lo")).unwrap();
    match pull.bind("tcp://127.0.0.1:*") {
        Ok(endpoint) => {
            let push = context.socket(Push).unwrap();
            push.set_bindtodevice(Some("lo")).unwrap();
            push.connect(&endpoint).unwrap();
            deliver(&push, &pull);
        }
        // Older systems require a privilege for this.
        Err(error) => assert_eq!(error.errno(), Errno::EPERM, "{error}"),
    }
}

/// Connects to an ipc endpoint without ZMTP. Returns whether the server greets, or closes the connection.
fn is_greeted(endpoint: &str) -> bool {
    let mut stream = UnixStream::connect(endpoint.strip_prefix("ipc://").unwrap()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(len) => len > 0,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
        Err(error) => panic!("{error}"),
    }
}

#[deadline::test]
fn ipc_filters_accept_peers_by_process_user_and_group() {
    // SAFETY: no preconditions.
    let uid = unsafe { libc::geteuid() };
    // SAFETY: no preconditions.
    let gid = unsafe { libc::getegid() };
    let pid = std::process::id();
    let context = Context::new().unwrap();
    for (filter, own) in [("ipc_filter_pid", pid), ("ipc_filter_uid", uid), ("ipc_filter_gid", gid)] {
        for (wanted, greeted) in [(own, true), (own + 1, false)] {
            let server = context.owned_socket(Rep).unwrap();
            server.set_option(filter, wanted).unwrap();
            assert_eq!(is_greeted(&server.bind("ipc://*").unwrap()), greeted, "{wanted}");
        }
        let server = context.owned_socket(Rep).unwrap();
        server.set_option(filter, own + 1).unwrap();
        server.set_option(filter, OptionValue::None).unwrap();
        assert!(is_greeted(&server.bind("ipc://*").unwrap()), "the filter was cleared");
    }
}

#[deadline::test]
fn temporary_ipc_endpoint_is_in_a_private_directory() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    let endpoint = pull.bind("ipc://*").unwrap();
    let path = Path::new(endpoint.strip_prefix("ipc://").unwrap()).to_owned();
    let directory = path.parent().unwrap().to_owned();
    let made = fs::metadata(&directory).unwrap();
    assert_eq!(made.permissions().mode() & 0o777, 0o700, "{endpoint}");
    // SAFETY: no preconditions.
    assert_eq!(made.uid(), unsafe { libc::geteuid() });
    let push = context.socket(Push).unwrap();
    push.connect(&endpoint).unwrap();
    deliver(&push, &pull);

    pull.unbind(&endpoint).unwrap();
    eventually("the directory is gone", || !directory.exists());
}

/// The number of reads of the wall clock. A libzmq that was compiled without a monotonic clock reads it for every time-out,
/// and its timers jump with it.
#[cfg(zmq_vendored)]
static WALL_CLOCK: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Replaces the C library's function in all code that is linked into this program, libzmq included.
#[cfg(zmq_vendored)]
// SAFETY: it has the type of the C function, and does the same.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(time: *mut libc::timeval, _zone: *mut libc::c_void) -> c_int {
    WALL_CLOCK.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    let now = libc::timeval { tv_sec: now.as_secs() as _, tv_usec: now.subsec_micros().into() };
    // SAFETY: the caller's pointer.
    unsafe { time.write(now) };
    0
}

#[test]
#[cfg(zmq_vendored)]
fn time_is_monotonic() {
    in_own_process("time_is_monotonic", || {
        let asked = || WALL_CLOCK.load(std::sync::atomic::Ordering::SeqCst);
        // OpenPGM and NORM read the wall clock when they are set up.
        let context = Context::new().unwrap();
        let before = asked();
        let mut now = libc::timeval { tv_sec: 0, tv_usec: 0 };
        // SAFETY: a valid pointer, and null for the time zone.
        unsafe { libc::gettimeofday(&raw mut now, std::ptr::null_mut()) };
        assert!(now.tv_sec > 0);
        assert_eq!(asked(), before + 1);

        let archive = fs::read(Path::new(linked::LIB).join("libzmq.a")).unwrap();
        let names = |symbol: &[u8]| archive.windows(symbol.len()).any(|window| window == symbol);
        assert!(names(b"\0zmq_msg_send\0"), "the archive is not libzmq's");
        assert!(names(b"\0clock_gettime\0"));

        // Time-outs of calls, and timers of connections.
        let pull = context.socket(Pull).unwrap();
        let push = context.socket(Push).unwrap();
        push.set_heartbeat_ivl(Some(Duration::from_millis(5))).unwrap();
        push.connect(&pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        deliver(&push, &pull);
        assert!(pull.within(Duration::from_millis(50)).recv_msg().unwrap().is_none());
        let mut items = [zmq::PollItem::socket(&pull, zmq::PollEvents::POLLIN)];
        assert_eq!(zmq::poll(&mut items, Duration::from_millis(50)).unwrap(), 0);
        assert_eq!(asked(), before + 1, "libzmq reads the wall clock");
    });
}

#[deadline::test]
fn round_trip_works_over_every_transport() {
    let context = Context::new().unwrap();
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*", "ws://127.0.0.1:*"] {
        if endpoint.starts_with("ws") && skip_unless(zmq::has("WS"), "this libzmq has no WebSockets") {
            continue;
        }
        let server = context.owned_socket(Rep).unwrap();
        let client = context.socket(Req).unwrap();
        client.connect(&server.bind(endpoint).unwrap()).unwrap();
        client.send("Hello").unwrap();
        assert_eq!(server.within(DEADLINE).recv_msg().unwrap().unwrap(), "Hello", "{endpoint}");
        server.send("World").unwrap();
        assert_eq!(client.within(DEADLINE).recv_msg().unwrap().unwrap(), "World", "{endpoint}");
    }
}

fn tempdir(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("zmq-{name}-{}", std::process::id()));
    fs::create_dir(&path).unwrap();
    path
}
