//! Errors of calls, sends and receives: how they are compared, converted and printed.

mod common;

use std::error::Error as StdError;
use std::io;
use std::process::Termination;

use common::pair;
use zmq::{Context, Errno, Error, Message, Multipart, RecvStringError, Rep, Req, SendError};

/// An error of a call, with a detail.
fn failed_bind(context: &Context) -> Error {
    context.socket(Rep).unwrap().bind("tcp://127.0.0.1:70000").unwrap_err()
}

/// An error of a send. A REP has no request yet.
fn failed_send(context: &Context) -> SendError {
    context.socket(Rep).unwrap().send("answer").unwrap_err()
}

/// An error of a receive. A REQ has sent nothing yet.
fn failed_recv(context: &Context) -> RecvStringError {
    context.socket(Req).unwrap().recv_string().unwrap_err()
}

/// The error of a receive of bytes that are not UTF-8.
fn not_utf8(context: &Context) -> RecvStringError {
    let (left, right) = pair(context, "inproc://not-utf8");
    left.send([b'a', 0xff]).unwrap();
    right.recv_string().unwrap_err()
}

#[deadline::test]
fn errors_compare_with_numbers_in_both_directions() {
    let context = Context::new().unwrap();
    let (bind, send, recv, text) =
        (failed_bind(&context), failed_send(&context), failed_recv(&context), not_utf8(&context));
    for (left, right) in [
        (bind == Errno::EINVAL, Errno::EINVAL == bind),
        (send == Errno::EFSM, Errno::EFSM == send),
        (recv == Errno::EFSM, Errno::EFSM == recv),
        (text == Errno::EINVAL, Errno::EINVAL == text),
        (bind != Errno::EFSM, Errno::EFSM != bind),
        (send != Errno::EAGAIN, Errno::EAGAIN != send),
        (recv != Errno::EAGAIN, Errno::EAGAIN != recv),
    ] {
        assert!(left && right);
    }
    let multipart = context.socket(Rep).unwrap().send_multipart(["a", "b"]).unwrap_err();
    assert_eq!((multipart == Errno::EFSM, Errno::EFSM == multipart), (true, true));
    assert_eq!((send.errno(), recv.errno(), text.errno()), (Errno::EFSM, Errno::EFSM, Errno::EINVAL));
}

#[deadline::test]
fn question_mark_takes_errors_of_sends_and_receives() {
    fn send<E: From<SendError>>(context: &Context) -> Result<(), E> {
        Ok(context.socket(Rep).unwrap().send("answer")?)
    }
    fn send_multipart<E: From<SendError<Multipart>>>(context: &Context) -> Result<(), E> {
        Ok(context.socket(Rep).unwrap().send_multipart(["a", "b"])?)
    }
    fn recv<E: From<RecvStringError>>(context: &Context) -> Result<String, E> {
        Ok(context.socket(Req).unwrap().recv_string()?)
    }
    type Boxed = Box<dyn StdError + Send + Sync>;
    let context = Context::new().unwrap();

    assert_eq!(send::<Error>(&context).unwrap_err(), Errno::EFSM);
    assert_eq!(send_multipart::<Error>(&context).unwrap_err(), Errno::EFSM);
    assert_eq!(recv::<Error>(&context).unwrap_err(), Errno::EFSM);
    for kind in [send::<io::Error>(&context).unwrap_err().kind(), recv::<io::Error>(&context).unwrap_err().kind()] {
        assert_eq!(kind, io::ErrorKind::InvalidInput);
    }
    let sent = send::<Boxed>(&context).unwrap_err().downcast::<SendError>().unwrap();
    assert_eq!((sent.errno(), sent.message()), (Errno::EFSM, &Message::from("answer")));
    let sent = send_multipart::<Boxed>(&context).unwrap_err().downcast::<SendError<Multipart>>().unwrap();
    assert_eq!(*sent.message(), ["a", "b"]);
    assert_eq!(*recv::<Boxed>(&context).unwrap_err().downcast::<RecvStringError>().unwrap(), Errno::EFSM);
    assert_eq!(Error::from(not_utf8(&context)), Errno::EINVAL);
}

#[deadline::test]
fn errno_is_an_error_with_the_text_of_strerror() {
    let boxed: Box<dyn StdError + Send + Sync> = Errno::ETERM.into();
    assert_eq!(boxed.to_string(), format!("{} (ETERM)", zmq::strerror(Errno::ETERM)));
    assert!(*boxed.downcast::<Errno>().unwrap() == Errno::ETERM);
    let inner = io::Error::from(Errno::ETERM).into_inner().unwrap();
    assert_eq!(*inner.downcast::<Errno>().unwrap(), Errno::ETERM);
}

#[deadline::test]
fn debug_is_the_text_and_its_alternate_form_the_fields() {
    let context = Context::new().unwrap();
    let bind = failed_bind(&context);
    assert_eq!(format!("{bind:?}"), bind.to_string());
    assert!(bind.to_string().starts_with("zmq_bind: ") && bind.to_string().contains("70000"), "{bind}");
    let fields = format!("{bind:#?}");
    assert!(fields.starts_with("Error {\n    errno: EINVAL,\n    call: \"zmq_bind\",\n    detail: Some("), "{fields}");

    let send = failed_send(&context);
    assert_eq!(format!("{send:?}"), format!("{send}; not sent: Message(6 bytes, \"answer\")"));
    assert!(format!("{send:#?}").starts_with("SendError {\n    message: Message("), "{send:#?}");
    for recv in [failed_recv(&context), not_utf8(&context)] {
        assert_eq!(format!("{recv:?}"), recv.to_string());
    }
    assert!(format!("{:#?}", not_utf8(&context)).starts_with("NotUtf8(\n"));
    assert!(format!("{:#?}", failed_recv(&context)).starts_with("Recv(\n    Error {"));
}

#[deadline::test]
fn main_that_returns_an_error_prints_its_text() {
    const ROLE: &str = "SAFE_ZMQ_MAIN_FAILS";
    let error = failed_bind(&Context::new().unwrap());
    if std::env::var_os(ROLE).is_some() {
        // The standard library does the same with the result of `main`.
        let returned: zmq::Result<()> = Err(error);
        let _ = returned.report();
        return;
    }
    let output = common::this_program()
        .args(["--exact", "main_that_returns_an_error_prints_its_text", "--nocapture"])
        .env(ROLE, "")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("Error: {error}\n"));
}
