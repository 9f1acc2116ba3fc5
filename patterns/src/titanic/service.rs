//! `Service`: the workers that clients reach, and the dispatchers that deliver.

use std::fmt;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zmq::interrupt::interrupted;
use zmq::{Context, Errno, Multipart, Result, Socket};

use super::error::StoreError;
use super::event::{Event, Statistics};
use super::protocol::{self, CLOSE, FAILED, OK, REPLY, REQUEST, UNKNOWN};
use super::schedule::{Delivery, Schedule, Task};
use super::store::Store;
use crate::lock::lock;
use crate::majordomo::{Client, Worker};
use crate::run::ends_normally;
use crate::setup::AnySetup;
use crate::thread::spawn_scoped;

/// The longest time until a thread notices that another one has ended.
const TICK: Duration = Duration::from_millis(250);

/// The three services of Titanic at a Majordomo broker, `titanic.request`, `titanic.reply` and `titanic.close`, and the
/// delivery of the requests that they store.
///
/// A client gets the id of its request when the request has reached the disk. From then on the request is delivered, until a
/// reply has reached the disk, or the client closes it: see [the promise](super#the-promise).
pub struct Service {
    context: Context,
    endpoint: String,
    store: Store,
    intake: usize,
    dispatchers: usize,
    timeout: Duration,
    pause: Duration,
    heartbeat: Duration,
    reconnect: Duration,
    setup: Vec<AnySetup>,
    schedule: Mutex<Schedule>,
    /// The schedule has more, or the service ends.
    changed: Condvar,
    is_over: AtomicBool,
    statistics: Mutex<Statistics>,
}

impl Service {
    /// The services at the broker of an endpoint, with this store. They register when they [run](Service::run).
    pub fn new(context: &Context, endpoint: impl Into<String>, store: Store) -> Service {
        Service {
            context: context.clone(),
            endpoint: endpoint.into(),
            store,
            intake: 8,
            dispatchers: 4,
            timeout: Duration::from_secs(10),
            pause: Duration::from_secs(1),
            heartbeat: Duration::from_millis(2500),
            reconnect: Duration::from_millis(2500),
            setup: Vec::new(),
            schedule: Mutex::default(),
            changed: Condvar::new(),
            is_over: AtomicBool::new(false),
            statistics: Mutex::default(),
        }
    }

    /// Sets how many requests are stored at once, with one wait for the disk, and how many are closed at once; 8 by default,
    /// at least 1. Each has a thread and a connection.
    pub fn intake(mut self, requests: usize) -> Self {
        self.intake = requests.max(1);
        self
    }

    /// Sets how many requests are delivered at once; 4 by default, at least 1. Each has a thread and a connection.
    pub fn dispatchers(mut self, requests: usize) -> Self {
        self.dispatchers = requests.max(1);
        self
    }

    /// Sets how long a delivery waits for the reply; 10 seconds by default. A service that takes longer for a request is asked
    /// again and again.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long a service is left alone that is not there, or has not replied; a second by default. The lookup of a
    /// service waits for the broker as long.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Sets after which time without another message a worker sends the broker a heartbeat: [`Worker::heartbeat`].
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// Sets how long a worker pauses before it registers again: [`Worker::reconnect`].
    pub fn reconnect(mut self, pause: Duration) -> Self {
        self.reconnect = pause;
        self
    }

