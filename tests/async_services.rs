//! Proxies, servers, authenticators, events and timers in async runtimes.
#![cfg(all(feature = "tokio", feature = "async-io"))]

mod common;
#[path = "async_services/dropped.rs"]
mod dropped;
#[path = "common/runtimes.rs"]
mod runtimes;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::oneshot;
use futures::future::Either;
use runtimes::{RUNTIMES, block_on, into_async, sleep, within};
use zmq::aio::{AsyncAuthenticator, AsyncEvents, AsyncProxy, Runtime, execute_timers, serve};
use zmq::monitor::{Event, Events};
use zmq::security::{AuthEvent, Authenticator, Credentials, Verdict, ZapRequest};
use zmq::{
    Context, Dealer, Errno, Kind, Multipart, Pair, Pub, Pull, Push, Rep, Req, Router, Socket, SocketType, Sub, Timers,
    XPub, XSub,
};

const SHORT: Duration = Duration::from_millis(20);

fn open<T: SocketType>(context: &Context, kind: T) -> Socket<'static, T> {
    context.owned_socket(kind).unwrap()
}

/// Two connected sockets.
fn connected<A: SocketType, B: SocketType>(context: &Context, a: A, b: B) -> (Socket<'static, A>, Socket<'static, B>) {
    let (a, b) = (open(context, a), open(context, b));
    b.connect(&a.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    (a, b)
}

#[deadline::test]
fn proxy_whose_run_is_dropped_again_and_again_loses_no_message() {
    const MESSAGES: usize = 2000;
    for runtime in RUNTIMES {
        let context = Context::new().unwrap();
        let (frontend, client) = connected(&context, Router, Dealer);
        let (backend, server) = connected(&context, Dealer, Router);
        frontend.set_router_mandatory(true).unwrap();
        block_on(runtime, async {
            let mut proxy = AsyncProxy::new(into_async(frontend, runtime), into_async(backend, runtime)).unwrap();
            let (mut requests, mut replies) = into_async(client, runtime).split();
            let mut server = into_async(server, runtime);
            let ask = async {
                for number in 0..MESSAGES {
                    requests.send_multipart([number.to_string(), "text".to_owned()]).await.unwrap();
                }
            };
            let answer = async {
                for _ in 0..MESSAGES {
                    let request = server.recv_multipart().await.unwrap();
                    server.send_multipart(request).await.unwrap();
                }
            };
            let collect = async {
                for number in 0..MESSAGES {
                    assert_eq!(replies.recv_multipart().await.unwrap(), [number.to_string().as_str(), "text"]);
                }
            };
            let work = async { futures::join!(ask, answer, collect) };
            let mut work = pin!(work);
            for turn in 0.. {
                let run = polled_at_most(1 + turn % 5, proxy.run());
                if let Either::Left(_) = futures::future::select(&mut work, pin!(run)).await {
                    break;
                }
            }
            let (.., unforwarded) = proxy.into_parts();
            assert!(unforwarded.is_empty());
        });
    }
}

/// Polls a future so many times, and drops it.
async fn polled_at_most<R>(times: usize, future: impl Future<Output = R>) -> Option<R> {
    let (mut future, mut polls) = (pin!(future), 0);
    poll_fn(|cx| {
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if polls >= times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[deadline::test]
fn proxy_gives_way_to_other_tasks_in_a_flood_from_both_sides() {
    const MESSAGES: usize = 3000;
    for runtime in RUNTIMES {
        // The sockets begin at different counts of their turns: by messages one way, and by polls that find none.
        for (ahead, idle) in (0..8).flat_map(|ahead| (0..8).map(move |idle| (ahead, idle))) {
            block_on(runtime, async {
                let context = Context::new().unwrap();
                let [(front, left), (back, right)] = ["front", "back"].map(|name| {
                    let (one, other) = (open(&context, Pair), open(&context, Pair));
                    for socket in [&one, &other] {
                        socket.set_sndhwm(0).unwrap();
                        socket.set_rcvhwm(0).unwrap();
                    }
                    one.bind(&format!("inproc://{name}")).unwrap();
                    other.connect(&format!("inproc://{name}")).unwrap();
                    (one, other)
                });
                let mut proxy = AsyncProxy::new(into_async(front, runtime), into_async(back, runtime)).unwrap();
                for _ in 0..ahead {
                    left.send("ahead").unwrap();
                    while right.now().recv_msg().unwrap().is_none() {
                        polled_at_most(1, proxy.run()).await;
                    }
                }
                for _ in 0..idle {
                    polled_at_most(1, proxy.run()).await;
                }
                for _ in 0..MESSAGES {
                    left.send("to the right").unwrap();
                    right.send("to the left").unwrap();
                }
                assert!(polled_at_most(1, proxy.run()).await.is_none());
                let forwarded = std::iter::from_fn(|| right.now().recv_msg().unwrap()).count();
                assert!(forwarded < MESSAGES / 2, "{runtime:?}, {ahead} ahead, {idle} idle: {forwarded} in one poll");
            });
        }
    }
}

#[deadline::test]
fn proxy_refuses_sockets_between_which_no_messages_go() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let (push, publisher) =
                (into_async(open(&context, Push), runtime), into_async(open(&context, Pub), runtime));
            let refused = AsyncProxy::new(push, publisher).unwrap_err();
            assert_eq!(refused.errno(), Errno::EINVAL);
        });
    }
}

