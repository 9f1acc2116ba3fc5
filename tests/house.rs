//! Imports go down: the `use` lines and paths of src/ are checked against the tables of floors in CONTRIBUTING.md. Tests
//! have deadlines.

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// The files of src/ with their texts.
type Files = BTreeMap<String, String>;

/// The rooms of src/ with their floors, and the imports that are allowed although they go up.
struct House {
    /// A room is a file (`error.rs`) or a folder (`raw/`); of two that fit a file, the longer one counts.
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

    /// The rooms inside a folder, all of which an import of the folder's module brings into reach.
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

/// The length of the comment, string or character literal that begins `text`, which begins a token.
fn skipped(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        let (mut depth, mut place) = (0, 0);
        while place < text.len() {
            let step = match text.as_bytes()[place..] {
                [b'/', b'*', ..] => 1,
                [b'*', b'/', ..] => -1,
                _ => 0,
            };
            depth += step;
            place += if step == 0 { 1 } else { 2 };
            if depth == 0 {
                return Some(place);
            }
        }
        return Some(text.len());
    }
    let raw = ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(content) = raw[hashes..].strip_prefix('"') {
            let close = format!("\"{}", &raw[..hashes]);
            let end = content.find(&close).map_or(content.len(), |end| end + close.len());
            return Some(text.len() - content.len() + end);
        }
    }
    let mut characters = text.char_indices();
    match characters.next()?.1 {
        '"' => loop {
            match characters.next() {
                Some((_, '\\')) => drop(characters.next()),
                Some((place, '"')) => return Some(place + 1),
                Some(_) => {}
                None => return Some(text.len()),
            }
        },
        '\'' => match (characters.next()?.1, characters.next()?) {
            ('\\', (escaped, _)) => text[escaped + 1..].find('\'').map(|end| escaped + 1 + end + 1),
            (_, (place, '\'')) => Some(place + 1),
            // A lifetime.
            _ => None,
        },
        _ => None,
    }
}

/// The tokens of a file, without comments and the contents of strings: names, `::` and single characters.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let len = if let Some(len) = skipped(rest) {
            rest = &rest[len..];
            continue;
        } else if is_name(first) {
            rest.find(|character| !is_name(character)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push(&rest[..len]);
        }
        rest = &rest[len..];
    }
    without_tests(&tokens)
}

/// Leaves out each item after `#[cfg(test)]`: tests may import anything.
fn without_tests<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if !tokens[at..].starts_with(&ATTRIBUTE) {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        at += ATTRIBUTE.len();
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            match *token {
                "{" | "(" | "[" => depth += 1,
                // The end of the block that the item is in.
                "}" | ")" | "]" if depth == 0 => break,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(*token, "}" | ";" | ",") {
                break;
            }
        }
    }
    kept
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The paths that a file imports or names, from the root of the crate, or what is refused.
fn imports(file: &str, text: &str, files: &Files) -> BTreeSet<Result<Vec<String>, String>> {
    let tokens = tokens(text);
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let module: Vec<&str> = path.split('/').filter(|_| file != "lib.rs").collect();
    let mut found = BTreeSet::new();
    // The open braces, those of `mod name {` with the name.
    let mut braces: Vec<Option<&str>> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map_or("", |before| tokens[before]);
        let next = tokens.get(at + 1).copied().unwrap_or_default();
        let is_use = tokens[at] == "use" && next != "<";
        let mut trees = Vec::new();
        match tokens[at] {
            "{" => braces.push(Some(before).filter(|_| at > 1 && tokens[at - 2] == "mod")),
            "}" => drop(braces.pop()),
            "crate" if before == "extern" && next == "self" => {
                found.insert(Err("extern crate self".to_owned()));
            }
            "use" if is_use => {
                at += 1;
                expand(&tokens, &mut at, &[], &mut trees);
            }
            name if next == "::"
                && name.starts_with(is_name)
                && !matches!(before, "::" | ".")
                && (before != "$" || name == "crate") =>
            {
                expand(&tokens, &mut at, &[], &mut trees);
            }
            _ => {}
        }
        if trees.is_empty() {
            at += 1;
        }
        let module = [module.as_slice(), &braces.iter().flatten().copied().collect::<Vec<_>>()].concat();
        for Tree { path, .. } in trees {
            found.extend(resolve(&path, &module, file, files));
        }
    }
    found
}

/// The path from the root of the crate of one that is written in `module`; none if it leads out of the crate.
fn resolve(path: &[&str], module: &[&str], file: &str, files: &Files) -> Option<Result<Vec<String>, String>> {
    let (first, mut rest) = path.split_first()?;
    let mut base = match *first {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module.split_last().map_or_else(Vec::new, |(_, parent)| parent.to_vec()),
        child => {
            let child = [module, &[child]].concat();
            module_file(&child, files)?;
            child
        }
    };
    while let Some(further) = rest.strip_prefix(&["super"]) {
        base.pop();
        rest = further;
    }
    base.extend(rest.iter().filter(|name| !matches!(**name, "self" | "*")));
    if base.is_empty() {
        return (file != "lib.rs").then(|| Err(format!("{}: imports the root of the crate", path.join("::"))));
    }
    Some(Ok(base.into_iter().map(str::to_owned).collect()))
}