    /// Sets options on each socket before it connects to the broker, for example its security: on the DEALER of each worker,
    /// and on that of each request that a dispatcher sends.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = std::env::temp_dir().join(format!("titanic-with-{}", std::process::id()));
    /// # let context = zmq::Context::new()?;
    /// use zmq_patterns::titanic::{Service, Store};
    ///
    /// let titanic = Service::new(&context, "tcp://broker:5555", Store::open(&directory)?)
    ///     .with(|socket| socket.set_tcp_keepalive(true));
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with(mut self, set: impl Fn(&Socket<'static>) -> Result<()> + Send + Sync + 'static) -> Self {
        self.setup.push(Arc::new(set));
        self
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The counters.
    pub fn statistics(&self) -> Statistics {
        *lock(&self.statistics)
    }

    /// Serves and delivers until the context is shut down or a caught signal ends the wait ([`zmq::interrupt`]), and calls
    /// `on_event` with each event, from several threads. It returns when its threads have ended.
    ///
    /// An error of the store ends nothing: clients get the status 500.
    ///
    /// # Errors
    ///
    /// Those of [`Worker::recv`], except `EINTR` and `ETERM`. `EIO` if the store cannot be read at the start, and `EAGAIN` if
    /// the system has no thread left.
    ///
    /// # Panics
    ///
    /// If `on_event` does.
    pub fn run(&mut self, on_event: impl Fn(&Event) + Sync) -> Result<()> {
        *self.is_over.get_mut() = false;
        let on_event = &on_event as &(dyn Fn(&Event) + Sync);
        self.load().map_err(|error| zmq::Error::new(Errno::from_raw(libc::EIO), "Service::run", error))?;
        let this = &*self;
        thread::scope(|scope| {
            let ending = Ending(this);
            let mut threads = Vec::new();
            let mut start = || -> Result<()> {
                for _ in 0..this.intake {
                    let requests = || this.serve(REQUEST, |request| this.store_request(request, on_event));
                    threads.push(spawn_scoped(scope, "zmq-titanic", requests)?);
                    let closes = || this.serve(CLOSE, |request| this.close(&request, on_event));
                    threads.push(spawn_scoped(scope, "zmq-titanic", closes)?);
                }
                for _ in 0..this.dispatchers {
                    threads.push(spawn_scoped(scope, "zmq-titanic", || this.dispatch(on_event))?);
                }
                Ok(())
            };
            let mut ended = start().and_then(|()| this.serve(REPLY, |request| this.fetch(&request, on_event)));
            // The other threads end.
            drop(ending);
            for thread in threads {
                let result = thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked));
                ended = ended.and(result);
            }
            ended
        })
    }

