//! The linked library is the one that the bindings declare, and has every function that they declare.

use std::ptr;

/// Takes the address of each function, so that this program links only if the library has them all.
macro_rules! functions {
    ($($name:ident)*) => { [$((stringify!($name), zmq_sys::$name as *const ())),*] };
}

/// The functions that zmq.h of libzmq 4.3.4 and 4.3.5 declares without drafts.
const STABLE: [(&str, *const ()); 70] = functions! {
    zmq_errno zmq_strerror zmq_version zmq_ctx_new zmq_ctx_term zmq_ctx_shutdown zmq_ctx_set zmq_ctx_get
    zmq_init zmq_term zmq_ctx_destroy zmq_msg_init zmq_msg_init_size zmq_msg_init_data zmq_msg_send zmq_msg_recv
    zmq_msg_close zmq_msg_move zmq_msg_copy zmq_msg_data zmq_msg_size zmq_msg_more zmq_msg_get zmq_msg_set
    zmq_msg_gets zmq_socket zmq_close zmq_setsockopt zmq_getsockopt zmq_bind zmq_connect zmq_unbind
    zmq_disconnect zmq_send zmq_send_const zmq_recv zmq_socket_monitor zmq_poll zmq_proxy zmq_proxy_steerable
    zmq_has zmq_device zmq_sendmsg zmq_recvmsg zmq_sendiov zmq_recviov zmq_z85_encode zmq_z85_decode
    zmq_curve_keypair zmq_curve_public zmq_atomic_counter_new zmq_atomic_counter_set zmq_atomic_counter_inc
    zmq_atomic_counter_dec zmq_atomic_counter_value zmq_atomic_counter_destroy zmq_timers_new zmq_timers_destroy
    zmq_timers_add zmq_timers_cancel zmq_timers_set_interval zmq_timers_reset zmq_timers_timeout
    zmq_timers_execute zmq_stopwatch_start zmq_stopwatch_intermediate zmq_stopwatch_stop zmq_sleep
    zmq_threadstart zmq_threadclose
};

#[cfg(feature = "draft")]
const DRAFT: [(&str, *const ()); 26] = functions! {
    zmq_ctx_set_ext zmq_ctx_get_ext zmq_join zmq_leave zmq_connect_peer zmq_msg_set_routing_id
    zmq_msg_routing_id zmq_msg_set_group zmq_msg_group zmq_msg_init_buffer zmq_poller_new zmq_poller_destroy
    zmq_poller_size zmq_poller_add zmq_poller_modify zmq_poller_remove zmq_poller_wait zmq_poller_wait_all
    zmq_poller_fd zmq_poller_add_fd zmq_poller_modify_fd zmq_poller_remove_fd zmq_socket_get_peer_state
    zmq_socket_monitor_versioned zmq_socket_monitor_pipes_stats zmq_ppoll
};
#[cfg(not(feature = "draft"))]
const DRAFT: [(&str, *const ()); 0] = [];

#[test]
fn every_declared_function_is_linked() {
    let bindings = include_str!(concat!(env!("OUT_DIR"), "/bindings.rs"));
    let declared: Vec<&str> =
        bindings.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.split('(').next()).collect();
    let listed: Vec<&str> = STABLE.iter().chain(&DRAFT).map(|(name, _)| *name).collect();
    assert_eq!(declared, listed);
    for (name, address) in STABLE.iter().chain(&DRAFT) {
        // The optimiser must not remove the address as unused.
        assert_ne!(std::hint::black_box(*address), ptr::null(), "{name}");
    }
}

#[test]
fn linked_version_is_the_declared_version() {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the pointers are to three integers that live through the call.
    unsafe { zmq_sys::zmq_version(&mut major, &mut minor, &mut patch) };
    let linked = zmq_sys::ZMQ_MAKE_VERSION(major, minor, patch);
    assert_eq!(linked, zmq_sys::ZMQ_VERSION);
    assert!(linked >= zmq_sys::ZMQ_MAKE_VERSION(4, 3, 4));
}

#[test]
fn capabilities_are_those_of_the_linked_library() {
    let told: Vec<&str> = env!("ZMQ_SYS_CAPABILITIES").split(',').filter(|name| !name.is_empty()).collect();
    for name in [c"ipc", c"pgm", c"tipc", c"norm", c"curve", c"vmci", c"gssapi", c"WS", c"WSS", c"draft"] {
        // SAFETY: the pointer is to a string that ends with NUL and lives through the call.
        let has = unsafe { zmq_sys::zmq_has(name.as_ptr()) } == 1;
        let name = name.to_str().expect("the names are ASCII");
        // In a cross build, the system's library cannot be asked.
        let complete = zmq_sys::LINKED == "vendored" || env!("ZMQ_SYS_HOST") == env!("ZMQ_SYS_TARGET");
        assert!(told.contains(&name) == has || (has && !complete), "{name}: {has}, but the build says {told:?}");
    }
}

#[test]
fn build_facts_are_known_words() {
    assert!(["vendored", "system"].contains(&zmq_sys::LINKED), "{}", zmq_sys::LINKED);
    assert!(["generated", "shipped"].contains(&zmq_sys::BINDINGS), "{}", zmq_sys::BINDINGS);
    if !cfg!(feature = "bindgen") {
        assert_eq!(zmq_sys::BINDINGS, "shipped");
    } else if std::env::var_os("ZMQ_REQUIRE_LIBCLANG").is_some() {
        assert_eq!(zmq_sys::BINDINGS, "generated");
    }
}
