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
    // A peer that announced the id which a ROUTER would make up next aborted the process with the next connection. Ids
    // with a leading zero are libzmq's own to give, so such a peer gets one.
    (
        "router.cpp",
        "        if (msg.size () == 0) {\n            //  Fall back on the auto-generation\n",
        "        if (msg.size () == 0 || *static_cast<unsigned char *> (msg.data ()) == 0) {\n",
    ),
    // A pipe of ZMQ_CONFLATE keeps single parts, and said of them that others follow. Who then looked for these aborted
    // the process.
    (
        "pipe.cpp",
        "    if (!(msg_->flags () & msg_t::more) && !msg_->is_routing_id ())\n        _msgs_read++;\n",
        "    if (_conflate)\n        msg_->reset_flags (msg_t::more);\n    \
         if (!(msg_->flags () & msg_t::more) && !msg_->is_routing_id ())\n        _msgs_read++;\n",
    ),
    // A peer of the first ZMTP version that came back while its pipe was full or about to end aborted the process. Newer
    // ones are told to wait already.
    (
        "zmtp_engine.cpp",
        "        const int rc = session ()->push_msg (msg_);\n        errno_assert (rc == 0);\n    } else {\n",
        "        const int rc = session ()->push_msg (msg_);\n        if (rc == -1 && errno == EAGAIN)\n            \
         return -1;\n        errno_assert (rc == 0);\n    } else {\n",
    ),
    (
        "zmtp_engine.cpp",
        "        rc = session ()->push_msg (&subscription);\n        errno_assert (rc == 0);\n",
        "        rc = session ()->push_msg (&subscription);\n        if (rc == -1 && errno == EAGAIN)\n            \
         return -1;\n        errno_assert (rc == 0);\n",
    ),
    // The count of those who share a content has 32 bits. Where safe code leaks copies, as it may, the count went round,
    // and the content was freed under the others. An abort is what Rust's own Arc does.
    (
        "msg.cpp",
        "            src_.refcnt ()->add (1);\n",
        "            zmq_assert (src_.refcnt ()->add (1) < 0x7fffffff);\n",
    ),
    (
        "msg.cpp",
        "        src_._u.base.group.lgroup.content->refcnt.add (1);\n",
        "        zmq_assert (src_._u.base.group.lgroup.content->refcnt.add (1) < 0x7fffffff);\n",
    ),
    ("metadata.cpp", "    _ref_cnt.add (1);\n", "    zmq_assert (_ref_cnt.add (1) < 0x7fffffff);\n"),
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
