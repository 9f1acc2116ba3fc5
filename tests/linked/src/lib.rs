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
/// The version that `zmq.h` states, as one number.
pub const VERSION_NUMBER: &str = env!("ZMQ_VERSION_NUMBER");
