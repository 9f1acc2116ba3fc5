//! Compares the table of macros with the list of their names, and with what each platform is known to have.

use crate::macros::{Config, MACROS, platform_hpp};
use crate::probe::Probe;
use crate::target::{Os, Target};
use std::collections::BTreeSet;

/// Targets of each kind: operating system, environment, architecture, vendor.
pub(crate) const TARGETS: &[(Os, &str, &str, &str)] = &[
    (Os::Linux, "gnu", "x86_64", "unknown"),
    (Os::Linux, "musl", "aarch64", "unknown"),
    (Os::Android, "", "aarch64", "unknown"),
    (Os::Apple, "", "aarch64", "apple"),
    (Os::Apple, "", "x86_64", "apple"),
    (Os::FreeBsd, "", "x86_64", "unknown"),
    (Os::DragonFly, "", "x86_64", "unknown"),
    (Os::NetBsd, "", "x86_64", "unknown"),
    (Os::OpenBsd, "", "x86_64", "unknown"),
    (Os::Solaris, "", "sparcv9", "sun"),
    (Os::Illumos, "", "x86_64", "unknown"),
    (Os::Windows, "msvc", "x86_64", "pc"),
    (Os::Windows, "msvc", "x86_64", "uwp"),
    (Os::Windows, "gnu", "x86_64", "pc"),
];

/// A configuration without optional features. All its probes have the same answer.
pub(crate) fn config(&(os, env, arch, vendor): &(Os, &str, &str, &str), answer: bool) -> Config {
    let target = Target { triple: String::new(), os, env: env.into(), arch: arch.into(), vendor: vendor.into() };
    let probe = Box::new(move |_: Probe| answer);
    Config { target, draft: false, curve: false, gssapi: false, pgm: false, norm: false, vmci: false, probe }
}

fn defined(config: &Config) -> BTreeSet<&'static str> {
    MACROS.iter().filter(|row| row.decide(config).is_some()).map(|row| row.name).collect()
}

fn value(config: &Config, name: &str) -> Option<String> {
    MACROS.iter().find(|row| row.name == name).and_then(|row| row.decide(config))
}

/// Fails unless the target has all of `on` and none of `off`.
#[track_caller]
fn check(target: (Os, &str, &str, &str), answer: bool, on: &[&str], off: &[&str]) {
    let config = config(&target, answer);
    for name in on {
        assert!(value(&config, name).is_some(), "{name} must be defined for {target:?}");
    }
    for name in off {
        assert!(value(&config, name).is_none(), "{name} must not be defined for {target:?}");
    }
}

#[test]
fn every_macro_has_one_decision_and_a_reason() {
    let listed: BTreeSet<_> = include_str!("../macro-names.txt").lines().collect();
    let decided: BTreeSet<_> = MACROS.iter().map(|row| row.name).collect();
    assert_eq!(decided.len(), MACROS.len(), "a macro is in the table twice");
    assert_eq!(decided, listed);
    for row in MACROS {
        assert!(!row.why.is_empty(), "{} lacks a reason", row.name);
    }
}

#[test]
fn target_has_exactly_one_of_each_alternative() {
    for target in TARGETS {
        for answer in [false, true] {
            let config = config(target, answer);
            let defined = defined(&config);
            for prefix in ["ZMQ_USE_CV_IMPL_", "ZMQ_POLL_BASED_ON_"] {
                let count = defined.iter().filter(|name| name.starts_with(prefix)).count();
                assert_eq!(count, 1, "{prefix} for {target:?}");
            }
            let pollers = defined.iter().filter(|name| {
                name.starts_with("ZMQ_IOTHREAD_POLLER_USE_") && **name != "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC"
            });
            assert_eq!(pollers.count(), 1, "pollers for {target:?}");
            let names = defined.iter().filter(|name| name.starts_with("ZMQ_HAVE_PTHREAD_SET") && name.contains("NAME"));
            assert_eq!(names.count(), usize::from(target.0 != Os::Windows), "thread names for {target:?}");
        }
    }
}

