//! Every option at the size limits of the C type that its row states, through the C interface. The buffers are exactly
//! as large as the length says, so that AddressSanitizer sees a read or a write beyond:
//!
//! ```sh
//! .ci/sanitize address options_limits
//! ```

mod common;

use std::ffi::c_int;

use common::{kinds, outcome};
use zmq::sockopt::{CType, OptionInfo};
use zmq::{Errno, Socket, sys};

fn rows() -> impl Iterator<Item = &'static OptionInfo> {
    OptionInfo::all().filter(|row| row.is_available())
}

/// Sets an option from a buffer of exactly the value's length.
fn set(socket: &Socket<'_>, row: &OptionInfo, value: &[u8]) -> Result<(), Errno> {
    let value: Box<[u8]> = value.into();
    // SAFETY: the handle is open; pointer and length are those of the slice.
    outcome(unsafe { sys::zmq_setsockopt(socket.as_raw(), row.number, value.as_ptr().cast(), value.len()) })
}

/// Reads an option into a buffer of exactly `len` bytes.
fn get(socket: &Socket<'_>, row: &OptionInfo, len: usize) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0xaa_u8; len].into_boxed_slice();
    let mut len = buffer.len();
    // SAFETY: the handle is open; libzmq writes at most `len` bytes, the buffer's length.
    outcome(unsafe { sys::zmq_getsockopt(socket.as_raw(), row.number, buffer.as_mut_ptr().cast(), &raw mut len) })?;
    Ok(buffer[..len].to_vec())
}

/// Values of these lengths that libzmq accepts for the option, and lengths that it refuses for every option of the C type.
fn limits(row: &OptionInfo) -> (Vec<Vec<u8>>, Vec<usize>) {
    let number: c_int = match row.name {
        // -1 is off. libzmq would adopt any other number as a descriptor.
        "ZMQ_USE_FD" => -1,
        "ZMQ_HEARTBEAT_TTL" => 100,
        _ => 1,
    };
    let sized = |len: usize| match row.name {
        "ZMQ_METADATA" if len > 4 => [b"X-n:".to_vec(), vec![b'v'; len - 4]].concat(),
        "ZMQ_METADATA" => b"X-n:value".to_vec(),
        "ZMQ_TCP_ACCEPT_FILTER" => b"127.0.0.1\0".to_vec(),
        _ => vec![b'x'; len],
    };
    match row.c_type {
        CType::Int | CType::Uint32 => (vec![number.to_ne_bytes().to_vec()], vec![0, 1, 3, 5, 8]),
        CType::Int64 | CType::Uint64 => (vec![1_u64.to_ne_bytes().to_vec()], vec![0, 1, 4, 7, 9]),
        CType::Key => {
            (vec![vec![7; 32], b"0".repeat(40), [b"0".repeat(40), vec![0]].concat()], vec![0, 31, 33, 39, 42])
        }
        CType::Bytes(usize::MAX) | CType::Text(usize::MAX) => (vec![sized(1), sized(1 << 20)], vec![]),
        CType::Bytes(max) | CType::Text(max) => (vec![sized(1), sized(max)], vec![]),
        other => panic!("{}: {other:?} has no limits here", row.name),
    }
}

#[deadline::test]
fn every_option_is_set_at_the_limits_of_its_c_type() {
    let mut wrong = Vec::new();
    for row in rows().filter(|row| row.set) {
        let context = common::context();
        for kind in kinds().into_iter().filter(|kind| row.is_accepted_by(*kind)) {
            let (accepted, refused) = limits(row);
            for value in accepted {
                let outcome = set(&context.socket(kind).unwrap(), row, &value);
                if outcome != Ok(()) {
                    wrong.push(format!("{} of {} bytes on {kind}: {outcome:?}", row.name, value.len()));
                }
            }
            // libzmq reads an int for this option, whatever the length says. Its setter passes an int.
            let refused = refused.into_iter().filter(|_| row.name != "ZMQ_XSUB_VERBOSE_UNSUBSCRIBE");
            for len in refused {
                let outcome = set(&context.socket(kind).unwrap(), row, &vec![1; len]);
                // Filters are cleared by a null pointer.
                if outcome != Err(Errno::EINVAL) {
                    wrong.push(format!("{} of {len} bytes on {kind}: {outcome:?}", row.name));
                }
            }
            // libzmq may accept a value that is longer than the row says. It must not read beyond the end of the value.
            if let CType::Bytes(max) | CType::Text(max) = row.c_type
                && max < 1 << 20
            {
                let _ = set(&context.socket(kind).unwrap(), row, &vec![b'x'; max + 1]);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[deadline::test]
fn every_option_is_read_at_the_limits_of_its_c_type() {
    let mut wrong = Vec::new();
    for row in rows().filter(|row| row.get) {
        let context = common::context();
        for kind in kinds().into_iter().filter(|kind| row.is_accepted_by(*kind)) {
            let socket = context.socket(kind).unwrap();
            let mut text = 0;
            if row.set && matches!(row.c_type, CType::Bytes(_) | CType::Text(_)) {
                let value = limits(row).0.pop().unwrap();
                set(&socket, row, &value).unwrap_or_else(|error| panic!("{}: {error:?}", row.name));
                text = value.len();
            }
            let len = match row.c_type {
                CType::Int | CType::Uint32 => 4,
                CType::Int64 | CType::Uint64 => 8,
                CType::Key => 32,
                CType::Bytes(_) => text,
                // The NUL counts.
                CType::Text(_) => text + 1,
                other => panic!("{}: {other:?} has no length here", row.name),
            };
            let read = get(&socket, row, len);
            if read.as_ref().map(Vec::len) != Ok(len) {
                wrong.push(format!("{} read into {len} bytes on {kind}: {read:?}", row.name));
            }
            for shorter in [0, 1, len / 2, len.saturating_sub(1)].into_iter().filter(|shorter| *shorter < len) {
                let read = get(&socket, row, shorter);
                if read != Err(Errno::EINVAL) {
                    wrong.push(format!("{} read into {shorter} bytes on {kind}: {read:?}", row.name));
                }
            }
            let _ = get(&socket, row, len + 1);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
