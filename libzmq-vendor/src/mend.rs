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
    // Two commands to the other end of a pipe, by ZMQ_SNDHWM and ZMQ_RCVHWM and by pipe statistics, were sent although
    // this end had allowed the other to go: where a peer was just leaving, that was a use of freed memory.
    (
        "pipe.cpp",
        "    send_pipe_hwm (_peer, inhwm_, outhwm_);\n",
        "    if (_state != term_ack_sent && _state != term_req_sent2)\n        send_pipe_hwm (_peer, inhwm_, outhwm_);\n",
    ),
    (
        "pipe.cpp",
        "    endpoint_uri_pair_t *ep =\n",
        "    if (_state == term_ack_sent || _state == term_req_sent2)\n        return;\n    endpoint_uri_pair_t *ep =\n",
    ),
    // ZMQ_TOPICS_COUNT went on counting what was subscribed to by peers that had left.
    (
        "generic_mtrie_impl.hpp",
        "                if (it.node->_pipes->empty ()) {\n                    LIBZMQ_DELETE (it.node->_pipes);\n",
        "                if (it.node->_pipes->empty ()) {\n                    LIBZMQ_DELETE (it.node->_pipes);\n        \
                     _num_prefixes.sub (1);\n",
    ),
    // A bind that failed on a monitored socket said EAGAIN, which is what sending the event had left behind.
    (
        "socket_base.cpp",
        "    if (_monitor_events & type_) {\n        monitor_event (type_, values_, values_count_, endpoint_uri_pair_);\n",
        "    if (_monitor_events & type_) {\n        const int reason = errno;\n        \
            monitor_event (type_, values_, values_count_, endpoint_uri_pair_);\n        errno = reason;\n",
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
