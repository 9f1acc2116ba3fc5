//! `AsyncSocket` in Tokio and in async-io. The races run in twenty rounds, or as many as `ZMQ_ROUNDS` says.
#![cfg(all(feature = "tokio", feature = "async-io"))]

#[path = "async_socket/cancellation.rs"]
mod cancellation;
mod common;
#[cfg(unix)]
#[path = "async_socket/descriptor.rs"]
mod descriptor;
#[cfg(feature = "draft")]
#[path = "async_socket/draft_kinds.rs"]
mod draft_kinds;
#[path = "async_socket/end.rs"]
mod end;
#[path = "async_socket/executors.rs"]
mod executors;
#[path = "async_socket/fairness.rs"]
mod fairness;
#[cfg(unix)]
#[path = "async_socket/forked.rs"]
mod forked;
#[path = "async_socket/full_peers.rs"]
mod full_peers;
#[path = "async_socket/kinds.rs"]
mod kinds;
#[path = "async_socket/other_bindings.rs"]
mod other_bindings;
#[path = "common/polls.rs"]
mod polls;
#[cfg(unix)]
#[path = "async_socket/reactors.rs"]
mod reactors;
#[allow(dead_code, reason = "every test file uses its own part")]
#[path = "common/runtimes.rs"]
mod runtimes;
#[path = "async_socket/streams.rs"]
mod streams;

use common::{IPC, TCP};
use executors::{Executor, echo, linked, open_small, send_numbers, task};
use zmq::{Context, Dealer, Router};

#[deadline::test(patches = [1037])]
fn echoes_at_small_marks_arrive_over_each_transport() {
    const COUNT: usize = 300;
    for endpoint in [TCP, IPC, "inproc://async", "ws://127.0.0.1:*"] {
        for executor in Executor::ALL {
            let context = Context::new().unwrap();
            let (router, dealer) = (open_small(&context, Router, 5), open_small(&context, Dealer, 5));
            router.set_router_mandatory(true).unwrap();
            executor.run(|runtime| {
                let (router, dealer) = linked(router, dealer, endpoint, runtime);
                let (sender, mut receiver) = dealer.split();
                vec![
                    echo(router, COUNT),
                    send_numbers(sender, COUNT),
                    task(async move {
                        for number in 0..COUNT {
                            assert_eq!(receiver.recv_msg().await.unwrap(), number.to_string().as_str(), "{endpoint}");
                        }
                    }),
                ]
            });
        }
    }
}
