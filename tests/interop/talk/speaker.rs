//! The Rust side of a conversation.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use zmq::{Message, Socket};

use super::notation::{described, frames};
use super::{SYNC, Step};
use crate::common::Process;

/// The interval at which a publisher repeats its message.
const REPEAT: Duration = Duration::from_millis(10);
/// Longer than the longest frame.
const BUFFER: usize = 2 << 20;

/// The calls by which Rust sends and receives.
#[derive(Clone, Copy, Debug)]
pub enum CallStyle {
    /// `send(&[u8])` and `recv_into`.
    Slices,
    /// `send(Vec<u8>)`, which does not copy, and `recv`.
    Messages,
    /// `send_multipart` and `recv_multipart`.
    Multiparts,
}

/// The Rust side of a conversation.
pub struct Speaker<'ctx> {
    socket: Socket<'ctx>,
    style: CallStyle,
    peer: Process,
    /// The lines that the peer has printed so far.
    observations: Vec<String>,
    /// The message whose repetitions do not count.
    leave_out: Option<Vec<Vec<u8>>>,
    /// The address to which a STREAM writes.
    address: Vec<u8>,
}

impl<'ctx> Speaker<'ctx> {
    pub fn new(socket: Socket<'ctx>, style: CallStyle, peer: Process) -> Speaker<'ctx> {
        Speaker { socket, style, peer, observations: Vec::new(), leave_out: None, address: Vec::new() }
    }

    /// Waits for the end of the peer, and returns all lines that it has printed.
    pub fn peers_observations(mut self) -> Vec<String> {
        self.observations.extend(self.peer.rest());
        self.peer.succeeds();
        self.observations
    }

    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Send(message) => self.send(frames(message)),
            Step::Recv(message) => {
                let received = loop {
                    let received = self.recv();
                    if self.leave_out.as_ref() != Some(&received) {
                        break received;
                    }
                };
                let expected = frames(message);
                assert!(received == expected, "{} instead of {}", described(&received), described(&expected));
            }
            Step::Publish => {
                let observation = self.publish_until_heard();
                self.observations.push(observation);
            }
            Step::Await => {
                let received = self.recv();
                assert_eq!(received, frames(SYNC));
                self.leave_out = Some(received);
                self.peer.type_line("heard");
            }
            Step::Greet => {
                let [address, nothing] = self.recv().try_into().unwrap();
                assert_eq!((address.len(), nothing.len()), (5, 0));
                self.address = address;
            }
            Step::Write(bytes) => self.send([vec![self.address.clone()], frames(bytes)].concat()),
            Step::Read(bytes) => {
                let expected = &frames(bytes)[0];
                let mut read = Vec::new();
                while read.len() < expected.len() {
                    let [address, chunk] = self.recv().try_into().unwrap();
                    assert_eq!(address, self.address);
                    assert!(!chunk.is_empty(), "the connection has ended");
                    read.extend(chunk);
                }
                assert!(read == *expected, "{} bytes are not {bytes}", read.len());
            }
        }
    }

    fn send(&self, frames: Vec<Vec<u8>>) {
        let last = frames.len() - 1;
        match self.style {
            CallStyle::Slices => {
                frames[..last].iter().for_each(|frame| self.socket.send_more(&frame[..]).unwrap());
                self.socket.send(&frames[last][..]).unwrap();
            }
            CallStyle::Messages => {
                for (index, frame) in frames.into_iter().enumerate() {
                    let message = Message::from(frame);
                    let sent = if index < last { self.socket.send_more(message) } else { self.socket.send(message) };
                    sent.unwrap();
                }
            }
            CallStyle::Multiparts => self.socket.send_multipart(frames).unwrap(),
        }
    }

    fn recv(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        match self.style {
            CallStyle::Slices => {
                let mut buffer = vec![0; BUFFER];
                loop {
                    let received = self.socket.recv_into(&mut buffer).unwrap();
                    assert!(!received.is_truncated(), "{received:?}");
                    frames.push(buffer[..received.copied].to_vec());
                    if !self.socket.rcvmore().unwrap() {
                        return frames;
                    }
                }
            }
            CallStyle::Messages => loop {
                let message = self.socket.recv_msg().unwrap();
                frames.push(message.to_vec());
                if !message.more() {
                    return frames;
                }
            },
            CallStyle::Multiparts => self.socket.recv_multipart().unwrap().iter().map(|part| part.to_vec()).collect(),
        }
    }

    /// Sends [`SYNC`] again and again until the peer prints a line, and returns the line.
    fn publish_until_heard(&mut self) -> String {
        let Speaker { socket, peer, .. } = self;
        let (say, heard) = channel();
        thread::scope(|scope| {
            scope.spawn(move || say.send(peer.line()));
            loop {
                socket.send(SYNC).unwrap();
                match heard.recv_timeout(REPEAT) {
                    Ok(line) => return line,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => panic!("the peer has ended and heard nothing"),
                }
            }
        })
    }
}
