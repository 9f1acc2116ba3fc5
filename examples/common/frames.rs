//! Frames for people to read.

use zmq::zhelpers::format_frame;

/// A frame as `s_dump` shows it, but without its size: as text where all of it can be printed, in hexadecimal digits
/// otherwise. A routing id that libzmq has made up, for one, is five bytes of anything.
pub fn readable(frame: &[u8]) -> String {
    let line = format_frame(frame);
    line.split_once(' ').map_or_else(String::new, |(_size, content)| content.to_owned())
}
