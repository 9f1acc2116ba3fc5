//! File transfer: its machines, and over sockets.

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "file_transfer/machine.rs"]
mod machine;

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{DEADLINE, TCP, connected, eventually};
use zmq::{Context, Dealer, Errno, Message, Multipart, Router, Socket};
use zmq_patterns::file_transfer::{Client, ClientEvent, FETCH, FetchError, Received, Server, ServerEvent};

const MOMENT: Duration = Duration::from_millis(50);

/// A file of `len` bytes. Its content repeats after [`PERIOD`] bytes, a number that no chunk size divides.
#[derive(Debug, Clone, Copy)]
struct File {
    len: u64,
    at: u64,
}

const PERIOD: u64 = 65_521;

/// Twice the content that repeats.
fn content() -> &'static [u8] {
    static CONTENT: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let mut seed = 1_u32;
        let mut once = Vec::new();
        for _ in 0..PERIOD {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            once.push((seed >> 24) as u8);
        }
        once.repeat(2)
    });
    &CONTENT
}

/// The bytes of the file from `offset` on, at most `most` of them.
fn bytes_at(offset: u64, most: usize) -> &'static [u8] {
    let from = (offset % PERIOD) as usize;
    &content()[from..][..most.min(PERIOD as usize)]
}

fn file(len: u64) -> File {
    File { len, at: 0 }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min((self.len - self.at.min(self.len)) as usize);
        let bytes = bytes_at(self.at, most);
        buffer[..bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(0) => self.len,
            other => panic!("{other:?}"),
        };
        Ok(self.at)
    }
}

/// Compares everything that is written with the file.
#[derive(Default)]
struct Comparison {
    at: u64,
}

