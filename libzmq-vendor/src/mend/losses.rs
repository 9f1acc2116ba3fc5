//! What loses, mixes or tears messages and subscriptions, and who then waits for them for ever. In this order, and after the
//! other mends: some change what others have put there.

use super::Mend;

/// As the others: a file, what it says, and what it should say.
pub(super) const LOSSES: &[Mend] = &[
    // A ROUTER, and a REP with it, dropped what it sent to a peer that had room: it went by what it had last heard of the
    // peer, and did not listen while requests were there to take. Where the mark is low, the client of a REP waited for ever
    // for a reply to its request. Now it looks for news before it drops.
    (
        "socket_base.hpp",
        "    int process_commands (int timeout_, bool throttle_);\n",
        "  protected:\n    int process_commands (int timeout_, bool throttle_);\n\n  private:\n",
    ),
    (
        "router.cpp",
        "                      msg_->size (), zmq::reference_tag_t ()));\n\n            if (out_pipe) {\n",
        "                      msg_->size (), zmq::reference_tag_t ()));\n\n            \
         if (out_pipe && !out_pipe->pipe->check_hwm ()) {\n                process_commands (0, false);\n                \
         out_pipe = lookup_out_pipe (blob_t (\n                  static_cast<unsigned char *> (msg_->data ()),\n                  \
         msg_->size (), zmq::reference_tag_t ()));\n            }\n\n            if (out_pipe) {\n",
    ),
    // The same, heard in the middle of a call that then waits: that it was to end was forgotten, and it waited for ever.
    (
        "socket_base.cpp",
        "    //  Check whether there are any commands pending for this thread.\n    command_t cmd;\n",
        "    if (timeout_ != 0 && _ctx_terminated) {\n        errno = ETERM;\n        return -1;\n    }\n\n    \
         //  Check whether there are any commands pending for this thread.\n    command_t cmd;\n",
    ),
    // News lay in the mailbox, and nobody who looked saw them: a thread that had left some was kept from saying so, and
    // those that left more after it took it for said.
    (
        "mailbox.cpp",
        "    const bool ok = _cpipe.flush ();\n    _sync.unlock ();\n    if (!ok)\n        _signaler.send ();\n",
        "    if (!_cpipe.flush ())\n        _signaler.send ();\n    _sync.unlock ();\n",
    ),
    // When a peer left while a message of another was being received, or sent, part by part, the other parts were taken from
    // a third one, or given to it: two messages were mixed.
    (
        "fq.cpp",
        "        _pipes.swap (index, _active);\n        if (_current == _active)\n            _current = 0;\n    }\n    \
         _pipes.erase (pipe_);\n",
        "        _pipes.swap (index, _active);\n        if (_current == _active)\n            \
         _current = index == _active ? 0 : index;\n    }\n    _pipes.erase (pipe_);\n",
    ),
    (
        "lb.cpp",
        "        _pipes.swap (index, _active);\n        if (_current == _active)\n            _current = 0;\n    }\n    \
         _pipes.erase (pipe_);\n",
        "        _pipes.swap (index, _active);\n        if (_current == _active)\n            \
         _current = index == _active ? 0 : index;\n    }\n    _pipes.erase (pipe_);\n",
    ),
    // A connection with ZMQ_IMMEDIATE, or one that is not made again, took with it what had come over it when it was lost,
    // and in the middle of a message aborted the process, as it did when ZMQ_IMMEDIATE was set back meanwhile. The
    // connection's own side ends it, and what has come is read to its end. (A CHANNEL, which has one
    // connection at a time, makes room for the next at once.)
    ("pipe.hpp", "    bool check_hwm () const;\n", "    bool has_unread ();\n    bool check_hwm () const;\n"),
    (
        "pipe.cpp",
        "bool zmq::pipe_t::check_hwm () const\n{\n",
        "bool zmq::pipe_t::has_unread ()\n{\n    \
         return _in_active && _in_pipe && _in_pipe->check_read ()\n           \
         && !_in_pipe->probe (is_delimiter);\n}\n\nbool zmq::pipe_t::check_hwm () const\n{\n",
    ),
    (
        "socket_base.cpp",
        "    if (options.immediate == 1)\n        pipe_->terminate (false);\n    else\n        // Notify",
        "    if (options.type != ZMQ_SUB && options.type != ZMQ_XSUB && options.type != ZMQ_DISH) {\n        \
         if (options.type == ZMQ_CHANNEL || !pipe_->has_unread ())\n            \
         pipe_->terminate (false);\n    } else\n        // Notify",
    ),
    // A peer of a ROUTER that came back while what it had sent before was not read yet was taken for another one of its
    // name, and its next message for a name. What is left of its old connection is from nobody that can be answered.
    (
        "router.cpp",
        "                if (!_handover)\n",
        "                if (!_handover && !existing_outpipe->pipe->is_ending ())\n",
    ),
    (
        "session_base.cpp",
        "void zmq::session_base_t::process_conn_failed ()\n{\n",
        "void zmq::session_base_t::process_conn_failed ()\n{\n    _given_up = true;\n    if (_pipe)\n        \
         _pipe->terminate (false);\n",
    ),
    (
        "socket_base.cpp",
        "    term_endpoint (endpoint_->c_str ());\n    delete endpoint_;\n",
        "    endpoints_t::iterator it = _endpoints.lower_bound (*endpoint_);\n    \
         while (it != _endpoints.end () && it->first == *endpoint_) {\n        \
         if (it->second.second == NULL || it->second.second->is_ending ()) {\n            \
         term_child (it->second.first);\n            _endpoints.erase (it++);\n        } else\n            ++it;\n    }\n    \
         delete endpoint_;\n",
    ),
    // An XPUB with ZMQ_XPUB_MANUAL kept who had sent each subscription in a list of its own, from which messages that
    // are none took entries too: the answer went to another peer than the one that had subscribed. Peers that had left
    // stayed in it, and were looked at when their memory was another's.
    (
        "xpub.cpp",
        "                _pending_flags.push_back (0);\n",
        "                _pending_flags.push_back (_manual ? msg_t::subscribe : 0);\n",
    ),
    (
        "xpub.cpp",
        "        self_->_pending_flags.push_back (0);\n\n        if",
        "        self_->_pending_flags.push_back (self_->_manual ? msg_t::subscribe : 0);\n\n        if",
    ),
    (
        "xpub.cpp",
        "            self_->_last_pipe = NULL;\n            self_->_pending_pipes",
        "            self_->_pending_pipes",
    ),
    (
        "xpub.cpp",
        "    if (_manual && !_pending_pipes.empty ()) {\n",
        "    const bool is_news = _pending_flags.front () == msg_t::subscribe;\n    if (is_news) {\n",
    ),
    (
        "xpub.cpp",
        "    msg_->set_flags (_pending_flags.front ());\n",
        "    msg_->set_flags (is_news ? 0 : _pending_flags.front ());\n",
    ),
    (
        "xpub.cpp",
        "    _dist.pipe_terminated (pipe_);\n",
        "    for (std::deque<pipe_t *>::iterator it = _pending_pipes.begin ();\n         \
         it != _pending_pipes.end (); ++it)\n        if (*it == pipe_)\n            *it = NULL;\n\n    \
         _dist.pipe_terminated (pipe_);\n",
    ),
    // A PUB or XPUB dropped what it sent to a subscriber that had room, as a ROUTER did: it hears of what was read once
    // in a millisecond at most. Now it looks for news before it drops.
    (
        "dist.hpp",
        "    //  True if last we are in the middle of a multipart message.\n",
        "    //  True if a pipe that is not eligible was to be matched.\n    bool _missed;\n\n    \
         //  True if last we are in the middle of a multipart message.\n",
    ),
    (
        "dist.hpp",
        "    bool check_hwm ();\n",
        "    bool check_hwm ();\n    bool has_room () { return !_missed && check_hwm (); }\n",
    ),
    ("dist.cpp", "_eligible (0), _more (false)", "_eligible (0), _missed (false), _more (false)"),
    (
        "dist.cpp",
        "    if (_pipes.index (pipe_) >= _eligible)\n        return;\n",
        "    if (_pipes.index (pipe_) >= _eligible) {\n        _missed = true;\n        return;\n    }\n",
    ),
    ("dist.cpp", "    unmatch ();\n", "    unmatch ();\n    _missed = _eligible < _pipes.size ();\n"),
    ("dist.cpp", "    _matching = 0;\n}\n", "    _matching = 0;\n    _missed = false;\n}\n"),
    (
        "xpub.cpp",
        "    if (!_more_send) {\n        // Ensure",
        "    const bool to_last = _manual && _last_pipe && _send_last_pipe;\n    \
         for (bool listened = !_lossy; !_more_send; listened = true) {\n        // Ensure",
    ),
    (
        "xpub.cpp",
        "        if (unlikely (_manual && _last_pipe && _send_last_pipe)) {\n",
        "        if (unlikely (to_last)) {\n",
    ),
    (
        "xpub.cpp",
        "                                  this);\n            _last_pipe = NULL;\n        } else\n",
        "                                  this);\n        } else\n",
    ),
    (
        "xpub.cpp",
        "            _dist.reverse_match ();\n        }\n",
        "            _dist.reverse_match ();\n        }\n        if (listened || _dist.has_room ()) {\n            \
         if (_manual && _send_last_pipe)\n                _last_pipe = NULL;\n            \
         break;\n        }\n        process_commands (0, false);\n",
    ),
    // A SUB or XSUB dropped subscriptions at the mark, by what it had last heard of the peer, which nobody listened to
    // meanwhile, and when a connection was made again also those that the peer had known. No message of what was
    // subscribed to so came any more. Now subscriptions queue beyond the mark; what ends one does, as many as there are in force. A
    // pipe that had been full when its connection was lost got none at all.
    (
        "pipe.hpp",
        "    void begin () { _begun = true; }\n",
        "    void begin () { _begun = true; }\n    bool begin_beyond (uint64_t beyond_)\n    {\n        \
         if (_state != active\n            || (_hwm > 0\n                \
         && _msgs_written - _peers_msgs_read >= _hwm + beyond_))\n            return false;\n        \
         _out_active = true;\n        return _begun = true;\n    }\n",
    ),
    (
        "dist.hpp",
        "    //  Send the message to all the outbound pipes.\n",
        "    //  Lets the next message queue beyond the marks, and says whether all\n    \
         //  the pipes have room for it.\n    bool begin_beyond (uint64_t beyond_);\n    \
         void revive (zmq::pipe_t *pipe_);\n\n    //  Send the message to all the outbound pipes.\n",
    ),
    (
        "dist.cpp",
        "int zmq::dist_t::send_to_all (msg_t *msg_)\n",
        "bool zmq::dist_t::begin_beyond (uint64_t beyond_)\n{\n    bool all = true;\n    \
         for (pipes_t::size_type i = 0; !_more && i < _pipes.size (); ++i)\n        \
         if (_pipes[i]->begin_beyond (beyond_))\n            revive (_pipes[i]);\n        \
         else if (!_pipes[i]->is_ending ())\n            all = false;\n    return all;\n}\n\n\
         void zmq::dist_t::revive (pipe_t *pipe_)\n{\n    if (_pipes.index (pipe_) >= _eligible)\n        \
         activated (pipe_);\n}\n\nint zmq::dist_t::send_to_all (msg_t *msg_)\n",
    ),
    (
        "xsub.hpp",
        "    //  Check whether the message matches at least one subscription.\n",
        "    void make_room ();\n\n    //  Check whether the message matches at least one subscription.\n",
    ),
    (
        "xsub.cpp",
        "int zmq::xsub_t::xsend (msg_t *msg_)\n",
        "void zmq::xsub_t::make_room ()\n{\n#ifdef ZMQ_USE_RADIX_TREE\n    \
         const uint64_t beyond = _subscriptions.size ();\n#else\n    \
         const uint64_t beyond = _subscriptions.num_prefixes ();\n#endif\n    \
         if (!_dist.begin_beyond (beyond)) {\n        process_commands (0, false);\n        \
         _dist.begin_beyond (beyond);\n    }\n}\n\nint zmq::xsub_t::xsend (msg_t *msg_)\n",
    ),
    (
        "xsub.cpp",
        "        _subscriptions.add (data, size);\n",
        "        _dist.begin_beyond (uint64_t (1) << 62);\n        _subscriptions.add (data, size);\n",
    ),
    ("xsub.cpp", "        const bool rm_result =", "        make_room ();\n        const bool rm_result ="),
    (
        "xsub.cpp",
        "    //  Send it to the pipe.\n    const bool",
        "    //  Send it to the pipe.\n    pipe->begin_beyond (uint64_t (1) << 62);\n    const bool",
    ),
    (
        "xsub.cpp",
        "    //  Send all the cached subscriptions to the hiccuped pipe.\n",
        "    //  Send all the cached subscriptions to the hiccuped pipe.\n    _dist.revive (pipe_);\n",
    ),
    // Inside a process the mark of a pipe is the sum of both ends'. Where one end changed its own, the other took it
    // for both ends', and where a name was bound after the connection to it, the writer was not told of the new mark,
    // which was set by another thread at that. The reader then told of what it had read seldomer than the writer needed
    // it, or never, and the writer waited for ever. With ZMQ_CONFLATE, which knows no marks, one that was set later
    // stopped the socket, too.
    ("pipe.hpp", "    int _in_hwm_boost;\n", "    int _in_hwm;\n    int _out_hwm;\n    int _in_hwm_boost;\n"),
    (
        "pipe.cpp",
        "    _in_hwm_boost (-1),\n",
        "    _in_hwm (inhwm_),\n    _out_hwm (outhwm_),\n    _in_hwm_boost (-1),\n",
    ),
    (
        "pipe.cpp",
        "    int in = inhwm_ + std::max",
        "    _in_hwm = inhwm_;\n    _out_hwm = outhwm_;\n    if (_hwm < 0)\n        return;\n    \
         int in = inhwm_ + std::max",
    ),
    (
        "pipe.cpp",
        "    set_hwms (inhwm_, outhwm_);\n    if (_state",
        "    if (_in_hwm_boost == -1)\n        set_hwms (inhwm_, outhwm_);\n    else {\n        \
         const bool is_first = _in_hwm_boost == -2;\n        set_hwms_boost (inhwm_, outhwm_);\n        \
         set_hwms (_in_hwm, _out_hwm);\n        \
         if (is_first && _state != term_ack_sent && _state != term_req_sent2)\n            \
         send_pipe_hwm (_peer, _out_hwm, _in_hwm);\n    }\n    if (_state",
    ),
    (
        "pipe.cpp",
        "    send_activate_write (_peer, _msgs_read);\n    send_pipe_hwm (_peer, inhwm_, outhwm_);\n",
        "    if (_in_hwm_boost != -2 && _hwm >= 0) {\n        send_activate_write (_peer, _msgs_read);\n        \
         send_pipe_hwm (_peer, inhwm_, outhwm_);\n    }\n",
    ),
    (
        "socket_base.cpp",
        "            new_pipes[0]->set_hwms_boost (peer.options.sndhwm,\n                                          \
         peer.options.rcvhwm);\n            \
         new_pipes[1]->set_hwms_boost (options.sndhwm, options.rcvhwm);\n",
        "            new_pipes[0]->set_hwms_boost (\n              peer.socket ? peer.options.sndhwm : -2,\n              \
         peer.socket ? peer.options.rcvhwm : -2);\n            \
         new_pipes[0]->set_hwms (options.rcvhwm, options.sndhwm);\n            \
         new_pipes[1]->set_hwms_boost (options.sndhwm, options.rcvhwm);\n            \
         new_pipes[1]->set_hwms (peer.options.rcvhwm, peer.options.sndhwm);\n",
    ),
    (
        "ctx.cpp",
        "        pending_connection_.connect_pipe->set_hwms_boost (bind_options_.sndhwm,\n                                                          \
         bind_options_.rcvhwm);\n",
        "",
    ),
    (
        "ctx.cpp",
        "        pending_connection_.bind_pipe->set_hwms_boost (\n          \
         pending_connection_.endpoint.options.sndhwm,\n",
        "        // What the other end's mark is now, it tells itself.\n        \
         pending_connection_.bind_pipe->set_hwms_boost (\n          -3,\n",
    ),
    (
        "ctx.cpp",
        "        pending_connection_.connect_pipe->set_hwms (\n          \
         pending_connection_.endpoint.options.rcvhwm,\n          \
         pending_connection_.endpoint.options.sndhwm);\n",
        "",
    ),
    (
        "ctx.cpp",
        "                                                 bind_options_.sndhwm);\n    } else {\n        \
         pending_connection_.connect_pipe->set_hwms (-1, -1);\n        \
         pending_connection_.bind_pipe->set_hwms (-1, -1);\n    }\n",
        "                                                 bind_options_.sndhwm);\n        \
         pending_connection_.bind_pipe->send_hwms_to_peer (\n          \
         bind_options_.sndhwm, bind_options_.rcvhwm);\n    }\n",
    ),
    // A ROUTER that was connected to a name before a peer with ZMQ_PROBE_ROUTER bound it took the probe for the peer's
    // name: the probe was lost, and the peer unknown. Where the bind came in the middle of the connect, two threads
    // could write to one pipe.
    (
        "ctx.cpp",
        "    if (side_ == bind_side) {\n        command_t cmd;\n",
        "    // Before the pipe is the other socket's.\n    \
         if (pending_connection_.endpoint.options.recv_routing_id\n        \
         && pending_connection_.endpoint.socket->check_tag ()) {\n        \
         send_routing_id (pending_connection_.bind_pipe, bind_options_);\n    }\n\n\
         #ifdef ZMQ_BUILD_DRAFT_API\n    \
         //  If set, send the hello msg of the bind socket to the pending connection.\n    \
         if (bind_options_.can_send_hello_msg\n        && bind_options_.hello_msg.size () > 0) {\n        \
         send_hello_msg (pending_connection_.bind_pipe, bind_options_);\n    }\n#endif\n\n    \
         if (side_ == bind_side) {\n        command_t cmd;\n",
    ),
    (
        "ctx.cpp",
        "    // is open before sending.\n    if (pending_connection_.endpoint.options.recv_routing_id\n        \
         && pending_connection_.endpoint.socket->check_tag ()) {\n        \
         send_routing_id (pending_connection_.bind_pipe, bind_options_);\n    }\n\n\
         #ifdef ZMQ_BUILD_DRAFT_API\n    \
         //  If set, send the hello msg of the bind socket to the pending connection.\n    \
         if (bind_options_.can_send_hello_msg\n        && bind_options_.hello_msg.size () > 0) {\n        \
         send_hello_msg (pending_connection_.bind_pipe, bind_options_);\n    }\n#endif\n}\n",
        "    // is open before sending.\n}\n",
    ),
    // A REQ whose peer went away before the last part of a request took the next request for more of this one: it went
    // out without its envelope, and nobody answered it. The request counts as sent now, as it does when its peer goes
    // right after.
    (
        "req.cpp",
        "    int rc = dealer_t::xsend (msg_);\n    if (rc != 0)\n        return rc;\n",
        "    int rc = dealer_t::xsend (msg_);\n    if (rc != 0 && (rc != -2 || more))\n        return rc;\n",
    ),
    (
        "req.cpp",
        "        _receiving_reply = true;\n        _message_begins = true;\n    }\n\n    return 0;\n",
        "        _receiving_reply = true;\n        _message_begins = true;\n    }\n\n    return rc;\n",
    ),
    // A PAIR whose peer went away in the middle of a message sent the rest of it to the next one, as a message of its
    // own.
    (
        "pair.hpp",
        "    zmq::pipe_t *_pipe;\n",
        "    zmq::pipe_t *_pipe;\n\n    \
         //  Where the message is begun; whether the rest of it is to be dropped.\n    \
         zmq::pipe_t *_begun_in;\n    bool _more_out;\n    bool _dropping;\n",
    ),
    (
        "pair.cpp",
        "socket_base_t (parent_, tid_, sid_), _pipe (NULL)\n",
        "socket_base_t (parent_, tid_, sid_),\n    _pipe (NULL),\n    _begun_in (NULL),\n    \
         _more_out (false),\n    _dropping (false)\n",
    ),
    // One whose peer came back while the old connection had something to read, or a send was all that it ever did, refused it
    // for good. What is left of old connections is received first.
    ("pair.hpp", "#include \"blob.hpp\"\n", "#include <deque>\n\n#include \"blob.hpp\"\n"),
    (
        "pair.hpp",
        "    //  Where the message is begun;",
        "    //  Connections that are lost, and not yet read to their ends.\n    std::deque<zmq::pipe_t *> _ended;\n\n    \
         //  Where the message is begun;",
    ),
    (
        "pair.cpp",
        "    if (_pipe == NULL)\n        _pipe = pipe_;\n",
        "    if (_pipe != NULL && _pipe->is_ending ()) {\n        if (_pipe->check_read ())\n            \
         _ended.push_back (_pipe);\n        _pipe = NULL;\n    }\n    if (_pipe == NULL)\n        _pipe = pipe_;\n",
    ),
    (
        "pair.cpp",
        "    if (pipe_ == _pipe) {\n        _pipe = NULL;\n    }\n",
        "    if (pipe_ == _begun_in)\n        _begun_in = NULL;\n    if (pipe_ == _pipe)\n        _pipe = NULL;\n    \
         for (size_t i = 0; i < _ended.size (); ++i)\n        if (_ended[i] == pipe_)\n            \
         _ended.erase (_ended.begin () + i--);\n",
    ),
    (
        "pair.cpp",
        "    if (!_pipe || !_pipe->read (msg_)) {\n        //  Init",
        "    for (; !_ended.empty (); _ended.pop_front ())\n        if (_ended.front ()->read (msg_))\n            \
         return 0;\n\n    if (!_pipe || !_pipe->read (msg_)) {\n        //  Init",
    ),
    (
        "pair.cpp",
        "bool zmq::pair_t::xhas_in ()\n{\n",
        "bool zmq::pair_t::xhas_in ()\n{\n    for (; !_ended.empty (); _ended.pop_front ())\n        \
         if (_ended.front ()->check_read ())\n            return true;\n\n",
    ),
    (
        "pair.cpp",
        "    if (!_pipe || !_pipe->write (msg_)) {\n        errno = EAGAIN;\n        return -1;\n    }\n\n    \
         if (!(msg_->flags () & msg_t::more))\n        _pipe->flush ();\n",
        "    const bool more = (msg_->flags () & msg_t::more) != 0;\n    if (_dropping) {\n        \
         _dropping = more;\n        int rc = msg_->close ();\n        errno_assert (rc == 0);\n        \
         rc = msg_->init ();\n        errno_assert (rc == 0);\n        return 0;\n    }\n    \
         if (_more_out && (!_begun_in || _begun_in->is_ending ())) {\n        _more_out = false;\n        \
         _dropping = more;\n        errno = EAGAIN;\n        return -2;\n    }\n    \
         if (!_pipe || !_pipe->write (msg_)) {\n        errno = EAGAIN;\n        return -1;\n    }\n    \
         _begun_in = _pipe;\n    _more_out = more;\n\n    if (!more)\n        _pipe->flush ();\n",
    ),
    (
        "pair.cpp",
        "bool zmq::pair_t::xhas_out ()\n{\n",
        "bool zmq::pair_t::xhas_out ()\n{\n    if (_more_out || _dropping)\n        return true;\n",
    ),
    // A pipe that conflates told its reader of every message, in the writer's thread as long as the name was not bound, and
    // so used what was another thread's by then. The reader is told when it has found nothing.
    ("ypipe_conflate.hpp", "#include \"platform.hpp\"\n", "#include \"platform.hpp\"\n#include <atomic>\n"),
    ("ypipe_conflate.hpp", "reader_awake (false)", "reader_awake (true)"),
    (
        "ypipe_conflate.hpp",
        "        const bool res = dbuffer.check_read ();\n        if (!res)\n            reader_awake = false;\n\n        return res;\n",
        "        reader_awake = false;\n        return dbuffer.check_read ();\n",
    ),
    ("ypipe_conflate.hpp", "    bool reader_awake;\n", "    std::atomic<bool> reader_awake;\n"),
    // ZMQ_CONFLATE of a SUB or PUB kept the newest subscription alone, too: no message came of what else was subscribed
    // to. Connected to a name before it was bound, a socket that conflates gave its newest message up as its name.
    (
        "socket_base.cpp",
        "conflate ? -1 : rcvhwm};\n        bool conflates[2] = {conflate, conflate};\n",
        "conflate ? -1 : rcvhwm};\n        bool conflates[2] = {conflate && options.type != ZMQ_PUB,\n                             \
         conflate && options.type != ZMQ_SUB};\n",
    ),
    (
        "socket_base.cpp",
        "conflate ? -1 : options.rcvhwm};\n        bool conflates[2] = {conflate, conflate};\n",
        "conflate ? -1 : options.rcvhwm};\n        \
         bool conflates[2] = {conflate && options.type != ZMQ_PUB,\n                             \
         conflate && options.type != ZMQ_SUB};\n",
    ),
    (
        "session_base.cpp",
        "        bool conflates[2] = {conflate, conflate};\n",
        "        bool conflates[2] = {conflate && options.type != ZMQ_SUB,\n                             \
         conflate && options.type != ZMQ_PUB};\n",
    ),
    (
        "socket_base.cpp",
        "            //  the peer doesn't expect it.\n            send_routing_id",
        "            //  the peer doesn't expect it.\n            \
         if (!conflate || options.type == ZMQ_DEALER)\n                send_routing_id",
    ),
    (
        "ctx.cpp",
        "    if (!bind_options_.recv_routing_id) {\n        msg_t msg;\n",
        "    const options_t &connect_options = pending_connection_.endpoint.options;\n    \
         if (!bind_options_.recv_routing_id\n        \
         && (!get_effective_conflate_option (connect_options)\n            \
         || connect_options.type == ZMQ_DEALER)) {\n        msg_t msg;\n",
    ),
    // The empty message by which a STREAM tells of the end of a connection was dropped where the mark was reached: who
    // read what was there waited for the rest for ever.
    (
        "session_base.hpp",
        "    bool is_pending () const { return _pending; }\n",
        "    bool is_pending () const { return _pending; }\n    void begin_beyond ();\n",
    ),
    (
        "session_base.cpp",
        "int zmq::session_base_t::push_msg (msg_t *msg_)\n",
        "void zmq::session_base_t::begin_beyond ()\n{\n    if (_pipe)\n        \
         _pipe->begin_beyond (uint64_t (1) << 62);\n}\n\n\
         int zmq::session_base_t::push_msg (msg_t *msg_)\n",
    ),
    (
        "raw_engine.cpp",
        "        terminator.init ();\n",
        "        terminator.init ();\n        session ()->begin_beyond ();\n",
    ),
    // The user id that a ZAP handler gives counted as a message that was sent, but not as one that was read: the mark
    // shrank by one with each connection, and with one of 1 nothing was ever received.
    (
        "pipe.cpp",
        "    const bool is_routing_id = msg_->is_routing_id ();\n",
        "    const bool is_routing_id =\n      msg_->is_routing_id () || msg_->is_credential ();\n",
    ),
    // A connection of a ROUTER or REP that was made again while its pipe was full took what the peer sent next for a
    // part of the handshake, and was given up for ever.
    (
        "stream_engine_base.cpp",
        "        _mechanism->peer_routing_id (&routing_id);\n",
        "        _mechanism->peer_routing_id (&routing_id);\n        _session->begin_beyond ();\n",
    ),
    (
        "stream_engine_base.cpp",
        "        connect_notification.init ();\n",
        "        connect_notification.init ();\n        _session->begin_beyond ();\n",
    ),
    // With ZMQ_IMMEDIATE a socket did not know which of its pipes is whose, and one that was disconnected lost what it
    // had sent, whatever ZMQ_LINGER.
    (
        "socket_base.cpp",
        "    attach_pipe (pipe_);\n}\n",
        "    attach_pipe (pipe_);\n\n    const endpoint_uri_pair_t &pair = pipe_->get_endpoint_pair ();\n    \
         if (pair.local_type != endpoint_type_connect)\n        return;\n    \
         const std::pair<endpoints_t::iterator, endpoints_t::iterator> range =\n      \
         _endpoints.equal_range (pair.identifier ());\n    \
         for (endpoints_t::iterator it = range.first; it != range.second; ++it)\n        \
         if (!it->second.second || it->second.second->is_ending ()) {\n            \
         it->second.second = pipe_;\n            break;\n        }\n}\n",
    ),
];
