//! `Store`: the file, and the threads that write to it.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use zmq::{Message, Multipart};

use super::error::StoreError;
use super::format::{self, Batch, Fault, HEADER, Kind, ReadAt, Salt, Span};
use super::id::RequestId;
use super::index::Index;
use crate::lock::lock;
use crate::random::Random;

type Result<T> = std::result::Result<T, StoreError>;

/// The size below which a file is not compacted, by default.
const SMALLEST: u64 = 1 << 20;

/// The permissions of the files. Ids are secrets, and messages may contain secrets.
const OWNER_ONLY: u32 = 0o600;

/// The number of bytes of records that are written at once when a file is compacted.
const CHUNK: usize = 1 << 20;

/// The content of a store for an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// No such request: it was never stored, or it was closed.
    Unknown,
    /// The request has no reply yet.
    Pending,
    /// The reply.
    Answered(Multipart),
}

/// The numbers of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStatistics {
    /// The requests without reply that it has now.
    pub pending: usize,
    /// The requests with a reply that it has now.
    pub answered: usize,
    /// The size of its file now, in bytes.
    pub bytes: u64,
    /// Requests, replies and closings that were stored since it was opened.
    pub records: u64,
    /// The number of waits for the disk. It is smaller than `records` if several threads store at once.
    pub commits: u64,
    /// The number of times that the file was compacted.
    pub compactions: u64,
    /// The number of times that the file was not compacted because of an error, such as a full disk.
    pub failed_compactions: u64,
    /// The bytes that were cut off when it was opened: a write that had not ended, and was not acknowledged.
    pub cut: u64,
}

/// Requests and replies on the disk, in a directory of their own. A call that stores returns when the disk has what it stores
/// (`fdatasync`).
///
/// Many threads may store at once. One of them writes and synchronizes for all those that wait, so that a slow disk gives
/// each of them its time, and all together a multiple of the rate ([group commit](super#what-it-costs)).
///
/// The directory has a file `requests`, which grows at its end alone, and a file `lock`. When `requests` has grown to twice
/// the size that it had after the last compaction, and half of it is not needed, the requests that are not closed are written
/// to a new file, which takes its place. Calls that store wait meanwhile.
///
/// ```
/// use zmq::Multipart;
/// use zmq_patterns::titanic::{Store, Stored};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("titanic-doc-{}", std::process::id()));
/// let store = Store::open(&directory)?;
/// let id = store.add("echo", &Multipart::from("Hello"))?;
/// assert_eq!(store.get(id)?, Stored::Pending);
/// drop(store);
///
/// let store = Store::open(&directory)?;
/// assert!(store.answer(id, &Multipart::from("World"))?);
/// assert_eq!(store.get(id)?, Stored::Answered("World".into()));
/// assert!(store.close(id)?);
/// assert_eq!(store.get(id)?, Stored::Unknown);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # }
/// ```
pub struct Store {
    path: PathBuf,
    smallest: u64,
    random: Random,
    state: Mutex<State>,
    /// A batch is finished, and another one may be written.
    finished: Condvar,
    /// The lock of the directory, which lasts as long as this file is open.
    _lock: File,
}

/// The result of a batch, for the threads that wait for it: whether each of its records has changed something.
type Outcome = OnceLock<Result<Vec<bool>>>;

struct State {
    /// The records of the next write.
    batch: Batch,
    outcome: Arc<Outcome>,
    /// A thread writes, and has not locked the state.
    is_writing: bool,
    log: Log,
    index: Index,
    /// The file is compacted when it has this size.
    compact_at: u64,
    /// The error after which nothing more is stored.
    broken: Option<StoreError>,
    statistics: StoreStatistics,
}

/// The file, and the offset at which its last batch ends.
#[derive(Clone)]
struct Log {
    file: Arc<File>,
    salt: Salt,
    length: u64,
}

