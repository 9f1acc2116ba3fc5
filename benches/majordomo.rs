//! Majordomo by the clock: this library beside C loops over ROUTERs and DEALERs, on the same libzmq and on a stock one.
//!
//! Broker, workers and client are three processes that speak the Majordomo Protocol over tcp, all in Rust or all in C. The
//! broker in C does the least that the protocol needs: each worker has one request at a time, and the others wait. It has no
//! heartbeats, checks and retries. Each service has one worker, and the client asks the services in turn, with a body of 100
//! bytes. Calls come one after the other; pipelined, the client sends all requests before it reads a reply.
//!
//! The programs run one after the other in every round, and the ratios are the medians of the rounds' own ratios. `cargo bench
//! --bench majordomo` prints the table; an argument that is a number is the number of rounds, any other keeps the rows whose
//! name contains it: `cargo bench --bench majordomo -- 3 pipelined`. It needs Linux, for the processor time of the broker.

mod common;

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use common::{Program, median, print_row};
use zmq::{Context, Multipart, Router};
use zmq_patterns::majordomo::{AsyncClient, Broker, Client};

const ROUNDS: usize = 7;
const SERVICES: [usize; 3] = [1, 10, 1000];
const MODES: [(&str, usize); 2] = [("calls", 5_000), ("pipelined", 30_000)];
const BODY: usize = 100;
/// A client waits as long as in C.
const PATIENCE: Duration = Duration::from_secs(60);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = common::arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["broker"] => broker(),
        ["workers", endpoint, count] => workers(endpoint, count),
        ["client", endpoint, mode, services, count] => client(endpoint, mode, services, count),
        _ if common::is_optimised() => table(&arguments),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn table(arguments: &[&str]) -> Result<()> {
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS).max(1);
    let wanted: Vec<&&str> = arguments.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let programs = common::programs("majordomo.c");
    println!("Medians of {rounds} rounds; above 1.00 this library takes longer than C.");
    let mut head = vec!["thousands/s; us of the broker".to_owned()];
    head.extend(programs.iter().map(|program| program.name.to_owned()));
    head.extend(programs[1..].iter().map(|program| format!("time/{}", program.name)));
    print_row(&head);

    for (mode, count) in MODES {
        for services in SERVICES {
            let name = format!("{mode}, {services} workers and services");
            if !wanted.iter().all(|part| name.contains(**part)) {
                continue;
            }
            let mut runs = Vec::new();
            for _ in 0..rounds {
                let round: Result<Vec<Run>> =
                    programs.iter().map(|program| measured(program, mode, services, count)).collect();
                runs.push(round?);
            }
            let figures = |figure: fn(&Run) -> f64, shown: fn(f64) -> String| {
                let of_rounds =
                    |of_round: &dyn Fn(&[Run]) -> f64| median(runs.iter().map(|round| of_round(round)).collect());
                let values = (0..programs.len()).map(|program| shown(of_rounds(&|round| figure(&round[program]))));
                let ratio = |program| of_rounds(&|round: &[Run]| figure(&round[0]) / figure(&round[program]));
                let ratios = (1..programs.len()).map(|program| format!("{:.2}", ratio(program)));
                values.chain(ratios).collect::<Vec<_>>()
            };
            print_row(&[vec![name], figures(|run| run.wall, |us| format!("{:.1} k/s", 1e3 / us))].concat());
            print_row(
                &[vec!["  its broker".to_owned()], figures(|run| run.broker, |us| format!("{us:.1} us"))].concat(),
            );
        }
    }
    Ok(())
}

/// Microseconds for each request.
struct Run {
    wall: f64,
    /// Processor time of all threads of the broker.
    broker: f64,
}

/// One of the three processes of a run. It is killed when dropped.
struct Part {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Part {
    fn start(program: &Path, arguments: &[&str]) -> Result<Part> {
        let mut process = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (input, output) = input.zip(output).ok_or("no pipes")?;
        Ok(Part { process, input, output: BufReader::new(output) })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() { Err("a program has ended".into()) } else { Ok(line.trim().to_owned()) }
    }

