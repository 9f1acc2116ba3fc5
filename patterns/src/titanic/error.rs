//! `StoreError`: the error of a store that was not opened, or has not stored a record.

use std::error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The error of a [`Store`](super::Store) that was not opened, or has not stored a record. Acknowledged records are kept.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreError {
    /// An operation on a file failed: the disk is full, the file system is read-only, or access is denied. A later call may
    /// succeed.
    #[non_exhaustive]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        error: Arc<io::Error>,
    },
    /// The content of the disk is unknown after an earlier error: after a failed `fsync`, for example, the system may have
    /// dropped written data. The store stores nothing more until it is opened again, and still returns the records that it has.
    Broken(Arc<StoreError>),
    /// Another process, or another `Store`, has opened the directory.
    Locked(PathBuf),
    /// The file is not one of a store, or its header was changed.
    NoStore(PathBuf),
    /// A newer version of this crate has written the file.
    #[non_exhaustive]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: u32,
    },
    /// The file was changed at this place, or the disk has failed: the records there are lost. The file is left unchanged.
    #[non_exhaustive]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The place, in bytes from the beginning.
        place: u64,
    },
    /// The message has more than 2^32 - 1 frames, or a frame of more bytes than that.
    TooLarge,
}

impl StoreError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        move |error| StoreError::Io { doing, path: path.to_owned(), error: Arc::new(error) }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io { doing, path, error } => write!(f, "cannot {doing} {}: {error}", path.display()),
            StoreError::Broken(error) => write!(f, "the store takes nothing more until it is opened again: {error}"),
            StoreError::Locked(path) => write!(f, "{} is in use", path.display()),
            StoreError::NoStore(path) => write!(f, "{} is not a file of a Titanic store", path.display()),
            StoreError::Newer { path, version } => {
                let newest = super::format::VERSION;
                write!(f, "{} has version {version}, and this program reads none after {newest}", path.display())
            }
            StoreError::Corrupt { path, place } => write!(f, "{} was changed at byte {place}", path.display()),
            StoreError::TooLarge => f.write_str("the message is too large to be stored"),
        }
    }
}

impl error::Error for StoreError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            StoreError::Io { error, .. } => Some(error),
            StoreError::Broken(error) => Some(error),
            _ => None,
        }
    }
}
