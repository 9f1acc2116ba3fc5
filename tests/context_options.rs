//! The options of contexts: defaults, round trips, ranges and effects.

mod common;

use std::time::Duration;

#[cfg(target_os = "linux")]
use common::descriptors::{fail_system_calls, without_threads};
#[cfg(target_os = "linux")]
use common::in_own_process;
use common::skip_unless;
#[cfg(feature = "draft")]
use zmq::Dealer;
use zmq::{Context, Errno, Pair, Push, Sub};

/// Asserts that a value was refused as out of range, and that the error names the option and contains `shown`.
#[track_caller]
fn out_of_range(outcome: zmq::Result<()>, name: &str, shown: &str) {
    let error = outcome.expect_err(name);
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, name), "{error}");
    assert!(error.to_string().contains(shown), "{error} does not show {shown:?}");
}

/// Asserts that two sockets of the context exchange a message. The first socket starts the threads of the context, for which
/// its options hold.
#[track_caller]
fn works(context: &Context) {
    let (left, right) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    left.connect(&right.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    left.send("Hello").unwrap();
    assert_eq!(right.within(Duration::from_secs(30)).recv_msg().unwrap().unwrap().as_str(), Some("Hello"));
    for socket in [&left, &right] {
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

#[deadline::test]
fn context_has_the_defaults_of_libzmq() {
    let context = Context::new().unwrap();
    assert_eq!(context.io_threads(), 1);
    assert_eq!(context.max_sockets(), 1023);
    assert_eq!(context.option("socket_limit").unwrap(), 65535.into());
    assert_eq!(context.max_msgsz(), 2_147_483_647);
    assert_eq!(context.option("msg_t_size").unwrap(), 64.into());
    assert_eq!(context.thread_sched_policy(), None);
    assert_eq!(context.thread_name_prefix(), 0);
    assert!(!context.ipv6());
    assert!(context.blocky());
    #[cfg(feature = "draft")]
    {
        assert!(context.zero_copy_recv());
        assert_eq!(context.thread_name_prefix_text().unwrap(), "");
    }
}

#[deadline::test]
fn context_options_read_back_their_values() {
    let context = Context::new().unwrap();
    for threads in [0, 2, 256] {
        context.set_io_threads(threads).unwrap();
        assert_eq!(context.io_threads(), threads);
    }
    for sockets in [1, 70_000, 1 << 20] {
        context.set_max_sockets(sockets).unwrap();
        assert_eq!(context.max_sockets(), sockets);
    }
    for size in [0, 1 << 20, i32::MAX as u32] {
        context.set_max_msgsz(size).unwrap();
        assert_eq!(context.max_msgsz(), size);
    }
    for prefix in [0, 7, i32::MAX as u32] {
        context.set_thread_name_prefix(prefix).unwrap();
        assert_eq!(context.thread_name_prefix(), prefix);
    }
    for value in [true, false] {
        context.set_ipv6(value).unwrap();
        context.set_blocky(value).unwrap();
        assert_eq!((context.ipv6(), context.blocky()), (value, value));
        #[cfg(feature = "draft")]
        {
            context.set_zero_copy_recv(value).unwrap();
            assert_eq!(context.zero_copy_recv(), value);
        }
    }
    // The policy and priority that every thread has need no privilege.
    context.set_thread_sched_policy(libc::SCHED_OTHER as u32).unwrap();
    assert_eq!(context.thread_sched_policy(), Some(libc::SCHED_OTHER as u32));
    context.set_thread_priority(0).unwrap();
}

#[deadline::test]
fn values_out_of_range_are_refused_and_change_nothing() {
    let context = Context::new().unwrap();
    out_of_range(context.set_io_threads(257), "ZMQ_IO_THREADS", "257 is not in 0..=256");
    out_of_range(context.set_max_sockets(0), "ZMQ_MAX_SOCKETS", "0 is not in 1..=1048576");
    out_of_range(context.set_max_sockets((1 << 20) + 1), "ZMQ_MAX_SOCKETS", "1048577");
    out_of_range(context.set_max_msgsz(u32::MAX), "ZMQ_MAX_MSGSZ", "4294967295");
    out_of_range(context.set_thread_name_prefix(1 << 31), "ZMQ_THREAD_NAME_PREFIX", "2147483648");
    out_of_range(context.set_thread_sched_policy(1 << 31), "ZMQ_THREAD_SCHED_POLICY", "2147483648");
    out_of_range(context.set_thread_priority(1 << 31), "ZMQ_THREAD_PRIORITY", "2147483648");
    out_of_range(context.add_thread_affinity_cpu(1 << 31), "ZMQ_THREAD_AFFINITY_CPU_ADD", "2147483648");
    out_of_range(context.remove_thread_affinity_cpu(1 << 31), "ZMQ_THREAD_AFFINITY_CPU_REMOVE", "2147483648");
    assert_eq!((context.io_threads(), context.max_sockets(), context.max_msgsz()), (1, 1023, i32::MAX as u32));
    works(&context);
}

#[deadline::test]
fn scheduling_that_the_system_refuses_is_refused_at_once() {
    let context = Context::new().unwrap();
    // libzmq accepts these values, and aborts the process when the first socket is opened.
    out_of_range(context.set_thread_sched_policy(12_345), "ZMQ_THREAD_SCHED_POLICY", "12345");
    assert_eq!(context.thread_sched_policy(), None);
    works(&context);

    // The priority does not exist, and the policy requires one.
    let context = Context::new().unwrap();
    let policy = context.set_thread_sched_policy(libc::SCHED_FIFO as u32).unwrap_err();
    assert!(matches!(policy.errno(), Errno::EINVAL | Errno::EPERM), "{policy}");
    works(&context);

    let context = Context::new().unwrap();
    // Every priority asks for the best nice value, which needs a privilege. A process with that privilege may set the
    // policy.
    match context.set_thread_priority(1_000) {
        Err(error) => assert_eq!((error.errno(), error.call()), (Errno::EPERM, "ZMQ_THREAD_PRIORITY"), "{error}"),
        Ok(()) => {
            let policy = context.set_thread_sched_policy(libc::SCHED_FIFO as u32).unwrap_err();
            assert!(matches!(policy.errno(), Errno::EINVAL | Errno::EPERM), "{policy}");
        }
    }
    works(&context);
}

/// `nice(-20)` returns the new nice value, which is -1 here. libzmq takes it for an error, and would abort the process.
#[cfg(target_os = "linux")]
#[deadline::test]
fn priority_is_refused_with_eperm_if_the_nice_value_is_19() {
    in_own_process("priority_is_refused_with_eperm_if_the_nice_value_is_19", || {
        // The nice value is a thread's own. Its new threads inherit it.
        // SAFETY: no preconditions.
        assert_eq!(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) }, 0);
        let context = Context::new().unwrap();
        let error = context.set_thread_priority(1).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EPERM, "ZMQ_THREAD_PRIORITY"), "{error}");
        works(&context);
    });
}