/// The error of a write.
enum Unwritten {
    /// The file is as before.
    Undone(StoreError),
    /// The file may have the write or not.
    Unknown(StoreError),
}

impl Store {
    /// Opens the store of a directory, or makes it. A write that was cut off by the end of its process is removed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if it is open already. [`StoreError::NoStore`], [`StoreError::Newer`] and
    /// [`StoreError::Corrupt`] for a file that it does not read: the file is not changed. [`StoreError::Io`] for any error
    /// of the system.
    pub fn open(directory: impl AsRef<Path>) -> Result<Store> {
        let directory = directory.as_ref();
        make_directory(directory)?;
        let lock_path = directory.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(OWNER_ONLY).open(&lock_path);
        let lock = lock.map_err(StoreError::io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", &lock_path)(error)),
        }
        let random = Random::open().map_err(StoreError::io("open", Path::new("/dev/urandom")))?;
        let path = directory.join("requests");
        // A compaction that was killed has left it.
        NewFile::discard(&path);
        if path.try_exists().map_err(StoreError::io("find", &path))? {
            // The process that gave the file its name may have been killed before it waited for the directory.
            synchronize_directory(directory)?;
        } else {
            let new = NewFile::create(&path, &random)?;
            new.take_place(&path).map_err(Unwritten::into_error)?;
        }
        let (log, index, cut) = read(&path)?;
        let compact_at = SMALLEST.max(2 * index.needed());
        let state = State {
            batch: Batch::default(),
            outcome: Arc::default(),
            is_writing: false,
            log,
            index,
            compact_at,
            broken: None,
            statistics: StoreStatistics { cut, ..StoreStatistics::default() },
        };
        let finished = Condvar::new();
        Ok(Store { path, smallest: SMALLEST, random, state: Mutex::new(state), finished, _lock: lock })
    }

    /// Sets below which size the file is not compacted, in bytes; 1 MiB by default.
    pub fn compact_from(mut self, size: u64) -> Self {
        self.smallest = size;
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.compact_at = size.max(2 * state.index.needed());
        self
    }

    /// Stores a request for a service, and returns its id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`], [`StoreError::Broken`] and [`StoreError::TooLarge`]. The request is not stored, except perhaps if the
    /// store is broken.
    pub fn add(&self, service: impl AsRef<[u8]>, body: &Multipart) -> Result<RequestId> {
        let service = Message::from(service.as_ref());
        let frames: Vec<_> = [&service].into_iter().chain(body).collect();
        loop {
            let id = self.random.uuid().map(RequestId);
            let id = id.map_err(StoreError::io("read", Path::new("/dev/urandom")))?;
            // If an id were given twice, one client could take the reply to another client's request.
            if self.commit(Kind::Request, id, &frames, |index| index.get(id).is_none())? {
                return Ok(id);
            }
        }
    }

    /// Stores the reply to a request. `false` if the request is unknown, or has a reply: then that one remains.
    ///
    /// # Errors
    ///
    /// As [`Store::add`].
    pub fn answer(&self, id: RequestId, reply: &Multipart) -> Result<bool> {
        let frames: Vec<_> = reply.iter().collect();
        self.commit(Kind::Reply, id, &frames, |index| index.is_pending(id))
    }

    /// Removes a request and its reply. `false` if the request is unknown.
    ///
    /// # Errors
    ///
    /// As [`Store::add`].
    pub fn close(&self, id: RequestId) -> Result<bool> {
        self.commit(Kind::Close, id, &[], |index| index.get(id).is_some())
    }

    /// The content of the store for an id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the file cannot be read, [`StoreError::Corrupt`] if its bytes are not those that were written.
    pub fn get(&self, id: RequestId) -> Result<Stored> {
        let (log, reply) = {
            let state = self.lock();
            match state.index.get(id) {
                None => return Ok(Stored::Unknown),
                Some(entry) if !entry.is_answered => return Ok(Stored::Pending),
                Some(entry) => (state.log.clone(), entry.span),
            }
        };
        self.frames(&log, reply).map(Stored::Answered)
    }

