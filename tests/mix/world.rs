//! The state that the threads of a program share, and the run of a program in this process.

use std::any::Any;
use std::io::Write;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use zmq::security::Authenticator;
use zmq::{Context, Kind, Message, Socket};

use crate::common::PATIENCE;
use crate::common::rng::Rng;
use crate::content;
use crate::ops::Thread;
use crate::program::Program;

/// The exit code of a process that found a fault.
pub const FAULT: i32 = 86;

/// Names the fault on standard error, and ends the process.
pub fn fault(text: &str) -> ! {
    let _ = std::io::stderr().write_all(format!("FAULT: {text}\n").as_bytes());
    std::process::exit(FAULT)
}

/// The longest time that a message or an event may take.
pub fn within() -> Duration {
    Duration::from_secs(10) * PATIENCE
}

/// The number of endpoints that threads share.
const ENDPOINTS: usize = 12;

pub struct World {
    pub context: Context,
    /// The authenticator of the context, which lets the clients of flows in. No operation stops it.
    pub authenticator: Option<Authenticator>,
    /// Whether the context was shut down, or is about to be.
    pub ended: AtomicBool,
    /// The endpoints that were bound, over transports with a wildcard.
    pub endpoints: Mutex<Vec<String>>,
    /// Messages that were received, and are sent again or dropped later.
    pub messages: Mutex<Vec<Message>>,
    /// Values that are never dropped, as if by `std::mem::forget`. A sanitizer does not take them for leaks.
    pub forgotten: Mutex<Vec<Box<dyn Any + Send>>>,
    /// Threads that a thread of the program started, and did not join.
    pub helpers: Mutex<Vec<thread::JoinHandle<()>>>,
    /// A directory for ipc paths and files.
    pub directory: PathBuf,
    /// Whether each operation is printed.
    pub trace: bool,
    next: AtomicU32,
    places: Places,
}

/// The operation that each thread is in, and since when: `None` before the first one and after the last one. The thread that
/// runs the program has the last place.
type Places = Arc<[Mutex<Option<(String, Instant)>>]>;

impl World {
    /// A number that is unique in this run.
    pub fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Prints a choice, if operations are printed.
    pub fn note(&self, text: std::fmt::Arguments<'_>) {
        if self.trace {
            let _ = std::io::stderr().write_all(format!("    {text}\n").as_bytes());
        }
    }

    pub fn enter(&self, thread: usize, place: String) {
        self.note(format_args!("{thread}: {place}"));
        *self.places[thread].lock().unwrap_or_else(PoisonError::into_inner) = Some((place, Instant::now()));
    }

    fn leave(&self, thread: usize) {
        *self.places[thread].lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub fn add_endpoint(&self, rng: &mut Rng, endpoint: String) {
        let mut endpoints = self.endpoints.lock().unwrap();
        if endpoints.len() < ENDPOINTS {
            endpoints.push(endpoint);
        } else {
            endpoints[rng.below(ENDPOINTS)] = endpoint;
        }
    }

    pub fn endpoint(&self, rng: &mut Rng) -> Option<String> {
        let endpoints = self.endpoints.lock().unwrap();
        if endpoints.is_empty() { None } else { Some(rng.pick(&endpoints).clone()) }
    }

    /// Keeps a value for ever.
    pub fn forget(&self, value: impl Any + Send) {
        self.forgotten.lock().unwrap().push(Box::new(value));
    }

    /// Starts a thread that ends soon by itself.
    pub fn help(&self, work: impl FnOnce() + Send + 'static) {
        if let Ok(helper) = thread::Builder::new().spawn(work) {
            self.helpers.lock().unwrap().push(helper);
        }
    }

    /// A socket of the world's context whose linger lets its context end.
    pub fn socket(&self, kind: Kind) -> zmq::Result<Socket<'static>> {
        let socket = self.context.owned_socket(kind)?;
        socket.set_linger(Some(Duration::from_secs(3) * PATIENCE))?;
        Ok(socket)
    }
}

