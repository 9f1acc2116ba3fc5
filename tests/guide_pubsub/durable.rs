//! Durable subscribers that are killed or interrupted and come back, and the swap of their publishers.

use super::*;

fn updates(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("Update {number}")).chain(["END".to_owned()]).collect()
}

/// Appends the lines of one run of a subscriber to those of its earlier runs. The first line may repeat the last one, whose
/// acknowledgement was not sent when the subscriber was killed.
fn append(printed: &mut Vec<String>, mut lines: Vec<String>) {
    if lines.first().is_some_and(|first| printed.last() == Some(first)) {
        lines.remove(0);
    }
    printed.extend(lines);
}

fn swap_files(directory: &Path) -> Vec<u64> {
    let entries = directory.read_dir().unwrap();
    // A file may be removed before its length is read.
    entries.filter_map(|entry| Some(entry.unwrap().metadata().ok()?.len())).collect()
}

fn publisher(name: &str, directory: &Path, args: &str) -> Process {
    let mut command = Command::new(example(name));
    Process::spawn(command.args(args.split(' ')).current_dir(directory))
}

/// The output of a subscriber in its first run and in its second. It is ended in the middle and started again after more
/// updates were published. Another subscriber shows that they were.
fn away_and_back(name: &'static str, end: fn(Process) -> Vec<String>) -> (Vec<String>, Vec<String>) {
    let ports = Ports::reserve();
    let directory = Directory::new(&format!("away-{}", ports.first.number()));
    let args = format!("{} --subscribers 2 --delay 20", ports.bind());
    let publisher = publisher(name, directory.path(), &args);
    let other = start("durasub", &format!("{} --name Other", ports.connect()));
    let subscriber = start("durasub", &ports.connect());
    let mut first: Vec<String> = (0..3).map(|_| subscriber.line()).collect();
    first.extend(end(subscriber));
    while other.line() != "Update 7" {}
    // Only durapub2 has a swap file with content.
    assert_eq!(swap_files(directory.path()).iter().any(|size| *size > 8), name == "durapub2");

    let subscriber = start("durasub", &ports.connect());
    let second = subscriber.rest();
    subscriber.succeeds();
    assert_eq!(other.rest(), ["Update 8", "Update 9", "END"]);
    other.succeeds();
    publisher.succeeds();
    assert!(swap_files(directory.path()).is_empty());
    (first, second)
}

#[deadline::test]
fn durasub_misses_nothing_when_it_was_killed() {
    let (mut printed, second) = away_and_back("durapub", kill);
    append(&mut printed, second);
    assert_eq!(printed, updates(0..10));
}

#[deadline::test]
fn durasub_misses_nothing_of_the_swap_when_it_was_killed() {
    let (mut printed, second) = away_and_back("durapub2", kill);
    append(&mut printed, second);
    assert_eq!(printed, updates(0..10));
}

/// After Ctrl-C the subscriber acknowledges the updates that it has printed.
#[deadline::test]
fn durasub_gets_each_update_once_when_it_was_interrupted() {
    let (mut printed, second) = away_and_back("durapub", interrupt);
    printed.extend(second);
    assert_eq!(printed, updates(0..10));
}

/// The subscriber is killed again and again, right after a line. No update is lost, and none arrives a third time.
#[deadline::test]
fn durasub_misses_nothing_when_it_is_killed_again_and_again() {
    let ports = Ports::reserve();
    let directory = Directory::new("lives");
    let args = format!("{} --updates 20 --delay 2 --hwm 3", ports.bind());
    let publisher = publisher("durapub2", directory.path(), &args);
    let mut printed = Vec::new();
    for number in 0.. {
        let subscriber = start("durasub", &ports.connect());
        let mut lines = Vec::new();
        while lines.len() < 2 + number % 3 && !lines.iter().any(|line| line == "END") {
            lines.push(subscriber.line());
        }
        if lines.iter().any(|line| line == "END") {
            subscriber.succeeds();
        } else {
            lines.extend(kill(subscriber));
        }
        append(&mut printed, lines);
        if printed.last().is_some_and(|line| line == "END") {
            break;
        }
    }
    assert_eq!(printed, updates(0..20));
    // If the subscriber was killed before it acknowledged END, the publisher waits for it again.
    let _last = start("durasub", &ports.connect());
    publisher.succeeds();
    assert!(swap_files(directory.path()).is_empty());
}

/// Acknowledges an update as its subscriber does.
fn acknowledge(sync: &Socket<'_, Push>, message: &Multipart) {
    sync.send_multipart([&message[0], &message[1]]).unwrap();
}

