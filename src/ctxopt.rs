//! The context options: one row each, from which the methods of [`Context`] are made.

use crate::context::{self, Context, UNSET};
use crate::error::{Errno, Error, Result};
use crate::raw::platform;
use crate::sockopt::value::{OptionId, OptionValue};

/// The largest `ZMQ_MAX_SOCKETS`: libzmq allocates a table of that size.
const MAX_SOCKETS: u32 = 1 << 20;
/// The largest `ZMQ_IO_THREADS`.
const MAX_IO_THREADS: u32 = 256;

pub(crate) fn out_of_range(name: &'static str, value: impl std::fmt::Display, range: &str) -> Error {
    Errno::EINVAL.with_detail(name, format_args!("{value} is not in {range}"))
}

impl Context {
    /// Checks that `value` is from `min` to `max`, and that this process made the context. Returns the value as C's int.
    fn number(&self, name: &'static str, value: u32, min: u32, max: u32) -> Result<i32> {
        self.inner().check_process(name)?;
        if (min..=max).contains(&value) {
            return Ok(value as i32);
        }
        Err(out_of_range(name, value, &format!("{min}..={max}")))
    }

    /// Sets an option. The caller has checked the value and the process. `given` is the value that the error shows.
    fn set_int(&self, name: &'static str, option: i32, value: i32, given: impl std::fmt::Display) -> Result<()> {
        self.handle().set(option, value).map_err(|errno| errno.with_detail(name, given))
    }
}