    /// The service and the body of a request without reply; `None` if it is unknown, or has a reply.
    ///
    /// # Errors
    ///
    /// As [`Store::get`].
    pub fn request(&self, id: RequestId) -> Result<Option<(Message, Multipart)>> {
        let (log, request) = {
            let state = self.lock();
            match state.index.get(id) {
                Some(entry) if !entry.is_answered => (state.log.clone(), entry.span),
                _ => return Ok(None),
            }
        };
        let mut body = self.frames(&log, request)?;
        Ok(body.pop_front().map(|service| (service, body)))
    }

    /// The requests without reply, in the order in which they were stored.
    pub fn pending(&self) -> Vec<RequestId> {
        let state = self.lock();
        state.index.in_order().filter(|(_, entry)| !entry.is_answered).map(|(id, _)| id).collect()
    }

    /// Whether the request has no reply yet, and is not closed.
    pub(super) fn is_pending(&self, id: RequestId) -> bool {
        self.lock().index.is_pending(id)
    }

    /// The error after which nothing more is stored.
    pub(super) fn broken(&self) -> Option<StoreError> {
        self.lock().broken.clone().map(|error| StoreError::Broken(Arc::new(error)))
    }

    /// The counters since the store was opened, and the present sizes.
    pub fn statistics(&self) -> StoreStatistics {
        let state = self.lock();
        StoreStatistics {
            pending: state.index.pending(),
            answered: state.index.answered(),
            bytes: state.log.length,
            ..state.statistics
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn frames(&self, log: &Log, span: Span) -> Result<Multipart> {
        let mut record = Vec::new();
        log.read(&self.path, span, &mut record)?;
        format::frames(&record).ok_or_else(|| StoreError::Corrupt { path: self.path.clone(), place: span.at })
    }

    /// Adds a record to the next batch, waits until it has reached the disk, and returns whether it has changed something: a
    /// record before it in the same batch may contradict it. Returns `false` at once if `is_wanted` does.
    fn commit(
        &self,
        kind: Kind,
        id: RequestId,
        frames: &[&Message],
        is_wanted: impl FnOnce(&Index) -> bool,
    ) -> Result<bool> {
        let mut state = self.lock();
        if !is_wanted(&state.index) {
            return Ok(false);
        }
        if let Some(error) = &state.broken {
            return Err(StoreError::Broken(Arc::new(error.clone())));
        }
        let number = state.batch.push(kind, id, frames).ok_or(StoreError::TooLarge)?;
        let outcome = Arc::clone(&state.outcome);
        loop {
            if let Some(result) = outcome.get() {
                return result.as_ref().map(|changes| changes[number]).map_err(StoreError::clone);
            }
            // The first thread that finds no other one writing writes for all that wait.
            state = if state.is_writing {
                self.finished.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.write(state)
            };
        }
    }

    /// Writes the batch, and compacts the file if it is due.
    fn write<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.is_writing = true;
        let batch = std::mem::take(&mut state.batch);
        let outcome = std::mem::take(&mut state.outcome);
        let log = state.log.clone();
        let earlier = state.broken.clone();
        drop(state);
        let (bytes, records) = batch.complete(log.salt, log.length);
        let written = match earlier {
            Some(error) => Err(Unwritten::Undone(StoreError::Broken(Arc::new(error)))),
            None => log.append(&self.path, &bytes),
        };
        let mut state = self.lock();
        let result = match written {
            Ok(()) => {
                state.log.length += bytes.len() as u64;
                state.statistics.commits += 1;
                state.statistics.records += records.len() as u64;
                Ok(records.into_iter().map(|(kind, id, span)| state.index.apply(kind, id, span)).collect())
            }
            Err(Unwritten::Undone(error)) => Err(error),
            Err(Unwritten::Unknown(error)) => {
                state.broken = Some(error.clone());
                Err(error)
            }
        };
        let is_stored = result.is_ok();
        // An outcome is set only here, and only once.
        let _ = outcome.set(result);
        self.finished.notify_all();
        if is_stored && state.log.length >= state.compact_at && 2 * state.index.needed() <= state.log.length {
            state = self.compact(state);
        }
        state.is_writing = false;
        self.finished.notify_all();
        state
    }

    /// Writes the needed records to a new file, which takes the place of the old one. No other thread writes meanwhile.
    fn compact<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let old = state.log.clone();
        let entries: Vec<_> = state.index.in_order().collect();
        drop(state);
        let mut index = Index::default();
        let written = self.rewrite(&old, entries, &mut index);
        let mut state = self.lock();
        match written {
            Ok(log) => {
                state.log = log;
                state.index = index;
                state.statistics.compactions += 1;
            }
            Err(Unwritten::Undone(_)) => {
                // The old file stays. The incomplete new one would take up the disk.
                NewFile::discard(&self.path);
                state.statistics.failed_compactions += 1;
            }
            Err(Unwritten::Unknown(error)) => state.broken = Some(error),
        }
        state.compact_at = self.smallest.max(2 * state.log.length);
        state
    }