#[deadline::test]
fn proxy_forwards_one_way_and_in_turns_and_captures() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let (pull, source) = connected(&context, Pull, Push);
            let (push, sink) = connected(&context, Push, Pull);
            let (capture, captured) = connected(&context, Pair, Pair);
            let (pull, push, capture) =
                (into_async(pull, runtime), into_async(push, runtime), into_async(capture, runtime));
            let mut proxy = AsyncProxy::with_capture(pull, push, capture).unwrap();
            let mut sink = into_async(sink, runtime);
            let mut captured = into_async(captured, runtime);
            source.send_multipart(["a", "b"]).unwrap();
            source.send("c").unwrap();
            let receive = async {
                for socket in [true, false] {
                    for expected in [Multipart::from(["a", "b"]), Multipart::from(["c"])] {
                        let received =
                            if socket { sink.recv_multipart().await } else { captured.recv_multipart().await };
                        assert_eq!(received.unwrap(), expected);
                    }
                }
            };
            futures::select_biased! {
                () = futures::FutureExt::fuse(receive) => {}
                ended = futures::FutureExt::fuse(proxy.run()) => panic!("{ended:?}"),
            }

            let (rep, client) = connected(&context, Rep, Req);
            let (req, server) = connected(&context, Req, Rep);
            let mut proxy = AsyncProxy::new(into_async(rep, runtime), into_async(req, runtime)).unwrap();
            let (mut client, mut server) = (into_async(client, runtime), into_async(server, runtime));
            let exchange = async {
                for number in 0..10 {
                    client.send(number.to_string()).await.unwrap();
                    let request = server.recv_msg().await.unwrap();
                    server.send(request).await.unwrap();
                    assert_eq!(client.recv_msg().await.unwrap(), number.to_string().as_str());
                }
            };
            futures::select_biased! {
                () = futures::FutureExt::fuse(exchange) => {}
                ended = futures::FutureExt::fuse(proxy.run()) => panic!("{ended:?}"),
            }
        });
    }
}

#[deadline::test]
fn proxy_forwards_subscriptions() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let (xsub, publisher) = connected(&context, XSub, XPub);
            let (xpub, subscriber) = connected(&context, XPub, Sub);
            subscriber.subscribe("A").unwrap();
            let mut proxy = AsyncProxy::new(into_async(xsub, runtime), into_async(xpub, runtime)).unwrap();
            let (mut publisher, mut subscriber) = (into_async(publisher, runtime), into_async(subscriber, runtime));
            let exchange = async {
                assert_eq!(publisher.recv_msg().await.unwrap(), b"\x01A");
                publisher.send("B").await.unwrap();
                publisher.send("A1").await.unwrap();
                assert_eq!(subscriber.recv_msg().await.unwrap(), "A1");
            };
            futures::select_biased! {
                () = futures::FutureExt::fuse(exchange) => {}
                ended = futures::FutureExt::fuse(proxy.run()) => panic!("{ended:?}"),
            }
        });
    }
}

#[deadline::test]
fn proxy_gives_back_what_it_could_not_send_and_refuses_bad_captures() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let (pull, source) = connected(&context, Pull, Push);
            let mut proxy =
                AsyncProxy::new(into_async(pull, runtime), into_async(open(&context, Push), runtime)).unwrap();
            source.send_multipart(["nobody", "takes it"]).unwrap();
            assert!(within(runtime, 10 * SHORT, proxy.run()).await.is_none());
            let (pull, push, capture, unforwarded) = proxy.into_parts();
            assert!(capture.is_none());
            assert_eq!(unforwarded.to_backend, Some(Multipart::from(["nobody", "takes it"])));
            let capture = into_async(open(&context, Pull), runtime);
            let refused = AsyncProxy::with_capture(pull, push, capture).unwrap_err();
            assert_eq!(refused.errno(), Errno::EINVAL);

            let (frontend, _client) = connected(&context, Router, Dealer);
            let (backend, _server) = connected(&context, Dealer, Router);
            let mut proxy = AsyncProxy::new(into_async(frontend, runtime), into_async(backend, runtime)).unwrap();
            context.shutdown().unwrap();
            assert_eq!(proxy.run().await.unwrap_err().errno(), Errno::ETERM);
        });
    }
}

