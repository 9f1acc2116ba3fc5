//! The freelance clients: their servers and they themselves are broken.

use std::time::Duration;

use zmq::{Context, Router};
use zmq_patterns::LazyPirate;
use zmq_patterns::freelance::{Client, Server, Shotgun};

use crate::common::breaking::Victim;
use crate::common::guide::{Port, example};
use crate::common::{Process, alone, role};
use crate::{Ask, Asking, ask_until_killed, break_at_random, client_process};

const TIMEOUT: Duration = Duration::from_millis(500);

/// The endpoints of the servers, for the roles of clients that are processes.
fn joined(ports: &[Port]) -> String {
    ports.iter().map(Port::connect).collect::<Vec<_>>().join(" ")
}

/// Servers of model one. They serve model two as well, since they echo the number of the request.
fn echo_servers(ports: &[Port]) -> Vec<Victim> {
    let server = |port: &Port| {
        let endpoint = port.bind();
        Victim::new(move || Process::start(example("flserver1"), &[&endpoint]))
    };
    ports.iter().map(server).collect()
}

/// A client of this model, for servers whose endpoints are joined by blanks.
fn client(model: &str, endpoints: &str) -> Ask {
    let context = Context::new().unwrap();
    let mut endpoints = endpoints.split(' ');
    match model {
        "one" => {
            let first = endpoints.next().unwrap();
            let failover = LazyPirate::new(&context, first).timeout(TIMEOUT / 5).retries(5);
            let mut failover = endpoints.fold(failover, LazyPirate::or);
            Box::new(move |text| failover.request(text).map_err(|failed| failed.errno()))
        }
        "two" => {
            let mut shotgun = Shotgun::new(&context).timeout(TIMEOUT);
            endpoints.for_each(|endpoint| shotgun.connect(endpoint).unwrap());
            Box::new(move |text| shotgun.request(text).map_err(|failed| failed.errno()))
        }
        "three" => {
            let client = Client::new(&context).timeout(TIMEOUT).retry(TIMEOUT / 5);
            let mut client = client.ping(TIMEOUT / 10).ttl(TIMEOUT / 2);
            endpoints.for_each(|endpoint| client.connect(endpoint).unwrap());
            Box::new(move |text| client.request(text).map_err(|failed| failed.errno()))
        }
        other => panic!("{other}"),
    }
}

#[test]
fn freelance_models_one_and_two_answer_while_servers_and_clients_are_broken() {
    const TEST: &str = "freelance::freelance_models_one_and_two_answer_while_servers_and_clients_are_broken";
    if let Some(role) = role() {
        let (model, endpoints) = role.split_once(' ').unwrap();
        return ask_until_killed(client(model, endpoints));
    }
    let ports = [(); 3].map(|()| Port::reserve());
    let endpoints = joined(&ports);
    let models = ["one", "two"];
    let clients = models.map(|model| Asking::start(&format!("model {model}"), client(model, &endpoints)));
    let broken = models.map(|model| client_process(TEST, format!("{model} {endpoints}")));
    break_at_random("freelance, models one and two", echo_servers(&ports), broken.into(), clients.into());
}

/// flserver3 answers OK to everything. These servers echo, so that a reply to another request would be noticed.
#[test]
fn freelance_model_three_answers_while_servers_and_clients_are_broken() {
    const TEST: &str = "freelance::freelance_model_three_answers_while_servers_and_clients_are_broken";
    if let Some(role) = role() {
        let (model, endpoints) = role.split_once(' ').unwrap();
        if model != "server" {
            return ask_until_killed(client(model, endpoints));
        }
        let context = Context::new().unwrap();
        let socket = context.socket(Router).unwrap();
        socket.bind(endpoints).unwrap();
        return Server::new(socket).unwrap().run(|request| request, |_| {}).unwrap();
    }
    let ports = [(); 3].map(|()| Port::reserve());
    let endpoints = joined(&ports);
    let server = |port: &Port| {
        let role = format!("server {}", port.bind());
        Victim::new(move || Process::spawn(&mut alone(TEST, &role)))
    };
    let clients = (0..2).map(|number| Asking::start(&format!("client {number}"), client("three", &endpoints)));
    let broken = (0..2).map(|_| client_process(TEST, format!("three {endpoints}")));
    let servers = ports.iter().map(server).collect();
    break_at_random("freelance, model three", servers, broken.collect(), clients.collect());
}
