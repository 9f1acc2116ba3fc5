//! Imports go down: the `use` lines and paths of src/ are checked against the tables of floors in CONTRIBUTING.md. Tests
//! have deadlines. Calls of libzmq with a socket have a proof.

mod common;
#[path = "house/imports.rs"]
mod imports;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use imports::{file_of, imports, passed_on, reexports};

/// The files of src/ with their texts.
type Files = BTreeMap<String, String>;

/// The rooms of src/ with their floors, and the imports that are allowed although they go up.
struct House {
    /// A room is a file (`lock.rs`) or a folder (`raw/`); of two that fit a file, the longer one counts.
    rooms: BTreeMap<String, u32>,
    /// The importing file and the room that it imports from, with the rooms on the way back, which make it a circle.
    exceptions: BTreeMap<(String, String), Vec<String>>,
}

impl House {
    /// Reads the tables: `| floor | rooms |` and `| file | imports from | way back | reason |`.
    fn read(text: &str) -> House {
        let (mut rooms, mut exceptions) = (BTreeMap::new(), BTreeMap::new());
        let section = text.split("\n## ").find(|section| section.starts_with("Floors\n")).expect("a section on floors");
        for line in section.lines().filter(|line| line.starts_with('|')) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
            match *cells {
                [floor, names] => {
                    let Ok(floor) = floor.parse() else { continue };
                    for room in quoted(names) {
                        assert!(rooms.insert(room.clone(), floor).is_none(), "{room} has two floors");
                    }
                }
                [file, imported, circle, reason] => {
                    let (files, imported) = (quoted(file), quoted(imported));
                    for (file, room) in files.into_iter().zip(imported) {
                        assert!(!reason.is_empty(), "{line}: no reason");
                        exceptions.insert((file, room), quoted(circle));
                    }
                }
                _ => panic!("{line}: neither floors nor exceptions"),
            }
        }
        House { rooms, exceptions }
    }

    /// The room of a file, with its floor.
    fn room(&self, file: &str) -> Option<(&str, u32)> {
        let fits = |room: &str| room == file || room.ends_with('/') && file.starts_with(room);
        let rooms = self.rooms.iter().filter(|(room, _)| fits(room));
        rooms.max_by_key(|(room, _)| room.len()).map(|(room, floor)| (room.as_str(), *floor))
    }

    /// The rooms inside a folder. An import of the folder's module can reach all of them.
    fn rooms_inside(&self, folder: &str) -> impl Iterator<Item = (&str, u32)> {
        let inside =
            move |room: &str| room.strip_prefix(folder).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'));
        self.rooms.iter().map(|(room, floor)| (room.as_str(), *floor)).filter(move |(room, _)| inside(room))
    }

    /// The faults of the imports of these files, a line each.
    fn faults(&self, files: &Files) -> Vec<String> {
        let mut faults = Vec::new();
        let mut upward = BTreeSet::new();
        let mut downward = BTreeSet::new();
        let reexports = files.get("lib.rs").map(|text| reexports(text)).unwrap_or_default();
        for (file, text) in files {
            let Some((room, floor)) = self.room(file) else {
                faults.push(format!("{file}: is in no room of the table of floors"));
                continue;
            };
            for path in imports(file, text, files) {
                let path = match path {
                    Ok(path) => path,
                    Err(fault) => {
                        faults.push(format!("{file}: {fault}"));
                        continue;
                    }
                };
                let Some((imported, whole)) = file_of(&path, files, &reexports) else {
                    faults.push(format!("{file}: crate::{} is no file of src/", path.join("::")));
                    continue;
                };
                let inside = whole.iter().flat_map(|folder| self.rooms_inside(folder));
                for (other, below) in self.room(&imported).into_iter().chain(inside) {
                    if other == room {
                        continue;
                    }
                    if below < floor {
                        downward.insert((room.to_owned(), other.to_owned()));
                    } else if self.exceptions.contains_key(&(file.clone(), other.to_owned())) {
                        upward.insert((file.clone(), other.to_owned()));
                    } else {
                        let path = path.join("::");
                        faults.push(format!("{file} (floor {floor}): imports {path} from {other} (floor {below})"));
                    }
                }
            }
        }
        for ((file, other), circle) in &self.exceptions {
            if !upward.contains(&(file.clone(), other.clone())) {
                faults.push(format!("{file}: the exception for {other} is not needed"));
                continue;
            }
            let found = self.room(file).map(|(room, _)| way(other, room, &downward)).unwrap_or_default();
            if found != *circle {
                let (found, named) = (found.join(", "), circle.join(", "));
                faults.push(format!("{file}: imports {other}, and the way back is [{found}], not [{named}]"));
            }
        }
        faults
    }
}