#[deadline::test]
fn threads_have_a_real_time_policy_if_the_process_may_set_it() {
    let context = Context::new().unwrap();
    context.set_thread_name_prefix(777).unwrap();
    let set = context.set_thread_priority(3).and_then(|()| context.set_thread_sched_policy(libc::SCHED_FIFO as u32));
    if let Err(error) = set {
        assert!(matches!(error.errno(), Errno::EPERM | Errno::EINVAL), "{error}");
        skip_unless(false, "this process may have no real-time threads");
        works(&context);
        return;
    }
    works(&context);
    if skip_unless(cfg!(zmq_vendored), "this libzmq may not name its threads") {
        return;
    }
    // The reaper and one I/O thread, which set their policy before their name.
    common::eventually("both threads are real-time threads", || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| Some(task.ok()?.path()));
        let named = |task: &std::path::PathBuf| {
            std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("777/"))
        };
        let policies: Vec<_> = tasks
            .filter(named)
            .map(|task| {
                let id = task.file_name().unwrap().to_str().unwrap().parse().unwrap();
                // SAFETY: no preconditions.
                unsafe { libc::sched_getscheduler(id) }
            })
            .collect();
        policies == [libc::SCHED_FIFO; 2]
    });
}

/// A process may give up a privilege after it has set an option that needs it. libzmq would abort the process.
#[cfg(target_os = "linux")]
#[deadline::test]
fn first_socket_reports_scheduling_that_the_system_refuses_by_then() {
    in_own_process("first_socket_reports_scheduling_that_the_system_refuses_by_then", || {
        let scheduled = Context::new().unwrap();
        scheduled.set_thread_sched_policy(libc::SCHED_OTHER as u32).unwrap();
        let placed = Context::new().unwrap();
        let processors: Vec<u32> = (0..1024).filter(|&cpu| placed.add_thread_affinity_cpu(cpu).is_ok()).collect();
        assert!(!processors.is_empty());
        let calls = [libc::SYS_sched_setscheduler, libc::SYS_sched_setaffinity];
        if skip_unless(fail_system_calls(&calls, libc::EPERM).is_ok(), "this process may not filter its system calls") {
            return;
        }
        for context in [&scheduled, &placed] {
            let error = context.socket(Pair).unwrap_err();
            assert_eq!((error.errno(), error.call()), (Errno::EPERM, "zmq_socket"), "{error}");
        }
        for processor in processors {
            placed.remove_thread_affinity_cpu(processor).unwrap();
        }
        // In libzmq as released, every thread makes the first of these calls.
        if !common::skip_part_unless_patched("a context without scheduling options", &[59]) {
            works(&placed);
        }
    });
}