    /// The nanoseconds that its threads have run.
    fn processor_time(&self) -> Result<u64> {
        let mut time = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let times = fs::read_to_string(thread?.path().join("schedstat"))?;
            time += times.split(' ').next().ok_or("no time")?.parse::<u64>()?;
        }
        Ok(time)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn measured(program: &Program, mode: &str, services: usize, count: usize) -> Result<Run> {
    let mut broker = Part::start(&program.path, &["broker"])?;
    let (endpoint, services) = (broker.line()?, services.to_string());
    let _workers = Part::start(&program.path, &["workers", &endpoint, &services])?;
    let mut client = Part::start(&program.path, &["client", &endpoint, mode, &services, &count.to_string()])?;
    // Each service has replied once: the workers are there.
    client.line()?;
    let before = broker.processor_time()?;
    client.input.write_all(b"\n")?;
    let nanoseconds: u64 = client.line()?.parse()?;
    let used = broker.processor_time()? - before;
    let each = |nanoseconds: u64| nanoseconds as f64 / count as f64 / 1e3;
    Ok(Run { wall: each(nanoseconds), broker: each(used) })
}

fn broker() -> Result<()> {
    let context = Context::new()?;
    // The workers send no heartbeats.
    let mut broker = Broker::new(&context)?.liveness(u32::MAX);
    println!("{}", broker.bind("tcp://127.0.0.1:*")?);
    Ok(broker.run(|_| ())?)
}

/// All workers on one ROUTER, with a connection for each, as in C: a thread for each would measure the system.
fn workers(endpoint: &str, count: &str) -> Result<()> {
    let context = Context::new()?;
    let router = context.socket(Router)?;
    for number in 0..count.parse::<usize>()? {
        let id = format!("worker {number}");
        router.connect_with_routing_id(&id, endpoint)?;
        router.send_multipart([&id, "", "MDPW01", "\x01", &number.to_string()])?;
    }
    loop {
        let mut message = router.recv_multipart()?;
        if message[3] == [2] {
            message[3] = [3].into();
            router.send_multipart(message)?;
        }
    }
}

fn client(endpoint: &str, mode: &str, services: &str, count: &str) -> Result<()> {
    let context = Context::new()?;
    let services: Vec<String> = (0..services.parse()?).map(|number: usize| number.to_string()).collect();
    let turns = services.iter().cycle().take(count.parse()?);
    let body = vec![0u8; BODY];
    let nanoseconds = if mode == "pipelined" {
        let mut client = AsyncClient::new(&context, endpoint).timeout(PATIENCE);
        let take = |client: &mut AsyncClient| -> Result<()> {
            let reply = client.recv()?.ok_or("no reply")?;
            assert_eq!(reply.body[0].len(), BODY);
            Ok(())
        };
        for service in &services {
            client.send(service, body.as_slice())?;
            take(&mut client)?;
        }
        timed(|| {
            let mut sent = 0;
            for service in turns {
                client.send(service, body.as_slice())?;
                sent += 1;
            }
            (0..sent).try_for_each(|_| take(&mut client))
        })?
    } else {
        let mut client = Client::new(&context, endpoint).timeout(PATIENCE);
        let mut call = |service: &String| -> Result<()> {
            let reply: Multipart = client.request(service, body.as_slice())?;
            assert_eq!(reply[0].len(), BODY);
            Ok(())
        };
        services.iter().try_for_each(&mut call)?;
        timed(|| turns.into_iter().try_for_each(call))?
    };
    println!("{nanoseconds}");
    Ok(())
}

/// Prints a line, waits for one, and returns the nanoseconds of the work.
fn timed(work: impl FnOnce() -> Result<()>) -> Result<u128> {
    println!("ready");
    io::stdin().lock().read_line(&mut String::new())?;
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_nanos())
}
