//! The freelance clients: their servers are broken.

use std::time::Duration;

use zmq::{Context, Router};
use zmq_patterns::LazyPirate;
use zmq_patterns::freelance::{Client, Server, Shotgun};

use crate::common::guide::{Port, example};
use crate::common::{Process, alone, role};
use crate::{Asking, Victim, break_at_random};

const TIMEOUT: Duration = Duration::from_millis(500);

/// Servers of model one. They serve model two as well, since they echo the number of the request.
fn echo_servers(ports: &[Port]) -> Vec<Victim> {
    let server = |port: &Port| {
        let endpoint = port.bind();
        Victim::new(move || Process::start(example("flserver1"), &[&endpoint]))
    };
    ports.iter().map(server).collect()
}

#[test]
fn freelance_models_one_and_two_answer_while_servers_are_broken() {
    let ports = [Port::reserve(), Port::reserve(), Port::reserve()];
    let context = Context::new().unwrap();
    let [first, others @ ..] = ports.each_ref().map(Port::connect);
    let failover = LazyPirate::new(&context, &first).timeout(TIMEOUT / 5).retries(5);
    let mut failover = others.iter().fold(failover, |client, endpoint| client.or(endpoint));
    let mut shotgun = Shotgun::new(&context).timeout(TIMEOUT);
    ports.iter().for_each(|port| shotgun.connect(&port.connect()).unwrap());
    let clients = vec![
        Asking::start("model one", move |text| failover.request(text).map_err(|failed| failed.errno())),
        Asking::start("model two", move |text| shotgun.request(text).map_err(|failed| failed.errno())),
    ];
    break_at_random("freelance, models one and two", echo_servers(&ports), clients);
}

/// flserver3 answers OK to everything. These servers echo, so that a reply to another request would be noticed.
#[test]
fn freelance_model_three_answers_while_servers_are_broken() {
    const TEST: &str = "freelance::freelance_model_three_answers_while_servers_are_broken";
    if let Some(endpoint) = role() {
        let context = Context::new().unwrap();
        let socket = context.socket(Router).unwrap();
        socket.bind(&endpoint).unwrap();
        return Server::new(socket).unwrap().run(|request| request, |_| {}).unwrap();
    }
    let ports = [Port::reserve(), Port::reserve(), Port::reserve()];
    let server = |port: &Port| {
        let endpoint = port.bind();
        Victim::new(move || Process::spawn(&mut alone(TEST, &endpoint)))
    };
    let context = Context::new().unwrap();
    let client = |number: u32| {
        let mut client = Client::new(&context).timeout(TIMEOUT).retry(TIMEOUT / 5).ping(TIMEOUT / 10).ttl(TIMEOUT / 2);
        ports.iter().for_each(|port| client.connect(&port.connect()).unwrap());
        Asking::start(&format!("client {number}"), move |text| client.request(text).map_err(|failed| failed.errno()))
    };
    let clients = (0..2).map(client).collect();
    break_at_random("freelance, model three", ports.iter().map(server).collect(), clients);
}
