//! This library: `AsyncSocket` in the tasks that the other crates do too, and the ways to wait without a runtime.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Dealer, Message, PollEvents, PollItem, Poller, Pull, Push, Rep, Req, Result, Router, Socket, poll};
use zmq_patterns::Reactor;

use crate::blocking::{self, bound, connected, context, put, take, timed};
use crate::shared::{Kind, STEP, Sockets, Work, allow_many_files};

/// The number of messages in the queue of the socket, in the mode `burst`.
const BURST: usize = 100;

/// Does the work, blocking or in a runtime.
pub fn run(work: Work) -> Result<()> {
    if let Some(way) = work.runtime.strip_prefix("wait-") {
        println!("{}", wait(&work, way)?.as_nanos());
        return Ok(());
    }
    if work.runtime == "blocking" {
        let time = if work.mode == "wake" {
            Some(wake(work.size, work.count, "Poller")?.into())
        } else {
            blocking::run(&work)?
        };
        if let Some(time) = time {
            time.print();
        }
        return Ok(());
    }
    let runtime = if work.runtime == "async-io" { Runtime::AsyncIo } else { Runtime::Tokio };
    work.run(Ours { context: context()?, runtime }, async_io::block_on);
    Ok(())
}

struct Ours {
    context: Context,
    runtime: Runtime,
}

enum AnySocket {
    Push(AsyncSocket<Push>),
    Pull(AsyncSocket<Pull>),
    Req(AsyncSocket<Req>),
    Rep(AsyncSocket<Rep>),
    Dealer(AsyncSocket<Dealer>),
    Router(AsyncSocket<Router>),
}

impl Sockets for Ours {
    type Socket = AnySocket;

    async fn open(&self, kind: Kind, endpoint: &str) -> AnySocket {
        let Ours { context, runtime } = self;
        let opened = || -> Result<AnySocket> {
            Ok(match kind {
                Kind::Push => AnySocket::Push(AsyncSocket::new(connected(context, Push, endpoint)?, *runtime)?),
                Kind::Pull => AnySocket::Pull(AsyncSocket::new(bound(context, Pull, endpoint)?, *runtime)?),
                Kind::Req => AnySocket::Req(AsyncSocket::new(connected(context, Req, endpoint)?, *runtime)?),
                Kind::Rep => AnySocket::Rep(AsyncSocket::new(bound(context, Rep, endpoint)?, *runtime)?),
                Kind::Dealer => AnySocket::Dealer(AsyncSocket::new(connected(context, Dealer, endpoint)?, *runtime)?),
                Kind::Router => AnySocket::Router(AsyncSocket::new(bound(context, Router, endpoint)?, *runtime)?),
            })
        };
        opened().expect("a socket")
    }

    async fn send(socket: &mut AnySocket, content: &[u8]) {
        match socket {
            AnySocket::Push(push) => push.send(content).await.expect("sent"),
            AnySocket::Req(req) => req.send(content).await.expect("sent"),
            AnySocket::Dealer(dealer) => dealer.send(content).await.expect("sent"),
            _ => unreachable!(),
        }
    }

    async fn recv(socket: &mut AnySocket) -> usize {
        let message = match socket {
            AnySocket::Pull(pull) => pull.recv_msg().await,
            AnySocket::Req(req) => req.recv_msg().await,
            AnySocket::Dealer(dealer) => dealer.recv_msg().await,
            _ => unreachable!(),
        };
        message.expect("received").len()
    }

    async fn echo(socket: &mut AnySocket) {
        match socket {
            AnySocket::Rep(rep) => {
                let message = rep.recv_msg().await.expect("received");
                rep.send(message).await.expect("sent");
            }
            AnySocket::Router(router) => {
                let message = router.recv_multipart().await.expect("received");
                router.send_multipart(message).await.expect("sent");
            }
            _ => unreachable!(),
        }
    }
}

/// The ways to wait, by their names: the time of `burst` or `wake`.
fn wait(work: &Work, way: &str) -> Result<Duration> {
    match &*work.mode {
        "wake" => wake(work.size, work.count, way),
        "burst" => burst(work.size, work.count, way),
        mode => panic!("{mode}: no such mode"),
    }
}

type Pairs = Vec<(Socket<'static, Pull>, Socket<'static, Push>)>;

fn pairs(number: usize) -> Result<Pairs> {
    allow_many_files();
    let context = context()?;
    (0..number)
        .map(|number| {
            let endpoint = format!("inproc://{number}");
            Ok((bound(&context, Pull, &endpoint)?, connected(&context, Push, &endpoint)?))
        })
        .collect()
}

