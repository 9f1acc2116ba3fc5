//! The recipe: compiles the unpacked and patched sources into a static library.

use crate::macros::{self, Config, MACROS, Place};
use crate::probe::Probe;
use crate::system::System;
use crate::target::{Os, Target};
use crate::{Artifacts, Build, Error, patches, unpack};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Set to compile file by file, for a compiler that does not take the two big units.
const SPLIT: &str = "LIBZMQ_VENDOR_SPLIT";

pub fn run(options: &Build) -> Result<Artifacts, Error> {
    let target = Target::from_cargo()?;
    let patches = options.patches.decide()?;
    let out_dir = env::var_os("OUT_DIR").ok_or_else(|| Error::new("OUT_DIR is not set".to_owned()))?;
    let root = Path::new(&out_dir).join("libzmq");
    let (source, include, lib_dir) = (root.join("source"), root.join("include"), root.join("lib"));
    let (objects, scratch) = (root.join("objects"), root.join("probes"));
    for directory in [&include, &lib_dir, &objects] {
        fs::create_dir_all(directory).map_err(|error| Error::io("create", directory, &error))?;
    }
    unpack::unpack(&source)?;
    patches::apply(patches, &source)?;
    for header in ["zmq.h", "zmq_utils.h"] {
        let (from, to) = (source.join("include").join(header), include.join(header));
        fs::copy(from, &to).map_err(|error| Error::io("write", &to, &error))?;
    }

    let mut compiler = compiler(&target);
    compiler.out_dir(&objects);
    let systems = systems(options, &cxx(&compiler, &target), &scratch)?;
    compiler.includes(&options.sodium_include).includes(systems.iter().flat_map(|system| &system.includes));

    let asked = (cxx(&compiler, &target), scratch);
    let config = Config {
        target: target.clone(),
        draft: options.draft,
        curve: options.curve,
        gssapi: options.gssapi,
        pgm: options.pgm,
        norm: options.norm,
        vmci: options.vmci,
        probe: Box::new(move |probe| probe.ask(&asked.0, &asked.1)),
    };
    let platform = source.join("src").join("platform.hpp");
    write(&platform, &macros::platform_hpp(&config))?;
    let mut defined = Vec::new();
    for row in MACROS {
        if let Some(value) = row.decide(&config) {
            defined.push(row.name);
            if row.place == Place::Flag {
                compiler.define(row.name, value.as_str());
            }
        }
    }
    let libs = libs(&target, systems.iter(), (config.probe)(Probe::Libcxx));

    let mut built = cxx_files(&source)?;
    println!("cargo:rerun-if-env-changed={SPLIT}");
    if env::var_os(SPLIT).is_none_or(|value| value.is_empty() || value == "0") {
        let (aside, path): (Vec<_>, Vec<_>) = built.into_iter().partition(|file| is_aside(file));
        built = vec![unit(&source, "libzmq.cpp", &path)?, unit(&source, "libzmq_aside.cpp", &aside)?];
    }
    let mut objects = intermediates(cxx(&compiler, &target).include(source.join("src")).files(&built))?;
    objects.extend(intermediates(&c_compiler(&compiler, &config, &source))?);
    archive(&mut compiler, &objects, &lib_dir)?;

    Ok(Artifacts {
        version: version(&include.join("zmq.h"))?,
        root,
        include,
        lib_dir,
        patches,
        capabilities: capabilities(&defined),
        libs,
        search: systems.into_iter().flat_map(|system| system.search).collect(),
    })
}

/// A C++ compiler for the target, with the flags that every file gets.
fn compiler(target: &Target) -> cc::Build {
    let mut build = cc::Build::new();
    // A libzmq that is not optimised costs twice the instructions per message. -O1 compiles in half of -O3's time.
    let dev = env::var("OPT_LEVEL").as_deref() == Ok("0");
    build.cpp(true).opt_level(if dev { 1 } else { 3 }).debug(false).warnings(false).extra_warnings(false);
    if target.is_msvc() {
        build.flag("/EHsc");
    }
    if target.os != Os::Windows {
        // Calls inside libzmq then need no indirection by which another library could replace a function.
        build.flag_if_supported("-fvisibility=hidden").flag_if_supported("-fno-semantic-interposition");
    }
    if !target.is_msvc() {
        // By default GCC stops inlining when a unit has grown by 40 %. The main unit reaches that before the functions that
        // a message passes through are inlined. This costs 190 kB and saves 15 % of the instructions per message. Clang has
        // no such limit.
        build.flag_if_supported("--param=inline-unit-growth=100");
    }
    build
}

/// The compiler with the flags that are for C++ alone.
fn cxx(compiler: &cc::Build, target: &Target) -> cc::Build {
    let mut build = compiler.clone();
    if !target.is_msvc() {
        // The standard that upstream's CMake chooses. The default of Microsoft's compiler is later.
        build.std("c++11");
    }
    build
}

fn systems(options: &Build, compiler: &cc::Build, scratch: &Path) -> Result<Vec<System>, Error> {
    let mut systems = Vec::new();
    if options.gssapi {
        systems.push(System::gssapi()?);
    }
    if options.pgm {
        systems.push(System::pgm()?);
    }
    if options.norm {
        systems.push(System::norm(compiler, scratch)?);
    }
    if options.vmci {
        systems.push(System::vmci(compiler, scratch)?);
    }
    Ok(systems)
}

/// libzmq's C++ files, except those that need GnuTLS.
fn cxx_files(source: &Path) -> Result<Vec<PathBuf>, Error> {
    let directory = source.join("src");
    let entries = fs::read_dir(&directory).map_err(|error| Error::io("read", &directory, &error))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wss_")))
        .collect();
    files.sort();
    Ok(files)
}

