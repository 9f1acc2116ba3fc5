//! The header `zmq.h` of this build.

use std::path::Path;

/// The text of the header that this build was made with.
pub fn zmq_h() -> String {
    let directories = match linked::INCLUDE {
        "" => vec!["/usr/include", "/usr/local/include"],
        directory => vec![directory],
    };
    let found = directories.iter().map(|directory| Path::new(directory).join("zmq.h")).find(|path| path.is_file());
    std::fs::read_to_string(found.unwrap_or_else(|| panic!("no zmq.h in {directories:?}"))).unwrap()
}
