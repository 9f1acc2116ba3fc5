//! The table of every macro that libzmq 4.3.5 or its build knows: whether it is defined, and why.
//!
//! A test compares it with `macro-names.txt`, so no macro is forgotten when a new libzmq is taken.

use crate::probe::Probe;
use crate::target::{Os, Target};

/// The input of the decisions.
pub struct Config {
    pub target: Target,
    pub draft: bool,
    pub curve: bool,
    pub gssapi: bool,
    pub pgm: bool,
    pub norm: bool,
    pub vmci: bool,
    /// Asks the target's headers.
    pub probe: Box<dyn Fn(Probe) -> bool>,
}

/// How a macro reaches the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Through `platform.hpp`, as with upstream's CMake.
    Platform,
    /// On the command line: read by the system's headers or by `zmq.h`.
    Flag,
}
use Place::{Flag, Platform};

/// The decision about a macro.
pub enum Rule {
    Always,
    Never,
    When(fn(&Config) -> bool),
    Value(fn(&Config) -> Option<String>),
}
use Rule::{Always, Never, Value, When};

/// A row of the table.
pub struct Macro {
    pub name: &'static str,
    pub place: Place,
    pub rule: Rule,
    pub why: &'static str,
}

impl Macro {
    /// The value of the macro, if it must be defined.
    pub fn decide(&self, config: &Config) -> Option<String> {
        match self.rule {
            Always => Some("1".to_owned()),
            Never => None,
            When(condition) => condition(config).then(|| "1".to_owned()),
            Value(value) => value(config),
        }
    }
}

impl Config {
    fn os(&self) -> Os {
        self.target.os
    }

    fn any(&self, systems: &[Os]) -> bool {
        systems.contains(&self.target.os)
    }

    fn unix(&self) -> bool {
        self.os() != Os::Windows
    }

    fn windows(&self) -> bool {
        self.os() == Os::Windows
    }

    /// The Linux kernel, with whatever C library.
    fn linux(&self) -> bool {
        self.any(&[Os::Linux, Os::Android])
    }

    fn bsd(&self) -> bool {
        self.any(&[Os::FreeBsd, Os::DragonFly, Os::NetBsd, Os::OpenBsd])
    }

    fn solaris(&self) -> bool {
        self.any(&[Os::Solaris, Os::Illumos])
    }

    /// On Windows only with Microsoft's compiler: libzmq's ipc does not compile with another.
    fn ipc(&self) -> bool {
        self.unix() || self.target.is_msvc() && !self.target.is_uwp() && (self.probe)(Probe::Afunix)
    }

    fn eventfd(&self) -> bool {
        self.linux() || self.any(&[Os::FreeBsd, Os::NetBsd, Os::Illumos]) && (self.probe)(Probe::Eventfd)
    }

    fn accept4(&self) -> bool {
        match self.os() {
            Os::NetBsd => (self.probe)(Probe::Accept4),
            Os::Apple | Os::Windows => false,
            _ => true,
        }
    }

    fn local_peercred(&self) -> bool {
        self.any(&[Os::Apple, Os::FreeBsd]) || self.os() == Os::DragonFly && (self.probe)(Probe::LocalPeercred)
    }

    fn windows_version(&self) -> Option<String> {
        let version = if self.target.vendor == "win7" { "0x0601" } else { "0x0A00" };
        self.windows().then(|| version.to_owned())
    }

    fn epoll(&self) -> bool {
        self.linux() || self.windows() && !self.target.is_uwp()
    }

    fn select(&self) -> bool {
        self.target.is_uwp()
    }

    /// Whether the C library has `strlcpy`. If not, `platform.hpp` defines one.
    pub fn strlcpy(&self) -> bool {
        match self.os() {
            Os::Linux => self.target.env == "musl" || (self.probe)(Probe::Strlcpy),
            Os::Windows => false,
            _ => true,
        }
    }
}

const fn platform(name: &'static str, rule: Rule, why: &'static str) -> Macro {
    Macro { name, place: Platform, rule, why }
}

const fn flag(name: &'static str, rule: Rule, why: &'static str) -> Macro {
    Macro { name, place: Flag, rule, why }
}