/// Prefixes of the names of the files that no message passes through, or only messages of one mechanism, transport or draft
/// kind. These files are the second unit. `cc` compiles the two units side by side.
const ASIDE: &str = "\
    address channel client curve_ devpoll dgram dish gather gssapi_ ip_resolver ipc_ kqueue mechanism norm_ \
    null_mechanism options peer pgm_ plain_ poll. polling_util pollset precompiled radio reaper scatter select \
    server socket_poller socks stream_connecter stream_listener tcp_address tcp_connecter tcp_listener \
    timers tipc_ udp_ vmci ws_ zap_client zmq_utils";

fn is_aside(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    ASIDE.split_whitespace().any(|start| name.starts_with(start))
}

/// Writes the file `name`, which includes all of `files`.
fn unit(source: &Path, name: &str, files: &[PathBuf]) -> Result<PathBuf, Error> {
    let names = files.iter().filter_map(|path| path.file_name());
    let text: String = names.map(|name| format!("#include \"src/{}\"\n", name.to_string_lossy())).collect();
    let unit = source.join(name);
    write(&unit, &text)?;
    Ok(unit)
}

/// The compiler for libzmq's C files.
fn c_compiler(compiler: &cc::Build, config: &Config, source: &Path) -> cc::Build {
    let mut build = compiler.clone();
    build.cpp(false).file(source.join("external").join("sha1").join("sha1.c"));
    if config.target.os == Os::Windows {
        build.file(source.join("external").join("wepoll").join("wepoll.c"));
    }
    build
}

fn intermediates(build: &cc::Build) -> Result<Vec<PathBuf>, Error> {
    build.try_compile_intermediates().map_err(|error| {
        let hint = if error.to_string().starts_with("ToolNotFound") {
            "libzmq needs a C and a C++ compiler, on Debian and Ubuntu: apt-get install g++".to_owned()
        } else {
            format!("if the compiler cannot take all of libzmq at once, set {SPLIT}=1")
        };
        Error::new(format!("{error}\n{hint}"))
    })
}

/// Puts the objects into the static library, without the instruction of `cc` to Cargo to link it.
fn archive(compiler: &mut cc::Build, objects: &[PathBuf], lib_dir: &Path) -> Result<(), Error> {
    // Tells Cargo which variables choose the archiver.
    let _ = compiler.try_get_archiver();
    let _ = compiler.try_get_ranlib();
    compiler
        .cargo_metadata(false)
        .out_dir(lib_dir)
        .objects(objects)
        .try_compile("zmq")
        .map_err(|error| Error::new(error.to_string()))
}

/// The libraries that a program must link after libzmq.
fn libs<'a>(target: &Target, systems: impl Iterator<Item = &'a System>, libcxx: bool) -> Vec<String> {
    let mut libs: Vec<String> = systems.flat_map(|system| system.libs.clone()).collect();
    libs.extend(cxx_library(target, libcxx));
    let own: &[&str] = match target.os {
        Os::Windows => &["ws2_32", "rpcrt4", "iphlpapi", "advapi32"],
        Os::Linux if target.env != "musl" => &["pthread"],
        Os::FreeBsd | Os::DragonFly | Os::NetBsd | Os::OpenBsd => &["pthread"],
        Os::Solaris | Os::Illumos => &["socket", "nsl"],
        _ => &[],
    };
    libs.extend(own.iter().map(|&lib| lib.to_owned()));
    libs
}

/// The C++ standard library, named as `cc` names it, with the same variables to choose another.
fn cxx_library(target: &Target, libcxx: bool) -> Option<String> {
    let underscored = target.triple.replace('-', "_");
    let names = [&format!("CXXSTDLIB_{}", target.triple), &format!("CXXSTDLIB_{underscored}")];
    let names = names.into_iter().map(String::as_str).chain(["TARGET_CXXSTDLIB", "CXXSTDLIB"]);
    for name in names {
        println!("cargo:rerun-if-env-changed={name}");
        if let Ok(chosen) = env::var(name) {
            return (!chosen.is_empty()).then_some(chosen);
        }
    }
    let name = match target.os {
        Os::Windows if target.is_msvc() => return None,
        Os::Android => "c++_shared",
        Os::Apple | Os::FreeBsd | Os::OpenBsd => "c++",
        _ if libcxx => "c++",
        _ => "stdc++",
    };
    Some(name.to_owned())
}

/// The names for which `zmq_has` of a libzmq with these macros returns 1.
fn capabilities(defined: &[&str]) -> Vec<&'static str> {
    [
        ("ZMQ_HAVE_IPC", "ipc"),
        ("ZMQ_HAVE_OPENPGM", "pgm"),
        ("ZMQ_HAVE_TIPC", "tipc"),
        ("ZMQ_HAVE_NORM", "norm"),
        ("ZMQ_HAVE_CURVE", "curve"),
        ("HAVE_LIBGSSAPI_KRB5", "gssapi"),
        ("ZMQ_HAVE_VMCI", "vmci"),
        ("ZMQ_BUILD_DRAFT_API", "draft"),
        ("ZMQ_HAVE_WS", "WS"),
        ("ZMQ_HAVE_WSS", "WSS"),
    ]
    .into_iter()
    .filter_map(|(name, capability)| defined.contains(&name).then_some(capability))
    .collect()
}

fn version(header: &Path) -> Result<(u32, u32, u32), Error> {
    let text = fs::read_to_string(header).map_err(|error| Error::io("read", header, &error))?;
    let part = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix("#define ZMQ_VERSION_")?.strip_prefix(name)?.trim().parse().ok())
            .ok_or_else(|| Error::new(format!("{} does not state ZMQ_VERSION_{name}", header.display())))
    };
    Ok((part("MAJOR")?, part("MINOR")?, part("PATCH")?))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|error| Error::io("write", path, &error))
}
