//! The inproc names of a context: they are bound before and after a connect, bound again, or never bound.

use std::thread;

use zmq::{Context, Errno, Pair, Pull, Push, Req};

use crate::common::{DEADLINE, eventually, has_patch, in_own_process};

#[test]
fn context_ends_when_a_name_was_never_bound() {
    in_own_process("inproc::context_ends_when_a_name_was_never_bound", || {
        let full = Context::new().unwrap();
        full.set_max_sockets(1).unwrap();
        let socket = full.socket(Pair).unwrap();
        // Without the patch 0041 the context needs a socket that stands in for the peer when the context ends.
        if has_patch(41) {
            socket.connect("inproc://nobody").unwrap();
        } else {
            let error = socket.connect("inproc://nobody").unwrap_err();
            assert_eq!(error.errno(), Errno::EMFILE);
            assert!(error.to_string().contains("inproc://nobody"), "{error}");
        }
        socket.bind("inproc://self").unwrap();
        drop(socket);
        full.terminate(DEADLINE).unwrap();

        // With room, the context ends in every order, and a message to a name without a peer does not delay it.
        let enders: [fn(Context); 3] = [
            |context| drop(context),
            |context| context.terminate(DEADLINE).unwrap(),
            |context| {
                context.shutdown().unwrap();
                drop(context);
            },
        ];
        for end in enders {
            let sockets = if has_patch(41) { 2 } else { 3 };
            let context = Context::new().unwrap();
            context.set_max_sockets(sockets).unwrap();
            let (first, second) = (context.owned_socket(Push).unwrap(), context.owned_socket(Pair).unwrap());
            first.connect("inproc://nobody").unwrap();
            second.connect("inproc://nobody either").unwrap();
            first.send("lost").unwrap();
            assert_eq!(context.socket(Req).unwrap_err().errno(), Errno::EMFILE);
            drop((first, second));
            end(context);
        }
    });
}

#[test]
fn context_ends_when_many_names_were_never_bound() {
    in_own_process("inproc::context_ends_when_many_names_were_never_bound", || {
        let context = Context::new().unwrap();
        context.set_max_sockets(40).unwrap();
        let sockets: Vec<_> = (0..39).map(|_| context.owned_socket(Push).unwrap()).collect();
        for (index, socket) in sockets.iter().enumerate() {
            for name in 0..10 {
                socket.connect(&format!("inproc://nobody-{index}-{name}")).unwrap();
                socket.connect(&format!("inproc://shared-{name}")).unwrap();
            }
        }
        // Without the patch 0041 the context has opened the socket that stands in for the peers.
        assert_eq!(context.socket(Req).is_ok(), has_patch(41));
        // Some names get a peer after all.
        sockets[0].bind("inproc://nobody-1-1").unwrap();
        sockets[0].bind("inproc://shared-1").unwrap();
        drop(sockets);
        context.terminate(DEADLINE).unwrap();
    });
}

#[deadline::test]
fn name_can_be_bound_again_after_its_socket_is_closed() {
    let context = Context::new().unwrap();
    for round in 0..3 {
        let pull = context.socket(Pull).unwrap();
        pull.bind("inproc://again").unwrap();
        let rival = context.socket(Pull).unwrap();
        let error = rival.bind("inproc://again").unwrap_err();
        assert_eq!(error.errno(), Errno::EADDRINUSE, "{error}");
        let push = context.socket(Push).unwrap();
        push.connect("inproc://again").unwrap();
        push.send(format!("round {round}")).unwrap();
        assert_eq!(pull.recv_msg().unwrap(), *format!("round {round}"));

        pull.unbind("inproc://again").unwrap();
        rival.bind("inproc://again").unwrap();
    }
}

#[deadline::test]
fn name_can_be_connected_to_before_it_is_bound() {
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    push.connect("inproc://later").unwrap();
    push.send("early").unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.bind("inproc://later").unwrap();
    assert_eq!(pull.recv_msg().unwrap(), "early");
}

#[deadline::test]
fn message_of_a_closed_socket_reaches_a_later_bind() {
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    push.connect("inproc://later").unwrap();
    push.send("early").unwrap();
    drop(push);
    let pull = context.socket(Pull).unwrap();
    pull.bind("inproc://later").unwrap();
    assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "early");

    // The socket releases its port although it still waits for a name to be bound.
    let both = context.socket(Pull).unwrap();
    both.connect("inproc://never").unwrap();
    let endpoint = both.bind("tcp://127.0.0.1:*").unwrap();
    drop(both);
    let next = context.socket(Pull).unwrap();
    eventually("the port is free", || next.bind(&endpoint).is_ok());
}

#[test]
fn names_can_be_bound_while_sockets_that_wait_for_them_close() {
    in_own_process("inproc::names_can_be_bound_while_sockets_that_wait_for_them_close", || {
        for round in 0..200 {
            let context = Context::new().unwrap();
            let name = |number: u32| format!("inproc://{}", number % 5);
            let waiting: Vec<_> = (0..10).map(|_| context.owned_socket(Push).unwrap()).collect();
            for number in 0..10 {
                waiting[number as usize].connect(&name(number)).unwrap();
            }
            let closer = thread::spawn(move || {
                for socket in &waiting[..3] {
                    socket.disconnect("inproc://0").or_else(|_| socket.disconnect("inproc://1")).ok();
                }
                drop(waiting);
            });
            if round % 2 == 0 {
                let binder = context.socket(Pair).unwrap();
                for number in 0..4 {
                    binder.bind(&name(number)).unwrap();
                }
            }
            closer.join().unwrap();
            context.terminate(DEADLINE).unwrap();
        }
    });
}
