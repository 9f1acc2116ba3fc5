//! Forked children.

use super::{DEADLINE, eventually};

/// Runs `child` in a forked child, and expects it to end in time and with success.
///
/// The process also has the main thread of the test harness, which waits for this thread and holds no lock.
pub fn fork_and_wait(child: impl FnOnce()) {
    // SAFETY: the child runs on a copy of this process's memory, in which no other thread holds a lock that it needs.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    if pid == 0 {
        // A child that hangs ends before its parent's deadline, which would leave it behind.
        // SAFETY: no preconditions.
        unsafe { libc::alarm(DEADLINE.as_secs() as u32 / 2) };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        // The child must not return to the harness. It has dropped the values that the closure held.
        // SAFETY: has no preconditions.
        unsafe { libc::_exit(i32::from(outcome.is_err())) };
    }
    let mut status = 0;
    let mut ended = 0;
    let guard = Killed(pid);
    eventually("the forked child ends", || {
        // SAFETY: a child of this process, and a valid pointer.
        ended = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
        ended != 0
    });
    std::mem::forget(guard);
    assert_eq!(ended, pid);
    assert!(libc::WIFEXITED(status), "the child died of signal {}", libc::WTERMSIG(status));
    assert_eq!(libc::WEXITSTATUS(status), 0, "the child failed");
}

/// A child that is killed if the wait for it fails.
pub struct Killed(pub libc::pid_t);

impl Drop for Killed {
    fn drop(&mut self) {
        // SAFETY: a child that has not been waited for, so the number is still its own.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }
}