/// The circles of imports between the files of a room: for each circle its files, separated by commas. A module and the
/// modules inside it are one thing, so imports from `name/` into `name/mod.rs` do not count.
fn circles(house: &House, files: &Files) -> BTreeSet<String> {
    let mut edges = BTreeSet::new();
    for (file, text) in files {
        let room = house.room(file).map(|(room, _)| room);
        for path in imports(file, text, files).into_iter().flatten() {
            let Some((mut imported, _)) = file_of(&path, files, &BTreeMap::new()) else { continue };
            // A name that mod.rs only passes on is imported from the file that defines it.
            let passed_on = path.last().and_then(|name| passed_on(&imported, files).remove(name));
            if let Some((defining, _)) = passed_on.and_then(|path| file_of(&path, files, &BTreeMap::new())) {
                imported = defining;
            }
            let is_inside = file.strip_suffix("mod.rs").is_some_and(|folder| imported.starts_with(folder));
            if imported != *file && !is_inside && house.room(&imported).map(|(room, _)| room) == room {
                edges.insert((file.clone(), imported));
            }
        }
    }
    let is_way = |from: &str, to: &str| !way(from, to, &edges).is_empty();
    let circle = |(from, to): &(String, String)| {
        let importing: BTreeSet<_> = edges.iter().map(|(file, _)| file.as_str()).collect();
        let files = importing.into_iter().filter(|file| is_way(from, file) && is_way(file, from));
        is_way(to, from).then(|| files.collect::<Vec<_>>().join(", "))
    };
    edges.iter().filter_map(circle).collect()
}

