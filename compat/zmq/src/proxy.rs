//! Proxies.

use safe::SocketRef;

use crate::{Result, Socket};

fn run(frontend: &Socket, backend: &Socket, capture: Option<&Socket>, control: Option<&Socket>) -> Result<()> {
    let capture = capture.map(|capture| SocketRef::from(&capture.inner));
    let ended = match control {
        None => safe::proxy(&frontend.inner, &backend.inner, capture),
        Some(control) => safe::proxy_steerable(&frontend.inner, &backend.inner, capture, &control.inner).map(drop),
    };
    ended.map_err(|error| error.error().errno().into())
}

pub fn proxy(frontend: &Socket, backend: &Socket) -> Result<()> {
    run(frontend, backend, None, None)
}

pub fn proxy_with_capture(frontend: &mut Socket, backend: &mut Socket, capture: &mut Socket) -> Result<()> {
    run(frontend, backend, Some(capture), None)
}

pub fn proxy_steerable(frontend: &mut Socket, backend: &mut Socket, control: &mut Socket) -> Result<()> {
    run(frontend, backend, None, Some(control))
}

pub fn proxy_steerable_with_capture(
    frontend: &mut Socket,
    backend: &mut Socket,
    capture: &mut Socket,
    control: &mut Socket,
) -> Result<()> {
    run(frontend, backend, Some(capture), Some(control))
}
