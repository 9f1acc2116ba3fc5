//! Two network namespaces with a link between them. A process runs in each.

use std::process::Command;

use super::{Process, run_by, skip_unless};

/// The ends of the link: `near` in the namespace of this process, and `far` in the other one.
const LINK: &str = "link add name near type veth peer name far";

/// Reports the test as skipped, and returns true, if there can be no such link.
pub fn lacks_namespaces() -> bool {
    let works = Command::new("unshare").args(["-rn", "ip"]).args(LINK.split(' ')).output();
    let works = works.is_ok_and(|output| output.status.success());
    skip_unless(works, "unshare and ip make no link between network namespaces here")
}

/// `command` in a namespace that `unshare` makes by `option`.
pub fn within(option: &str, command: &Command) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.arg(option);
    run_by(unshare, command)
}

/// Changes the network of this process's namespace.
pub fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes the link to a process in another namespace, and gives the near end its address. The far process does the same at its
/// end.
pub fn link_to(far: &Process, address: &str) {
    ip(LINK);
    ip(&format!("link set far netns {}", far.id()));
    ip(&format!("addr add {address}/24 dev near"));
    ip("link set near up");
}