/// Every macro, in groups.
#[rustfmt::skip]
pub const MACROS: &[Macro] = &[
    // Threads and atomics.
    platform("ZMQ_USE_CV_IMPL_STL11", Always, "C++11 is always there, and upstream prefers it"),
    platform("ZMQ_USE_CV_IMPL_WIN32API", Never, "the C++11 one is used"),
    platform("ZMQ_USE_CV_IMPL_PTHREADS", Never, "the C++11 one is used"),
    platform("ZMQ_USE_CV_IMPL_NONE", Never, "thread-safe sockets would abort"),
    platform("ZMQ_USE_CV_IMPL_VXWORKS", Never, "not a target"),
    platform("ZMQ_FORCE_MUTEXES", Never, "C++11 has atomics on every target"),
    platform("ZMQ_HAVE_ATOMIC_INTRINSICS", Never, "C++11's atomics serve, as upstream's default has it"),
    platform("ZMQ_HAVE_NOEXCEPT", Always, "C++11 has it"),
    platform("ZMQ_HAVE_PTHREAD_SETNAME_1", When(|c| c.os() == Os::Apple), "names the calling thread only"),
    platform("ZMQ_HAVE_PTHREAD_SETNAME_2", When(|c| c.linux() || c.solaris()),
        "glibc, musl and bionic; Solaris 11.4, illumos"),
    platform("ZMQ_HAVE_PTHREAD_SETNAME_3", When(|c| c.os() == Os::NetBsd), "NetBSD's takes a format"),
    platform("ZMQ_HAVE_PTHREAD_SET_NAME", When(|c| c.any(&[Os::FreeBsd, Os::DragonFly, Os::OpenBsd])),
        "in pthread_np.h, which platform.hpp includes: upstream's probe forgets it"),
    platform("ZMQ_HAVE_PTHREAD_SET_AFFINITY", When(|c| c.os() == Os::Linux),
        "bionic lacks it, and elsewhere cpu_set_t is another type"),

    // Polling.
    platform("ZMQ_IOTHREAD_POLLER_USE_KQUEUE", When(|c| c.bsd() || c.os() == Os::Apple), "the native one"),
    platform("ZMQ_IOTHREAD_POLLER_USE_EPOLL", When(Config::epoll),
        "the native one; on Windows the wepoll that libzmq brings, as ipc needs"),
    platform("ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC", When(Config::linux),
        "else the descriptor leaks into executed children"),
    platform("ZMQ_IOTHREAD_POLLER_USE_DEVPOLL", When(Config::solaris), "the native one"),
    platform("ZMQ_IOTHREAD_POLLER_USE_POLLSET", Never, "AIX is not a target"),
    platform("ZMQ_IOTHREAD_POLLER_USE_POLL", Never, "every target has a better one"),
    platform("ZMQ_IOTHREAD_POLLER_USE_SELECT", When(Config::select), "wepoll uses what the app store forbids"),
    platform("ZMQ_POLL_BASED_ON_POLL", When(|c| !c.select()), "no limit on descriptor numbers"),
    platform("ZMQ_POLL_BASED_ON_SELECT", When(Config::select), "follows the poller of the I/O threads"),
    platform("ZMQ_HAVE_PPOLL", When(Config::unix), "zmq_ppoll is built on pselect, which POSIX has"),
    platform("ZMQ_NETBSD_KEVENT_UDATA_INTPTR_T", When(|c| c.os() == Os::NetBsd && (c.probe)(Probe::KeventIntegerUdata)),
        "NetBSD before 10"),
    platform("ZMQ_HAVE_POLLER", Never, "zmq_draft.h decides"),
    flag("FD_SETSIZE", Value(|c| c.windows().then(|| "16384".to_owned())),
        "Windows selects no more than 64 by default"),

    // Memory.
    platform("HAVE_POSIX_MEMALIGN", When(Config::unix), "keeps queue chunks apart in the cache"),
    platform("ZMQ_CACHELINE_SIZE", Value(|c| Some(c.target.cache_line().to_string())),
        "of the target, where upstream asks the host"),

    // The C library.
    platform("HAVE_FORK", When(Config::unix), "without it, a forked child that ends its context aborts the parent"),
    platform("HAVE_CLOCK_GETTIME", When(Config::unix), "else timeouts follow the wall clock"),
    platform("HAVE_GETHRTIME", When(Config::solaris), "clock_gettime comes first"),
    platform("HAVE_MKDTEMP", When(Config::unix), "a private directory for ipc://*"),
    platform("ZMQ_HAVE_UIO", When(Config::unix), "struct iovec; Windows has none"),
    platform("HAVE_STRNLEN", Always, "everywhere; libzmq's own counts the NUL"),
    platform("ZMQ_HAVE_STRLCPY", When(Config::unix),
        "the C library's, or the one in platform.hpp: libzmq's own leaves the string without its NUL"),
    platform("ZMQ_HAVE_LIBBSD", Never, "not needed for strlcpy"),
    platform("ZMQ_HAVE_GETRANDOM", Never, "nothing reads it"),
    platform("HAVE_LIBUNWIND", Never, "a stack trace before abort is not worth a dependency"),

    // Descriptors.
    platform("ZMQ_HAVE_EVENTFD", When(Config::eventfd), "one descriptor instead of two, and faster wake-ups"),
    platform("ZMQ_HAVE_EVENTFD_CLOEXEC", When(Config::eventfd), "else it leaks into executed children"),
    platform("ZMQ_HAVE_O_CLOEXEC", When(Config::unix), "nothing reads it; upstream defines it"),
    platform("ZMQ_HAVE_SOCK_CLOEXEC", When(|c| c.unix() && c.os() != Os::Apple),
        "else sockets may leak into executed children"),
    platform("HAVE_ACCEPT4", When(Config::accept4), "the same for accepted sockets"),

    // Networking.
    platform("ZMQ_HAVE_IFADDRS", When(|c| c.unix() && (c.os() != Os::Android || (c.probe)(Probe::Getifaddrs))),
        "interface names in endpoints"),
    platform("HAVE_IF_NAMETOINDEX", Always, "IPv6 zones; Windows has it since Vista"),
    platform("ZMQ_HAVE_SO_BINDTODEVICE", When(Config::linux), "ZMQ_BINDTODEVICE; upstream's strict-C probe misses it"),
    platform("ZMQ_HAVE_SO_PRIORITY", When(Config::linux), "ZMQ_PRIORITY; upstream's strict-C probe misses it"),
    platform("ZMQ_HAVE_SO_PEERCRED", When(|c| c.linux() || c.os() == Os::OpenBsd), "IPC filters and Peer-Address"),
    platform("ZMQ_HAVE_LOCAL_PEERCRED", When(Config::local_peercred),
        "IPC filters; in sys/un.h, which platform.hpp includes: upstream's probe forgets it"),
    platform("ZMQ_HAVE_BUSY_POLL", When(Config::linux), "ZMQ_BUSY_POLL"),
    platform("ZMQ_HAVE_SO_KEEPALIVE", When(Config::unix),
        "else no keepalive option does anything; Windows has its own code"),
    platform("ZMQ_HAVE_TCP_KEEPCNT", When(|c| c.unix() && c.os() != Os::OpenBsd), "OpenBSD has no such socket options"),
    platform("ZMQ_HAVE_TCP_KEEPINTVL", When(|c| c.unix() && c.os() != Os::OpenBsd),
        "OpenBSD has no such socket options"),
    platform("ZMQ_HAVE_TCP_KEEPIDLE", When(|c| c.unix() && !c.any(&[Os::OpenBsd, Os::Apple])),
        "Apple's is called TCP_KEEPALIVE"),
    platform("ZMQ_HAVE_TCP_KEEPALIVE", When(|c| c.os() == Os::Apple), "Apple's TCP_KEEPIDLE"),

    // Transports.
    platform("ZMQ_HAVE_IPC", When(Config::ipc), "Unix sockets; on Windows with Microsoft's compiler and afunix.h"),
    platform("ZMQ_HAVE_STRUCT_SOCKADDR_UN", When(Config::ipc), "else windows.hpp declares it"),
    platform("ZMQ_HAVE_WS", Always, "upstream has it with drafts only, but it needs none of them"),
    platform("ZMQ_HAVE_WSS", Never, "needs GnuTLS"),
    platform("ZMQ_USE_GNUTLS", Never, "a TLS library of the system"),
    platform("ZMQ_USE_NSS", Never, "the built-in SHA-1 serves"),
    platform("ZMQ_USE_BUILTIN_SHA1", Always, "for the handshake of ws"),
    platform("ZMQ_HAVE_TIPC", When(|c| c.linux() && (c.probe)(Probe::Tipc)), "a protocol of the Linux kernel"),
    platform("ZMQ_HAVE_OPENPGM", When(|c| c.pgm), "feature pgm"),
    platform("ZMQ_HAVE_NORM", When(|c| c.norm), "feature norm"),
    platform("ZMQ_HAVE_VMCI", When(|c| c.vmci), "feature vmci"),

    // Security.
    platform("ZMQ_HAVE_CURVE", When(|c| c.curve), "feature curve"),
    platform("ZMQ_USE_LIBSODIUM", When(|c| c.curve), "the only implementation of CURVE in 4.3.5"),
    platform("ZMQ_HAVE_CRYPTO_BOX_EASY_FNS", Never, "curve_mechanism_base.hpp decides by libsodium's version"),
    platform("ZMQ_LIBSODIUM_RANDOMBYTES_CLOSE", Never, "not safe with threads; upstream's CMake never exports it"),
    flag("SODIUM_STATIC", When(|c| c.curve && c.windows()), "else the functions are declared as a DLL's"),
    platform("HAVE_LIBGSSAPI_KRB5", When(|c| c.gssapi), "feature gssapi; upstream's CMake cannot turn it on"),
    platform("HAVE_GSSAPI_GSSAPI_GENERIC_H", When(|c| c.gssapi && (c.probe)(Probe::GssapiGeneric)),
        "MIT's Kerberos has it"),

    // The API.
    platform("ZMQ_USE_RADIX_TREE", When(|c| c.draft), "upstream's default for XSUB's subscriptions"),
    flag("ZMQ_BUILD_DRAFT_API", When(|c| c.draft), "feature draft"),
    flag("ZMQ_STATIC", Always, "a static library"),
    flag("ZMQ_NO_EXPORT", Never, "a shared library made of Rust code has to find the functions"),
    flag("DLL_EXPORT", Never, "a static library"),
    flag("ZMQ_ACT_MILITANT", Never, "an invalid option value shall be an error, not an abort"),
    flag("NDEBUG", Always, "as in upstream's release build; zmq_assert stays"),
    platform("ZMQ_MAKE_VALGRIND_HAPPY", Never, "nothing reads it"),
    platform("ZMQ_BUILD_TESTS", Never, "nothing reads it"),
    flag("ZMQ_CUSTOM_PLATFORM_HPP", Never, "read by the tests, and given to them"),
    flag("UNITY_EXCLUDE_MATH_H", Never, "read by the tests, and given to them"),

    // The system's headers read these.
    flag("_REENTRANT", When(Config::unix), "as upstream"),
    flag("_THREAD_SAFE", When(Config::unix), "as upstream"),
    flag("_GNU_SOURCE", When(Config::linux), "as upstream"),
    flag("__BSD_VISIBLE", When(|c| c.os() == Os::FreeBsd), "as upstream"),
    flag("_NETBSD_SOURCE", When(|c| c.os() == Os::NetBsd), "as upstream"),
    flag("_OPENBSD_SOURCE", When(|c| c.os() == Os::OpenBsd), "as upstream"),
    flag("_PTHREADS", When(Config::solaris), "as upstream"),
    flag("_POSIX_C_SOURCE", Never, "HP-UX is not a target"),
    flag("_DARWIN_C_SOURCE", When(|c| c.os() == Os::Apple), "as upstream"),
    flag("_WIN32_WINNT", Value(Config::windows_version), "the oldest Windows that Rust's target runs on"),
    flag("_CRT_SECURE_NO_WARNINGS", When(Config::windows), "as upstream"),
    flag("_WINSOCK_DEPRECATED_NO_WARNINGS", When(Config::windows), "as upstream"),

    // The system. Upstream's platform.hpp reads it from the macros that the compiler predefines.
    platform("ZMQ_HAVE_WINDOWS", When(Config::windows), "the target"),
    platform("ZMQ_HAVE_WINDOWS_UWP", When(|c| c.target.is_uwp()), "the target"),
    platform("ZMQ_HAVE_MINGW32", When(|c| c.windows() && !c.target.is_msvc()), "the target"),
    platform("ZMQ_HAVE_LINUX", When(Config::linux), "the kernel, with whatever C library"),
    platform("ZMQ_HAVE_ANDROID", When(|c| c.os() == Os::Android), "the target"),
    platform("ZMQ_HAVE_OSX", When(|c| c.os() == Os::Apple), "the target"),
    platform("ZMQ_HAVE_FREEBSD", When(|c| c.any(&[Os::FreeBsd, Os::DragonFly])),
        "the target; DragonFly is both, as upstream"),
    platform("ZMQ_HAVE_DRAGONFLY", When(|c| c.os() == Os::DragonFly), "the target"),
    platform("ZMQ_HAVE_NETBSD", When(|c| c.os() == Os::NetBsd), "the target"),
    platform("ZMQ_HAVE_OPENBSD", When(|c| c.os() == Os::OpenBsd), "the target"),
    platform("ZMQ_HAVE_SOLARIS", When(Config::solaris), "the target"),
    platform("ZMQ_HAVE_AIX", Never, "not a target"),
    platform("ZMQ_HAVE_HPUX", Never, "not a target"),
    platform("ZMQ_HAVE_CYGWIN", Never, "not a target"),
    platform("ZMQ_HAVE_OPENVMS", Never, "not a target"),
    platform("ZMQ_HAVE_QNXNTO", Never, "not a target"),
    platform("ZMQ_HAVE_VXWORKS", Never, "not a target"),
    platform("ZMQ_HAVE_GNU", Never, "not a target"),
];