#[deadline::test]
fn error_of_a_proxy_names_the_side_that_failed() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            for (failing, side) in ["the frontend", "the backend", "the capture socket"].into_iter().enumerate() {
                let context = Context::new().unwrap();
                // The ROUTER refuses each message, because it has no peer.
                let [mut front, mut back, mut capture] =
                    [Kind::Dealer, Kind::Dealer, Kind::Pub].map(|kind| open(&context, kind));
                let router = open(&context, Kind::Router);
                router.set_router_mandatory(true).unwrap();
                *[&mut front, &mut back, &mut capture][failing] = router;
                let peer = open(&context, Kind::Dealer);
                if failing == 0 { &back } else { &front }.bind("inproc://peer").unwrap();
                peer.connect("inproc://peer").unwrap();
                peer.send_multipart(["nobody", "x"]).unwrap();
                let [front, back, capture] = [front, back, capture].map(|socket| into_async(socket, runtime));
                let mut proxy = AsyncProxy::with_capture(front, back, capture).unwrap();
                let error = proxy.run().await.unwrap_err();
                assert_eq!((error.errno(), error.call()), (Errno::EHOSTUNREACH, "zmq_proxy"));
                assert_eq!(error.detail(), Some(side));
            }
        });
    }
}

#[deadline::test]
fn server_answers_several_clients_at_once_and_finishes_at_its_end() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let server = open(&context, Router);
            let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
            let (stop, stopped) = oneshot::channel::<()>();
            let (most, running) = (Cell::new(0), Cell::new(0));
            let handler = |request: Multipart| {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                let running = &running;
                async move {
                    sleep(runtime, SHORT).await;
                    running.set(running.get() - 1);
                    request
                }
            };
            let mut server = into_async(server, runtime);
            let until = async { stopped.await.unwrap() };
            let serving = serve(&mut server, 3, handler, until);
            let clients = async {
                let ask = |number: usize| {
                    let (context, endpoint) = (&context, &endpoint);
                    async move {
                        // A REQ adds an empty part to its request, and a DEALER none.
                        let request = Multipart::from([number.to_string().as_str(), "", "part"]);
                        let reply = if number.is_multiple_of(2) {
                            let client = open(context, Req);
                            client.connect(endpoint).unwrap();
                            let mut client = into_async(client, runtime);
                            client.send_multipart(request.clone()).await.unwrap();
                            client.recv_multipart().await
                        } else {
                            let client = open(context, Dealer);
                            client.connect(endpoint).unwrap();
                            let mut client = into_async(client, runtime);
                            client.send_multipart(request.clone()).await.unwrap();
                            client.recv_multipart().await
                        };
                        assert_eq!(reply.unwrap(), request);
                    }
                };
                futures::future::join_all((0..10).map(ask)).await;
                // A request that is being answered at the end is answered.
                let client = open(&context, Req);
                client.connect(&endpoint).unwrap();
                let mut client = into_async(client, runtime);
                client.send("last").await.unwrap();
                while running.get() == 0 {
                    sleep(runtime, Duration::from_millis(1)).await;
                }
                stop.send(()).unwrap();
                assert_eq!(client.recv_msg().await.unwrap(), "last");
            };
            let (served, ()) = futures::join!(serving, clients);
            served.unwrap();
            assert_eq!(most.get(), 3);
        });
    }
}

#[deadline::test]
fn server_ends_with_the_context_and_refuses_to_take_no_request() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let mut server = into_async(open(&context, Router), runtime);
            let echo = |request: Multipart| async { request };
            let none = serve(&mut server, 0, echo, std::future::pending()).await;
            assert_eq!(none.unwrap_err().errno(), Errno::EINVAL);
            let end = async {
                sleep(runtime, SHORT).await;
                context.shutdown().unwrap();
            };
            let (served, ()) = futures::join!(serve(&mut server, 1, echo, std::future::pending()), end);
            assert_eq!(served.unwrap_err().errno(), Errno::ETERM);
        });
    }
}

