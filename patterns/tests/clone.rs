//! Clone: the machines of clients and servers, and both over sockets.

#[path = "../../tests/common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
#[path = "clone/links.rs"]
mod links;
#[path = "clone/machine.rs"]
mod machine;
#[path = "clone/sockets.rs"]
mod sockets;
#[path = "clone/world.rs"]
mod world;
