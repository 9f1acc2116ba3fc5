//! Types of the library that start threads or that several threads use, and certificate files.

use std::time::Duration;

use zmq::security::{Authenticator, Certificate, Security};
use zmq::{Dealer, Pair, ProxyHandle, Router};
use zmq_patterns::{Actor, ActorPipe, Proxy, SharedSocket};

use crate::common::{DEADLINE, TCP, context, pair};
use crate::{Call, connect_secured, try_all};

const THREADS: &[(&str, Call)] = &[
    ("proxy_steerable", |descriptors| {
        let context = context();
        let (front, back) = (context.socket(Router)?, context.socket(Dealer)?);
        let (control, commands) = pair(&context, "inproc://control");
        commands.send("TERMINATE")?;
        descriptors.use_up();
        drop(zmq::proxy_steerable(&front, &back, None, &control)?);
        Ok(())
    }),
    ("ProxyHandle", |descriptors| {
        let context = context();
        let (front, back) = (context.socket(Router)?, context.socket(Dealer)?);
        descriptors.use_up();
        let handle = ProxyHandle::new()?;
        handle.terminate()?;
        drop(handle.run(&front, &back, None)?);
        Ok(())
    }),
    ("Proxy", |descriptors| {
        let context = context();
        let _first = context.socket(Pair)?;
        let (front, back) = (context.owned_socket(Router)?, context.owned_socket(Dealer)?);
        descriptors.use_up();
        front.bind("inproc://front")?;
        back.bind(TCP)?;
        let proxy = Proxy::start(front, back, None)?;
        proxy.handle().statistics()?;
        drop(proxy.terminate()?);
        Ok(())
    }),
    ("Actor", |descriptors| {
        let context = context();
        let _first = context.socket(Pair)?;
        descriptors.use_up();
        let actor = Actor::spawn(&context, "echo", |pipe: &ActorPipe| {
            pipe.ready();
            loop {
                pipe.send_multipart(pipe.recv_multipart()?)?;
            }
        })?;
        actor.send_multipart("Hello")?;
        actor.recv_multipart()?;
        actor.terminate(DEADLINE)?;
        Ok(())
    }),
    ("SharedSocket", |descriptors| {
        let context = context();
        let socket = context.owned_socket(Dealer)?;
        descriptors.use_up();
        let shared = SharedSocket::new(socket)?;
        assert!(shared.now().recv_multipart()?.is_none());
        assert!(shared.within(Duration::from_millis(1)).recv_multipart()?.is_none());
        shared.with(|socket| socket.bind(TCP))??;
        Ok(())
    }),
    ("Authenticator", |descriptors| {
        let context = context();
        let _first = context.socket(Pair)?;
        descriptors.use_up();
        let authenticator = Authenticator::start(&context)?;
        authenticator.configure("accounts", |policy| policy.allow_users([("alice", "open sesame")]))?;
        authenticator.statistics()?;
        assert!(authenticator.next_event(Duration::from_millis(1))?.is_none());
        authenticator.terminate(DEADLINE)?;
        Ok(())
    }),
    ("Authenticator, with a client", |descriptors| {
        let context = context();
        let authenticator = Authenticator::start(&context)?;
        authenticator.configure("accounts", |policy| policy.allow_users([("alice", "open sesame")]))?;
        let server = Security::plain_server().domain("accounts");
        connect_secured(descriptors, &server, &Security::plain_client("alice", "open sesame"), &context)
    }),
    ("Certificate", |descriptors| {
        if !zmq::has("curve") {
            return Ok(());
        }
        let path = std::env::temp_dir().join(format!("zmq-descriptors-{}", std::process::id()));
        descriptors.use_up();
        let certificate = Certificate::generate()?;
        let saved = certificate.save(&path).and_then(|()| Certificate::load(&path).map(drop));
        descriptors.free();
        for path in [path.clone(), path.with_file_name(format!("{}_secret", path.file_name().unwrap().display()))] {
            let _ = std::fs::remove_file(path);
        }
        match saved {
            // The file system reports the error. Its text has the number, and not the name EMFILE.
            Err(error) if error.to_string().contains("os error 24") => Err(format!("{error} (EMFILE)").into()),
            saved => Ok(saved?),
        }
    }),
];

#[deadline::test(patches = [44, 45])]
fn threads_of_the_library_start_and_end_with_few_descriptors() {
    try_all("threads::threads_of_the_library_start_and_end_with_few_descriptors", THREADS);
}
