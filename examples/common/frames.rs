//! Frames for people to read.

use zmq::zhelpers::format_frame;

/// A frame as `s_dump` shows it, but without its size: as text if all of it can be printed, in hexadecimal digits
/// otherwise, as a routing id that libzmq has made up.
pub fn readable(frame: &[u8]) -> String {
    let line = format_frame(frame);
    line.split_once(' ').map_or_else(String::new, |(_size, content)| content.to_owned())
}