    fn rewrite(
        &self,
        old: &Log,
        entries: Vec<(RequestId, super::index::Entry)>,
        index: &mut Index,
    ) -> std::result::Result<Log, Unwritten> {
        let mut new = NewFile::create(&self.path, &self.random).map_err(Unwritten::Undone)?;
        let mut batch = Batch::default();
        let mut bytes = Vec::new();
        for (id, entry) in entries {
            let kind = if entry.is_answered { Kind::Reply } else { Kind::Request };
            if entry.is_answered {
                // The index needs a request before the reply. The frames of an answered request are not needed.
                let _ = batch.push(Kind::Request, id, &[]);
            }
            // `read` compares the checksum: the new checksum would hide bytes that the disk has changed.
            old.read(&self.path, entry.span, &mut bytes).map_err(Unwritten::Undone)?;
            batch.push_bytes(kind, id, &bytes);
            if batch.size() >= CHUNK {
                new.write(std::mem::take(&mut batch), index).map_err(Unwritten::Undone)?;
            }
        }
        if !batch.is_empty() {
            new.write(batch, index).map_err(Unwritten::Undone)?;
        }
        new.take_place(&self.path)
    }
}

impl Log {
    /// Reads a record, and checks that its bytes are those that were written.
    fn read(&self, path: &Path, span: Span, record: &mut Vec<u8>) -> Result<()> {
        record.resize(span.length as usize, 0);
        ReadAt::read_exact_at(&*self.file, record, span.at).map_err(StoreError::io("read", path))?;
        if span.is_of(record) { Ok(()) } else { Err(StoreError::Corrupt { path: path.to_owned(), place: span.at }) }
    }

    /// Writes a batch at the end, and waits for the disk.
    fn append(&self, path: &Path, bytes: &[u8]) -> std::result::Result<(), Unwritten> {
        let mut written = 0;
        while written < bytes.len() {
            let error = match self.file.write_at(&bytes[written..], self.length + written as u64) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(size) => {
                    written += size;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let error = StoreError::io("write to", path)(error);
            // The written part of the batch would come before the next batch. A disk that has become read-only has none.
            return Err(match if written == 0 { Ok(()) } else { self.file.set_len(self.length) } {
                Ok(()) => Unwritten::Undone(error),
                Err(_) => Unwritten::Unknown(error),
            });
        }
        self.file.sync_data().map_err(|error| {
            // The system may have dropped the batch, and still show it to the next process that opens the store. That process
            // would write behind a batch that is not on the disk.
            let _ = self.file.set_len(self.length);
            Unwritten::Unknown(StoreError::io("synchronize", path)(error))
        })
    }
}

/// A file that has not taken the place of `requests` yet. The store does not read it.
struct NewFile {
    path: PathBuf,
    log: Log,
}

impl NewFile {
    fn path(place: &Path) -> PathBuf {
        place.with_extension("new")
    }

