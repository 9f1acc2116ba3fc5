//! What libzmq 4.3.5 does wrong, no program can keep away from, and one line sets right.

use crate::Error;
use std::fs;
use std::path::Path;

/// A file of `src`, what it says once, and what it should say.
const MENDS: &[(&str, &str, &str)] = &[
    // After a proxy refused, the connecter kept the handle that it had given back, and gave it back again when the
    // socket was closed: the process was aborted, or memory of another connection used.
    (
        "socks_connecter.cpp",
        "void zmq::socks_connecter_t::error ()\n{\n    rm_fd (_handle);\n",
        "void zmq::socks_connecter_t::error ()\n{\n    rm_handle ();\n",
    ),
    // A REP that gave up a malformed request whose sender was gone went on as in the middle of a reply: it sent the next
    // one to nobody, and the client that had asked waited for ever.
    (
        "router.cpp",
        "        _current_out->rollback ();\n        _current_out = NULL;\n        _more_out = false;\n    }\n",
        "        _current_out->rollback ();\n        _current_out = NULL;\n    }\n    _more_out = false;\n",
    ),
];

/// Sets right what is unpacked in `source`.
pub fn mend(source: &Path) -> Result<(), Error> {
    for (file, wrong, right) in MENDS {
        let path = source.join("src").join(file);
        let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
        if text.matches(wrong).count() != 1 {
            return Err(Error::new(format!("{} is not that of libzmq 4.3.5", path.display())));
        }
        fs::write(&path, text.replace(wrong, right)).map_err(|error| Error::io("write", &path, &error))?;
    }
    Ok(())
}
