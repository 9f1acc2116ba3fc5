//! Peers that come back, and raw TCP clients: messages go to the peer that was named.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use zmq::{Errno, Kind, PollEvents, PollItem, Socket};

use super::{Flow, Result, Stop};
use crate::world::{free_port, within};

/// Receives two parts within the time of a flow.
fn receive(flow: &Flow<'_>, socket: &Socket<'static>) -> Result<(Vec<u8>, Vec<u8>)> {
    let Some(parts) = socket.within(within()).recv_multipart()? else {
        return Err(if flow.world.has_ended() { Stop::Ended } else { Stop::Fault("no message came".to_owned()) });
    };
    match &*parts.iter().map(|part| part.to_vec()).collect::<Vec<_>>() {
        [id, body] => Ok((id.clone(), body.clone())),
        parts => Err(Stop::Fault(format!("{} parts came", parts.len()))),
    }
}

/// Each client of a STREAM receives its messages. A client that has left does not stop the others.
pub fn stream_clients(flow: &mut Flow<'_>) -> Result {
    let server = flow.socket(Kind::Stream)?;
    flow.tune(&server)?;
    let endpoint = server.bind("tcp://127.0.0.1:*")?;
    let address = endpoint.trim_start_matches("tcp://");
    let fault = |error: std::io::Error| Stop::Fault(format!("a client of a STREAM: {error}"));
    for number in 0..1 + flow.rng.below(4) {
        let Ok(mut client) = TcpStream::connect(address) else { return Err(Stop::Ended) };
        client.set_read_timeout(Some(within())).map_err(fault)?;
        let text = format!("hello from {number}");
        client.write_all(text.as_bytes()).map_err(fault)?;
        let (id, body) = receive(flow, &server)?;
        if !body.is_empty() {
            return Err(Stop::Fault("a STREAM is not told of a client".to_owned()));
        }
        let (same, body) = receive(flow, &server)?;
        if same != id || body != text.as_bytes() {
            return Err(Stop::Fault(format!("a STREAM receives {body:?} of {same:?}, not {text:?} of {id:?}")));
        }
        if flow.rng.one_in(3) {
            let refused = [
                server.now().send("one part").is_err(),
                server.now().send_multipart([&id[..], b"two", b"three"]).is_err(),
            ];
            if refused != [true; 2] {
                return Err(Stop::Fault("a STREAM accepts a message that is not an id and data".to_owned()));
            }
            let _ = server.now().send_multipart([&b"nobody"[..], b"x"]);
        }
        if flow.rng.one_in(3) {
            let (count, mut left) = (1 + flow.rng.below(40), 0);
            for _ in 0..count {
                client.write_all(&[b'l'; 100]).map_err(fault)?;
                left += 100;
                std::thread::sleep(Duration::from_micros(flow.rng.below(200) as u64));
            }
            drop(client);
            while left > 0 {
                let (_, body) = receive(flow, &server)?;
                if body.is_empty() || body.len() > left {
                    return Err(Stop::Fault(format!("{} bytes of {left} come from a client that left", body.len())));
                }
                left -= body.len();
            }
            let (_, body) = receive(flow, &server)?;
            if !body.is_empty() {
                return Err(Stop::Fault(format!("a STREAM receives {body:?}, not the end of a client that left")));
            }
            continue;
        }
        if flow.rng.one_in(3) {
            drop(client);
            std::thread::sleep(Duration::from_millis(flow.rng.below(3) as u64));
            let start = Instant::now();
            for _ in 0..3 {
                match server.within(within()).send_multipart([&id[..], b"gone"]) {
                    Ok(_) => {}
                    Err(failed) if failed.error().errno() == Errno::EHOSTUNREACH => {}
                    Err(failed) => return Err(failed.into()),
                }
            }
            if start.elapsed() >= within() {
                return Err(Stop::Fault("a send to a client that has left waits".to_owned()));
            }
            let (same, body) = receive(flow, &server)?;
            if same != id || !body.is_empty() {
                return Err(Stop::Fault(format!("a STREAM receives {body:?} of {same:?}, not the end of {id:?}")));
            }
            continue;
        }
        for piece in ["answer ", "to ", &text] {
            server.send_multipart([&id[..], piece.as_bytes()])?;
        }
        let mut answer = vec![0; "answer to ".len() + text.len()];
        client.read_exact(&mut answer).map_err(|error| match flow.world.has_ended() {
            true => Stop::Ended,
            false => fault(error),
        })?;
        if answer != format!("answer to {text}").as_bytes() {
            return Err(Stop::Fault(format!("a client of a STREAM receives {:?}", String::from_utf8_lossy(&answer))));
        }
        drop(client);
        let (_, body) = receive(flow, &server)?;
        if !body.is_empty() {
            return Err(Stop::Fault(format!("a STREAM receives {body:?} from a client that is silent")));
        }
    }
    Ok(())
}