/// A path of a use tree, with the name after `as`.
struct Tree<'a> {
    path: Vec<&'a str>,
    alias: Option<&'a str>,
}

/// Adds the paths of the use tree that begins at `at`, such as `a::b` or `a::{b, c::d}`, and moves `at` behind it.
fn expand<'a>(tokens: &[&'a str], at: &mut usize, base: &[&'a str], found: &mut Vec<Tree<'a>>) {
    let mut path = base.to_vec();
    while let Some(token) = tokens.get(*at) {
        match *token {
            "$" => *at += 1,
            "{" => {
                *at += 1;
                while tokens.get(*at).is_some_and(|token| *token != "}") {
                    let start = *at;
                    expand(tokens, at, &path, found);
                    if tokens.get(*at) == Some(&",") || *at == start {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            name if name == "*" || name.starts_with(is_name) => {
                path.push(name);
                *at += 1;
                if tokens.get(*at) != Some(&"::") {
                    break;
                }
                *at += 1;
            }
            _ => break,
        }
    }
    let alias = (tokens.get(*at) == Some(&"as")).then(|| tokens.get(*at + 1).copied()).flatten();
    *at += if alias.is_some() { 2 } else { 0 };
    if path.len() > base.len() {
        found.push(Tree { path, alias });
    }
}

/// The names that a file passes on by `pub use` without using them itself, each with its path.
fn passed_on(file: &str, files: &Files) -> BTreeMap<String, Vec<String>> {
    let tokens = tokens(&files[file]);
    let module: Vec<&str> = file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect();
    let mut trees = Vec::new();
    for at in (1..tokens.len()).filter(|&at| tokens[at] == "use" && matches!(tokens[at - 1], "pub" | ")")) {
        expand(&tokens, &mut (at + 1), &[], &mut trees);
    }
    let is_used = |name: &str| tokens.iter().filter(|token| **token == name).count() > 1;
    let named = trees.into_iter().filter_map(|Tree { path, .. }| {
        let name = path.last().filter(|name| !is_used(name))?;
        Some(((*name).to_owned(), resolve(&path, &module, file, files)?.ok()?))
    });
    named.collect()
}

/// The names that lib.rs gives to the crate's root, each with its path.
fn reexports(text: &str) -> BTreeMap<String, Vec<String>> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for start in (1..tokens.len()).filter(|&start| tokens[start - 1..].starts_with(&["pub", "use"])) {
        expand(&tokens, &mut (start + 1), &[], &mut found);
    }
    let owned = |path: Vec<&str>| path.into_iter().filter(|name| *name != "crate").map(str::to_owned).collect();
    let named = found.into_iter().filter_map(|Tree { path, alias }| Some(((alias.or(path.last().copied()))?, path)));
    named.map(|(name, path)| (name.to_owned(), owned(path))).collect()
}

fn module_file(path: &[impl AsRef<str>], files: &Files) -> Option<String> {
    let path = path.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("/");
    [format!("{path}.rs"), format!("{path}/mod.rs")].into_iter().find(|file| files.contains_key(file))
}

/// The file that a path leads into, and the path of its folder if the path is the module itself.
fn file_of(
    path: &[String],
    files: &Files,
    reexports: &BTreeMap<String, Vec<String>>,
) -> Option<(String, Option<String>)> {
    let prefixes = |path: &[String]| {
        let (len, file) = (1..=path.len()).rev().find_map(|len| Some((len, module_file(&path[..len], files)?)))?;
        Some((file, (len == path.len()).then(|| path.join("/"))))
    };
    prefixes(path).or_else(|| prefixes(reexports.get(path.first()?)?))
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
        // An item for tests ends where it ends.
        "#[cfg(test)]\nmod tests {}\nuse crate::room::Name;",
        "#[cfg(test)]\nuse std::fmt;\nuse crate::room::Name;",
        "mod inner {\n    #[cfg(test)]\n    mod tests {}\n    use crate::room::Name;\n}",
        // Comments and strings end where they end.
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
        // A whole module is all that is in it.
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
const WITHOUT_DEADLINE: [(&str, &str); 8] = [
    ("coverage/", "rustdoc may take longer than the deadline"),
    ("deadline/", "it defines the attribute"),
    ("fuzz.rs", "it runs many children, and each has a deadline"),
    ("guide_header.rs", "it tests values only"),
    ("mix/", "it runs many children, and each has a deadline"),
    ("options_fuzz.rs", "it runs many children, and each has a deadline"),
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