#[test]
fn linux_defines_what_upstreams_cmake_finds() {
    // The macros that upstream's CMake defines and zeromq-src's recipe does not.
    let upstream = [
        "HAVE_ACCEPT4",
        "HAVE_CLOCK_GETTIME",
        "HAVE_FORK",
        "HAVE_IF_NAMETOINDEX",
        "HAVE_MKDTEMP",
        "HAVE_POSIX_MEMALIGN",
        "ZMQ_CACHELINE_SIZE",
        "ZMQ_HAVE_BUSY_POLL",
        "ZMQ_HAVE_EVENTFD",
        "ZMQ_HAVE_EVENTFD_CLOEXEC",
        "ZMQ_HAVE_IFADDRS",
        "ZMQ_HAVE_NOEXCEPT",
        "ZMQ_HAVE_PPOLL",
        "ZMQ_HAVE_PTHREAD_SETNAME_2",
        "ZMQ_HAVE_PTHREAD_SET_AFFINITY",
        "ZMQ_HAVE_SOCK_CLOEXEC",
        "ZMQ_HAVE_SO_KEEPALIVE",
        "ZMQ_HAVE_SO_PEERCRED",
        "ZMQ_HAVE_TCP_KEEPCNT",
        "ZMQ_HAVE_TCP_KEEPIDLE",
        "ZMQ_HAVE_TCP_KEEPINTVL",
        "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
    ];
    for target in [TARGETS[0], TARGETS[1]] {
        check(target, false, &upstream, &["ZMQ_HAVE_TIPC", "ZMQ_HAVE_ANDROID", "ZMQ_HAVE_LOCAL_PEERCRED"]);
        let more =
            ["ZMQ_HAVE_SO_BINDTODEVICE", "ZMQ_HAVE_SO_PRIORITY", "ZMQ_HAVE_WS", "ZMQ_HAVE_IPC", "ZMQ_HAVE_LINUX"];
        check(target, true, &more, &["ZMQ_USE_RADIX_TREE", "ZMQ_BUILD_DRAFT_API", "ZMQ_HAVE_CURVE"]);
        check(target, true, &["ZMQ_HAVE_TIPC"], &[]);
    }
}

#[test]
fn android_differs_from_linux_if_its_c_library_does() {
    let on = ["ZMQ_HAVE_LINUX", "ZMQ_HAVE_ANDROID", "ZMQ_HAVE_EVENTFD", "HAVE_ACCEPT4"];
    check(TARGETS[2], false, &on, &["ZMQ_HAVE_IFADDRS", "ZMQ_HAVE_PTHREAD_SET_AFFINITY"]);
    check(TARGETS[2], true, &["ZMQ_HAVE_IFADDRS"], &[]);
}

#[test]
fn apple_defines_its_own_macros() {
    let on = [
        "ZMQ_IOTHREAD_POLLER_USE_KQUEUE",
        "ZMQ_HAVE_LOCAL_PEERCRED",
        "ZMQ_HAVE_OSX",
        "ZMQ_HAVE_PTHREAD_SETNAME_1",
        "ZMQ_HAVE_TCP_KEEPALIVE",
        "HAVE_CLOCK_GETTIME",
    ];
    let off =
        ["HAVE_ACCEPT4", "ZMQ_HAVE_EVENTFD", "ZMQ_HAVE_SOCK_CLOEXEC", "ZMQ_HAVE_SO_PEERCRED", "ZMQ_HAVE_TCP_KEEPIDLE"];
    check(TARGETS[3], true, &on, &off);
    assert_eq!(value(&config(&TARGETS[3], true), "ZMQ_CACHELINE_SIZE").as_deref(), Some("128"));
    assert_eq!(value(&config(&TARGETS[4], true), "ZMQ_CACHELINE_SIZE").as_deref(), Some("64"));
}

#[test]
fn each_bsd_defines_its_own_macros() {
    let kqueue = "ZMQ_IOTHREAD_POLLER_USE_KQUEUE";
    check(TARGETS[5], false, &[kqueue, "ZMQ_HAVE_PTHREAD_SET_NAME", "ZMQ_HAVE_LOCAL_PEERCRED"], &["ZMQ_HAVE_EVENTFD"]);
    check(TARGETS[6], false, &[kqueue, "ZMQ_HAVE_FREEBSD", "ZMQ_HAVE_DRAGONFLY"], &["ZMQ_HAVE_LOCAL_PEERCRED"]);
    check(TARGETS[7], false, &[kqueue, "ZMQ_HAVE_PTHREAD_SETNAME_3"], &["HAVE_ACCEPT4", "ZMQ_HAVE_SO_PEERCRED"]);
    check(TARGETS[8], false, &[kqueue, "ZMQ_HAVE_SO_PEERCRED"], &["ZMQ_HAVE_TCP_KEEPCNT", "ZMQ_HAVE_TCP_KEEPIDLE"]);
}

#[test]
fn windows_defines_no_macros_of_unix() {
    let off =
        ["HAVE_FORK", "HAVE_POSIX_MEMALIGN", "HAVE_MKDTEMP", "ZMQ_HAVE_UIO", "ZMQ_HAVE_STRLCPY", "ZMQ_HAVE_PPOLL"];
    let on = ["ZMQ_HAVE_WINDOWS", "_WIN32_WINNT", "FD_SETSIZE", "HAVE_STRNLEN", "ZMQ_STATIC"];
    for target in &TARGETS[11..] {
        check(*target, true, &on, &off);
    }
    check(TARGETS[11], true, &["ZMQ_HAVE_IPC", "ZMQ_IOTHREAD_POLLER_USE_EPOLL"], &["ZMQ_HAVE_MINGW32"]);
    check(TARGETS[11], false, &[], &["ZMQ_HAVE_IPC", "ZMQ_HAVE_STRUCT_SOCKADDR_UN"]);
    check(TARGETS[12], true, &["ZMQ_HAVE_WINDOWS_UWP", "ZMQ_IOTHREAD_POLLER_USE_SELECT"], &["ZMQ_HAVE_IPC"]);
    check(TARGETS[13], true, &["ZMQ_HAVE_MINGW32", "ZMQ_IOTHREAD_POLLER_USE_EPOLL"], &["ZMQ_HAVE_IPC"]);
}