/// A port of this machine without a listener.
pub fn free_port() -> u16 {
    loop {
        // Another thread may have lowered the limit of descriptors for a moment.
        if let Ok(address) = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()) {
            return address.port();
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Held by a thread that lowers the limit of descriptors.
pub static FEW_DESCRIPTORS: RwLock<()> = RwLock::new(());

/// Opens the first socket of a context. libzmq aborts if another thread has taken the descriptors that are then needed.
pub fn start(context: &Context) {
    let _enough = FEW_DESCRIPTORS.read().unwrap_or_else(PoisonError::into_inner);
    drop(context.owned_socket(Kind::Pair));
}

fn context(draw: u32) -> (Context, Option<Authenticator>) {
    let mut rng = Rng::new(draw.into());
    let context = Context::new().expect("a context");
    context.set_blocky(false).expect("a context");
    let _ = context.set_io_threads(*rng.pick(&[1, 1, 1, 2, 3]));
    #[cfg(feature = "draft")]
    let _ = context.set_zero_copy_recv(!rng.one_in(4));
    let _ = context.set_ipv6(rng.one_in(8));
    start(&context);
    let authenticator = rng.coin().then(|| {
        let authenticator = Authenticator::start(&context).expect("an authenticator");
        let configured = authenticator.configure("*", |policy| {
            policy.allow_users([("alice", "secret")]);
            policy.allow_any_key();
        });
        configured.expect("a policy");
        authenticator
    });
    (context, authenticator)
}

/// Ends the process if an operation does not end in time, and names each that is late.
fn watch(places: Places, done: Arc<AtomicBool>) {
    let late = move |place: &Mutex<Option<(String, Instant)>>| {
        let place = place.lock().unwrap_or_else(PoisonError::into_inner);
        place.as_ref().filter(|(_, since)| since.elapsed() > within() * 2).map(|(name, _)| name.clone())
    };
    thread::spawn(move || {
        while !done.load(Ordering::SeqCst) {
            let hung: Vec<String> = places.iter().filter_map(late).collect();
            if !hung.is_empty() {
                fault(&format!("hung: {}", hung.join("; ")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
}

/// Runs a program. A fault ends the process.
pub fn run(program: &Program, trace: bool) {
    let directory = std::env::temp_dir().join(format!("zmq-mix-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let (context, authenticator) = context(program.context);
    let places: Places = (0..program.threads.len() + 1).map(|_| Mutex::default()).collect();
    let world = Arc::new(World {
        context,
        authenticator,
        ended: AtomicBool::new(false),
        endpoints: Mutex::default(),
        messages: Mutex::default(),
        forgotten: Mutex::default(),
        helpers: Mutex::default(),
        directory: directory.clone(),
        trace,
        next: AtomicU32::new(1),
        places: places.clone(),
    });
    let done = Arc::new(AtomicBool::new(false));
    watch(places, done.clone());
    thread::scope(|scope| {
        for (number, ops) in program.threads.iter().enumerate() {
            let world = &world;
            scope.spawn(move || {
                let mut thread = Thread::new(world);
                for op in ops {
                    world.enter(number, format!("{} {:08x}", op.row.name, op.draw));
                    let mut rng = Rng::new(op.draw.into());
                    let run = AssertUnwindSafe(|| (op.row.run)(&mut thread, &mut rng));
                    if catch_unwind(run).is_err() {
                        fault(&format!("{} panicked", op.row.name));
                    }
                }
                world.enter(number, "dropping what is left".to_owned());
                drop(thread);
                world.leave(number);
            });
        }
    });
    world.enter(program.threads.len(), "joining helpers".to_owned());
    for helper in world.helpers.lock().unwrap().drain(..) {
        let _ = helper.join();
    }
    world.messages.lock().unwrap().clear();
    end(world);
    content::check_shared();
    content::check_owners(Duration::from_secs(2) * PATIENCE);
    done.store(true, Ordering::SeqCst);
    let _ = std::fs::remove_dir_all(&directory);
}

/// Ends the context. All sockets are dropped.
fn end(world: Arc<World>) {
    world.enter(world.places.len() - 1, "ending the context".to_owned());
    let forgotten = std::mem::take(&mut *world.forgotten.lock().unwrap());
    let Some(world) = Arc::into_inner(world) else { fault("a thread of the program still runs") };
    drop(world.authenticator);
    let context = world.context;
    if let Err(error) = context.terminate(within()) {
        // Forgotten sockets keep a context from ending.
        if forgotten.is_empty() {
            fault(&format!("the context does not end: {error}"));
        }
    }
    static FORGOTTEN: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());
    FORGOTTEN.lock().unwrap().extend(forgotten);
}