/// A peer with its own id connects again and again. Its messages arrive under that id. Over inproc they all do: each message
/// that was sent is in the pipe of its connection.
pub fn handover(flow: &mut Flow<'_>) -> Result {
    let router = flow.socket(Kind::Router)?;
    router.set_router_handover(true)?;
    let mut endpoint: Option<String> = None;
    let mut arrived = Vec::new();
    let mut check = |(id, body): (Vec<u8>, Vec<u8>)| -> Result<usize> {
        check_id(&id)?;
        arrived.push(body);
        Ok(arrived.len())
    };
    let count = 2 + flow.rng.below(6);
    for connection in 0..count {
        let dealer = flow.socket(Kind::Dealer)?;
        dealer.set_routing_id("A")?;
        match &endpoint {
            Some(endpoint) => dealer.connect(endpoint)?,
            None => endpoint = Some(flow.link_one(&router, &[&dealer])?),
        }
        for number in 0..3 {
            dealer.send(format!("{connection} {number}"))?;
        }
        if flow.rng.coin() {
            check(receive(flow, &router)?)?;
        }
    }
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("inproc")) {
        while check(receive(flow, &router)?)? < 3 * count {}
    }
    // Over other transports, messages of a peer that was replaced may be lost with its connection.
    while let Some(parts) = router.within(Duration::from_millis(20)).recv_multipart()? {
        check((parts[0].to_vec(), parts[1].to_vec()))?;
    }
    for connection in 0..count {
        let prefix = format!("{connection} ");
        let numbers: Vec<_> = arrived.iter().filter(|body| body.starts_with(prefix.as_bytes())).collect();
        if !numbers.is_sorted_by(|one, next| one < next) {
            return Err(Stop::Fault(format!("messages of connection {connection} arrive as {numbers:?}")));
        }
    }
    Ok(())
}

fn check_id(id: &[u8]) -> Result {
    if id == b"A" { Ok(()) } else { Err(Stop::Fault(format!("a peer with the id A came as {id:?}"))) }
}

/// A ROUTER that connects reaches the server that has bound the endpoint now, by its id.
pub fn server_comes_back(flow: &mut Flow<'_>) -> Result {
    let port = free_port();
    let endpoint = format!("tcp://127.0.0.1:{port}");
    let router = flow.socket(Kind::Router)?;
    router.set_router_mandatory(true)?;
    router.set_reconnect_ivl(Some(Duration::from_millis(2)))?;
    router.connect(&endpoint)?;
    for number in 0..1 + flow.rng.below(3) {
        let id = format!("server {number}");
        let server = flow.socket(Kind::Dealer)?;
        server.set_linger(Some(Duration::ZERO))?;
        server.set_routing_id(&id)?;
        let end = Instant::now() + within();
        while let Err(error) = server.bind(&endpoint) {
            if error.errno() != Errno::EADDRINUSE || Instant::now() > end {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        flow.wait("a ROUTER reaches the server that came back", || {
            match router.now().send_multipart([id.as_str(), "x"]) {
                Ok(sent) => Ok(sent.is_sent()),
                Err(failed) if failed.error().errno() == Errno::EHOSTUNREACH => {
                    zmq::poll(&mut [PollItem::socket(&router, PollEvents::POLLIN)], Duration::ZERO)?;
                    Ok(false)
                }
                Err(failed) => Err(failed.into()),
            }
        })?;
        let Some(message) = server.within(within()).recv_msg()? else {
            return Err(Stop::Fault("a message to a server that came back is lost".to_owned()));
        };
        if &*message != b"x" {
            return Err(Stop::Fault(format!("a server receives {message:?}")));
        }
    }
    Ok(())
}