impl Write for Comparison {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let expected = bytes_at(self.at, buffer.len());
        assert!(buffer[..expected.len()] == *expected, "wrong bytes after {}", self.at);
        self.at += expected.len() as u64;
        Ok(expected.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server in a thread.
struct Serving {
    endpoint: String,
    /// The number of chunks that were sent.
    chunks: Arc<AtomicU64>,
    events: Arc<Mutex<Vec<ServerEvent>>>,
    context: Context,
    thread: JoinHandle<()>,
}

fn serve(endpoint: &str, file: File) -> Serving {
    // A context of its own, which ends like a process.
    let context = common::context();
    let mut server = Server::new(context.owned_socket(Router).unwrap(), file).unwrap();
    let endpoint = server.socket().bind(endpoint).unwrap();
    let (chunks, events) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (counter, list) = (chunks.clone(), events.clone());
    let thread = thread::spawn(move || {
        loop {
            match server.run_once(None, |event| list.lock().unwrap().push(event.clone())) {
                Err(error) if error.errno() == Errno::ETERM => break,
                outcome => outcome.unwrap(),
            }
            counter.store(server.statistics().chunks, Ordering::Relaxed);
        }
    });
    Serving { endpoint, chunks, events, context, thread }
}

impl Serving {
    fn chunks(&self) -> u64 {
        self.chunks.load(Ordering::Relaxed)
    }

    fn events(&self) -> Vec<ServerEvent> {
        self.events.lock().unwrap().clone()
    }

    /// Ends the server with everything that it has not sent.
    fn end(self) {
        self.context.shutdown().unwrap();
        self.thread.join().unwrap();
    }
}

fn expected(len: u64, chunk: u64) -> (u64, u64) {
    (len / chunk + 1, len)
}

fn numbers(received: Received) -> (u64, u64) {
    (received.chunks, received.bytes)
}

#[deadline::test]
fn client_gets_exactly_the_bytes_of_files_of_any_size() {
    const CHUNK: u64 = 10_000;
    for endpoint in [TCP, "ipc://*", "inproc://server"] {
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 10 * CHUNK, 10 * CHUNK - 1, 333_333] {
            let serving = serve(endpoint, file(len));
            // `inproc` needs the server's context.
            let context = if endpoint == "inproc://server" { serving.context.clone() } else { common::context() };
            for credit in [1, 10] {
                let client = Client::new(&context, &serving.endpoint).chunk(CHUNK as usize).credit(credit);
                // The machine may be busy.
                let mut client = client.timeout(DEADLINE).patience(DEADLINE);
                let mut copy = Comparison::default();
                let received = client.fetch(&mut copy).unwrap();
                assert_eq!((numbers(received), copy.at), (expected(len, CHUNK), len), "{endpoint}, {credit}");
                let from = len / 2 + 1;
                let received = client.fetch_from(from, &mut Comparison { at: from }).unwrap();
                assert_eq!(numbers(received), expected(len.saturating_sub(from), CHUNK));
            }
            assert_eq!(serving.events(), [], "{endpoint}, {len}");
            drop(context);
            serving.end();
        }
    }
}

#[deadline::test]
fn client_takes_the_largest_credit_and_any_offset() {
    let serving = serve(TCP, file(50_000));
    let context = common::context();
    let mut client = Client::new(&context, &serving.endpoint).chunk(100).credit(u32::MAX).patience(DEADLINE);
    for from in [0, 49_999, 50_000, 50_001, u64::MAX] {
        let received = client.fetch_from(from, &mut Comparison { at: from }).unwrap();
        assert_eq!(numbers(received), expected(50_000_u64.saturating_sub(from), 100));
    }
    serving.end();
}

/// `tests/guide_chapter7.rs` measures the memory of a client and a server for a file of this size.
#[deadline::test]
fn client_gets_exactly_the_bytes_of_a_gib() {
    const LEN: u64 = 1 << 30;
    let serving = serve(TCP, file(LEN));
    let mut copy = Comparison::default();
    let received = Client::new(&common::context(), &serving.endpoint).fetch(&mut copy).unwrap();
    assert_eq!((numbers(received), copy.at), (expected(LEN, 250_000), LEN));
    serving.end();
}

/// A file whose writes wait for the test.
struct SlowSink(std::sync::mpsc::Receiver<()>, Comparison);

impl Write for SlowSink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.recv().unwrap();
        self.1.write_all(buffer)?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[deadline::test]
fn slow_client_has_no_more_than_its_credit_under_way() {
    const CHUNK: usize = 1000;
    const CREDIT: u64 = 7;
    let serving = serve(TCP, file(100_500));
    let (go, wait) = channel();
    let endpoint = serving.endpoint.clone();
    let fetching = thread::spawn(move || {
        let mut client = Client::new(&common::context(), endpoint).chunk(CHUNK).credit(CREDIT as u32);
        let mut sink = SlowSink(wait, Comparison::default());
        (client.fetch(&mut sink).unwrap(), sink.1.at)
    });
    for written in 0..=100 {
        let most = written + CREDIT;
        eventually("the server has sent the credit", || serving.chunks() >= most);
        thread::sleep(Duration::from_millis(1));
        assert_eq!(serving.chunks(), most, "after {written}");
        go.send(()).unwrap();
    }
    let (received, len) = fetching.join().unwrap();
    assert_eq!((numbers(received), len), ((101, 100_500), 100_500));
    serving.end();
}

/// Sends a request by a bare DEALER.
fn ask(socket: &Socket<'_, Dealer>, offset: u64, size: u64) {
    socket.send_multipart([FETCH.to_owned(), offset.to_string(), size.to_string()]).unwrap();
}

/// A client without credit: the server keeps its requests until there is room, serves others meanwhile, and drops nothing.
#[deadline::test]
fn server_drops_no_chunk_of_a_client_that_reads_late() {
    const CHUNK: u64 = 100_000;
    let serving = serve(TCP, file(500 * CHUNK));
    let context = common::context();
    let late = context.socket(Dealer).unwrap();
    late.set_rcvhwm(1).unwrap();
    late.set_rcvbuf(Some(4096)).unwrap();
    late.connect(&serving.endpoint).unwrap();
    (0..500).for_each(|number| ask(&late, number * CHUNK, CHUNK));
    eventually("the server has filled the queue", || serving.chunks() > 20);
    let mut copy = Comparison::default();
    let received = Client::new(&context, &serving.endpoint).fetch(&mut copy).unwrap();
    assert_eq!(received.bytes, 500 * CHUNK);
    let for_late = serving.chunks() - received.chunks;
    // The mark and the buffers of the connection.
    assert!(for_late < 200, "{for_late} chunks in memory");
    let mut copy = Comparison::default();
    for _ in 0..500 {
        let chunk = late.recv_multipart().unwrap();
        copy.write_all(&chunk[0]).unwrap();
    }
    assert_eq!(copy.at, 500 * CHUNK);
    assert_eq!(serving.events(), []);
    serving.end();
}

#[deadline::test]
fn server_sends_the_whole_file_to_a_client_that_asks_without_an_offset() {
    for len in [0, 1, 250_000, 5_000_001] {
        let serving = serve(TCP, file(len));
        let context = common::context();
        let client = connected(&context, Dealer, &serving.endpoint);
        client.send(FETCH).unwrap();
        let mut copy = Comparison::default();
        let mut chunks = 0;
        loop {
            let chunk = client.recv_multipart().unwrap();
            chunks += 1;
            assert!(chunk.len() == 1 && chunk[0].len() <= 250_000);
            if chunk[0].is_empty() {
                break;
            }
            copy.write_all(&chunk[0]).unwrap();
        }
        assert_eq!((copy.at, chunks), (len, len.div_ceil(250_000) + 1));
        serving.end();
    }
}

/// Clients that leave in the middle cost nothing, and others are served.
#[deadline::test]
fn server_forgets_clients_that_leave() {
    let serving = serve(TCP, file(100_000_000));
    for _ in 0..5 {
        let context = common::context();
        let client = connected(&context, Dealer, &serving.endpoint);
        client.send(FETCH).unwrap();
        client.recv_multipart().unwrap();
        drop(client);
    }
    eventually("all are gone", || serving.events().len() == 5);
    assert!(serving.events().iter().all(|event| matches!(event, ServerEvent::ClientGone(_))));
    let mut copy = Comparison::default();
    Client::new(&common::context(), &serving.endpoint).chunk(1 << 20).fetch(&mut copy).unwrap();
    assert_eq!(copy.at, 100_000_000);
    serving.end();
}

/// The server is killed again and again, and the transfer ends with the right bytes.
#[deadline::test]
fn client_goes_on_when_the_server_is_restarted() {
    const LEN: u64 = 3_000_000;
    const CHUNK: usize = 1000;
    let mut serving = serve(TCP, file(LEN));
    let endpoint = serving.endpoint.clone();
    let reconnects = Arc::new(AtomicU64::new(0));
    let fetching = thread::spawn({
        let (endpoint, reconnects) = (endpoint.clone(), reconnects.clone());
        move || {
            let client = Client::new(&common::context(), endpoint).chunk(CHUNK).credit(50).patience(DEADLINE);
            let mut client = client.on_event(move |event| {
                assert!(matches!(event, ClientEvent::Reconnecting(_)), "{event:?}");
                reconnects.fetch_add(1, Ordering::Relaxed);
            });
            let mut copy = Comparison::default();
            (client.fetch(&mut copy).unwrap(), copy.at)
        }
    });
    for round in 0..5 {
        eventually("some chunks", || serving.chunks() > 100 * (round + 1));
        serving.end();
        serving = serve(&endpoint, file(LEN));
    }
    let (received, len) = fetching.join().unwrap();
    assert_eq!((received.bytes, len), (LEN, LEN));
    // A chunk is never counted twice, so the number of chunks is that of a transfer without interruptions.
    assert_eq!(received.chunks, LEN / CHUNK as u64 + 1);
    assert!(reconnects.load(Ordering::Relaxed) >= 5);
    serving.end();
}

/// The server dies with two of three requests while the client writes the first chunk. The fourth request, which the client
/// sends after that, must not reach the next server over the same socket: its reply would be taken for the second chunk.
#[deadline::test]
fn request_after_a_lost_connection_does_not_reach_the_next_server() {
    const LEN: u64 = 10_500;
    let context = common::context();
    let dying = context.owned_socket(Router).unwrap();
    let endpoint = dying.bind(TCP).unwrap();
    let (go, wait) = channel();
    let fetching = thread::spawn({
        let endpoint = endpoint.clone();
        move || {
            let mut client = Client::new(&common::context(), endpoint).chunk(1000).credit(3).patience(DEADLINE);
            let mut sink = SlowSink(wait, Comparison::default());
            (client.fetch(&mut sink).unwrap(), sink.1.at)
        }
    });
    let requests = [(); 3].map(|()| dying.recv_multipart().unwrap());
    dying.send_multipart([&requests[0][0][..], bytes_at(0, 1000)]).unwrap();
    // The chunk must arrive before the connection is lost. The client then waits in its sink.
    thread::sleep(4 * MOMENT);
    dying.close();
    let serving = serve(&endpoint, file(LEN));
    // A socket that connects again has done so by then.
    thread::sleep(10 * MOMENT);
    for _ in 0..20 {
        // The client may be done.
        let _ = go.send(());
    }
    let (received, len) = fetching.join().unwrap();
    assert_eq!((numbers(received), len), (expected(LEN, 1000), LEN));
    serving.end();
}

/// A server that hangs: the client connects again, and to a server that has come in its place.
#[deadline::test]
fn client_replaces_a_silent_connection_and_gives_up_in_bounded_time() {
    let context = common::context();
    let silent = context.owned_socket(Router).unwrap();
    let endpoint = silent.bind(TCP).unwrap();
    let mut client = Client::new(&context, &endpoint).timeout(MOMENT).patience(5 * MOMENT);
    let mut copy = Comparison::default();
    let failed = client.fetch_from(5, &mut copy).unwrap_err();
    assert_eq!((failed.errno(), numbers(failed.received())), (Errno::EAGAIN, (0, 0)));
    assert_eq!(failed.to_string(), "no chunk within 250ms, after 0 bytes");
    let mut clients = Vec::new();
    while let Some(request) = silent.now().recv_multipart().unwrap() {
        if !clients.contains(&request[0]) {
            clients.push(request[0].clone());
            assert_eq!(request[1..], [FETCH, "5", "250000"]);
        }
    }
    assert!(clients.len() > 1, "one connection only");
    silent.unbind(&endpoint).unwrap();
    drop(silent);

    let mut client = client.patience(DEADLINE);
    let fetching = thread::spawn(move || client.fetch(&mut Comparison::default()).unwrap());
    let serving = serve(&endpoint, file(123_456));
    assert_eq!(fetching.join().unwrap().bytes, 123_456);
    serving.end();
}

/// Answers `count` requests. `reply` gets the number of a request, and the request without its client.
fn by_hand(
    count: usize,
    reply: impl Fn(usize, &[Message]) -> Option<Multipart> + Send + 'static,
) -> (String, Context, JoinHandle<()>) {
    let context = common::context();
    let router = context.owned_socket(Router).unwrap();
    let endpoint = router.bind(TCP).unwrap();
    let thread = thread::spawn(move || {
        for number in 0..count {
            let Ok(request) = router.recv_multipart() else { return };
            if let Some(mut reply) = reply(number, &request[1..]) {
                reply.push_front(&request[0]);
                router.send_multipart(reply).unwrap();
            }
        }
        // Sent chunks must leave before the socket is closed.
        let _ = router.recv_multipart();
    });
    (endpoint, context, thread)
}

/// The server has chunks of three bytes, and drops those of some requests. If it drops as many as the credit is, the client
/// waits for the time-out, and then for the last chunk again.
#[deadline::test]
fn client_fails_when_the_server_drops_a_chunk() {
    for (dropped, copy) in [(1..2, "abcghijklm"), (1..3, "abcjklm"), (2..5, "abcdef")] {
        let (endpoint, context, thread) = by_hand(100, move |number, request| {
            let offset: usize = request[1].as_str().unwrap().parse().unwrap();
            let rest = "abcdefghijklm".get(offset..).unwrap_or_default();
            // The server sends the chunks behind a dropped one. The client takes them for the dropped ones.
            (!dropped.contains(&number)).then(|| rest[..rest.len().min(3)].into())
        });
        let mut client = Client::new(&common::context(), &endpoint).chunk(3).credit(3).timeout(2 * MOMENT);
        let mut written = Vec::new();
        match client.fetch(&mut written) {
            // Nothing was written behind the missing chunks.
            Ok(received) => assert_eq!((received.bytes, &written[..]), (13, &b"abcdefghijklm"[..])),
            Err(failed) => {
                assert_eq!((failed.errno(), &written[..]), (Errno::EPROTO, copy.as_bytes()));
                assert!(failed.to_string().starts_with("the server has dropped chunks"), "{failed}");
            }
        }
        context.shutdown().unwrap();
        thread.join().unwrap();
    }
}

#[deadline::test]
fn client_drops_malformed_replies_with_their_connection() {
    let malformed = [vec!["a", "b"], vec!["longer than a chunk"], vec!["", ""]];
    let expected: Vec<_> = malformed.iter().map(|frames| ClientEvent::Malformed(frames.into())).collect();
    let (endpoint, context, thread) =
        by_hand(4, move |number, _| Some(malformed.get(number).map_or("x".into(), Multipart::from)));
    let (sender, events) = channel();
    let client = Client::new(&common::context(), &endpoint).chunk(3).credit(1).patience(DEADLINE);
    let mut client = client.on_event(move |event| sender.send(event.clone()).unwrap());
    let mut copy = Vec::new();
    assert_eq!(numbers(client.fetch(&mut copy).unwrap()), (1, 1));
    assert_eq!(copy, b"x");
    let is_malformed = |event: &ClientEvent| matches!(event, ClientEvent::Malformed(_));
    assert_eq!(events.try_iter().filter(is_malformed).collect::<Vec<_>>(), expected);
    context.shutdown().unwrap();
    thread.join().unwrap();
}

#[deadline::test]
fn server_drops_malformed_requests() {
    let serving = serve(TCP, file(10));
    let context = common::context();
    let client = connected(&context, Dealer, &serving.endpoint);
    for frames in [&["hello"][..], &[FETCH, "0"], &[FETCH, "-1", "1"], &[FETCH, "0", "99999999999"]] {
        client.send_multipart(frames).unwrap();
    }
    ask(&client, u64::MAX, 1);
    ask(&client, 9, 16 << 20);
    assert_eq!(client.recv_multipart().unwrap(), [""]);
    assert_eq!(client.recv_multipart().unwrap(), [bytes_at(9, 1)]);
    let events = serving.events();
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| matches!(event, ServerEvent::Malformed(_))), "{events:?}");
    serving.end();
}

