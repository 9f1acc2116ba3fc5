//! ctx.cpp, thread.cpp: the start of a context's threads.

use std::time::Duration;

use zmq::{Context, Errno, Pull, Router};

use crate::common::descriptors::{fail_system_calls, without_threads};
use crate::common::{DEADLINE, Process, TCP, alone, context, in_own_process, pair, role, skip_unless, text};

fn assert_works(context: &Context) {
    let (left, right) = pair(context, TCP);
    left.send("Hello").unwrap();
    assert_eq!(text(&right), "Hello");
}

/// libzmq aborts the process if it cannot start a thread.
#[deadline::test(patches = [58])]
fn zmq_socket_fails_when_the_system_refuses_a_thread() {
    in_own_process("threads::zmq_socket_fails_when_the_system_refuses_a_thread", || {
        let context = context();
        let refused = without_threads(|| {
            for _ in 0..3 {
                let error = context.socket(Router).unwrap_err();
                assert_eq!((error.errno(), error.call()), (Errno::EAGAIN, "zmq_socket"));
            }
        });
        if refused {
            assert_works(&context);
            context.terminate(DEADLINE).unwrap();
        }
    });
}

/// Limits the memory of this process to `room` bytes more than it has.
fn limit_memory(room: u64) {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').next().unwrap().parse().unwrap();
    // SAFETY: has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    let limit = libc::rlimit { rlim_cur: pages * page + room, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

/// The system starts some of the threads, as their stacks do not all fit. libzmq aborts the process. Without the assertion,
/// `zmq_ctx_term` would read that the reaper thread of the first start was done, and end the context under its sockets.
#[deadline::test(patches = [58])]
fn context_starts_after_the_system_refused_a_thread() {
    const TEST: &str = "threads::context_starts_after_the_system_refused_a_thread";
    if role().is_none() {
        // An arena for each thread would take the memory before the stacks do.
        return Process::spawn(alone(TEST, "alone").env("MALLOC_ARENA_MAX", "1")).succeeds();
    }
    let context = Context::new().unwrap();
    context.set_blocky(false).unwrap();
    context.set_io_threads(40).unwrap();
    // The stack of a thread has 8 MiB unless the limit of the main thread's stack is another.
    let mut stack = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut stack) }, 0);
    let stack = if stack.rlim_cur == libc::RLIM_INFINITY { 2 << 20 } else { stack.rlim_cur };
    limit_memory(20 * stack + stack / 2);
    for _ in 0..3 {
        let error = context.socket(Pull).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EAGAIN, "zmq_socket"));
    }
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const unlimited) }, 0);
    for _ in 0..100 {
        assert_works(&context);
    }
    let open = context.owned_socket(Pull).unwrap();
    let error = context.terminate(Duration::from_millis(50)).unwrap_err();
    assert!(error.to_string().contains("1 socket is still open"), "{error}");
    drop(open);
    context.terminate(DEADLINE).unwrap();
}

/// libzmq sets the scheduling policy of each thread to the one that the thread has, and aborts the process if the call fails.
#[deadline::test(patches = [59])]
fn context_without_scheduling_options_calls_no_sched_setscheduler() {
    in_own_process("threads::context_without_scheduling_options_calls_no_sched_setscheduler", || {
        let calls = [libc::SYS_sched_setscheduler, libc::SYS_sched_setparam, libc::SYS_sched_getparam];
        if skip_unless(fail_system_calls(&calls, libc::EPERM).is_ok(), "this process may not filter its system calls") {
            return;
        }
        let context = Context::new().unwrap();
        context.set_io_threads(2).unwrap();
        let here = (0..1024).find(|&cpu| context.add_thread_affinity_cpu(cpu).is_ok());
        assert!(here.is_some(), "a processor");
        let error = context.set_thread_sched_policy(libc::SCHED_OTHER as u32).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EPERM, "ZMQ_THREAD_SCHED_POLICY"));
        assert_works(&context);
    });
}