/// Updates that do not fit are dropped with a message. The others come in order.
#[deadline::test]
fn durapub2_drops_updates_above_its_bounds() {
    let ports = Ports::reserve();
    let directory = Directory::new("bounded");
    let (errors, writer) = std::io::pipe().unwrap();
    let mut command = Command::new(example("durapub2"));
    let args = format!("{} --updates 9 --delay 0 --hwm 2 --swap 40", ports.bind());
    command.args(args.split(' ')).current_dir(directory.path()).stderr(writer);
    let publisher = Process::spawn(&mut command);
    drop(command);

    let context = Context::new().unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect(&ports.first.connect()).unwrap();
    subscriber.subscribe("Hello").unwrap();
    let sync = context.socket(Push).unwrap();
    sync.connect(&ports.second.connect()).unwrap();
    let mut message = subscriber.recv_multipart().unwrap();

    // Two updates are in memory. Each of the others takes 8 bytes and a header of 4, so three fit; END, with 3 and 4
    // bytes, does not.
    let mut errors = BufReader::new(errors).lines().map(Result::unwrap);
    for dropped in ["Update 5", "Update 6", "Update 7", "Update 8", "END"] {
        assert_eq!(errors.next().unwrap(), format!("No room left for Hello: {dropped} is dropped"));
    }
    assert_eq!(swap_files(directory.path()), [36]);
    for number in 0..5 {
        assert_eq!(message[2], format!("Update {number}"));
        acknowledge(&sync, &message);
        if number < 4 {
            message = subscriber.recv_multipart().unwrap();
        }
    }
    assert_eq!(publisher.rest(), NOTHING);
    publisher.succeeds();
    assert!(swap_files(directory.path()).is_empty());
}

#[deadline::test]
fn ctrl_c_ends_durapub2_and_removes_its_swap() {
    let ports = Ports::reserve();
    let directory = Directory::new("interrupted");
    let publisher = publisher("durapub2", directory.path(), &format!("{} --delay 0", ports.bind()));
    let context = Context::new().unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect(&ports.first.connect()).unwrap();
    subscriber.subscribe("Hello").unwrap();
    subscriber.recv_multipart().unwrap();
    eventually("the swap", || !swap_files(directory.path()).is_empty());
    assert_eq!(interrupt(publisher), NOTHING);
    assert!(swap_files(directory.path()).is_empty());
}

#[deadline::test]
fn ctrl_c_ends_durable_programs_without_peers() {
    let (ports, unused) = (Ports::reserve(), Ports::reserve());
    let publisher = start("durapub", &ports.bind());
    let context = Context::new().unwrap();
    let sync = context.socket(Push).unwrap();
    sync.connect(&ports.second.connect()).unwrap();
    // The publisher listens, so it catches signals already.
    assert!(sync.connect_and_wait(&ports.second.connect(), Duration::from_secs(30)).unwrap());
    assert_eq!(interrupt(publisher), NOTHING);

    let listener = context.socket(XPub).unwrap();
    listener.bind(&unused.first.bind()).unwrap();
    let subscriber = start("durasub", &unused.connect());
    assert_eq!(listener.recv_msg().unwrap(), b"\x01Hello");
    assert_eq!(interrupt(subscriber), NOTHING);
}

/// An update that comes twice is printed once and acknowledged twice. The last acknowledgement is repeated later.
#[deadline::test]
fn durasub_repeats_acknowledgements_that_may_be_lost() {
    let ports = Ports::reserve();
    let context = Context::new().unwrap();
    let sync = context.socket(Pull).unwrap();
    sync.bind(&ports.second.bind()).unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.bind(&ports.first.bind()).unwrap();
    let subscriber = start("durasub", &format!("{} --name Me", ports.connect()));
    assert_eq!(publisher.recv_msg().unwrap(), b"\x01Me");
    // None of these messages is an update for the subscriber.
    publisher.send("Me").unwrap();
    publisher.send_multipart(["Me", "1"]).unwrap();
    publisher.send_multipart(["Meg", "1", "for Meg"]).unwrap();
    for _ in 0..2 {
        publisher.send_multipart(["Me", "7", "Update 0"]).unwrap();
        assert_eq!(sync.recv_multipart().unwrap(), ["Me", "7"]);
    }
    assert_eq!(sync.recv_multipart().unwrap(), ["Me", "7"]);
    publisher.send_multipart(["Me", "8", "END"]).unwrap();
    while sync.recv_multipart().unwrap() != ["Me", "8"] {}
    assert_eq!(subscriber.rest(), ["Update 0", "END"]);
    subscriber.succeeds();
}

