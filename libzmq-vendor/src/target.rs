//! The platform that libzmq is built for, as Cargo names it.

use crate::Error;
use std::env;

/// The operating systems for which every macro has a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Os {
    Linux,
    Android,
    Apple,
    FreeBsd,
    DragonFly,
    NetBsd,
    OpenBsd,
    Solaris,
    Illumos,
    Windows,
}

impl Os {
    fn from_cargo(os: &str, vendor: &str) -> Option<Os> {
        Some(match os {
            "linux" => Os::Linux,
            "android" => Os::Android,
            "freebsd" => Os::FreeBsd,
            "dragonfly" => Os::DragonFly,
            "netbsd" => Os::NetBsd,
            "openbsd" => Os::OpenBsd,
            "solaris" => Os::Solaris,
            "illumos" => Os::Illumos,
            "windows" => Os::Windows,
            _ if vendor == "apple" => Os::Apple,
            _ => return None,
        })
    }
}

/// The platform that libzmq is compiled for, not the one that the build runs on.
#[derive(Clone, Debug)]
pub struct Target {
    pub triple: String,
    pub os: Os,
    pub env: String,
    pub arch: String,
    pub vendor: String,
}

impl Target {
    /// Reads the variables by which Cargo names the target of a build script.
    pub fn from_cargo() -> Result<Target, Error> {
        let read = |name: &str| {
            env::var(name)
                .map_err(|_| Error::new(format!("{name} is not set: this is for build scripts that Cargo runs")))
        };
        let triple = read("TARGET")?;
        let arch = read("CARGO_CFG_TARGET_ARCH")?;
        // Both can be empty. Then Cargo does not always set them.
        let vendor = env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
        let env = env::var("CARGO_CFG_TARGET_ENV").unwrap_or_default();
        let os = Os::from_cargo(&read("CARGO_CFG_TARGET_OS")?, &vendor)
            .ok_or_else(|| Error::new(format!("libzmq's configuration for the target {triple} is not known")))?;
        Ok(Target { triple, os, env, arch, vendor })
    }

    pub fn is_msvc(&self) -> bool {
        self.os == Os::Windows && self.env == "msvc"
    }

    /// Whether this is the restricted Windows of the app store.
    pub fn is_uwp(&self) -> bool {
        self.os == Os::Windows && self.vendor == "uwp"
    }

    /// The size of a cache line in bytes.
    pub fn cache_line(&self) -> u32 {
        match self.arch.as_str() {
            "aarch64" if self.os == Os::Apple => 128,
            "powerpc64" => 128,
            "s390x" => 256,
            _ => 64,
        }
    }
}
