//! `PollEvents`.

use bitflags::bitflags;

bitflags! {
    pub struct PollEvents: i16 {
        const POLLIN = zmq_sys::ZMQ_POLLIN as i16;
        const POLLOUT = zmq_sys::ZMQ_POLLOUT as i16;
        const POLLERR = zmq_sys::ZMQ_POLLERR as i16;
    }
}

pub const POLLIN: PollEvents = PollEvents::POLLIN;
pub const POLLOUT: PollEvents = PollEvents::POLLOUT;
pub const POLLERR: PollEvents = PollEvents::POLLERR;