/// libzmq would abort the process.
#[cfg(target_os = "linux")]
#[deadline::test]
fn first_socket_reports_that_the_system_has_no_more_threads() {
    in_own_process("first_socket_reports_that_the_system_has_no_more_threads", || {
        let context = Context::new().unwrap();
        without_threads(|| {
            let error = context.socket(Pair).unwrap_err();
            assert_eq!(error.errno(), Errno::EAGAIN, "{error}");
        });
        works(&context);
    });
}

#[deadline::test]
fn affinity_to_a_missing_processor_is_refused_at_once() {
    let context = Context::new().unwrap();
    for impossible in [100_000, 1023, i32::MAX as u32] {
        out_of_range(
            context.add_thread_affinity_cpu(impossible),
            "ZMQ_THREAD_AFFINITY_CPU_ADD",
            &impossible.to_string(),
        );
    }
    works(&context);

    let context = Context::new().unwrap();
    // SAFETY: no preconditions.
    let here = u32::try_from(unsafe { libc::sched_getcpu() }).unwrap();
    context.add_thread_affinity_cpu(here).unwrap();
    works(&context);

    let context = Context::new().unwrap();
    let error = context.remove_thread_affinity_cpu(here).expect_err("it was not added");
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_THREAD_AFFINITY_CPU_REMOVE"), "{error}");
    context.add_thread_affinity_cpu(here).unwrap();
    context.remove_thread_affinity_cpu(here).unwrap();
    assert!(context.remove_thread_affinity_cpu(here).is_err(), "it was removed already");
    works(&context);
}

#[deadline::test]
fn socket_returns_emfile_when_the_context_is_full() {
    for most in [1, 2, 5] {
        let context = Context::new().unwrap();
        context.set_max_sockets(most).unwrap();
        let open: Vec<_> = (0..most).map(|_| context.socket(Pair).unwrap()).collect();
        let error = context.socket(Pair).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EMFILE, "zmq_socket"), "{error}");
        drop(open);
        common::eventually("a closed socket makes room", || context.socket(Pair).is_ok());
    }
    // The limit takes effect with the first socket.
    let context = Context::new().unwrap();
    context.set_max_sockets(1).unwrap();
    let _open = context.socket(Pair).unwrap();
    context.set_max_sockets(2).unwrap();
    assert_eq!(context.max_sockets(), 2);
    assert_eq!(context.socket(Pair).unwrap_err().errno(), Errno::EMFILE);
}

#[deadline::test]
fn only_inproc_works_without_io_threads() {
    let context = Context::new().unwrap();
    context.set_io_threads(0).unwrap();
    let (left, right) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    for (outcome, call) in [
        (left.bind("tcp://127.0.0.1:*").map(drop), "zmq_bind"),
        (left.connect("tcp://127.0.0.1:5555"), "zmq_connect"),
        (left.connect("ipc:///tmp/nobody"), "zmq_connect"),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EMTHREAD, call), "{error}");
    }
    left.bind("inproc://pair").unwrap();
    right.connect("inproc://pair").unwrap();
    right.send("Hello").unwrap();
    assert_eq!(left.recv_msg().unwrap().as_str(), Some("Hello"));
}

#[deadline::test]
fn affinity_picks_among_the_io_threads() {
    let context = Context::new().unwrap();
    context.set_io_threads(2).unwrap();
    let socket = context.socket(Pair).unwrap();
    for (mask, outcome) in [(0b01, None), (0b10, None), (0b100, Some(Errno::EMTHREAD)), (0, None)] {
        socket.set_affinity(mask).unwrap();
        assert_eq!(socket.bind("tcp://127.0.0.1:*").err().map(|error| error.errno()), outcome, "{mask:b}");
    }
}

