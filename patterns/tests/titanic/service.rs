//! The service: what happens to its requests and its sockets.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use zmq::security::{Security, curve_keypair};
use zmq::{Context, Errno, Error, Kind, Multipart};
use zmq_patterns::majordomo::{self, Broker, Worker};
use zmq_patterns::titanic::{Client, Service, Stored};

#[cfg(target_os = "linux")]
use crate::common::descriptors::without_threads;
use crate::common::{DEADLINE, TCP, eventually, in_own_process};
use crate::{Directory, Serving, answered};

#[deadline::test]
fn reply_of_a_worker_is_dropped_when_the_request_was_closed_meanwhile() {
    let directory = Directory::new("meanwhile");
    let serving = Serving::start(&directory);
    let mut worker = Worker::new(&serving.context, &serving.endpoint, "slow").unwrap();
    let (at_work, works) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let working = thread::spawn(move || {
        worker.run(|request| {
            at_work.send(request.clone()).unwrap();
            may_go_on.recv().unwrap();
            request
        })
    });
    let mut client = serving.client();
    let closed = client.request("slow", "first").unwrap();
    assert_eq!(works.recv_timeout(DEADLINE).unwrap(), ["first"]);
    client.close(closed).unwrap();
    assert_eq!(client.reply(closed).unwrap(), Stored::Unknown);
    let second = client.request("slow", "second").unwrap();
    go_on.send(()).unwrap();
    assert_eq!(works.recv_timeout(DEADLINE).unwrap(), ["second"]);
    go_on.send(()).unwrap();
    eventually("the second reply", || client.reply(second).unwrap() == answered("second"));
    assert_eq!(client.reply(closed).unwrap(), Stored::Unknown);
    let numbers = serving.end();
    assert_eq!((numbers.stored, numbers.answered, numbers.closed, numbers.failed), (2, 1, 1, 0));
    working.join().unwrap().unwrap();
    let store = directory.store();
    assert_eq!((store.statistics().pending, store.statistics().answered), (0, 1));
}

/// A closed request says nothing about its service, and does not make the service's other requests wait.
#[deadline::test]
fn requests_of_a_service_that_is_not_there_can_be_closed() {
    let directory = Directory::new("not-there");
    let serving = Serving::start(&directory);
    let mut client = serving.client();
    let ids: Vec<_> = (0..100).map(|number| client.request("echo", number.to_string()).unwrap()).collect();
    ids[..99].iter().for_each(|id| client.close(*id).unwrap());
    let echo = serving.echo();
    eventually("the last reply", || client.reply(ids[99]).unwrap() == answered("99"));
    let numbers = serving.end();
    assert_eq!((numbers.closed, numbers.answered, numbers.unanswered), (99, 1, 0));
    echo.join().unwrap().unwrap();
}

#[deadline::test]
fn service_sets_options_on_all_its_sockets() {
    let directory = Directory::new("with");
    let context = Context::new().unwrap();
    let mut broker = Broker::new(&context).unwrap();
    let security = Arc::new(if zmq::has("curve") {
        let ((public, secret), (_, own)) = (curve_keypair().unwrap(), curve_keypair().unwrap());
        broker.socket().secure(&Security::curve_server(&secret)).unwrap();
        Security::curve_client(&own, &public)
    } else {
        Security::null()
    });
    let endpoint = broker.bind(TCP).unwrap();
    let broker = thread::spawn(move || broker.run(|_| ()));
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let mut titanic = Service::new(&context, &endpoint, directory.store()).pause(Duration::from_millis(50)).intake(2);
    for _ in 0..2 {
        let (kinds, security) = (kinds.clone(), security.clone());
        titanic = titanic.with(move |socket| {
            kinds.lock().unwrap().push(socket.kind());
            socket.secure(&security)
        });
    }
    let serving = thread::spawn(move || titanic.run(|_| ()));
    let worker_security = security.clone();
    let mut worker =
        Worker::new(&context, &endpoint, "echo").unwrap().with(move |socket| socket.secure(&worker_security));
    let echo = thread::spawn(move || worker.run(|request| request));
    let client = majordomo::Client::new(&context, &endpoint).with(move |socket| socket.secure(&security));
    let mut client = Client::from(client.timeout(DEADLINE));
    let id = client.request("echo", "secret").unwrap();
    eventually("the reply", || client.reply(id).unwrap() == answered("secret"));
    context.shutdown().unwrap();
    serving.join().unwrap().unwrap();
    echo.join().unwrap().unwrap();
    broker.join().unwrap().unwrap();
    // Each function was called for each socket: two for requests, two that close, one for replies, and those that deliver.
    let kinds = kinds.lock().unwrap();
    assert!(kinds.len() >= 14 && kinds.len().is_multiple_of(2), "{kinds:?}");
    assert!(kinds.iter().all(|kind| *kind == Kind::Dealer), "{kinds:?}");
}

#[deadline::test]
fn service_ends_by_the_error_of_a_set_up_function() {
    let directory = Directory::new("set-up");
    let context = Context::new().unwrap();
    let mut titanic = Service::new(&context, "tcp://127.0.0.1:9", directory.store())
        .with(|_| Err(Error::new(Errno::EACCES, "set-up", "no key")));
    assert_eq!(titanic.run(|_| ()).unwrap_err(), Errno::EACCES);
}

#[deadline::test]
fn reply_that_comes_twice_is_stored_once() {
    const THREADS: usize = 8;
    let directory = Directory::new("twice");
    let store = &directory.store();
    for number in 0..20 {
        let id = crate::add(store, "request");
        // Threads that answer at the same time share a batch.
        let barrier = &std::sync::Barrier::new(THREADS);
        let answered: Vec<String> = thread::scope(|scope| {
            let answer = |thread| {
                let text = format!("reply {thread} to {number}");
                barrier.wait();
                store.answer(id, &Multipart::from(&*text)).unwrap().then_some(text)
            };
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || answer(thread))).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        let [first] = &answered[..] else { panic!("{answered:?}") };
        assert_eq!(store.get(id).unwrap(), crate::answered(first));
        let closed: Vec<bool> = thread::scope(|scope| {
            let close = || {
                barrier.wait();
                store.close(id).unwrap()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(close)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(closed.iter().filter(|closed| **closed).count(), 1);
    }
}

#[cfg(target_os = "linux")]
#[deadline::test]
fn service_ends_with_an_error_when_the_system_refuses_a_thread() {
    in_own_process("service::service_ends_with_an_error_when_the_system_refuses_a_thread", || {
        let directory = Directory::new("no-thread");
        let context = Context::new().unwrap();
        // The context starts its own threads for the first socket.
        let _socket = context.socket(zmq::Pair).unwrap();
        let mut service = Service::new(&context, "inproc://nobody", directory.store());
        without_threads(|| {
            let error = service.run(|_| {}).unwrap_err();
            assert_eq!((error.errno(), error.call()), (Errno::EAGAIN, "pthread_create"));
        });
    });
}