/// The publisher binds the endpoint for acknowledgements after the last one is sent.
#[deadline::test]
fn durasub_waits_for_a_publisher_to_take_its_last_acknowledgement() {
    let ports = Ports::reserve();
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.bind(&ports.first.bind()).unwrap();
    let subscriber = start("durasub", &ports.connect());
    assert_eq!(publisher.recv_msg().unwrap(), b"\x01Hello");
    publisher.send_multipart(["Hello", "1", "END"]).unwrap();
    assert_eq!(subscriber.line(), "END");
    // A subscriber that did not wait would be gone by now.
    assert_eq!(publisher.recv_msg().unwrap(), b"\x00Hello");
    let sync = context.socket(Pull).unwrap();
    sync.bind(&ports.second.bind()).unwrap();
    assert_eq!(sync.within(Duration::from_secs(10)).recv_msg().unwrap().unwrap(), "Hello");
    subscriber.succeeds();
}

/// A repeated acknowledgement counts for its own update, and not for a later one.
#[deadline::test]
fn durapub_counts_an_acknowledgement_once() {
    let ports = Ports::reserve();
    let publisher = start("durapub", &format!("{} --updates 3 --delay 0", ports.bind()));
    let context = Context::new().unwrap();
    let subscribe = || {
        let subscriber = context.socket(Sub).unwrap();
        subscriber.connect(&ports.first.connect()).unwrap();
        subscriber.subscribe("Hello").unwrap();
        subscriber
    };
    let sync = context.socket(Push).unwrap();
    sync.connect(&ports.second.connect()).unwrap();
    let subscriber = subscribe();
    let first = subscriber.recv_multipart().unwrap();
    for _ in 0..2 {
        acknowledge(&sync, &first);
    }
    assert_eq!(subscriber.recv_multipart().unwrap()[2], "Update 1");
    drop(subscriber);
    let subscriber = subscribe();
    for update in ["Update 1", "Update 2", "END"] {
        let message = subscriber.recv_multipart().unwrap();
        assert_eq!(message[2], update);
        acknowledge(&sync, &message);
    }
    publisher.succeeds();
}

/// Invalid names and acknowledgements are ignored, and no name becomes a path.
#[deadline::test]
fn durapub2_survives_strange_subscribers() {
    let ports = Ports::reserve();
    let directory = Directory::new("strange");
    let args = format!("{} --subscribers 2 --updates 3 --delay 0", ports.bind());
    let publisher = publisher("durapub2", directory.path(), &args);
    let context = Context::new().unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect(&ports.first.connect()).unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.subscribe(vec![b'x'; 256]).unwrap();
    subscriber.subscribe("../up").unwrap();
    let sync = context.socket(Push).unwrap();
    sync.connect(&ports.second.connect()).unwrap();
    sync.send("").unwrap();
    sync.send_multipart(["../up", "no number"]).unwrap();
    sync.send_multipart(["nobody", "1", "more"]).unwrap();
    let good = start("durasub", &ports.connect());
    let mut left = vec!["END", "Update 2", "Update 1", "Update 0"];
    while !left.is_empty() {
        let message = subscriber.recv_multipart().unwrap();
        if message[0] == "../up" && message[2] == left[left.len() - 1] {
            assert!(directory.path().join("..").join("up").metadata().is_err());
            sync.send_multipart(["../up", "0"]).unwrap();
            acknowledge(&sync, &message);
            left.pop();
        }
    }
    assert_eq!(good.rest(), updates(0..3));
    good.succeeds();
    publisher.succeeds();
}

#[deadline::test]
fn durapub_serves_a_c_subscriber() {
    let ports = Ports::reserve();
    let publisher = start("durapub", &format!("{} --delay 5", ports.bind()));
    let args = [&*ports.first.connect(), &ports.second.connect(), "From C"];
    let subscriber = Process::start(c_program("durasub.c"), &args);
    assert_eq!(subscriber.rest(), updates(0..10));
    subscriber.succeeds();
    publisher.succeeds();
}

#[deadline::test]
fn durasub_gets_the_updates_of_a_c_publisher() {
    let ports = Ports::reserve();
    let args = [&*ports.first.bind(), &ports.second.bind(), "Hello", "10"];
    let publisher = Process::start(c_program("durapub.c"), &args);
    let subscriber = start("durasub", &ports.connect());
    assert_eq!(subscriber.rest(), updates(0..10));
    subscriber.succeeds();
    assert_eq!(publisher.rest(), ["10 updates acknowledged"]);
    publisher.succeeds();
}