    fn create(place: &Path, random: &Random) -> Result<NewFile> {
        let path = NewFile::path(place);
        let salt = random.bytes().map_err(StoreError::io("read", Path::new("/dev/urandom")))?;
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&path);
        let file = file.map_err(StoreError::io("make", &path))?;
        file.write_all_at(&format::header(salt), 0).map_err(StoreError::io("write to", &path))?;
        Ok(NewFile { path, log: Log { file: Arc::new(file), salt, length: HEADER } })
    }

    /// Removes the file that a failed compaction has left, if there is one.
    fn discard(place: &Path) {
        let _ = fs::remove_file(NewFile::path(place));
    }

    fn write(&mut self, batch: Batch, index: &mut Index) -> Result<()> {
        let (bytes, records) = batch.complete(self.log.salt, self.log.length);
        self.log.file.write_all_at(&bytes, self.log.length).map_err(StoreError::io("write to", &self.path))?;
        self.log.length += bytes.len() as u64;
        for (kind, id, span) in records {
            index.apply(kind, id, span);
        }
        Ok(())
    }

    /// Gives the file its name. The directory that has the name must reach the disk too.
    fn take_place(self, place: &Path) -> std::result::Result<Log, Unwritten> {
        let undone = |doing| move |error| Unwritten::Undone(StoreError::io(doing, place)(error));
        self.log.file.sync_all().map_err(undone("synchronize"))?;
        fs::rename(&self.path, place).map_err(undone("replace"))?;
        synchronize_directory(parent(place)).map_err(Unwritten::Unknown)?;
        Ok(self.log)
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a directory and its parents, and waits until the disk has those that are new.
fn make_directory(directory: &Path) -> Result<()> {
    let new: Vec<&Path> =
        directory.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    fs::create_dir_all(directory).map_err(StoreError::io("make", directory))?;
    new.into_iter().map(parent).try_for_each(synchronize_directory)
}

fn synchronize_directory(directory: &Path) -> Result<()> {
    let synchronized = File::open(directory).and_then(|directory| directory.sync_all());
    synchronized.map_err(StoreError::io("synchronize", directory))
}

impl Unwritten {
    fn into_error(self) -> StoreError {
        let (Unwritten::Undone(error) | Unwritten::Unknown(error)) = self;
        error
    }
}

/// Reads a file, and cuts off a write that has not ended. Returns the number of bytes that were cut off.
fn read(path: &Path) -> Result<(Log, Index, u64)> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(StoreError::io("open", path))?;
    let length = file.metadata().map_err(StoreError::io("read", path))?.len();
    let refuse = |fault| match fault {
        Fault::NoStore => StoreError::NoStore(path.to_owned()),
        Fault::Newer(version) => StoreError::Newer { path: path.to_owned(), version },
        Fault::Corrupt(place) => StoreError::Corrupt { path: path.to_owned(), place },
    };
    let salt = format::read_header(&file, length).map_err(StoreError::io("read", path))?.map_err(refuse)?;
    let mut index = Index::default();
    let scanned = format::scan(&file, length, salt, |kind, id, span| {
        index.apply(kind, id, span);
    });
    let end = scanned.map_err(StoreError::io("read", path))?.map_err(refuse)?;
    if end < length {
        file.set_len(end).map_err(StoreError::io("cut", path))?;
    }
    // The process that wrote the last batch may have been killed before it waited for the disk. Its replies are given to
    // clients from now on.
    file.sync_all().map_err(StoreError::io("synchronize", path))?;
    Ok((Log { file: Arc::new(file), salt, length: end }, index, length - end))
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}
