//! A notifier: any function of any thread reports an event, and takes no context as an argument.
//!
//! In C: a `static void *context`, made by `pthread_once`; a `__thread void *socket`, since two threads may not use one socket;
//! and a `zmq_ctx_term` in `atexit`, which hangs if a thread has left its socket open.
//!
//! Here: a `static` [`LazyLock`] holds the context, so its sockets may live as long as the program. A `thread_local!` holds a
//! thread's socket, which is closed when the thread ends. A `static` is never dropped, so `main` ends the context:
//! `Context::terminate` waits no longer than its argument says, and its error names each socket that is still open, with the
//! line that opened it.
//!
//! The compiler checks: one socket for all threads, in a `static`, does not compile, since a `Socket` is not `Sync`. A context
//! that is a variable of `main` does not compile either: its sockets do not live as long as a `thread_local!`.
//!
//! Usage: `from_c_notifier listen COUNT`, and with the endpoint that it prints `from_c_notifier send ENDPOINT`

use std::cell::RefCell;
use std::error::Error;
use std::sync::{LazyLock, OnceLock};
use std::thread;
use std::time::Duration;

use zmq::{Context, Pull, Push, Socket};

static CONTEXT: LazyLock<Context> = LazyLock::new(Context::default);
static LISTENER: OnceLock<String> = OnceLock::new();

thread_local! {
    static NOTIFIER: RefCell<Option<Socket<'static, Push>>> = const { RefCell::new(None) };
}

/// Reports an event, from any thread. The first call of a thread opens its socket.
fn notify(text: String) -> zmq::Result<()> {
    NOTIFIER.with_borrow_mut(|notifier| {
        let socket = match notifier {
            Some(socket) => socket,
            None => notifier.insert(open()?),
        };
        socket.send(text)?;
        Ok(())
    })
}

fn open() -> zmq::Result<Socket<'static, Push>> {
    let socket = CONTEXT.socket(Push)?;
    if let Some(endpoint) = LISTENER.get() {
        socket.connect(endpoint)?;
    }
    Ok(socket)
}

fn send(endpoint: String) -> Result<(), Box<dyn Error>> {
    LISTENER.get_or_init(|| endpoint);
    let workers = ["alpha", "beta", "gamma"].map(|name| {
        thread::spawn(move || {
            notify(format!("{name} has begun"))?;
            notify(format!("{name} is done"))
        })
    });
    for worker in workers {
        worker.join().expect("a worker does not panic")?;
    }
    // The threads have closed their sockets. This waits until their messages are sent.
    CONTEXT.terminate(Duration::from_secs(5))?;
    Ok(())
}

fn listen(count: usize) -> Result<(), Box<dyn Error>> {
    let listener = CONTEXT.socket(Pull)?;
    println!("bound {}", listener.bind("tcp://127.0.0.1:*")?);
    for _ in 0..count {
        println!("{}", listener.recv_string()?);
    }
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["listen", count] => listen(count.parse()?),
        ["send", endpoint] => send(endpoint.to_owned()),
        _ => Err("usage: from_c_notifier listen COUNT | send ENDPOINT".into()),
    }
}
