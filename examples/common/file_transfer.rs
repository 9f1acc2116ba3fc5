//! The common part of fileio1 to fileio3: the server, and the file that the client writes.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Args;
use zmq::{Context, Router};
use zmq_patterns::file_transfer::{Received, Server, ServerEvent};

use crate::common::{Result, failure, threads, wait_for_ctrl_c};

/// The arguments of the three programs.
#[derive(Args)]
pub struct Transfer {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:6000")]
    bind: String,

    /// The endpoint of the server, as the client connects to it
    #[arg(long, default_value = "tcp://127.0.0.1:6000")]
    pub connect: String,

    /// The file
    #[arg(long, default_value = "testdata")]
    file: PathBuf,

    /// Write the copy to this file; without it the copy is only counted
    #[arg(long)]
    output: Option<PathBuf>,

    /// Leave serving to another process
    #[arg(long)]
    no_server: bool,

    /// Leave fetching to another process
    #[arg(long)]
    no_client: bool,
}

impl Transfer {
    /// Runs the server in a thread while the client fetches the file, and prints how much that was.
    pub fn run(&self, client: impl FnOnce(&Context, &mut Box<dyn Write>) -> Result<Received>) -> Result {
        let context = Context::new()?;
        let fetch = || {
            if self.no_client {
                return Ok(wait_for_ctrl_c()?);
            }
            let mut output: Box<dyn Write> = match &self.output {
                Some(output) => Box::new(File::create(output)?),
                None => Box::new(io::sink()),
            };
            let received = client(&context, &mut output)?;
            println!("{} chunks received, {} bytes", received.chunks, received.bytes);
            Ok(())
        };
        if self.no_server { fetch() } else { with_server(&context, &self.bind, &self.file, fetch) }
    }
}

/// Serves a file until the client is done.
fn with_server(context: &Context, endpoint: &str, file: &Path, client: impl FnOnce() -> Result) -> Result {
    let file = File::open(file).map_err(|error| failure(format!("{}: {error}", file.display())))?;
    let mut server = Server::new(context.socket(Router)?, file)?;
    // Chunks that wait at the end are for nobody.
    server.socket().set_linger(Duration::ZERO)?;
    server.socket().bind(endpoint)?;
    thread::scope(|scope| {
        let serving = scope.spawn(move || {
            threads::run(context, || {
                Ok(server.run(|event| {
                    if let ServerEvent::Malformed(message) = event {
                        println!("E: invalid message from client\n{message}");
                    }
                })?)
            })
        });
        let outcome = client();
        // The end of the context ends the server.
        context.shutdown()?;
        threads::join(serving)?;
        outcome
    })
}
