//! One option of a socket: its name and number, and how its bytes are read and written.

use std::ffi::c_int;
use std::fmt;

use crate::error::{Errno, Error, Result};
use crate::raw::{self, RawSocket, RawValue};

/// The name and the number of an option.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) number: c_int,
}

impl Row {
    /// The error of a value that is not in the option's range.
    pub(crate) fn refused(self, value: impl fmt::Display, range: impl fmt::Display) -> Error {
        Errno::EINVAL.with_detail(self.name, format_args!("{value} is not in {range}"))
    }

    /// The reason why this libzmq does not have the option, or `None` if it has the option.
    pub(crate) fn missing(self) -> Option<&'static str> {
        const FAMILIES: [(&str, &std::ffi::CStr, &str); 5] = [
            ("ZMQ_CURVE_", c"curve", "this libzmq was built without curve"),
            ("ZMQ_GSSAPI_", c"gssapi", "this libzmq was built without gssapi"),
            ("ZMQ_NORM_", c"norm", "this libzmq was built without norm"),
            ("ZMQ_VMCI_", c"vmci", "this libzmq was built without vmci"),
            ("ZMQ_WSS_", c"WSS", "this libzmq was built without WSS"),
        ];
        if cfg!(not(zmq_patches = "safety")) {
            match self.name {
                "ZMQ_SOCKS_PROXY" => {
                    return Some("a proxy overruns this libzmq's memory: it lacks the patches 0001 and 0036");
                }
                "ZMQ_HELLO_MSG" => return Some("this libzmq writes out of bounds: it lacks the patches 0021 and 0037"),
                _ => {}
            }
        }
        let family = FAMILIES.iter().find(|(prefix, ..)| self.name.starts_with(prefix));
        family.filter(|(_, capability, _)| !raw::has(capability)).map(|(.., why)| *why)
    }

    /// The error of a call that libzmq refused. It says why if this libzmq does not have the option.
    pub(crate) fn failed(self, errno: Errno, value: impl fmt::Display) -> Error {
        match self.missing() {
            Some(why) if errno == Errno::EINVAL => errno.with_detail(self.name, why),
            _ => errno.with_detail(self.name, value),
        }
    }

    fn not_readable(self, errno: Errno) -> Error {
        self.failed(errno, "not readable")
    }

    /// Reads an int.
    pub(crate) fn get_int(self, socket: &RawSocket) -> Result<c_int> {
        socket.get_int(self.number).map_err(|errno| self.not_readable(errno))
    }

    /// Writes an int.
    pub(crate) fn set_int(self, socket: &RawSocket, value: c_int) -> Result<()> {
        socket.set_int(self.number, value).map_err(|errno| self.failed(errno, value))
    }

    /// Reads a `uint64_t` or an `int64_t`.
    pub(crate) fn get_wide(self, socket: &RawSocket) -> Result<u64> {
        socket.get_wide(self.number).map_err(|errno| self.not_readable(errno))
    }

    /// Reads into `buffer`, and returns the length of the value in bytes.
    pub(crate) fn get(self, socket: &RawSocket, buffer: &mut [u8]) -> Result<usize> {
        socket.get_option(self.number, buffer).map_err(|errno| self.not_readable(errno))
    }

    /// Writes a value. An error shows it as `shown`, which must not reveal a secret.
    pub(crate) fn set(self, socket: &RawSocket, value: &RawValue<'_>, shown: impl fmt::Display) -> Result<()> {
        socket.set_option(self.number, value).map_err(|errno| self.failed(errno, shown))
    }

    /// Reads bytes of any length: the buffer grows until libzmq accepts it.
    pub(crate) fn get_bytes(self, socket: &RawSocket) -> Result<Vec<u8>> {
        const LARGEST: usize = 1 << 20;
        let mut buffer = vec![0; 256];
        loop {
            match socket.get_option(self.number, &mut buffer) {
                Ok(len) => {
                    buffer.truncate(len);
                    return Ok(buffer);
                }
                Err(Errno::EINVAL) if buffer.len() < LARGEST => buffer.resize(buffer.len() * 4, 0),
                Err(errno) => return Err(self.not_readable(errno)),
            }
        }
    }

    /// Reads a text; `None` if it is empty.
    pub(crate) fn get_text(self, socket: &RawSocket) -> Result<Option<String>> {
        let mut text = self.get_bytes(socket)?;
        if text.last() == Some(&0) {
            text.pop();
        }
        Ok((!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned()))
    }
}
