//! The service: what happens to its requests and its sockets.

use std::sync::mpsc::channel;
use std::thread;

use zmq::Multipart;
use zmq_patterns::majordomo::Worker;
use zmq_patterns::titanic::Stored;

use crate::common::{DEADLINE, eventually};
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