#[test]
fn features_define_their_macros() {
    let mut config = config(&TARGETS[0], true);
    let without = defined(&config);
    config.draft = true;
    config.curve = true;
    config.gssapi = true;
    config.pgm = true;
    config.norm = true;
    config.vmci = true;
    let with = defined(&config);
    let added: Vec<_> = with.difference(&without).copied().collect();
    assert_eq!(
        added,
        [
            "HAVE_GSSAPI_GSSAPI_GENERIC_H",
            "HAVE_LIBGSSAPI_KRB5",
            "ZMQ_BUILD_DRAFT_API",
            "ZMQ_HAVE_CURVE",
            "ZMQ_HAVE_NORM",
            "ZMQ_HAVE_OPENPGM",
            "ZMQ_HAVE_VMCI",
            "ZMQ_USE_LIBSODIUM",
            "ZMQ_USE_RADIX_TREE",
        ]
    );
}

#[test]
fn platform_hpp_has_a_strlcpy_if_the_c_library_has_none() {
    let brings_its_own = |config: &Config| platform_hpp(config).contains("strlcpy (char *dest_");
    assert!(brings_its_own(&config(&TARGETS[0], false)));
    for (target, answer) in [(0, true), (1, false), (2, false), (3, false), (5, false), (11, false)] {
        assert!(!brings_its_own(&config(&TARGETS[target], answer)), "{:?}", TARGETS[target]);
    }
}

/// libzmq's own `strlcpy` leaves the string without its NUL.
#[cfg(unix)]
#[test]
fn strlcpy_ends_the_string() {
    use std::process::Command;
    use std::{env, fs, process};

    let program = env::temp_dir().join(format!("libzmq-vendor-strlcpy-{}", process::id()));
    let source = program.with_extension("cpp");
    let text = format!(
        "{}\nint main () {{\n    char d[4] = {{'x', 'x', 'x', 'x'}};\n    \
         if (strlcpy (d, \"ab\", sizeof d) != 2 || strcmp (d, \"ab\") != 0) return 1;\n    \
         if (strlcpy (d, \"abcdef\", sizeof d) != 6 || strcmp (d, \"abc\") != 0) return 2;\n    \
         if (strlcpy (d, \"z\", 0) != 1 || strcmp (d, \"abc\") != 0) return 3;\n    return 0;\n}}\n",
        // The C library may have a `strlcpy` with another linkage.
        crate::macros::STRLCPY.replace("static inline size_t strlcpy", "#define strlcpy own\nstatic inline size_t own")
    );
    fs::write(&source, text).unwrap();
    let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let compiled = Command::new(compiler).arg(&source).arg("-o").arg(&program).status().unwrap();
    let ran = compiled.success().then(|| Command::new(&program).status().unwrap());
    fs::remove_file(source).unwrap();
    let _ = fs::remove_file(&program);
    assert_eq!(ran.and_then(|status| status.code()), Some(0));
}

/// The test runs in an environment in which neither pkg-config nor the compiler finds anything.
#[test]
fn missing_library_is_named_with_its_package() {
    use crate::system::System;
    use std::process::{self, Command};
    use std::{env, fs};

    const ROLE: &str = "LIBZMQ_VENDOR_TEST_ROLE";
    let directory = env::temp_dir().join(format!("libzmq-vendor-missing-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    if env::var_os(ROLE).is_none() {
        let mut alone = Command::new(env::current_exe().unwrap());
        alone.args(["--exact", "tests::missing_library_is_named_with_its_package", "--nocapture"]);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().contains("PKG")) {
            alone.env_remove(name);
        }
        alone.env_remove("VMCI_INCLUDE_DIRS").env("PKG_CONFIG_LIBDIR", &directory).env(ROLE, "alone");
        let output = alone.output().unwrap();
        fs::remove_dir_all(&directory).unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && printed.contains("1 passed"), "{output:?}");
        return;
    }

    let mut compiler = cc::Build::new();
    compiler.compiler(directory.join("no-compiler"));
    let failures = [
        ("gssapi", "apt-get install libkrb5-dev", System::gssapi()),
        ("pgm", "apt-get install libpgm-dev", System::pgm()),
        ("norm", "apt-get install libnorm-dev", System::norm(&compiler, &directory)),
        ("vmci", "vmci_sockets.h", System::vmci(&compiler, &directory)),
    ];
    fs::remove_dir_all(&directory).unwrap();
    for (feature, source, outcome) in failures {
        let text = outcome.unwrap_err().to_string();
        assert!(text.starts_with(&format!("the {feature} feature needs ")) && text.contains(source), "{text}");
    }
}
