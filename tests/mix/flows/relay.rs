//! A relay between a client and a server over tcp: it stalls connections, cuts them, and can be a SOCKS5 proxy.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::rng::Rng;

const TURN: Duration = Duration::from_millis(2);

/// A relay, which ends when it is dropped.
pub struct Relay {
    pub address: SocketAddr,
    state: Arc<State>,
    accepting: Option<thread::JoinHandle<()>>,
}

struct State {
    server: SocketAddr,
    /// The number of times that all connections were cut.
    cuts: AtomicUsize,
    stalls: AtomicBool,
    over: AtomicBool,
}

/// Talks to a client before the relay passes anything on.
type Greeting = fn(&mut TcpStream, &mut Rng) -> std::io::Result<()>;

impl Relay {
    pub fn start(server: SocketAddr, greeting: Option<Greeting>, rng: &mut Rng) -> std::io::Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            server,
            cuts: AtomicUsize::new(0),
            stalls: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let (shared, rng) = (state.clone(), rng.fork());
        let accepting = thread::Builder::new().spawn(move || shared.accept(&listener, greeting, rng))?;
        Ok(Relay { address, state, accepting: Some(accepting) })
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.state.cuts.fetch_add(1, Ordering::SeqCst);
    }

    /// Stops passing anything on, or goes on.
    pub fn set_stalls(&self, stalls: bool) {
        self.state.stalls.store(stalls, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        let _ = self.accepting.take().map(thread::JoinHandle::join);
    }
}

impl State {
    fn accept(self: Arc<State>, listener: &TcpListener, greeting: Option<Greeting>, mut rng: Rng) {
        let mut passing = Vec::new();
        while !self.over.load(Ordering::SeqCst) {
            let Ok((client, _)) = listener.accept() else {
                thread::sleep(TURN / 2);
                continue;
            };
            let (state, rng, resets) = (self.clone(), rng.fork(), rng.coin());
            passing.extend(thread::Builder::new().spawn(move || drop(state.pass_both(client, greeting, rng, resets))));
        }
        for passing in passing {
            let _ = passing.join();
        }
    }

    fn pass_both(
        &self,
        mut client: TcpStream,
        greeting: Option<Greeting>,
        mut rng: Rng,
        resets: bool,
    ) -> std::io::Result<()> {
        let cuts = self.cuts.load(Ordering::SeqCst);
        client.set_nonblocking(false)?;
        client.set_nodelay(true)?;
        client.set_read_timeout(Some(TURN * 50))?;
        client.set_write_timeout(Some(TURN))?;
        if resets {
            socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        }
        if let Some(greeting) = greeting {
            greeting(&mut client, &mut rng)?;
        }
        let server = TcpStream::connect(self.server)?;
        server.set_nodelay(true)?;
        server.set_write_timeout(Some(TURN))?;
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(TURN))?;
        }
        thread::scope(|scope| {
            scope.spawn(|| self.pass(&client, &server, cuts));
            self.pass(&server, &client, cuts);
        });
        Ok(())
    }

    /// Passes bytes on until one side ends, or until the next cut.
    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream, cuts: usize) {
        let goes_on = || self.cuts.load(Ordering::SeqCst) == cuts && !self.over.load(Ordering::SeqCst);
        let waits = |error: &std::io::Error| {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
        };
        let mut buffer = [0; 4096];
        'all: while goes_on() {
            if self.stalls.load(Ordering::SeqCst) {
                thread::sleep(TURN / 2);
                continue;
            }
            let mut rest = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => &buffer[..count],
                Err(error) if waits(&error) => continue,
                Err(_) => break,
            };
            while !rest.is_empty() {
                match to.write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) if waits(&error) && goes_on() => {}
                    _ => break 'all,
                }
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// The conversation of a SOCKS5 proxy that connects its client. The reply has an address of any kind, comes in pieces, and
/// rarely says that it failed.
pub fn socks(client: &mut TcpStream, rng: &mut Rng) -> std::io::Result<()> {
    let fails = || std::io::Error::from(ErrorKind::ConnectionRefused);
    client.read_exact(&mut [0; 3])?;
    client.write_all(&[5, 0])?;
    let mut head = [0; 4];
    client.read_exact(&mut head)?;
    let length = match head[3] {
        1 => 4,
        4 => 16,
        _ => {
            let mut length = [0];
            client.read_exact(&mut length)?;
            usize::from(length[0])
        }
    };
    client.read_exact(&mut vec![0; length + 2])?;
    if rng.one_in(8) {
        // A client that gets no reply, or a refusal, tries again.
        let _ = rng.coin().then(|| client.write_all(&[5, 1, 0, 1, 0, 0, 0, 0, 0, 0]));
        return Err(fails());
    }
    let mut reply = vec![5, 0, 0];
    match rng.below(3) {
        0 => reply.extend([1, 127, 0, 0, 1]),
        1 => reply.extend([4; 17]),
        _ => {
            let length = rng.next() as u8;
            reply.extend([3, length]);
            reply.extend((0..length).map(|_| b'n'));
        }
    }
    reply.extend([0, 7]);
    for piece in reply.chunks(1 + rng.below(reply.len())) {
        client.write_all(piece)?;
        if rng.coin() {
            thread::sleep(TURN / 2);
        }
    }
    Ok(())
}