/// The shortest way from one room to another along imports, with both ends. Empty if there is none.
fn way(from: &str, to: &str, imports: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut ways = VecDeque::from([vec![from.to_owned()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = way.last().cloned().unwrap_or_default();
        if last == to {
            return way;
        }
        if seen.insert(last.clone()) {
            let next = imports.iter().filter(|(importing, _)| *importing == last);
            ways.extend(next.map(|(_, imported)| [way.as_slice(), std::slice::from_ref(imported)].concat()));
        }
    }
    Vec::new()
}

fn read_folder(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_folder(&entry.path(), &format!("{name}/"), files);
        } else if name.ends_with(".rs") {
            files.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// The circles inside a room, each with its reason.
const CIRCLES: [(&str, &str); 0] = [];

#[deadline::test]
fn imports_go_down_except_those_with_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let house = House::read(&fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap());
    let mut files = BTreeMap::new();
    read_folder(&root.join("src"), "", &mut files);
    for room in house.rooms.keys() {
        assert!(root.join("src").join(room).exists(), "{room} is in the table of floors and not in src/");
    }
    let faults = house.faults(&files);
    assert!(faults.is_empty(), "see the floors in CONTRIBUTING.md:\n{}", faults.join("\n"));
    let circles = circles(&house, &files);
    assert_eq!(circles, CIRCLES.map(|(files, _)| files.to_owned()).into(), "circles inside a room");
}

/// The tables of a small house, and its files.
const TABLES: &str = "# Title\n\n## Floors\n\n| floor | rooms |\n| --- | --- |\n| 1 | `low.rs`, `beside.rs`, `hall/` |\n\
    | 2 | `room/low.rs` |\n| 3 | `room/`, `hall/high.rs` |\n| 4 | `lib.rs` |\n\n\
    | file | imports from | way back | reason |\n| --- | --- | --- | --- |\n\
    | `beside.rs` | `room/` | `room/`, `beside.rs` | it must |\n\n## Next\n";
const FILES: [(&str, &str); 7] = [
    ("lib.rs", "mod low;\npub use room::{Name, Part as Alias};\n"),
    ("low.rs", ""),
    ("beside.rs", "use crate::room::Name;\n"),
    ("room/mod.rs", "mod low;\nuse crate::{beside, low::Thing};\nuse low::Part;\n"),
    ("room/low.rs", "use super::super::low::Thing;\n"),
    ("hall/mod.rs", "mod high;\n"),
    ("hall/high.rs", ""),
];

/// The faults of the small house if `text` is appended to one of its files.
fn faults_with(tables: &str, file: &str, text: &str) -> Vec<String> {
    let files =
        FILES.map(|(name, own)| (name.to_owned(), if name == file { format!("{own}{text}") } else { own.into() }));
    House::read(tables).faults(&files.into())
}

#[deadline::test]
fn house_accepts_comments_strings_and_tests() {
    for good in [
        "",
        "use std::fmt;",
        "// crate::room::Name",
        "/// [`crate::room::Name`]",
        "/* crate::room::Name /* crate::room::Name */ crate::room::Name */",
        "const TEXT: &str = \"crate::room::Name\";",
        "const TEXT: &str = r#\"\"crate::room::Name\"#;",
        "const TEXT: [char; 2] = ['\"', '\\'']; // crate::room::Name\"",
        "#[cfg(test)]\nmod tests {\n    use crate::room::Name;\n}",
        "#[cfg(test)]\nuse crate::{room::Name};\nuse std::fmt;",
        "mod inner { use super::Thing; }",
        "pub(crate) struct Name;",
        "fn place(self) -> usize { self as usize }",
    ] {
        assert_eq!(faults_with(TABLES, "low.rs", good), [""; 0], "{good}");
    }
}

#[deadline::test]
fn house_refuses_imports_that_go_up() {
    for bad in [
        "use crate::room::Name;",
        "pub(crate) use crate::{room::{Name, Other}};",
        "use crate::{\n    room::Name,\n};",
        "use super::room::Name;",
        "fn name() -> crate::room::Name {}",
        "use crate::Name;",
        "use crate::Alias;",
        "macro_rules! name { () => { $crate::room::Name }; }",
        "use crate::beside::Thing;",
        "use crate::room::low::Part;",
        "use crate::nowhere::Thing;",
        // Items after an item for tests are read.
        "#[cfg(test)]\nmod tests {}\nuse crate::room::Name;",
        "#[cfg(test)]\nuse std::fmt;\nuse crate::room::Name;",
        "mod inner {\n    #[cfg(test)]\n    mod tests {}\n    use crate::room::Name;\n}",
        // Code after a comment or a string is read.
        "/* */ use crate::room::Name;",
        "const URL: &str = \"https://\"; use crate::room::Name;",
        "const OPEN: &str = \"/*\"; use crate::room::Name;",
        "const QUOTE: char = '\"'; use crate::room::Name;",
        "const QUOTE: char = '\\''; use crate::room::Name;",
        "fn name<'a>(_: &'a str) { crate::room::name() }",
        "const RAW: &str = r\"\\\"; use crate::room::Name;",
        "const RAW: &str = r#\"\"#; use crate::room::Name;",
        "use crate:: /* here */ room::Name;",
        // The root of the crate under another name.
        "use crate::*;",
        "use super::*;",
        "use crate as all;",
        "use crate::{self as all};",
        "use super::{self as all};",
        "extern crate self as all;",
        // `super` goes up by modules, not by indentation.
        "mod inner { use super::super::room::Name; }",
        "mod inner {\nuse super::super::room::Name;\n}",
        "fn name() {\n    use super::room::Name;\n}",
        "mod inner { fn name() { super::super::room::name() } }",
        // An import of a module imports all rooms inside it.
        "use crate::hall;",
        "use crate::hall::*;",
    ] {
        let faults = faults_with(TABLES, "low.rs", bad);
        assert!(!faults.is_empty(), "{bad}");
        assert!(faults.iter().all(|fault| fault.starts_with("low.rs")), "{bad}: {faults:?}");
    }
    for (file, bad) in [
        ("room/low.rs", "fn name() {\n    use super::super::room::Name;\n}"),
        ("room/low.rs", "fn name() { super::name() }"),
        ("room/low.rs", "use super::*;"),
        ("hall/mod.rs", "use high::Name;"),
        ("hall/mod.rs", "pub use self::high::Name;"),
        ("hall/mod.rs", "pub use high as other;"),
        ("hall/mod.rs", "fn name() { high::name() }"),
        ("hall/mod.rs", "pub use {high::Name, std::fmt};"),
        ("nowhere.rs", ""),
    ] {
        let mut files: Files = FILES.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        files.entry(file.to_owned()).or_default().push_str(bad);
        let faults = House::read(TABLES).faults(&files);
        assert!(faults.iter().any(|fault| fault.starts_with(file)), "{file}: {bad}: {faults:?}");
    }
}

#[deadline::test]
fn house_refuses_exceptions_that_are_not_needed_and_unnamed_circles() {
    let unneeded =
        TABLES.replace("`beside.rs` | `room/` | `room/`, `beside.rs`", "`low.rs` | `room/` | `room/`, `low.rs`");
    let faults = faults_with(&unneeded, "", "");
    assert!(faults.contains(&"low.rs: the exception for room/ is not needed".to_owned()), "{faults:?}");
    let unnamed = TABLES.replace("`room/`, `beside.rs`", "none");
    assert_eq!(
        faults_with(&unnamed, "", ""),
        ["beside.rs: imports room/, and the way back is [room/, beside.rs], not []"]
    );
}

#[deadline::test]
fn house_finds_circles_inside_a_room() {
    let circles_with = |texts: [(&str, &str); 3]| {
        let mut files: Files = FILES.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        files.extend(texts.map(|(name, text)| (format!("room/{name}"), text.to_owned())));
        circles(&House::read(&TABLES.replace("`room/low.rs`", "")), &files).into_iter().collect::<Vec<_>>()
    };
    let module = "mod a;\nmod b;\npub(crate) use a::A;\npub(crate) use b::B;\nuse c::C;\n";
    let apart = [("mod.rs", module), ("a.rs", "use super::C;\n"), ("b.rs", "use super::A;\n")];
    assert_eq!(circles_with(apart), [""; 0]);
    let by_module = [("mod.rs", module), ("a.rs", "use super::B;\n"), ("b.rs", "use super::A;\n")];
    assert_eq!(circles_with(by_module), ["room/a.rs, room/b.rs"]);
    let by_path = [("mod.rs", module), ("a.rs", "use super::b::B;\n"), ("b.rs", "use crate::room::a::A;\n")];
    assert_eq!(circles_with(by_path), ["room/a.rs, room/b.rs"]);
}

/// The tests in these files and folders are plain, each for its reason.
const WITHOUT_DEADLINE: [(&str, &str); 14] = [
    ("coverage/", "rustdoc may take longer than the deadline"),
    ("deadline/", "it defines the attribute"),
    ("fuzz.rs", "it runs many children, and each has a deadline"),
    ("guide_breaking", "it runs as long as ZMQ_BREAK_SECONDS says, and each wait has a deadline"),
    ("guide_chapter4/majordomo_chaos.rs", "it has many rounds, and each has a deadline"),
    ("guide_chapter4/titanic_chaos.rs", "it has many rounds, and each has a deadline"),
    ("guide_header.rs", "it tests values only"),
    ("mix/", "it runs many children, and each has a deadline"),
    ("options_fuzz.rs", "it runs many children, and each has a deadline"),
    ("patterns/binary_star/chaos.rs", "it may be run for longer, and each wait has a deadline"),
    ("patterns/binary_star/machine.rs", "it tests values only, as many as PROPTEST_CASES says"),
    ("patterns/clone/machine.rs", "it tests values only, as many as PROPTEST_CASES says"),
    ("rebuild.rs", "cargo may take longer than the deadline"),
    ("ui.rs", "the compiler may take longer than the deadline"),
];

#[deadline::test]
fn tests_have_a_deadline_except_those_with_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    read_folder(&root.join("tests"), "", &mut files);
    read_folder(&root.join("patterns/tests"), "patterns/", &mut files);
    for (file, text) in files {
        // A child process has its parent's deadline.
        let mut tests = text.split("#[test]\n").skip(1).map(|test| test.split("\n}\n").next().unwrap_or(test));
        let plain = tests.find(|test| !test.contains("in_own_process("));
        let excepted = WITHOUT_DEADLINE.iter().any(|(name, _)| file.starts_with(name));
        assert!(plain.is_none() || excepted, "{file}: has no #[deadline::test]: {}", plain.unwrap_or_default());
    }
}

/// The calls of libzmq in src/raw/ with a socket that are not in a `Locking` constant: the file, the function, the number of
/// calls, and the proof that the call may run beside calls of other threads.
const SOCKET_CALLS: [(&str, &str, usize, &str); 9] = [
    ("handle.rs", "zmq_close", 1, "`close` takes `&mut self`, and the monitor has given the handle up"),
    ("handle.rs", "zmq_socket_monitor", 2, "`OpLock`; to stop a monitor, the lock that libzmq has for monitors"),
    ("handle.rs", "zmq_socket_monitor_versioned", 1, "`OpLock`"),
    ("platform/windows/poller.rs", "zmq_poll", 1, "its items have descriptors and no sockets"),
    ("poll.rs", "zmq_poll", 1, "an item's socket belongs to this thread, or libzmq takes its lock"),
    ("ppoll.rs", "zmq_getsockopt", 1, "an item's socket belongs to this thread, or libzmq takes its lock"),
    ("ppoll.rs", "zmq_ppoll", 1, "an item's socket belongs to this thread, or libzmq takes its lock"),
    ("socket.rs", "zmq_socket_get_peer_state", 1, "`used_by_one_thread`"),
    ("socket.rs", "zmq_socket_monitor_pipes_stats", 1, "`used_by_one_thread`"),
];

/// The functions of libzmq that take a socket or items of a poll, by the names of their parameters.
fn functions_with_a_socket(bindings: &str) -> BTreeSet<String> {
    let takes_socket = |parameters: &str| {
        let names = parameters.split(',').filter_map(|parameter| parameter.split(':').next());
        names.map(str::trim).any(|name| matches!(name, "s" | "s_" | "socket" | "frontend_" | "items_"))
    };
    let functions = bindings.split("pub fn zmq_").skip(1).filter_map(|text| text.split_once('('));
    let found = functions.filter(|(_, rest)| rest.split(')').next().is_some_and(takes_socket));
    found.map(|(name, _)| format!("zmq_{name}")).collect()
}

/// The number of uses of each of these functions in a file of src/raw/, without those in `Locking` constants, comments and
/// names of calls in errors.
fn socket_calls(text: &str, functions: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.split("//").next()) {
        for name in functions {
            for (at, _) in line.match_indices(name.as_str()) {
                let (before, after) = (&line[..at], &line[at + name.len()..]);
                let is_part = |text: Option<char>| text.is_some_and(|c| c.is_alphanumeric() || "_\"".contains(c));
                if !is_part(before.chars().last()) && !is_part(after.chars().next()) && !before.ends_with(LOCKING) {
                    *found.entry(name.clone()).or_default() += 1;
                }
            }
        }
    }
    found
}

