//! The events of a console of Windows, which `interrupt` catches.

#![cfg(windows)]

mod common;

use std::os::windows::process::CommandExt;
use std::thread;

use common::{Process, alone, context, role};
use windows_sys::Win32::System::Console::{CTRL_C_EVENT, GenerateConsoleCtrlEvent};
use zmq::{Errno, PollEvents, PollItem, Poller, Pull, interrupt, poll};

/// Runs a body in a process with a console of its own, whose events no other process gets.
fn in_own_console(test: &str, body: impl FnOnce()) {
    const CREATE_NEW_CONSOLE: u32 = 0x10;
    if role().is_some() {
        return body();
    }
    Process::spawn(alone(test, "alone").creation_flags(CREATE_NEW_CONSOLE)).succeeds();
}

fn press_ctrl_c() {
    // SAFETY: no preconditions. 0 is the processes of this console.
    assert_ne!(unsafe { GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) }, 0);
}

#[deadline::test]
fn ctrl_c_ends_waits() {
    in_own_console("ctrl_c_ends_waits", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = context();
        type Wait = fn(&zmq::Socket<'_, Pull>) -> zmq::Result<()>;
        let waits: [Wait; 3] = [
            |socket| socket.recv_msg().map(drop),
            |socket| poll(&mut [PollItem::socket(socket, PollEvents::POLLIN)], None).map(drop),
            |socket| {
                let mut poller = Poller::new()?;
                poller.add(socket, 0, PollEvents::POLLIN)?;
                poller.wait(None).map(drop)
            },
        ];
        for wait in waits {
            let socket = context.socket(Pull).unwrap();
            let sender = thread::spawn(press_ctrl_c);
            assert_eq!(wait(&socket).unwrap_err().errno(), Errno::EINTR);
            sender.join().unwrap();
            assert!(interrupt::interrupted());
            interrupt::clear();
        }
    });
}

#[deadline::test]
fn signals_without_an_event_are_refused() {
    for signal in [0, 1, 9, 10, 22, 1000] {
        let error = interrupt::catch_signals(&[signal]).unwrap_err();
        assert_eq!(error.errno(), Errno::EINVAL, "{signal}");
    }
}
