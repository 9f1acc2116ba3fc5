//! Binary Star: the machines of the nodes and of the witness, and nodes, clients and a witness over sockets.

#[path = "binary_star/chaos.rs"]
mod chaos;
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "binary_star/machine.rs"]
mod machine;
#[path = "binary_star/model.rs"]
mod model;
#[path = "binary_star/sockets.rs"]
mod sockets;
