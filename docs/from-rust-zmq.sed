# Renames the items of rust-zmq to those of safe-zmq. With GNU sed, on one file at a time:
#
#   sed -zE -i -f docs/from-rust-zmq.sed src/main.rs
#
# It changes names that have one counterpart. It leaves names that need a decision, and the compiler reports them: calls with
# zmq::DONTWAIT, which give Ok(None) here instead of EAGAIN; errors by name; flags that are computed; monitors; numbers of
# another type.

# Contexts and sockets. An owned socket of any kind is what rust-zmq's `Socket` is.
s/\bContext::new\(\)/&.unwrap()/g
s/\.socket\((zmq::)?(SocketType::)?PAIR\)/.owned_socket(zmq::Kind::Pair)/g
s/\.socket\((zmq::)?(SocketType::)?PUB\)/.owned_socket(zmq::Kind::Pub)/g
s/\.socket\((zmq::)?(SocketType::)?SUB\)/.owned_socket(zmq::Kind::Sub)/g
s/\.socket\((zmq::)?(SocketType::)?REQ\)/.owned_socket(zmq::Kind::Req)/g
s/\.socket\((zmq::)?(SocketType::)?REP\)/.owned_socket(zmq::Kind::Rep)/g
s/\.socket\((zmq::)?(SocketType::)?DEALER\)/.owned_socket(zmq::Kind::Dealer)/g
s/\.socket\((zmq::)?(SocketType::)?ROUTER\)/.owned_socket(zmq::Kind::Router)/g
s/\.socket\((zmq::)?(SocketType::)?PULL\)/.owned_socket(zmq::Kind::Pull)/g
s/\.socket\((zmq::)?(SocketType::)?PUSH\)/.owned_socket(zmq::Kind::Push)/g
s/\.socket\((zmq::)?(SocketType::)?XPUB\)/.owned_socket(zmq::Kind::XPub)/g
s/\.socket\((zmq::)?(SocketType::)?XSUB\)/.owned_socket(zmq::Kind::XSub)/g
s/\.socket\((zmq::)?(SocketType::)?STREAM\)/.owned_socket(zmq::Kind::Stream)/g
s/([^&A-Za-z_:] ?)\bzmq::Socket\b([^<A-Za-z:])/\1zmq::Socket<'static>\2/g

# Sending. The last argument is the flag.
s/\.send\(([^\n;]*), 0\)/.send(\1)/g
s/\.send\(([^\n;]*), (zmq::)?SNDMORE\)/.send_more(\1)/g
s/\.send\((\s+)([^\n;]*),\s+(zmq::)?SNDMORE,?\s*\)/.send_more(\1\2)/g
s/\.send_multipart\(([^\n;]*), 0\)/.send_multipart(\1)/g
s/use zmq::(SNDMORE|\{SNDMORE\});\r?\n//g

# Receiving.
s/\.recv_string\(0\)(\s*)\.(unwrap\(\)|expect\([^\n]*\))(\s*)\.(unwrap\(\)|expect\([^\n]*\))/.recv_string()\1.\2/g
s/\.recv_msg\(0\)/.recv_msg()/g
s/\.recv_bytes\(0\)/.recv_msg().map(|message| message.to_vec())/g
s/\.recv_multipart\(0\)/.recv_multipart().map(Vec::<Vec<u8>>::from)/g
s/\.recv\(([^\n;,]*), 0\)/.recv(\1)/g
s/\.recv_into\(([^\n;,]*), 0\)/.recv_into(\1)/g
s/\.get_more\(\)/.more()/g

# Polling.
s/\b([A-Za-z_][A-Za-z_.]*)\.as_poll_item\(/zmq::PollItem::socket(\&\1, /g
s/\b([A-Za-z_][A-Za-z_.]*)\.poll\((zmq::POLL[A-Z]+), ([0-9]+)\)/zmq::poll(\&mut [zmq::PollItem::socket(\&\1, \2)], \3)/g
s/\bzmq::poll\(([^;]*), -1\)/zmq::poll(\1, None)/g
s/\bzmq::poll\(([^;\n]*), ([0-9_]+)\)/zmq::poll(\1, std::time::Duration::from_millis(\2))/g
s/\bzmq::(POLLIN|POLLOUT|POLLERR)\b/zmq::PollEvents::\1/g
s/\.get_revents\(\)/.revents()/g
s/\bzmq::proxy\(([^,()\n]*), ([^,()\n]*)\)/zmq::proxy(\1, \2, None)/g

# Options.
s/\.set_identity\(/.set_routing_id(/g
s/\.get_identity\(\)/.routing_id()/g
s/\.set_(un)?subscribe\(/.\1subscribe(/g
s/\.get_events\(\)/.events()/g
s/\.get_fd\(\)/.fd()/g
s/\.get_rcvmore\(\)/.rcvmore()/g
s/\.get_socket_type\(\)\.(unwrap\(\)|expect\([^\n]*\))/.kind()/g
s/\.get_(mechanism|last_endpoint|affinity|rate|tos|backlog|sndhwm|rcvhwm|linger|sndtimeo|rcvtimeo|io_threads)\(\)/.\1()/g
s/\.is_(ipv6|immediate|plain_server|conflate|curve_server)\(\)/.\1()/g
s/\.set_(linger|sndtimeo|rcvtimeo|reconnect_ivl|heartbeat_timeout)\(-1\)/.set_\1(None)/g
s/\.set_(linger|sndtimeo|rcvtimeo|reconnect_ivl|reconnect_ivl_max|handshake_ivl|heartbeat_ivl|heartbeat_timeout|connect_timeout)\(([0-9_]+)\)/.set_\1(std::time::Duration::from_millis(\2))/g