/// Lines for `platform.hpp`, and the condition for them.
type Extra = (fn(&Config) -> bool, &'static str);

/// Lines that upstream's probes or sources lack. They follow the macros in `platform.hpp`.
const EXTRAS: &[Extra] = &[
    (
        |c| c.any(&[Os::FreeBsd, Os::DragonFly, Os::OpenBsd]),
        "// pthread_set_name_np, which thread.cpp calls.\n#include <pthread.h>\n#include <pthread_np.h>\n",
    ),
    (
        |c| c.any(&[Os::Apple, Os::FreeBsd, Os::DragonFly]),
        "// LOCAL_PEERCRED.\n#include <sys/types.h>\n#include <sys/un.h>\n",
    ),
    (
        |c| c.pgm,
        "// OpenPGM's headers use C's keyword, and see to that for every compiler but this.\n\
         #if defined __clang__ && defined __cplusplus\n#define restrict __restrict\n#endif\n",
    ),
];

/// A `strlcpy` that ends the string with a NUL, for C libraries without one.
pub const STRLCPY: &str = "\
#include <string.h>

static inline size_t strlcpy (char *dest_, const char *src_, size_t dest_size_)
{
    const size_t length = strlen (src_);
    if (dest_size_ > 0) {
        const size_t kept = length < dest_size_ ? length : dest_size_ - 1;
        memcpy (dest_, src_, kept);
        dest_[kept] = '\\0';
    }
    return length;
}
";

/// The text of `platform.hpp`.
pub fn platform_hpp(config: &Config) -> String {
    let mut text = String::from("// Written by the build: what libzmq is told about the platform.\n#pragma once\n\n");
    for row in MACROS.iter().filter(|row| row.place == Platform) {
        match row.decide(config) {
            Some(value) => text.push_str(&format!("#define {} {value}\n", row.name)),
            None => text.push_str(&format!("// {}: {}\n", row.name, row.why)),
        }
    }
    for (condition, lines) in EXTRAS {
        if condition(config) {
            text.push_str(&format!("\n{lines}"));
        }
    }
    if config.unix() && !config.strlcpy() {
        text.push_str(&format!("\n{STRLCPY}"));
    }
    text
}