/// One of the sockets gets a message, and all are waited on, `count` times, in one thread. A blocking receive has another
/// thread, which sends when it is woken itself: the time of one way.
fn wake(number: usize, count: usize, way: &str) -> Result<Duration> {
    let pairs = pairs(number)?;
    let kick = |round: usize| put(&pairs[round * STEP % number].1, b"x");
    let warm_up = count / 10;
    let mut start = Instant::now();
    let mut buffer = [0];
    match way {
        "recv" => {
            let context = context()?;
            let there = (bound(&context, Pull, "inproc://there")?, connected(&context, Push, "inproc://there")?);
            let back = (bound(&context, Pull, "inproc://back")?, connected(&context, Push, "inproc://back")?);
            return thread::scope(|scope| {
                let (from, to) = (there.0, back.1);
                scope.spawn(move || {
                    for _ in 0..=count / 2 {
                        take(&from, &mut [0]).and_then(|()| put(&to, b"x")).expect("the context is open");
                    }
                });
                timed(count / 2, || put(&there.1, b"x").and_then(|()| take(&back.0, &mut buffer)))
            });
        }
        "poll" => {
            let mut items: Vec<PollItem> =
                pairs.iter().map(|(socket, _)| PollItem::socket(socket, PollEvents::POLLIN)).collect();
            for round in 0..count + warm_up {
                if round == warm_up {
                    start = Instant::now();
                }
                kick(round)?;
                poll(&mut items, None)?;
                let ready = items.iter().position(PollItem::is_readable).expect("a ready socket");
                take(&pairs[ready].0, &mut buffer)?;
            }
        }
        "Poller" => {
            let mut poller = Poller::new()?;
            for (number, (socket, _)) in pairs.iter().enumerate() {
                poller.add(socket, number, PollEvents::POLLIN)?;
            }
            for round in 0..count + warm_up {
                if round == warm_up {
                    start = Instant::now();
                }
                kick(round)?;
                for event in poller.wait(None)? {
                    take(&pairs[event.key].0, &mut buffer)?;
                }
            }
        }
        "Reactor" => {
            let (began, round) = (Cell::new(start), Cell::new(0));
            let mut reactor = Reactor::new()?;
            for (socket, _) in &pairs {
                let (began, round, kick) = (&began, &round, &kick);
                reactor.add(socket, PollEvents::POLLIN, move |reactor, _| {
                    take(socket, &mut [0])?;
                    round.set(round.get() + 1);
                    if round.get() == warm_up {
                        began.set(Instant::now());
                    }
                    if round.get() == count + warm_up {
                        reactor.stop();
                        return Ok(());
                    }
                    Ok(kick(round.get())?)
                })?;
            }
            kick(0)?;
            reactor.run().expect("no handler fails");
            start = began.get();
        }
        way => panic!("{way}: no such way"),
    }
    Ok(start.elapsed())
}

/// Receives `count` messages that are in the queue of the socket already, a burst at a time. A burst begins with a wait.
fn burst(size: usize, count: usize, way: &str) -> Result<Duration> {
    let (socket, peer) = pairs(1)?.remove(0);
    let content = vec![0; size];
    let fill = || (0..BURST).try_for_each(|_| put(&peer, &content));
    let check = |message: Message| assert_eq!(message.len(), size);
    let mut time = Duration::ZERO;
    let mut timed = |step: &mut dyn FnMut() -> Result<()>| -> Result<()> {
        for _ in 0..count / BURST {
            fill()?;
            let start = Instant::now();
            step()?;
            time += start.elapsed();
        }
        Ok(())
    };
    let drain = |socket: &Socket<'_, Pull>| -> Result<()> {
        let mut received = 0;
        while let Some(message) = socket.now().recv_msg()? {
            check(message);
            received += 1;
        }
        assert_eq!(received, BURST);
        Ok(())
    };
    let asynchronous = async |socket: Socket<'static, Pull>, runtime: Runtime| {
        let mut socket = AsyncSocket::new(socket, runtime)?;
        let mut time = Duration::ZERO;
        for _ in 0..count / BURST {
            fill()?;
            let start = Instant::now();
            for _ in 0..BURST {
                check(socket.recv_msg().await?);
            }
            time += start.elapsed();
        }
        Ok::<_, zmq::Error>(time)
    };
    match way {
        "recv" => timed(&mut || (0..BURST).try_for_each(|_| socket.recv_msg().map(check)))?,
        "poll" => {
            let mut items = [PollItem::socket(&socket, PollEvents::POLLIN)];
            timed(&mut || poll(&mut items, None).and_then(|_| drain(&socket)))?;
        }
        "Poller" => {
            let mut poller = Poller::new()?;
            poller.add(&socket, 0, PollEvents::POLLIN)?;
            timed(&mut || poller.wait(None).map(drop).and_then(|()| drain(&socket)))?;
        }
        "Reactor" => {
            let mut reactor = Reactor::new()?;
            reactor.add(&socket, PollEvents::POLLIN, |reactor, _| {
                drain(&socket)?;
                reactor.stop();
                Ok(())
            })?;
            timed(&mut || {
                reactor.run().expect("no handler fails");
                Ok(())
            })?;
        }
        "current" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            return runtime.block_on(asynchronous(socket, Runtime::Tokio));
        }
        "async-io" => return async_io::block_on(asynchronous(socket, Runtime::AsyncIo)),
        way => panic!("{way}: no such way"),
    }
    Ok(time)
}
