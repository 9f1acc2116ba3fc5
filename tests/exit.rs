//! Messages that are sent right before the process ends all arrive if the context is dropped or terminated first.

mod common;

use std::sync::LazyLock;
use std::time::Duration;

use common::{DEADLINE, Process};
use zmq::{Context, Pull, Push, Socket};

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new().unwrap());

const MESSAGES: usize = 2000;

fn send_all(socket: &Socket<'_, Push>, endpoint: &str) {
    socket.set_sndhwm(0).unwrap();
    socket.connect(endpoint).unwrap();
    for _ in 0..MESSAGES {
        socket.send(vec![7; 1000]).unwrap();
    }
}

/// Sends in a child process that ends as `role` says.
fn end(role: &str) {
    let endpoint = std::env::var("EXIT_ENDPOINT").unwrap();
    match role {
        "return" => {
            let context = Context::new().unwrap();
            send_all(&context.socket(Push).unwrap(), &endpoint);
        }
        "terminate and exit" => {
            send_all(&CONTEXT.socket(Push).unwrap(), &endpoint);
            CONTEXT.terminate(DEADLINE).unwrap();
            std::process::exit(0);
        }
        "socket in a thread" => {
            let worker = std::thread::spawn(move || send_all(&CONTEXT.owned_socket(Push).unwrap(), &endpoint));
            worker.join().unwrap();
            CONTEXT.terminate(DEADLINE).unwrap();
        }
        role => unreachable!("{role}"),
    }
}

#[deadline::test]
fn messages_arrive_when_the_context_is_dropped_or_terminated_before_the_process_ends() {
    if let Some(role) = common::role() {
        return end(&role);
    }
    let context = Context::new().unwrap();
    for role in ["return", "terminate and exit", "socket in a thread"] {
        let pull = context.socket(Pull).unwrap();
        pull.set_rcvhwm(0).unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
        let name = "messages_arrive_when_the_context_is_dropped_or_terminated_before_the_process_ends";
        let child = Process::spawn(common::alone(name, role).env("EXIT_ENDPOINT", &endpoint));
        for count in 0..MESSAGES {
            let message = pull.within(Duration::from_secs(10)).recv_msg().unwrap();
            assert!(message.is_some(), "{role}: {count} messages");
        }
        child.succeeds();
    }
}
