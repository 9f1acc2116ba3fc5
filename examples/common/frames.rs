//! Frames as readable text.

use zmq::zhelpers::format_frame;

/// A frame as `s_dump` shows it, without its size: as text if all bytes are printable, else in hexadecimal digits, such
/// as a routing id that libzmq has generated.
pub fn readable(frame: &[u8]) -> String {
    let line = format_frame(frame);
    line.split_once(' ').map_or_else(String::new, |(_size, content)| content.to_owned())
}