/// Lets anna in after a while, and panics about paula.
async fn decide(runtime: Runtime, request: ZapRequest) -> Verdict {
    let Credentials::Plain { username, .. } = request.credentials else { return Verdict::deny("no user") };
    if username == "paula" {
        panic!("about {username}");
    }
    sleep(runtime, SHORT).await;
    if username == "anna" { Verdict::allow(username) } else { Verdict::deny("unknown") }
}

/// The context ends with two clients that were refused and whose message is unsent.
#[deadline::test(patches = [20])]
fn authenticator_waits_for_decisions_and_survives_panics() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let mut authenticator = AsyncAuthenticator::start(&context, runtime).unwrap();
            let second = AsyncAuthenticator::start(&context, runtime).unwrap_err();
            assert_eq!(second.errno(), Errno::EADDRINUSE);

            let server = open(&context, Pull);
            server.set_plain_server(true).unwrap();
            let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
            let mut events = AsyncEvents::new(server.monitor(Events::ALL).unwrap(), runtime).unwrap();
            let mut server = into_async(server, runtime);
            let client = |name| {
                let client = open(&context, Push);
                client.set_plain_username(name).unwrap();
                client.set_plain_password("secret").unwrap();
                client.connect(&endpoint).unwrap();
                client.send(name).unwrap();
                client
            };
            let run = authenticator.run(10, |request| decide(runtime, request), std::future::pending());
            let clients = async {
                let _mallory = client("mallory");
                let _paula = client("paula");
                let _anna = client("anna");
                let message = server.recv_msg().await.unwrap();
                assert_eq!(message, "anna");
                assert_eq!(message.gets("User-Id"), Some("anna".into()));
                let mut denied = 0;
                while denied < 2 {
                    if let Event::HandshakeFailedAuth { .. } = events.next_event().await.unwrap().event() {
                        denied += 1;
                    }
                }
            };
            futures::select_biased! {
                () = futures::FutureExt::fuse(clients) => {}
                ended = futures::FutureExt::fuse(run) => panic!("{ended:?}"),
            }
        });
    }
}

#[deadline::test]
fn events_of_monitors_and_authenticators_arrive_and_end() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let authenticator = Authenticator::start(&context).unwrap();
            authenticator.configure("*", |policy| policy.allow_users([("anna", "secret")])).unwrap();
            let mut events = AsyncEvents::new(authenticator, runtime).unwrap();
            assert!(within(runtime, SHORT, events.next_event()).await.is_none());

            let server = open(&context, Pull);
            server.set_plain_server(true).unwrap();
            let mut connections = AsyncEvents::new(server.monitor(Events::ALL).unwrap(), runtime).unwrap();
            let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
            let client = open(&context, Push);
            client.set_plain_username("anna").unwrap();
            client.set_plain_password("secret").unwrap();
            client.connect(&endpoint).unwrap();
            assert!(matches!(events.next_event().await.unwrap(), AuthEvent::Allowed { .. }));
            assert!(matches!(connections.next().await.unwrap().unwrap().event(), Event::Listening { .. }));

            let later = async {
                sleep(runtime, SHORT).await;
                drop(server);
            };
            let to_the_end = async { connections.by_ref().map(|event| event.unwrap()).collect::<Vec<_>>().await };
            let (rest, ()) = futures::join!(to_the_end, later);
            assert!(rest.iter().any(|event| *event.event() == Event::HandshakeSucceeded));
            assert!(connections.next().await.is_none());
            assert!(events.get_ref().is_running());
            context.shutdown().unwrap();
            assert!(events.next().await.is_none());
            events.into_inner().terminate(common::DEADLINE).unwrap();
        });
    }
}

#[deadline::test]
fn timers_wait_by_the_runtime_and_survive_cancellation() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let fired = RefCell::new(Vec::new());
            let mut timers = Timers::new().unwrap();
            assert!(within(runtime, SHORT, execute_timers(&mut timers, runtime)).await.is_none());
            timers
                .add(SHORT, |timers, timer| {
                    fired.borrow_mut().push("short");
                    timers.cancel(timer).unwrap();
                })
                .unwrap();
            timers.add(3 * SHORT, |_, _| fired.borrow_mut().push("long")).unwrap();
            let mut executed = 0;
            while executed < 2 {
                executed += within(runtime, Duration::from_millis(3), execute_timers(&mut timers, runtime))
                    .await
                    .map_or(0, |executed| executed.unwrap());
            }
            assert_eq!(*fired.borrow(), ["short", "long"]);
        });
    }
}

#[deadline::test]
fn publisher_without_subscribers_never_waits() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let mut publisher = into_async(open(&context, Pub), runtime);
            for _ in 0..1000 {
                publisher.send("news").await.unwrap();
            }
        });
    }
}