#[deadline::test]
fn new_sockets_take_linger_and_ipv6_from_the_context() {
    let context = Context::new().unwrap();
    let before = context.socket(Push).unwrap();
    assert_eq!((before.linger().unwrap(), before.ipv6().unwrap()), (None, false));
    context.set_blocky(false).unwrap();
    context.set_ipv6(true).unwrap();
    let after = context.socket(Push).unwrap();
    assert_eq!((after.linger().unwrap(), after.ipv6().unwrap()), (Some(Duration::ZERO), true));
    assert_eq!((before.linger().unwrap(), before.ipv6().unwrap()), (None, false), "open sockets keep their options");
    context.set_blocky(true).unwrap();
    assert_eq!(context.socket(Push).unwrap().linger().unwrap(), None);
    assert_eq!(context.socket(Sub).unwrap().linger().unwrap(), Some(Duration::ZERO), "a SUB has nothing to send");
}

#[deadline::test]
fn context_ends_with_unsent_messages_if_it_is_not_blocky() {
    let context = common::context();
    let sender = context.socket(Push).unwrap();
    sender.connect("tcp://127.0.0.1:1").unwrap();
    sender.send("for nobody").unwrap();
    drop(sender);
    // This returns; with the default of ZMQ_BLOCKY it would wait for ever.
    drop(context);
}

#[cfg(target_os = "linux")]
#[deadline::test]
fn names_of_threads_begin_with_the_prefix() {
    if skip_unless(cfg!(zmq_vendored), "this libzmq may not name its threads") {
        return;
    }
    for count in [1, 4] {
        let prefix = format!("{}/ZMQbg/", 4710 + count);
        let context = Context::new().unwrap();
        context.set_thread_name_prefix(4710 + count).unwrap();
        context.set_io_threads(count).unwrap();
        let _socket = context.socket(Pair).unwrap();
        // The last character of the longer names is cut off. Threads name themselves once they run.
        common::eventually("every thread has its name", || {
            let of_context: std::collections::BTreeSet<String> = common::thread_names()
                .iter()
                .filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned))
                .collect();
            let expected = (0..count).map(|number| format!("IO/{number}")).chain(["Reap".to_owned()]);
            of_context == expected.collect()
        });
    }
}

#[cfg(feature = "draft")]
#[deadline::test]
fn thread_name_prefix_may_be_a_text() {
    let context = Context::new().unwrap();
    assert_eq!(context.thread_name_prefix_text().unwrap(), "");
    for bad in ["", "four", "seventeen-letters", "nu\0l!"] {
        out_of_range(context.set_thread_name_prefix_text(bad), "ZMQ_THREAD_NAME_PREFIX", &format!("{bad:?}"));
    }
    for good in ["a", "abc", "five!", "sixteen-letters!"] {
        context.set_thread_name_prefix_text(good).unwrap();
        assert_eq!(context.thread_name_prefix_text().unwrap(), good);
    }
    context.set_thread_name_prefix_text("alice").unwrap();
    works(&context);
    common::eventually("the threads have the name", || {
        common::thread_names().iter().any(|name| name.starts_with("alice/ZMQbg/"))
    });
}

#[cfg(feature = "draft")]
#[deadline::test]
fn large_messages_arrive_with_and_without_zero_copy() {
    for zero_copy in [true, false] {
        let context = Context::new().unwrap();
        context.set_zero_copy_recv(zero_copy).unwrap();
        let receiver = context.socket(Dealer).unwrap();
        let sender = context.socket(Dealer).unwrap();
        sender.connect(&receiver.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        // Both parts fit the receive buffer. In it their contents are an odd number of bytes apart (1000 and the header
        // of a long frame), which two allocations never are.
        let adjacent = || {
            sender.send_multipart([vec![7_u8; 1000], vec![8; 1000]]).unwrap();
            let parts = receiver.recv_multipart().unwrap();
            let [first, second] = [0, 1].map(|index| parts.get(index).unwrap());
            assert_eq!((&first[..], &second[..]), (&[7; 1000][..], &[8; 1000][..]));
            second.as_ptr() as usize == first.as_ptr() as usize + 1009
        };
        match zero_copy {
            true => common::eventually("both are slices of one buffer", adjacent),
            false => assert!(!(0..20).any(|_| adjacent())),
        }
    }
}