    /// Schedules what the store has.
    fn load(&self) -> std::result::Result<(), StoreError> {
        let mut schedule = Schedule::default();
        for id in self.store.pending() {
            if let Some((service, _)) = self.store.request(id)? {
                schedule.push(&service, id);
            }
        }
        *lock(&self.schedule) = schedule;
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst) || interrupted()
    }

    fn report(&self, on_event: &dyn Fn(&Event), event: Event) {
        lock(&self.statistics).count(&event);
        on_event(&event);
    }

    /// A worker of one of the services, until the end.
    fn serve(&self, service: &'static str, answer: impl Fn(Multipart) -> Multipart) -> Result<()> {
        let _ending = Ending(self);
        let mut worker = self.worker(service)?;
        while !self.is_over() {
            let request = match worker.within(TICK).recv() {
                Ok(None) => continue,
                Ok(Some(request)) => request,
                Err(error) if ends_normally(&error) => break,
                Err(error) => return Err(error),
            };
            match worker.reply(answer(request)).map_err(|failed| failed.into_parts().1) {
                Err(error) if ends_normally(&error) => break,
                // The broker does not read. The client asks again, and so does this worker.
                Err(error) if error.errno() == Errno::EAGAIN => worker = self.worker(service)?,
                replied => replied?,
            }
        }
        Ok(())
    }

    fn worker(&self, service: &str) -> Result<Worker> {
        let worker = Worker::new(&self.context, &self.endpoint, service)?;
        let worker = worker.heartbeat(self.heartbeat).reconnect(self.reconnect);
        Ok(self.setup.iter().cloned().fold(worker, Worker::with_any))
    }

    /// A client that asks once.
    fn client(&self, timeout: Duration) -> Client {
        let client = Client::new(&self.context, &self.endpoint).timeout(timeout).retries(0);
        self.setup.iter().cloned().fold(client, Client::with_any)
    }

    fn store_request(&self, request: Multipart, on_event: &dyn Fn(&Event)) -> Multipart {
        let Some((service, body)) = protocol::service_and_body(request) else {
            self.report(on_event, Event::Malformed { service: REQUEST });
            return UNKNOWN.into();
        };
        match self.store.add(&service, &body) {
            Ok(id) => {
                lock(&self.schedule).push(&service, id);
                self.changed.notify_one();
                self.report(on_event, Event::Stored { id, service });
                Multipart::from([OK.to_owned(), id.to_string()])
            }
            Err(error) => self.failed(error, on_event),
        }
    }

    fn fetch(&self, request: &Multipart, on_event: &dyn Fn(&Event)) -> Multipart {
        let Some(id) = protocol::id(request) else {
            self.report(on_event, Event::Malformed { service: REPLY });
            return UNKNOWN.into();
        };
        self.store.get(id).map_or_else(|error| self.failed(error, on_event), protocol::fetched)
    }

    /// Closes a request. A malformed id counts as closed, because no request has it.
    fn close(&self, request: &Multipart, on_event: &dyn Fn(&Event)) -> Multipart {
        let Some(id) = protocol::id(request) else {
            self.report(on_event, Event::Malformed { service: CLOSE });
            return OK.into();
        };
        match self.store.close(id) {
            Ok(is_closed) => {
                if is_closed {
                    lock(&self.schedule).on_close(|id| self.store.is_pending(id));
                    self.report(on_event, Event::Closed { id });
                }
                OK.into()
            }
            Err(error) => self.failed(error, on_event),
        }
    }

    fn failed(&self, error: StoreError, on_event: &dyn Fn(&Event)) -> Multipart {
        self.report(on_event, Event::Failed(error));
        FAILED.into()
    }

    /// Delivers one request after the other, until the end.
    fn dispatch(&self, on_event: &dyn Fn(&Event)) -> Result<()> {
        let _ending = Ending(self);
        let (mut looking_up, mut asking) = (self.client(self.pause), self.client(self.timeout));
        while let Some(task) = self.next_task() {
            let delivery = self.deliver(&mut looking_up, &mut asking, &task, on_event);
            lock(&self.schedule).finish(Instant::now(), self.pause, task, delivery);
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for a request that is due; `None` at the end.
    fn next_task(&self) -> Option<Task> {
        let mut schedule = lock(&self.schedule);
        while !self.is_over() {
            let now = Instant::now();
            let wait = match schedule.take(now) {
                Ok(task) => return Some(task),
                Err(at) => at.map_or(TICK, |at| TICK.min(at.saturating_duration_since(now))),
            };
            (schedule, _) = self.changed.wait_timeout(schedule, wait).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn deliver(
        &self,
        looking_up: &mut Client,
        asking: &mut Client,
        task: &Task,
        on_event: &dyn Fn(&Event),
    ) -> Delivery {
        let id = task.id;
        let failed = |error| {
            self.report(on_event, Event::Failed(error));
            Delivery::Unanswered
        };
        // The store could not take the reply, so the request is not delivered.
        if let Some(error) = self.store.broken() {
            return failed(error);
        }
        let (service, body) = match self.store.request(id) {
            Ok(Some(request)) => request,
            Ok(None) => return Delivery::Closed,
            Err(error) => return failed(error),
        };
        // A broker that has no lookup answers 501: then the service itself is asked.
        let is_there = |reply: Multipart| reply.first().is_some_and(|code| *code != "404");
        if task.is_doubtful && !looking_up.request("mmi.service", service.clone()).is_ok_and(is_there) {
            self.report(on_event, Event::Unavailable { id });
            return Delivery::Unavailable;
        }
        let Ok(reply) = asking.request(&service, body) else {
            self.report(on_event, Event::Unanswered { id });
            return Delivery::Unanswered;
        };
        match self.store.answer(id, &reply) {
            Ok(true) => self.report(on_event, Event::Answered { id }),
            Ok(false) => {}
            Err(error) => return failed(error),
        }
        Delivery::Done
    }
}

/// Ends all threads when one of them ends, also by a panic.
struct Ending<'a>(&'a Service);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
        self.0.changed.notify_all();
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("endpoint", &self.endpoint)
            .field("store", &self.store)
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}