macro_rules! context_options {
    ($heading:literal: $(
        $(#[$meta:meta])*
        $name:literal = $option:ident: $kind:ident $range:tt,
        $get:ident / $set:ident, $sample:literal;
    )*) => {
        #[doc = $heading]
        impl Context {
            $(context_options!(@method $kind $range ($(#[$meta])*) $name $option ($get) $set $sample);)*
        }
    };
    (@example $get:ident $set:ident $sample:literal) => {
        concat!(
            "```\n# fn main() -> zmq::Result<()> {\nlet context = zmq::Context::new()?;\n",
            "context.", stringify!($set), "(", stringify!($sample), ")?;\n",
            "assert_eq!(context.", stringify!($get), "(), ", stringify!($sample), ");\n# Ok(())\n# }\n```"
        )
    };
    (@method Number ($min:expr, $max:expr) ($(#[$doc:meta])*) $name:literal $option:ident ($get:ident) $set:ident $sample:literal) => {
        $(#[$doc])*
        ///
        #[doc = context_options!(@example $get $set $sample)]
        #[doc(alias = $name)]
        #[doc(alias = "zmq_ctx_get")]
        pub fn $get(&self) -> u32 {
            self.handle().get(zmq_sys::$option) as u32
        }

        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// `EINVAL` if the value is out of range, and in a forked child. `ETERM` after [`Context::terminate`].
        ///
        #[doc = context_options!(@example $get $set $sample)]
        #[doc(alias = $name)]
        #[doc(alias = "zmq_ctx_set")]
        pub fn $set(&self, value: u32) -> Result<()> {
            let number = self.number($name, value, $min, $max)?;
            self.set_int($name, zmq_sys::$option, number, value)
        }
    };
    (@method Flag () ($(#[$doc:meta])*) $name:literal $option:ident ($get:ident) $set:ident $sample:literal) => {
        $(#[$doc])*
        ///
        #[doc = context_options!(@example $get $set $sample)]
        #[doc(alias = $name)]
        #[doc(alias = "zmq_ctx_get")]
        pub fn $get(&self) -> bool {
            self.handle().get(zmq_sys::$option) != 0
        }

        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// `EINVAL` in a forked child, `ETERM` after [`Context::terminate`].
        ///
        #[doc = context_options!(@example $get $set $sample)]
        #[doc(alias = $name)]
        #[doc(alias = "zmq_ctx_set")]
        pub fn $set(&self, value: bool) -> Result<()> {
            self.inner().check_process($name)?;
            self.set_int($name, zmq_sys::$option, i32::from(value), value)
        }
    };
}

context_options! {
    "# Options":

    /// Number of I/O threads: 1 unless set, 0 to 256. Takes effect when the context opens its first socket.
    ///
    /// With 0 only `inproc://` works; other transports fail with `EMTHREAD`.
    #[doc(alias = "ZMQ_IO_THREADS_DFLT")]
    "ZMQ_IO_THREADS" = ZMQ_IO_THREADS: Number (0, MAX_IO_THREADS), io_threads / set_io_threads, 2;
    /// The largest number of sockets in the context: 1023 unless set, 1 to 1,048,576. Takes effect when the context
    /// opens its first socket.
    ///
    /// A closed socket counts until its messages are sent or its linger period is over. With a libzmq without the patches for
    /// safety, a socket that is closed while it waits for an `inproc://` name counts until the name is bound, and the context
    /// opens one more socket at the first connection to such a name.
    #[doc(alias = "ZMQ_MAX_SOCKETS_DFLT")]
    "ZMQ_MAX_SOCKETS" = ZMQ_MAX_SOCKETS: Number (1, MAX_SOCKETS), max_sockets / set_max_sockets, 4096;
    /// A message size limit, in bytes: 2,147,483,647 unless set. libzmq 4.3.5 stores and reports it, and does not enforce it.
    /// It enforces [`Socket::set_maxmsgsize`](crate::Socket::set_maxmsgsize).
    "ZMQ_MAX_MSGSZ" = ZMQ_MAX_MSGSZ: Number (0, i32::MAX as u32), max_msgsz / set_max_msgsz, 1000000;
    /// Whether sockets opened from now on start with IPv6 on: no unless set.
    "ZMQ_IPV6" = ZMQ_IPV6: Flag (), ipv6 / set_ipv6, true;
    /// Whether sockets opened from now on keep unsent messages for ever when they close (yes unless set) or drop them
    /// at once: the option sets their initial `ZMQ_LINGER`, for ever or zero.
    "ZMQ_BLOCKY" = ZMQ_BLOCKY: Flag (), blocky / set_blocky, false;
}

#[cfg(feature = "draft")]
context_options! {
    "# Draft options":

    /// Whether large inbound messages are slices of the receive buffer (yes unless set) or allocations of their own,
    /// which release the buffer earlier. Takes effect for sockets opened from now on. Draft.
    "ZMQ_ZERO_COPY_RECV" = ZMQ_ZERO_COPY_RECV: Flag (), zero_copy_recv / set_zero_copy_recv, false;
}

/// # Options of its threads
impl Context {
    fn socket_limit(&self) -> u32 {
        self.handle().get(zmq_sys::ZMQ_SOCKET_LIMIT) as u32
    }

    fn msg_t_size(&self) -> u32 {
        self.handle().get(zmq_sys::ZMQ_MSG_T_SIZE) as u32
    }

    /// The scheduling policy of the context's threads, as a number of `sched.h`; `None` if unset.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// assert_eq!(context.thread_sched_policy(), None);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_SCHED_POLICY")]
    #[doc(alias = "ZMQ_THREAD_SCHED_POLICY_DFLT")]
    #[doc(alias = "zmq_ctx_get")]
    pub fn thread_sched_policy(&self) -> Option<u32> {
        u32::try_from(self.handle().get(zmq_sys::ZMQ_THREAD_SCHED_POLICY)).ok()
    }

    /// Sets the scheduling policy of the context's threads, a number of `sched.h`. Takes effect when the context opens
    /// its first socket.
    ///
    /// # Errors
    ///
    /// `EPERM` or `EINVAL` if the system refuses it to a thread. If the system refuses it later, because the process has given
    /// up a privilege, that is the error of [`Context::socket`].
    ///
    /// ```ignore-windows
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// assert_eq!(context.thread_sched_policy(), None);
    /// context.set_thread_sched_policy(libc::SCHED_OTHER as u32)?;
    /// assert_eq!(context.thread_sched_policy(), Some(libc::SCHED_OTHER as u32));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_SCHED_POLICY")]
    #[doc(alias = "ZMQ_THREAD_SCHED_POLICY_DFLT")]
    #[doc(alias = "zmq_ctx_set")]
    pub fn set_thread_sched_policy(&self, policy: u32) -> Result<()> {
        const NAME: &str = "ZMQ_THREAD_SCHED_POLICY";
        let policy = self.number(NAME, policy, 0, i32::MAX as u32)?;
        let priority = self.threads().priority;
        probe(NAME, policy, move || platform::probe_scheduling(policy, priority))?;
        self.set_scheduling(policy, priority)
    }

    /// Sets the scheduling priority of the context's threads. Takes effect when the context opens its first socket. It
    /// cannot be read.
    ///
    /// With a real-time policy it is that policy's priority, 1 to 99 on Linux; with any other, a value above 0 asks
    /// for the most favourable nice value. In a process whose nice value is 19, it is refused without such a policy: libzmq
    /// would take the new nice value, -1, for an error, and abort the process.
    ///
    /// # Errors
    ///
    /// `EPERM` or `EINVAL` if the system refuses it to a thread. If the system refuses it later, because the process has given
    /// up a privilege, that is the error of [`Context::socket`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// if let Err(error) = context.set_thread_priority(1) {
    ///     println!("this process may not be preferred: {error}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_PRIORITY")]
    #[doc(alias = "ZMQ_THREAD_PRIORITY_DFLT")]
    #[doc(alias = "zmq_ctx_set")]
    pub fn set_thread_priority(&self, priority: u32) -> Result<()> {
        const NAME: &str = "ZMQ_THREAD_PRIORITY";
        let priority = self.number(NAME, priority, 0, i32::MAX as u32)?;
        let policy = self.threads().policy;
        probe(NAME, priority, move || platform::probe_scheduling(policy, priority))?;
        self.set_scheduling(policy, priority)
    }

    /// Sets policy and priority of the context's threads at once, which a real-time policy needs: without a priority
    /// the system refuses it. Takes effect when the context opens its first socket.
    ///
    /// # Errors
    ///
    /// `EPERM` or `EINVAL` if the system refuses it to a thread. If the system refuses it later, because the process has given
    /// up a privilege, that is the error of [`Context::socket`].
    ///
    /// ```ignore-windows
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// if context.set_thread_scheduling(libc::SCHED_FIFO as u32, 10).is_err() {
    ///     println!("this process may not have real-time threads");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_SCHED_POLICY")]
    #[doc(alias = "ZMQ_THREAD_PRIORITY")]
    #[doc(alias = "zmq_ctx_set")]
    pub fn set_thread_scheduling(&self, policy: u32, priority: u32) -> Result<()> {
        const NAME: &str = "ZMQ_THREAD_SCHED_POLICY";
        let policy = self.number(NAME, policy, 0, i32::MAX as u32)?;
        let priority = self.number("ZMQ_THREAD_PRIORITY", priority, 0, i32::MAX as u32)?;
        probe(NAME, policy, move || platform::probe_scheduling(policy, priority))?;
        self.set_scheduling(policy, priority)
    }

    /// Sets a scheduling that the system has accepted.
    fn set_scheduling(&self, policy: i32, priority: i32) -> Result<()> {
        for (name, option, value) in [
            ("ZMQ_THREAD_SCHED_POLICY", zmq_sys::ZMQ_THREAD_SCHED_POLICY, policy),
            ("ZMQ_THREAD_PRIORITY", zmq_sys::ZMQ_THREAD_PRIORITY, priority),
        ] {
            if value != UNSET {
                self.set_int(name, option, value, value)?;
            }
        }
        self.change_threads(|threads| (threads.policy, threads.priority) = (policy, priority));
        Ok(())
    }

    /// Adds a processor, counted from 0, to those that the context's threads may run on. If none is added, they may run on
    /// all. Takes effect when the context opens its first socket.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no thread of this process may run on it. If the system refuses it later, that is the error of
    /// [`Context::socket`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// if let Err(error) = context.add_thread_affinity_cpu(0) {
    ///     println!("not on the first processor: {error}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_AFFINITY_CPU_ADD")]
    #[doc(alias = "zmq_ctx_set")]
    pub fn add_thread_affinity_cpu(&self, cpu: u32) -> Result<()> {
        const NAME: &str = "ZMQ_THREAD_AFFINITY_CPU_ADD";
        let cpu = self.number(NAME, cpu, 0, i32::MAX as u32)?;
        probe(NAME, cpu, move || platform::probe_affinity(&[cpu as usize]))?;
        self.set_int(NAME, zmq_sys::ZMQ_THREAD_AFFINITY_CPU_ADD, cpu, cpu)?;
        self.change_threads(|threads| threads.cpus.extend([cpu as usize]));
        Ok(())
    }

    /// Removes a processor that [`Context::add_thread_affinity_cpu`] added.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it was not added.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let error = context.remove_thread_affinity_cpu(0).unwrap_err();
    /// assert_eq!(error.errno(), zmq::Errno::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_AFFINITY_CPU_REMOVE")]
    #[doc(alias = "zmq_ctx_set")]
    pub fn remove_thread_affinity_cpu(&self, cpu: u32) -> Result<()> {
        const NAME: &str = "ZMQ_THREAD_AFFINITY_CPU_REMOVE";
        let cpu = self.number(NAME, cpu, 0, i32::MAX as u32)?;
        self.set_int(NAME, zmq_sys::ZMQ_THREAD_AFFINITY_CPU_REMOVE, cpu, cpu)?;
        self.change_threads(|threads| threads.cpus.retain(|&added| added != cpu as usize));
        Ok(())
    }

    /// The number before the names of the context's threads; 0 if there is none.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// assert_eq!(context.thread_name_prefix(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_NAME_PREFIX")]
    #[doc(alias = "zmq_ctx_get")]
    pub fn thread_name_prefix(&self) -> u32 {
        self.handle().get(zmq_sys::ZMQ_THREAD_NAME_PREFIX) as u32
    }

    /// Puts a number before the names of the context's threads, to tell contexts apart in a debugger. With 7 the names are
    /// `7/ZMQbg/IO/0` and so on. Takes effect when the context opens its first socket.
    ///
    /// # Errors
    ///
    /// `EINVAL` above 2,147,483,647, and in a forked child. `ETERM` after [`Context::terminate`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// context.set_thread_name_prefix(7)?;
    /// assert_eq!(context.thread_name_prefix(), 7);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_NAME_PREFIX")]
    #[doc(alias = "zmq_ctx_set")]
    pub fn set_thread_name_prefix(&self, prefix: u32) -> Result<()> {
        const NAME: &str = "ZMQ_THREAD_NAME_PREFIX";
        let prefix = self.number(NAME, prefix, 0, i32::MAX as u32)?;
        self.set_int(NAME, zmq_sys::ZMQ_THREAD_NAME_PREFIX, prefix, prefix)
    }
}

/// # Draft options of its threads
#[cfg(feature = "draft")]
impl Context {
    /// The text before the names of the context's threads; empty if there is none. Draft.
    ///
    /// # Errors
    ///
    /// `EINVAL` in a forked child, `ETERM` after [`Context::terminate`]. The other options can be read in both cases.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// assert_eq!(context.thread_name_prefix_text()?, "");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_NAME_PREFIX")]
    #[doc(alias = "zmq_ctx_get_ext")]
    pub fn thread_name_prefix_text(&self) -> Result<String> {
        const NAME: &str = "ZMQ_THREAD_NAME_PREFIX";
        self.inner().check_process(NAME)?;
        // libzmq does not report the length of the text. The longest has 16 bytes.
        let text = self.handle().get_bytes(zmq_sys::ZMQ_THREAD_NAME_PREFIX).map_err(|errno| errno.for_call(NAME))?;
        let len = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        Ok(String::from_utf8_lossy(&text[..len]).into_owned())
    }

    /// Puts a text of 1 to 16 bytes before the names of the context's threads. Takes effect when the context opens its
    /// first socket. Draft.
    ///
    /// # Errors
    ///
    /// `EINVAL` for another length, for a NUL, for exactly 4 bytes, which libzmq would take for a number, and in a forked
    /// child. `ETERM` after [`Context::terminate`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// context.set_thread_name_prefix_text("broker")?;
    /// assert_eq!(context.thread_name_prefix_text()?, "broker");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_THREAD_NAME_PREFIX")]
    #[doc(alias = "zmq_ctx_set_ext")]
    pub fn set_thread_name_prefix_text(&self, prefix: &str) -> Result<()> {
        const NAME: &str = "ZMQ_THREAD_NAME_PREFIX";
        if !matches!(prefix.len(), 1..=3 | 5..=16) || prefix.contains('\0') {
            return Err(out_of_range(NAME, format_args!("{prefix:?}"), "1 to 16 bytes without NUL, 4 excepted"));
        }
        self.inner().check_process(NAME)?;
        self.handle()
            .set_bytes(zmq_sys::ZMQ_THREAD_NAME_PREFIX, prefix.as_bytes())
            .map_err(|errno| errno.with_detail(NAME, format_args!("{prefix:?}")))
    }
}

/// An option that a program names at run time. `get` and `set` have a function, or the reason why the option has none.
struct ContextOption {
    name: &'static str,
    number: i32,
    get: Result<Getter, &'static str>,
    set: Result<Setter, &'static str>,
}

type Getter = fn(&Context) -> Result<OptionValue>;
type Setter = fn(&Context, &OptionValue) -> Result<()>;

/// A row is `"C name" = constant: conversion of the value, [getter] [setter];`.
macro_rules! context_rows {
    ($($(#[$meta:meta])* $name:literal = $number:ident: $convert:ident, [$($get:ident)?] [$($set:ident)?];)*) => {
        &[$(
            $(#[$meta])*
            ContextOption {
                name: $name,
                number: zmq_sys::$number,
                get: context_rows!(@get $($get)?),
                set: context_rows!(@set $name $convert $($set)?),
            },
        )*]
    };
    (@get) => { Err("it cannot be read") };
    (@get $get:ident) => { Ok(|context| Ok(context.$get().into())) };
    (@set $name:literal $convert:ident) => { Err("it cannot be set") };
    (@set $name:literal $convert:ident $set:ident) => { Ok(|context, value| context.$set($convert($name, value)?)) };
}

static OPTIONS: &[ContextOption] = context_rows! {
    "ZMQ_IO_THREADS" = ZMQ_IO_THREADS: number, [io_threads] [set_io_threads];
    "ZMQ_MAX_SOCKETS" = ZMQ_MAX_SOCKETS: number, [max_sockets] [set_max_sockets];
    "ZMQ_SOCKET_LIMIT" = ZMQ_SOCKET_LIMIT: number, [socket_limit] [];
    "ZMQ_THREAD_PRIORITY" = ZMQ_THREAD_PRIORITY: number, [] [set_thread_priority];
    "ZMQ_THREAD_SCHED_POLICY" = ZMQ_THREAD_SCHED_POLICY: number, [thread_sched_policy] [set_thread_sched_policy];
    "ZMQ_MAX_MSGSZ" = ZMQ_MAX_MSGSZ: number, [max_msgsz] [set_max_msgsz];
    "ZMQ_MSG_T_SIZE" = ZMQ_MSG_T_SIZE: number, [msg_t_size] [];
    "ZMQ_THREAD_AFFINITY_CPU_ADD" = ZMQ_THREAD_AFFINITY_CPU_ADD: number, [] [add_thread_affinity_cpu];
    "ZMQ_THREAD_AFFINITY_CPU_REMOVE" = ZMQ_THREAD_AFFINITY_CPU_REMOVE: number, [] [remove_thread_affinity_cpu];
    #[cfg(not(feature = "draft"))]
    "ZMQ_THREAD_NAME_PREFIX" = ZMQ_THREAD_NAME_PREFIX: number, [thread_name_prefix] [set_thread_name_prefix];
    #[cfg(feature = "draft")]
    "ZMQ_THREAD_NAME_PREFIX" = ZMQ_THREAD_NAME_PREFIX: any, [name_prefix] [set_name_prefix];
    "ZMQ_IPV6" = ZMQ_IPV6: flag, [ipv6] [set_ipv6];
    "ZMQ_BLOCKY" = ZMQ_BLOCKY: flag, [blocky] [set_blocky];
    #[cfg(feature = "draft")]
    "ZMQ_ZERO_COPY_RECV" = ZMQ_ZERO_COPY_RECV: flag, [zero_copy_recv] [set_zero_copy_recv];
};

/// The number for an option that is an int in C.
fn number(name: &'static str, value: &OptionValue) -> Result<u32> {
    let number = value.parsed().int(name, "a number")?;
    u32::try_from(number).map_err(|_| out_of_range(name, number, "0..=2147483647"))
}

fn flag(name: &'static str, value: &OptionValue) -> Result<bool> {
    value.parsed().flag(name)
}

#[cfg(feature = "draft")]
fn any<'a>(_name: &'static str, value: &'a OptionValue) -> Result<&'a OptionValue> {
    Ok(value)
}

/// `ZMQ_THREAD_NAME_PREFIX` is a number or a text in the draft API.
#[cfg(feature = "draft")]
impl Context {
    fn name_prefix(&self) -> OptionValue {
        match self.thread_name_prefix_text() {
            Ok(text) if !text.is_empty() => text.parse::<u32>().map_or_else(|_| text.into(), OptionValue::from),
            _ => self.thread_name_prefix().into(),
        }
    }

    fn set_name_prefix(&self, value: &OptionValue) -> Result<()> {
        match value {
            OptionValue::Text(text) if text.parse::<u32>().is_err() => self.set_thread_name_prefix_text(text),
            _ => self.set_thread_name_prefix(number("ZMQ_THREAD_NAME_PREFIX", value)?),
        }
    }
}

fn find(id: OptionId<'_>, call: &'static str) -> Result<&'static ContextOption> {
    let found = OPTIONS.iter().find(|option| id.is(option.name, option.number));
    found.ok_or_else(|| id.unknown(call, "context"))
}

/// # Options by name or number
impl Context {
    /// Sets an option that the program learns at run time, by its name or number, to a value of any type that fits: see
    /// [`OptionValue`]. The option's own method documents its effect, and this call makes the same checks. It also accepts the
    /// value that the option has: `None` for a scheduling policy that is not set.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such option, or if the value has another type or is out of range: the text names the option and
    /// the value. Otherwise the errors of the option's own method.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// context.set_option("ZMQ_IO_THREADS", 2)?;
    /// context.set_option("blocky", "no")?;
    /// assert_eq!((context.io_threads(), context.blocky()), (2, false));
    ///
    /// let error = context.set_option("io_threads", 257).unwrap_err();
    /// assert!(error.to_string().ends_with("257 is not in 0..=256"), "{error}");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_ctx_set")]
    pub fn set_option<'a>(&self, option: impl Into<OptionId<'a>>, value: impl Into<OptionValue>) -> Result<()> {
        let (id, value) = (option.into(), value.into());
        let option = find(id, "zmq_ctx_set")?;
        let set = option.set.map_err(|why| Errno::EINVAL.with_detail(option.name, why))?;
        set(self, &value).or_else(|refused| {
            let current = option.get.ok().and_then(|get| get(self).ok());
            value.parsed().is_kept_by(current.as_ref(), refused)
        })
    }

    /// Reads an option that the program learns at run time, by its name or number. Two options have no method of their own:
    /// `ZMQ_SOCKET_LIMIT`, the largest value that libzmq documents for [`Context::set_max_sockets`], 65,535 or the number of
    /// descriptors that `select` can watch; and `ZMQ_MSG_T_SIZE`, the size of the C message structure, 64 bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such option, or if it cannot be read.
    ///
    /// ```
    /// use zmq::sockopt::OptionValue;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// assert_eq!(context.option("io_threads")?, OptionValue::Int(1));
    /// assert_eq!(context.option(zmq::sys::ZMQ_IPV6)?, OptionValue::Bool(false));
    /// assert_eq!(context.option("ZMQ_MSG_T_SIZE")?, OptionValue::Int(64));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_ctx_get")]
    #[doc(alias = "ZMQ_SOCKET_LIMIT")]
    #[doc(alias = "ZMQ_MSG_T_SIZE")]
    pub fn option<'a>(&self, option: impl Into<OptionId<'a>>) -> Result<OptionValue> {
        let option = find(option.into(), "zmq_ctx_get")?;
        let get = option.get.map_err(|why| Errno::EINVAL.with_detail(option.name, why))?;
        get(self)
    }
}

/// Tries a setting in a new thread, because the setting changes its thread.
fn probe(name: &'static str, value: i32, setting: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<()> {
    let why = format_args!("{value}: the system refuses it to a thread of this process");
    context::probe(setting).map_err(|errno| errno.with_detail(name, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_option_gives_are_accepted_by_set_option() {
        let context = Context::new().unwrap();
        for row in OPTIONS.iter().filter(|row| row.get.is_ok() && row.set.is_ok()) {
            let value = context.option(row.number).unwrap();
            context.set_option(row.number, value.clone()).unwrap_or_else(|error| panic!("{value:?}: {error}"));
            assert_eq!(context.option(row.number).unwrap(), value, "{}", row.name);
        }
    }

    #[cfg(unix)]
    #[test]
    fn scheduling_policy_that_is_set_cannot_be_unset() {
        let context = Context::new().unwrap();
        context.set_option("thread_sched_policy", libc::SCHED_OTHER).unwrap();
        assert!(context.set_option("thread_sched_policy", OptionValue::None).is_err());
    }
}
