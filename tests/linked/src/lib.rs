//! The facts of the linked libzmq, for tests and benchmarks that compile C programs against it.

/// `"1"` if the bindings have the draft API, else `"0"`.
pub const DRAFT: &str = env!("ZMQ_DRAFT");
/// The directory of `zmq.h`. Empty if the compiler finds it by itself.
pub const INCLUDE: &str = env!("ZMQ_INCLUDE");
/// The directory of the library. Empty if the linker finds it by itself.
pub const LIB: &str = env!("ZMQ_LIB");
/// The libraries that a C program must link, in link order, separated by commas.
pub const LIBS: &str = env!("ZMQ_LIBS");
/// The directories of those libraries, separated by semicolons.
pub const SEARCH: &str = env!("ZMQ_SEARCH");
/// The folder of `libsodium.c`, which a C program compiles with, and then links libsodium. Empty if it need not.
pub const SODIUM: &str = env!("ZMQ_SODIUM");
/// The version that `zmq.h` states, as one number.
pub const VERSION_NUMBER: &str = env!("ZMQ_VERSION_NUMBER");

/// The arguments after a C program's file that compile and link it with this libzmq.
pub fn c_flags() -> Vec<String> {
    let mut flags = Vec::new();
    if !INCLUDE.is_empty() {
        flags.push(format!("-I{INCLUDE}"));
    }
    if !SODIUM.is_empty() {
        flags.push(format!("{SODIUM}/libsodium.c"));
    }
    let directories = std::iter::once(LIB).chain(SEARCH.split(';')).filter(|directory| !directory.is_empty());
    flags.extend(directories.map(|directory| format!("-L{directory}")));
    flags.extend(LIBS.split(',').filter(|library| !library.is_empty()).map(|library| format!("-l{library}")));
    if !SODIUM.is_empty() {
        flags.push("-lsodium".to_owned());
    }
    flags
}
