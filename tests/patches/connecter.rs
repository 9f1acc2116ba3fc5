//! socks_connecter.cpp: connections through a SOCKS proxy.

use std::io::{Read, Write};
use std::time::Duration;

use zmq::{Context, Push};

use crate::common::in_own_process;
use crate::{accept, endpoint, listener};

/// A refused connecter removed its poller handle at once, and again when its socket was closed. libzmq aborted the process.
#[deadline::test(patches = [1])]
fn socks_connecter_can_be_closed_after_its_proxy_refused() {
    in_own_process("connecter::socks_connecter_can_be_closed_after_its_proxy_refused", || {
        let proxy = listener();
        let address = endpoint(&proxy).replace("tcp://", "");
        for _ in 0..50 {
            let context = Context::new().unwrap();
            let socket = context.socket(Push).unwrap();
            socket.set_linger(Some(Duration::ZERO)).unwrap();
            socket.set_socks_proxy(Some(&address)).unwrap();
            socket.set_reconnect_ivl(Some(Duration::from_secs(60))).unwrap();
            socket.connect("tcp://127.0.0.1:9").unwrap();
            let mut stream = accept(&proxy);
            let mut greeting = [0; 3];
            stream.read_exact(&mut greeting).unwrap();
            assert_eq!(greeting[0], 5, "SOCKS 5");
            // It accepts no method of authentication.
            stream.write_all(&[5, 0xff]).unwrap();
            assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "the connecter has closed its connection");
            drop(socket);
        }
    });
}
