//! A proxy loses no message when its thread gets signals.

mod common;

use std::ffi::c_int;
use std::sync::mpsc::channel;
use std::thread;

use common::ThreadId;
use zmq::{Context, Errno, Pull, Push, proxy};

extern "C" fn nothing(_signal: c_int) {}

#[deadline::test]
fn proxy_loses_no_message_when_its_thread_gets_signals() {
    const MESSAGES: u32 = 200;
    // SAFETY: the handler does nothing; no other test of this program uses the signal.
    unsafe { libc::signal(libc::SIGUSR1, nothing as extern "C" fn(c_int) as usize) };
    let context = Context::new().unwrap();
    let frontend = context.owned_socket(Pull).unwrap();
    frontend.bind("inproc://frontend").unwrap();
    let backend = context.owned_socket(Push).unwrap();
    backend.set_sndhwm(1).unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.set_rcvhwm(1).unwrap();
    sink.bind("inproc://sink").unwrap();
    backend.connect("inproc://sink").unwrap();
    let source = context.socket(Push).unwrap();
    source.connect("inproc://frontend").unwrap();

    let (started, thread_id) = channel();
    let broker = thread::spawn(move || {
        started.send(ThreadId::current()).unwrap();
        proxy(&frontend, &backend, None)
    });
    let thread_id = thread_id.recv().unwrap();
    for number in 0..MESSAGES {
        source.send_multipart([number.to_string(), "body".to_owned()]).unwrap();
    }
    for number in 0..MESSAGES {
        // The thread runs until the context is shut down below.
        thread_id.signal(libc::SIGUSR1);
        assert_eq!(sink.recv_multipart().unwrap(), [number.to_string(), "body".to_owned()]);
    }
    context.shutdown().unwrap();
    assert_eq!(broker.join().unwrap().unwrap_err().error().errno(), Errno::ETERM);
}
