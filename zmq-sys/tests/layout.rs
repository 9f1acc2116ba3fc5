//! Types and constants agree with those that the C compiler makes of the header of the linked libzmq.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;

/// Compiles a C program against the header in use, runs it and returns its output. Reports the reason if it cannot run.
fn run_c(test: &str, source: &Path) -> Option<String> {
    let (host, target) = (env!("ZMQ_SYS_HOST"), env!("ZMQ_SYS_TARGET"));
    // The commands of other targets set it: an emulator and its arguments, or nothing if the target's programs run by themselves.
    let runner = std::env::var("ZMQ_TEST_RUNNER").ok();
    if host != target && runner.is_none() {
        // Past the capture of the test harness, which knows no skipped tests.
        let reason = format!("there is no C compiler for {target} where the tests run");
        writeln!(stderr(), "skipped {test}: {reason}").expect("standard error takes text");
        return None;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = directory.join(format!("{test}{}", std::env::consts::EXE_SUFFIX));
    let mut build = cc::Build::new();
    build.host(host).target(target).opt_level(0).debug(false).cargo_metadata(false).out_dir(directory);
    build.include(env!("ZMQ_SYS_INCLUDE")).define("ZMQ_STATIC", None);
    if cfg!(feature = "draft") {
        build.define("ZMQ_BUILD_DRAFT_API", None);
    }
    let compiler = build.get_compiler();
    let mut command = compiler.to_command();
    command.current_dir(directory).arg(source);
    if compiler.is_like_msvc() {
        command.arg(format!("/Fe{}", program.display()));
    } else {
        command.arg("-o").arg(&program);
    }
    let compiled = command.output().expect("the C compiler starts");
    assert!(compiled.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&compiled.stderr));
    let mut words =
        runner.iter().flat_map(|runner| runner.split_whitespace()).map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().expect("the program is the last word"));
    let output = command.args(words).output().expect("the program starts");
    assert!(output.status.success(), "{} ends with {}", program.display(), output.status);
    Some(String::from_utf8(output.stdout).expect("the program prints ASCII").replace('\r', ""))
}

macro_rules! layout {
    ($text:ident, $type:ident $(, $field:ident)*) => {
        let (size, align) = (size_of::<zmq_sys::$type>(), align_of::<zmq_sys::$type>());
        writeln!($text, "{} {size} {align}", stringify!($type)).expect("a string takes everything");
        $(
            let offset = std::mem::offset_of!(zmq_sys::$type, $field);
            let size = size_of_field(|value: &zmq_sys::$type| &raw const value.$field);
            writeln!($text, "{}.{} {offset} {size}", stringify!($type), stringify!($field))
                .expect("a string takes everything");
        )*
    };
}

fn size_of_field<T, F>(_field: fn(&T) -> *const F) -> usize {
    size_of::<F>()
}

#[test]
fn types_are_laid_out_as_in_c() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.c");
    let Some(c) = run_c("types_are_laid_out_as_in_c", &source) else { return };
    let mut rust = String::new();
    layout!(rust, zmq_fd_t);
    layout!(rust, zmq_msg_t);
    layout!(rust, zmq_pollitem_t, socket, fd, events, revents);
    #[cfg(unix)]
    {
        layout!(rust, iovec, iov_base, iov_len);
        layout!(rust, sigset_t);
    }
    #[cfg(feature = "draft")]
    {
        layout!(rust, zmq_poller_event_t, socket, fd, user_data, events);
    }
    assert_eq!(rust, c);
}

#[test]
fn constants_have_the_values_of_c() {
    let bindings = include_str!(concat!(env!("OUT_DIR"), "/bindings.rs"));
    let constants: Vec<(&str, &str)> = bindings
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.strip_suffix(';')?.split_once(": i32 = "))
        .collect();
    assert!(constants.len() > 150, "the bindings have {} constants only", constants.len());

    let mut program = String::from("#include <stdio.h>\n#include <zmq.h>\nint main (void)\n{\n");
    for (name, _) in &constants {
        writeln!(program, "    printf (\"{name} %d\\n\", (int) ({name}));").expect("a string takes everything");
    }
    program.push_str("    return 0;\n}\n");
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("constants.c");
    fs::write(&source, program).expect("the program can be written");

    let Some(c) = run_c("constants_have_the_values_of_c", &source) else { return };
    let rust: String = constants.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    assert_eq!(rust, c);
}