/// The text before a function that takes the lock of the socket.
const LOCKING: &str = "Locking(zmq_sys::";

#[deadline::test]
fn libzmq_is_called_with_a_socket_only_with_a_proof() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let functions = functions_with_a_socket(&fs::read_to_string(root.join("zmq-sys/src/shipped/draft.rs")).unwrap());
    for name in ["zmq_bind", "zmq_join", "zmq_connect_peer", "zmq_poller_add", "zmq_proxy", "zmq_msg_recv"] {
        assert!(functions.contains(name), "{name}");
    }
    let mut files = BTreeMap::new();
    read_folder(&root.join("src/raw"), "", &mut files);
    let calls = files.iter().flat_map(|(file, text)| {
        socket_calls(text, &functions).into_iter().map(move |(name, count)| (file.as_str(), name, count))
    });
    let proved = SOCKET_CALLS.map(|(file, name, count, _)| (file, name.to_owned(), count));
    let (calls, proved): (BTreeSet<_>, BTreeSet<_>) = (calls.collect(), proved.into());
    assert_eq!(
        calls, proved,
        "a call with a socket needs a `Locking` constant, or a row in SOCKET_CALLS with its proof"
    );
    let unproved = socket_calls("unsafe { zmq_sys::zmq_bind(self.as_raw(), text.as_ptr()) }; // zmq_join", &functions);
    assert_eq!(unproved, [("zmq_bind".to_owned(), 1)].into());
}
