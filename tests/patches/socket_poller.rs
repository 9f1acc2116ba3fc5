//! socket_poller.cpp: waits over thread-safe and other sockets.

use std::thread;
use std::time::Duration;

use zmq::{Context, Errno, Gather, PollEvents, PollItem, Poller, Pull, Push, Scatter, Socket, poll};
use zmq_patterns::Proxy;

use crate::common::{DEADLINE, bound, context, eventually, kinds};

/// One socket of each kind.
fn sockets(context: &Context) -> Vec<Socket<'_>> {
    kinds().into_iter().map(|kind| context.socket(kind).unwrap()).collect()
}

/// The second wait asks the other socket for its descriptor, and asserts that the socket returns one.
#[deadline::test(patches = [6, 7, 8, 9, 12, 13, 43])]
fn poll_over_thread_safe_and_other_sockets_reports_the_shutdown() {
    for is_shut_down_before in [true, false] {
        let context = context();
        let sockets = sockets(&context);
        let mut poller = Poller::new().unwrap();
        for (index, socket) in sockets.iter().enumerate() {
            poller.add(socket, index, PollEvents::POLLIN).unwrap();
        }
        thread::scope(|scope| {
            if is_shut_down_before {
                context.shutdown().unwrap();
            } else {
                scope.spawn(|| {
                    thread::sleep(Duration::from_millis(30));
                    context.shutdown().unwrap();
                });
            }
            for pair in sockets.iter().flat_map(|one| sockets.iter().map(move |other| [one, other])) {
                let mut items = pair.map(|socket| PollItem::socket(socket, PollEvents::POLLIN));
                for _ in 0..3 {
                    match poll(&mut items, Duration::from_micros(100)) {
                        Ok(_) => assert!(!is_shut_down_before),
                        Err(error) => assert_eq!(error.errno(), Errno::ETERM),
                    }
                }
            }
        });
        let mut items: Vec<_> = sockets.iter().map(|socket| PollItem::socket(socket, PollEvents::POLLIN)).collect();
        for _ in 0..3 {
            assert_eq!(poll(&mut items, DEADLINE).unwrap_err().errno(), Errno::ETERM);
        }
        for _ in 0..3 {
            assert_eq!(poller.wait(DEADLINE).unwrap_err().errno(), Errno::ETERM);
        }
    }
}

#[deadline::test(patches = [6, 7, 8, 9, 12, 13, 43])]
fn proxy_of_thread_safe_and_other_sockets_ends_at_the_shutdown() {
    for is_thread_safe_first in [true, false] {
        let context = context();
        let proxy = if is_thread_safe_first {
            Proxy::start(bound(&context, Gather, "inproc://in"), bound(&context, Push, "inproc://out"), None)
        } else {
            Proxy::start(bound(&context, Pull, "inproc://in"), bound(&context, Scatter, "inproc://out"), None)
        };
        let proxy = proxy.unwrap();
        thread::sleep(Duration::from_millis(10));
        context.shutdown().unwrap();
        // A proxy that has not noticed the shutdown takes the end from `terminate`.
        eventually("the proxy ends", || !proxy.is_running());
        assert_eq!(proxy.terminate().unwrap_err().error().errno(), Errno::ETERM);
    }
}
