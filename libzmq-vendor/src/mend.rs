//! What libzmq 4.3.5 does wrong, no program can keep away from, and one line sets right.

mod losses;

use crate::Error;
use std::fs;
use std::path::Path;

/// A file of `src`, what it says once, and what it should say.
type Mend = (&'static str, &'static str, &'static str);

/// What ends the process, overruns memory, waits for ever or lets in who should not get in.
const FAULTS: &[Mend] = &[
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
    // A message with a long group, which has a reference count of its own, was counted once however many peers got it: a
    // RADIO with two of them freed the group twice, and so did a DISH that joined it.
    (
        "msg.cpp",
        "    //  No copies required.\n    if (!refs_)\n        return;\n",
        "    //  No copies required.\n    if (!refs_)\n        return;\n\n    if (_u.base.group.type == group_type_long)\n        \
         _u.base.group.lgroup.content->refcnt.add (refs_);\n",
    ),
    (
        "dist.cpp",
        "    if (msg_->is_vsm ()) {\n        for (pipes_t::size_type i = 0; i < _matching;) {\n            \
         if (!write (_pipes[i], msg_)) {\n",
        "    if (msg_->is_vsm ()) {\n        msg_->add_refs (static_cast<int> (_matching) - 1);\n        \
         for (pipes_t::size_type i = 0; i < _matching;) {\n            if (!write (_pipes[i], msg_)) {\n                \
         msg_t lost = *msg_;\n                lost.close ();\n",
    ),
    (
        "dist.cpp",
        "    int failed = 0;\n    for (pipes_t::size_type i = 0; i < _matching;) {\n        \
         if (!write (_pipes[i], msg_)) {\n            ++failed;\n",
        "    for (pipes_t::size_type i = 0; i < _matching;) {\n        if (!write (_pipes[i], msg_)) {\n            \
         msg_t lost = *msg_;\n            lost.close ();\n",
    ),
    ("dist.cpp", "    if (unlikely (failed))\n        msg_->rm_refs (failed);\n", ""),
    // A peer that joined a group of more than 255 bytes aborted the process of the RADIO.
    (
        "radio.cpp",
        "        rc = join_leave_msg.set_group (group, group_length);\n        errno_assert (rc == 0);\n",
        "        rc = join_leave_msg.set_group (group, group_length);\n        if (rc != 0)\n            return -1;\n",
    ),
    // A datagram aborted the process of the DISH if its first byte was above 127, and left memory behind if it was
    // shorter than it said.
    (
        "udp_engine.cpp",
        "        const int group_size = _in_buffer[0];\n",
        "        const int group_size = static_cast<unsigned char> (_in_buffer[0]);\n\n        \
         if (nbytes - 1 < group_size)\n            return;\n",
    ),
    // What does not fit a datagram was written over what is behind the buffer.
    (
        "udp_engine.cpp",
        "        size_t size;\n",
        "        size_t size;\n\n        if (body_size + (_options.raw_socket ? 0 : group_size + 1) > MAX_UDP_MSG) {\n            \
         group_msg.close ();\n            body_msg.close ();\n            return;\n        }\n",
    ),
    // Nothing to be had, and no room, counted as broken connections, with which went what was waiting.
    ("udp_engine.cpp", "            if (rc != EWOULDBLOCK) {\n", "            if (errno != EWOULDBLOCK) {\n"),
    ("udp_engine.cpp", "        if (nbytes != EWOULDBLOCK) {\n", "        if (errno != EWOULDBLOCK) {\n"),
    // A device that cannot be bound to was tried again and again, without a pause.
    (
        "udp_engine.cpp",
        "        rc = rc | bind_to_device (_fd, _options.bound_device);\n        if (rc != 0) {\n            \
         assert_success_or_recoverable (_fd, rc);\n            error (connection_error);\n",
        "        rc = rc | bind_to_device (_fd, _options.bound_device);\n        if (rc != 0) {\n            \
         assert_success_or_recoverable (_fd, rc);\n            error (protocol_error);\n",
    ),
    // A udp socket that the system refuses aborted the process.
    (
        "session_base.cpp",
        "        int rc = engine->init (_addr, send, recv);\n        errno_assert (rc == 0);\n",
        "        int rc = engine->init (_addr, send, recv);\n        if (rc != 0) {\n            delete engine;\n            \
         terminate ();\n            return;\n        }\n",
    ),
    // What was bound over udp was kept under no name, and could not be unbound.
    (
        "socket_base.cpp",
        "endpoint_uri_pair_t (endpoint_uri_, std::string (),\n                                           \
         endpoint_type_none),\n",
        "endpoint_uri_pair_t (endpoint_uri_, std::string (),\n                                           \
         endpoint_type_bind),\n",
    ),
    // A DGRAM whose port is taken lost the message that it was to send, and aborted the process with it.
    (
        "dgram.cpp",
        "    if (!_pipe) {\n        const int rc = msg_->close ();\n        errno_assert (rc == 0);\n        return -1;\n",
        "    if (!_pipe) {\n        errno = EAGAIN;\n        return -1;\n",
    ),
    // Bound again after an unbind, it kept to the connection that was ending, and took the new one for a second.
    (
        "dgram.cpp",
        "    if (_pipe == NULL)\n        _pipe = pipe_;\n    else\n",
        "    if (_pipe == NULL || _pipe->is_ending ()) {\n        _pipe = pipe_;\n        _more_out = false;\n    } else\n",
    ),
    // It also went on with the second part of a message whose first was gone.
    ("dgram.cpp", "        _pipe = NULL;\n", "        _pipe = NULL;\n        _more_out = false;\n"),
    // Two sockets that are for any thread, connected inside a process, waited for each other's lock for ever when both
    // had something to tell the other: the mailbox was under the lock of its socket. Now it has one of its own, under which
    // nothing else is locked.
    ("mailbox_safe.hpp", "    mutex_t *const _sync;\n", "    mutex_t *const _sync;\n\n    mutex_t _own_sync;\n"),
    (
        "mailbox_safe.cpp",
        "    // send() method, by waiting on the mutex before disappearing.\n    _sync->lock ();\n    _sync->unlock ();\n",
        "    // send() method, by waiting on the mutex before disappearing.\n    _own_sync.lock ();\n    \
         _own_sync.unlock ();\n",
    ),
    (
        "mailbox_safe.cpp",
        "    _signalers.push_back (signaler_);\n",
        "    scoped_lock_t lock (_own_sync);\n    _signalers.push_back (signaler_);\n",
    ),
    (
        "mailbox_safe.cpp",
        "    // TODO: make a copy of array and signal outside the lock\n",
        "    scoped_lock_t lock (_own_sync);\n",
    ),
    (
        "mailbox_safe.cpp",
        "    _signalers.clear ();\n",
        "    scoped_lock_t lock (_own_sync);\n    _signalers.clear ();\n",
    ),
    (
        "mailbox_safe.cpp",
        "    _sync->lock ();\n    _cpipe.write (cmd_, false);\n",
        "    scoped_lock_t lock (_own_sync);\n    _cpipe.write (cmd_, false);\n",
    ),
    (
        "mailbox_safe.cpp",
        "            (*it)->send ();\n        }\n    }\n\n    _sync->unlock ();\n",
        "            (*it)->send ();\n        }\n    }\n",
    ),
    (
        "mailbox_safe.cpp",
        "        //  Wait for signal from the command sender.\n        const int rc = _cond_var.wait (_sync, timeout_);\n        \
         if (rc == -1) {\n            errno_assert (errno == EAGAIN || errno == EINTR);\n            return -1;\n        }\n",
        "        //  Wait for signal from the command sender, unless it has come since.\n        _own_sync.lock ();\n        \
         const bool wait = !_cpipe.check_read ();\n        _sync->unlock ();\n        \
         const int rc = wait ? _cond_var.wait (&_own_sync, timeout_) : 0;\n        const int err = errno;\n        \
         _own_sync.unlock ();\n        _sync->lock ();\n        if (rc == -1) {\n            errno = err;\n            \
         errno_assert (errno == EAGAIN || errno == EINTR);\n            return -1;\n        }\n",
    ),
    // A SERVER, and a ROUTER with ZMQ_ROUTER_MANDATORY, waited for room at a peer that was gone, for ever if nobody
    // received meanwhile.
    (
        "pipe.hpp",
        "    bool check_hwm () const;\n",
        "    bool check_hwm () const;\n    bool is_ending () const { return _state != active; }\n",
    ),
    (
        "server.cpp",
        "            it->second.active = false;\n            errno = EAGAIN;\n",
        "            if (it->second.pipe->is_ending ()) {\n                errno = EHOSTUNREACH;\n                \
         return -1;\n            }\n            it->second.active = false;\n            errno = EAGAIN;\n",
    ),
    (
        "router.cpp",
        "                    const bool pipe_full = !_current_out->check_hwm ();\n",
        "                    const bool pipe_full =\n                      \
         !_current_out->check_hwm () && !_current_out->is_ending ();\n",
    ),
    // A CURVE server that gave a key of small order for the connection aborted its clients.
    (
        "curve_client_tools.hpp",
        "        rc = crypto_box_beforenm (cn_precom_, cn_server_, cn_secret_);\n        zmq_assert (rc == 0);\n",
        "        rc = crypto_box_beforenm (cn_precom_, cn_server_, cn_secret_);\n        if (rc != 0) {\n            \
         errno = EPROTO;\n            return -1;\n        }\n",
    ),
    // A welcome for a connection that its maker has closed aborted the process.
    (
        "xpub.cpp",
        "        const bool ok = pipe_->write (&copy);\n        zmq_assert (ok);\n        pipe_->flush ();\n",
        "        if (pipe_->write (&copy))\n            pipe_->flush ();\n        else\n            copy.close ();\n",
    ),
    // A connection that ended when half of a message was on its way aborted the process where the socket had let go of the
    // rest.
    (
        "session_base.cpp",
        "        rc = pull_msg (&msg);\n        errno_assert (rc == 0);\n        rc = msg.close ();\n",
        "        rc = pull_msg (&msg);\n        if (rc == -1 && errno == EAGAIN)\n            _incomplete_in = false;\n        \
         else\n            errno_assert (rc == 0);\n        rc = msg.close ();\n",
    ),
    // A connection that was lost while nobody received from it waits for somebody to do so. Where that was never to be,
    // since its socket was closed, the end of the context waited for it, for ever by ZMQ_LINGER's default, although
    // there was nothing left to send.
    (
        "session_base.hpp",
        "    void engine_ready ();\n",
        "    void engine_ready ();\n    bool is_pending () const { return _pending; }\n",
    ),
    (
        "session_base.cpp",
        "        if (!_engine)\n            _pipe->check_read ();\n    }\n\n    if (_zap_pipe != NULL)\n        \
         _zap_pipe->terminate (false);\n",
        "        if (!_engine)\n            _pipe->check_read ();\n    }\n\n    if (_zap_pipe != NULL)\n        \
         _zap_pipe->terminate (false);\n\n    if (_engine)\n        _engine->restart_output ();\n",
    ),
    (
        "stream_engine_base.cpp",
        "    if (_input_stopped) {\n        rm_fd (_handle);\n        _io_error = true;\n",
        "    if (_input_stopped) {\n        if (_session->is_pending ()) {\n            error (connection_error);\n            \
         return false;\n        }\n        rm_fd (_handle);\n        _io_error = true;\n",
    ),
    (
        "stream_engine_base.cpp",
        "    if (unlikely (_io_error))\n        return;\n\n    if (likely (_output_stopped)) {\n",
        "    if (unlikely (_io_error)) {\n        if (_session->is_pending ())\n            error (connection_error);\n        \
         return;\n    }\n\n    if (likely (_output_stopped)) {\n",
    ),
    // A socket that was closed before it had asked a ZAP handler about its peer sent what was left, but did not end: nobody
    // ended the connection to the handler, and the end of the context waited for it.
    (
        "session_base.cpp",
        "            _has_linger_timer = false;\n        }\n    } else if (pipe_ == _zap_pipe)\n",
        "            _has_linger_timer = false;\n        }\n        if (_pending && _zap_pipe)\n            \
         _zap_pipe->terminate (false);\n    } else if (pipe_ == _zap_pipe)\n",
    ),
    // A connection that was lost, and is not made again, asks to be ended. Where its socket was just being closed, nobody
    // heard that, and by ZMQ_LINGER's default the end of the context waited for ever for what nobody can send any more.
    ("session_base.hpp", "    bool _pending;\n", "    bool _pending;\n\n    bool _given_up;\n"),
    ("session_base.cpp", "    _pending (false),\n", "    _pending (false),\n    _given_up (false),\n"),
    (
        "session_base.cpp",
        "            } else {\n                terminate ();\n            }\n            break;\n",
        "            } else {\n                _given_up = true;\n                terminate ();\n            }\n            break;\n",
    ),
    (
        "session_base.cpp",
        "        std::string *ep = new (std::string);\n        _addr->to_string (*ep);\n        \
         send_term_endpoint (_socket, ep);\n    }\n\n    //  For subscriber",
        "        _given_up = true;\n        if (_pipe)\n            _pipe->terminate (false);\n        \
         std::string *ep = new (std::string);\n        _addr->to_string (*ep);\n        \
         send_term_endpoint (_socket, ep);\n    }\n\n    //  For subscriber",
    ),
    (
        "session_base.cpp",
        "        _pipe->terminate (linger_ != 0);\n",
        "        _pipe->terminate (linger_ != 0 && !_given_up);\n",
    ),
    // A hello for a connection that its maker has closed aborted the process.
    (
        "pipe.cpp",
        "    const bool written = pipe_->write (&hello);\n    zmq_assert (written);\n",
        "    if (!pipe_->write (&hello))\n        hello.close ();\n",
    ),
    // Two commands to the other end of a pipe, by ZMQ_SNDHWM and ZMQ_RCVHWM and by pipe statistics, were sent although
    // this end had allowed the other to go: where a peer was just leaving, that was a use of freed memory.
    (
        "pipe.cpp",
        "    send_pipe_hwm (_peer, inhwm_, outhwm_);\n",
        "    if (_state == term_ack_sent || _state == term_req_sent2)\n        return;\n    \
         send_activate_write (_peer, _msgs_read);\n    send_pipe_hwm (_peer, inhwm_, outhwm_);\n    \
         if (!_out_active && _state == active && check_hwm ()) {\n        _out_active = true;\n        \
         _sink->write_activated (this);\n    }\n",
    ),
    // Where a mark was changed while a pipe was full, or what is left of it was to be, nobody told the writer that there
    // was room again: the reader did so at multiples of half the mark, of which there might be none to come, or, with no
    // mark any more, never. A raised mark could so stop a socket for ever. Now each end tells what it has read when its
    // mark changes (above, too), and the writer looks at its new one.
    (
        "pipe.cpp",
        "    set_hwms (inhwm_, outhwm_);\n}\n",
        "    set_hwms (inhwm_, outhwm_);\n    if (_state != term_ack_sent && _state != term_req_sent2)\n        \
         send_activate_write (_peer, _msgs_read);\n    if (!_out_active && _state == active && check_hwm ()) {\n        \
         _out_active = true;\n        _sink->write_activated (this);\n    }\n}\n",
    ),
    // A mark that was lowered in the middle of a message stopped its other parts, and the list that the pipe was in still
    // had it among those with room: when there was room again, a ROUTER or STREAM aborted the process, a PUSH or DEALER wrote
    // beyond its list, and a PUB put half of the message before the next one. Whoever has begun a message may end it.
    ("pipe.hpp", "    const bool _conflate;\n", "    const bool _conflate;\n\n    mutable bool _begun;\n"),
    ("pipe.hpp", "    bool check_write ();\n", "    bool check_write ();\n    void begin () { _begun = true; }\n"),
    ("pipe.cpp", "    _conflate (conflate_)\n{\n", "    _conflate (conflate_),\n    _begun (false)\n{\n"),
    (
        "pipe.cpp",
        "    if (unlikely (!check_write ()))\n        return false;\n\n    const bool more = (msg_->flags () & msg_t::more) != 0;\n",
        "    if (unlikely (_begun ? !_out_active || _state != active : !check_write ()))\n        return false;\n\n    \
         const bool more = (msg_->flags () & msg_t::more) != 0;\n    _begun = more;\n",
    ),
    (
        "pipe.cpp",
        "    //  Remove incomplete message from the outbound pipe.\n    msg_t msg;\n",
        "    //  Remove incomplete message from the outbound pipe.\n    _begun = false;\n    msg_t msg;\n",
    ),
    (
        "router.cpp",
        "                        return -1;\n                    }\n                }\n            } else if (_mandatory) {\n",
        "                        return -1;\n                    }\n                } else\n                    \
         _current_out->begin ();\n            } else if (_mandatory) {\n",
    ),
    (
        "stream.cpp",
        "                    errno = EAGAIN;\n                    return -1;\n                }\n            } else {\n",
        "                    errno = EAGAIN;\n                    return -1;\n                }\n                \
         _current_out->begin ();\n            } else {\n",
    ),
    // A connection that a heartbeat gave up while its pipe was full came back with a new engine. Once there was room, that
    // one was told to go on with what it had not stopped, and aborted the process.
    (
        "stream_engine_base.cpp",
        "    zmq_assert (_input_stopped);\n    zmq_assert (_session != NULL);\n",
        "    if (!_input_stopped)\n        return true;\n    zmq_assert (_session != NULL);\n",
    ),
    // A connection that is lost while its pipe is full waits for room, for the sake of what it has received. A heartbeat of
    // its own, or one of the peer's among what it has, was answered there, and aborted the process.
    (
        "stream_engine_base.cpp",
        "void zmq::stream_engine_base_t::out_event ()\n{\n    zmq_assert (!_io_error);\n",
        "void zmq::stream_engine_base_t::out_event ()\n{\n    if (_io_error)\n        return;\n",
    ),
    (
        "pipe.cpp",
        "    endpoint_uri_pair_t *ep =\n",
        "    if (_state == term_ack_sent || _state == term_req_sent2)\n        return;\n    endpoint_uri_pair_t *ep =\n",
    ),
    // A peer that spoke ZWS2.0 without a mechanism got in at a NULL server with a ZAP domain, and no handler was asked. Over
    // tcp such peers are turned away.
    (
        "ws_engine.cpp",
        "    if (_options.mechanism == ZMQ_NULL && (strcmp (\"ZWS2.0\", protocol_) == 0)) {\n",
        "    if (_options.mechanism == ZMQ_NULL && !session ()->zap_enabled ()\n        \
         && (strcmp (\"ZWS2.0\", protocol_) == 0)) {\n",
    ),
    // A client of PLAIN or CURVE that a handler puts off (status 300) was to be disconnected, and try again. Unless the
    // handler had answered at once, it was left to wait for the rest of ZMQ_HANDSHAKE_IVL.
    (
        "stream_engine_base.cpp",
        "    const int rc = _mechanism->zap_msg_available ();\n    if (rc == -1) {\n",
        "    const int rc = _mechanism->zap_msg_available ();\n    \
         if (rc == -1 || _mechanism->status () == mechanism_t::error) {\n",
    ),
    // A PING that was cut short was answered with 16 bytes of what is behind it in memory.
    (
        "zmtp_engine.cpp",
        "        const size_t ping_max_ctx_len = 16;\n",
        "        const size_t ping_max_ctx_len = 16;\n        if (msg_->size () < ping_ttl_len)\n            return -1;\n",
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
    // A connection makes room, and nobody told the other threads of a socket that is for any thread: a send that waited in
    // one of them went on waiting.
    (
        "socket_base.cpp",
        "        register_term_acks (1);\n        pipe_->terminate (false);\n    }\n}\n\nint zmq::socket_base_t::setsockopt",
        "        register_term_acks (1);\n        pipe_->terminate (false);\n    } else if (_thread_safe && locally_initiated_) {\n        \
         inc_seqnum ();\n        send_inproc_connected (this);\n    }\n}\n\nint zmq::socket_base_t::setsockopt",
    ),
];

/// Sets right what is unpacked in `source`.
pub fn mend(source: &Path) -> Result<(), Error> {
    for (file, wrong, right) in FAULTS.iter().chain(losses::LOSSES) {
        let path = source.join("src").join(file);
        let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
        if text.matches(wrong).count() != 1 {
            return Err(Error::new(format!("{} is not that of libzmq 4.3.5", path.display())));
        }
        fs::write(&path, text.replace(wrong, right)).map_err(|error| Error::io("write", &path, &error))?;
    }
    Ok(())
}