/// A file that cannot be read or written.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _buffer: &[u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(libc::ENOSPC))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Broken {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(libc::EISDIR))
    }
}

impl Seek for Broken {
    fn seek(&mut self, _to: SeekFrom) -> io::Result<u64> {
        Ok(100)
    }
}

#[deadline::test]
fn errors_of_files_and_of_the_context_are_returned() {
    let serving = serve(TCP, file(10));
    let context = common::context();
    let mut client = Client::new(&context, &serving.endpoint);
    let failed: FetchError = client.fetch(&mut Broken).unwrap_err();
    assert_eq!((failed.errno(), numbers(failed.received())), (Errno::from_raw(libc::ENOSPC), (1, 10)));
    assert_eq!(io::Error::from(failed).kind(), io::ErrorKind::StorageFull);
    serving.end();

    let mut server = Server::new(context.owned_socket(Router).unwrap(), Broken).unwrap();
    server.socket().bind("inproc://broken").unwrap();
    let asking = connected(&context, Dealer, "inproc://broken");
    ask(&asking, 0, 5);
    let error = server.run(|_| {}).unwrap_err();
    assert_eq!(error.errno(), Errno::from_raw(libc::EISDIR));
    assert!(error.to_string().contains("5 bytes at 0"), "{error}");

    let mut copy = Cursor::new(Vec::new());
    assert_eq!(Client::new(&context, "nowhere").fetch(&mut copy).unwrap_err().errno(), Errno::EINVAL);
    let hanging = thread::spawn(move || client.fetch(&mut io::sink()).unwrap_err().errno());
    context.shutdown().unwrap();
    assert_eq!(hanging.join().unwrap(), Errno::ETERM);
    drop((server, asking));
}
