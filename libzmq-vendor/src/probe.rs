//! Questions that only the target's own headers can answer.
//!
//! Each is a few lines of C++ that compile or do not. Nothing is linked or run, so probes work in a cross build too.

use std::fs;
use std::path::Path;

/// A question to the target's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// glibc has `strlcpy` since 2.38.
    Strlcpy,
    /// A cross toolchain may lack the kernel's header `linux/tipc.h`.
    Tipc,
    /// FreeBSD 13, NetBSD 10 and illumos have `eventfd`.
    Eventfd,
    /// NetBSD has `accept4` since 10.
    Accept4,
    /// Android has `getifaddrs` since API level 24.
    Getifaddrs,
    /// DragonFly's headers for `LOCAL_PEERCRED` differ from FreeBSD's.
    LocalPeercred,
    /// Before NetBSD 10, the field `udata` of a `kevent` is an integer and not a pointer.
    KeventIntegerUdata,
    /// An SDK before that of Windows 10 lacks `AF_UNIX`.
    Afunix,
    /// Heimdal's GSSAPI lacks the header `gssapi_generic.h`.
    GssapiGeneric,
    /// Whether the compiler uses libc++. Then the program must link it.
    Libcxx,
    /// VMware's header, which no package installs.
    Vmci,
    /// The header of NORM. Old packages of NORM have no pkg-config file.
    Norm,
}

impl Probe {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    fn source(self) -> &'static str {
        match self {
            Probe::Strlcpy => "#include <string.h>\nsize_t f (char *d, const char *s) { return strlcpy (d, s, 4); }\n",
            Probe::Tipc => {
                "#include <sys/socket.h>\n#include <linux/tipc.h>\n\
                 int f () { sockaddr_tipc a; a.family = AF_TIPC; a.addrtype = TIPC_ADDR_NAME; \
                 return a.family + tipc_addr (0, 0, 0); }\n"
            }
            Probe::Eventfd => "#include <sys/eventfd.h>\nint f () { return eventfd (0, EFD_CLOEXEC); }\n",
            Probe::Accept4 => "#include <sys/socket.h>\nint f () { return accept4 (0, 0, 0, SOCK_CLOEXEC); }\n",
            Probe::Getifaddrs => "#include <ifaddrs.h>\nint f (ifaddrs **a) { return getifaddrs (a); }\n",
            Probe::LocalPeercred => {
                "#include <sys/types.h>\n#include <sys/socket.h>\n#include <sys/un.h>\n#include <sys/ucred.h>\n\
                 int f () { xucred c; c.cr_version = XUCRED_VERSION; return LOCAL_PEERCRED + c.cr_ngroups; }\n"
            }
            Probe::KeventIntegerUdata => {
                "#include <sys/types.h>\n#include <stdint.h>\n#include <sys/event.h>\n\
                 intptr_t f (struct kevent *e) { e->udata = (intptr_t) 1; return e->udata; }\n"
            }
            Probe::Afunix => "#include <winsock2.h>\n#include <afunix.h>\nsockaddr_un a;\n",
            Probe::GssapiGeneric => "#include <gssapi/gssapi_generic.h>\n",
            Probe::Libcxx => "#include <cstddef>\n#ifndef _LIBCPP_VERSION\n#error not libc++\n#endif\n",
            Probe::Vmci => "#include <vmci_sockets.h>\n",
            Probe::Norm => "#include <normApi.h>\n",
        }
    }

    /// Whether the compiler that `compiler` describes accepts the probe.
    pub fn ask(self, compiler: &cc::Build, scratch: &Path) -> bool {
        let source = scratch.join(self.name()).with_extension("cpp");
        if fs::create_dir_all(scratch).and_then(|()| fs::write(&source, self.source())).is_err() {
            return false;
        }
        let mut build = compiler.clone();
        build.cargo_metadata(false).cargo_warnings(false).out_dir(scratch).file(&source);
        build.try_compile_intermediates().is_ok()
    }
}
