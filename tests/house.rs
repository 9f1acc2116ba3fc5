//! Imports go down: the table of floors in CONTRIBUTING.md, held against the `use` lines and paths of src/.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms of src/ with their floors, and the imports that are allowed although they go up.
struct House {
    /// A room is a file (`error.rs`) or a folder (`raw/`); of two that fit a file, the longer one counts.
    rooms: BTreeMap<String, u32>,
    /// The importing file, and the room that it imports from.
    exceptions: BTreeSet<(String, String)>,
}

impl House {
    /// Reads the tables: `| floor | rooms |` and `| file | imports from | reason |`.
    fn read(text: &str) -> House {
        let (mut rooms, mut exceptions) = (BTreeMap::new(), BTreeSet::new());
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
                [file, imported, reason] => {
                    for room in quoted(imported) {
                        assert!(!reason.is_empty(), "{line}: no reason");
                        exceptions.extend(quoted(file).into_iter().map(|file| (file, room.clone())));
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

    /// What is wrong with the imports of these files, a line each.
    fn faults(&self, files: &BTreeMap<String, String>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut unused = self.exceptions.clone();
        let reexports = files.get("lib.rs").map(|text| reexports(text)).unwrap_or_default();
        for (file, text) in files {
            let Some((room, floor)) = self.room(file) else {
                faults.push(format!("{file}: is in no room of the table of floors"));
                continue;
            };
            for path in imports(file, text) {
                // `super` in a module inside the file leads less far up than in the file.
                let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
                let nested = folder.split('/').map(str::to_owned).chain(path.clone()).collect::<Vec<_>>();
                let imported = file_of(&path, files, &reexports).or_else(|| file_of(&nested, files, &reexports));
                let Some(imported) = imported else {
                    faults.push(format!("{file}: crate::{} is no file of src/", path.join("::")));
                    continue;
                };
                let Some((other, below)) = self.room(&imported) else { continue };
                if other == room || below < floor || unused.remove(&(file.clone(), other.to_owned())) {
                    continue;
                }
                if !self.exceptions.contains(&(file.clone(), other.to_owned())) {
                    faults.push(format!(
                        "{file} (floor {floor}): imports {} from {other} (floor {below})",
                        path.join("::")
                    ));
                }
            }
        }
        faults.extend(unused.iter().map(|(file, room)| format!("{file}: the exception for {room} is not needed")));
        faults
    }
}

/// The code of a file without its comments and its tests, which may import anything.
fn code(text: &str) -> String {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    lines.map(|line| line.split("//").next().unwrap_or_default()).fold(String::new(), |code, line| code + line + "\n")
}

/// The paths that a file imports or names, from the root of the crate.
fn imports(file: &str, text: &str) -> BTreeSet<Vec<String>> {
    let code = code(text);
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let module: Vec<String> = path.split('/').map(str::to_owned).collect();
    let mut found = BTreeSet::new();
    for (start, root) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        // `super::super::` is seen at its first `super`.
        if code[..start].ends_with("super::") || code[..start].ends_with(is_name) {
            continue;
        }
        let mut base: Vec<String> = Vec::new();
        let mut rest = &code[start + root.len()..];
        if root == "super::" {
            // In a module inside the file, `super` is the file.
            let line = code[..start].rsplit('\n').next().unwrap_or_default();
            let is_nested = line.starts_with(' ') && line.trim_start().contains("use ");
            base = module[..module.len() - usize::from(!is_nested)].to_vec();
            while let Some(further) = rest.strip_prefix("super::") {
                base.pop();
                rest = further;
            }
        }
        expand(&base, rest, &mut found);
    }
    found
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Adds the paths of a use tree that begins `text`: `a::b`, `a::{b, c::d}`.
fn expand(base: &[String], text: &str, found: &mut BTreeSet<Vec<String>>) {
    if let Some(group) = text.strip_prefix('{') {
        let (mut depth, mut start) = (0, 0);
        for (place, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                ',' | '}' if depth == 0 => {
                    expand(base, group[start..place].trim(), found);
                    start = place + 1;
                    if character == '}' {
                        return;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        return;
    }
    let end = text.find(|character| !is_name(character)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut path = base.to_vec();
    if !name.is_empty() && name != "self" {
        path.push(name.to_owned());
    }
    match rest.strip_prefix("::") {
        Some(further) if further.starts_with(|first| is_name(first) || first == '{') => expand(&path, further, found),
        _ if path.is_empty() => {}
        _ => drop(found.insert(path)),
    }
}

/// The names that lib.rs gives to the crate's root, each with its path.
fn reexports(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut names = BTreeMap::new();
    for (start, word) in code(text).match_indices("pub use ") {
        let mut found = BTreeSet::new();
        expand(&[], &code(text)[start + word.len()..], &mut found);
        names.extend(found.into_iter().filter_map(|path| Some((path.last()?.clone(), path))));
    }
    names
}

/// The file that a path leads into.
fn file_of(
    path: &[String],
    files: &BTreeMap<String, String>,
    reexports: &BTreeMap<String, Vec<String>>,
) -> Option<String> {
    let file = |path: &[String]| {
        let path = path.join("/");
        [format!("{path}.rs"), format!("{path}/mod.rs")].into_iter().find(|file| files.contains_key(file))
    };
    let prefixes = |path: &[String]| (1..=path.len()).rev().find_map(|len| file(&path[..len]));
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
}

#[deadline::test]
fn imports_that_go_up_are_found_however_they_are_written() {
    let text = "# Title\n\n## Floors\n\n| floor | rooms |\n| --- | --- |\n| 1 | `low.rs`, `beside.rs` |\n\
                | 2 | `room/low.rs` |\n| 3 | `room/` |\n| 4 | `lib.rs` |\n\n\
                | file | imports from | reason |\n| --- | --- | --- |\n| `beside.rs` | `room/` | it must |\n\n## Next\n";
    let house = House::read(text);
    let faults = |low: &str| {
        let files = [
            ("lib.rs", "mod low;\npub use room::Name;\n"),
            ("low.rs", low),
            ("beside.rs", "use crate::room::Name;\n"),
            ("room/mod.rs", "mod low;\nuse crate::low::Thing;\nuse low::Part;\n"),
            ("room/low.rs", "use super::super::low::Thing;\n"),
        ];
        house.faults(&files.map(|(name, text)| (name.to_owned(), text.to_owned())).into())
    };
    for good in [
        "",
        "use std::fmt;",
        "// crate::room::Name",
        "/// [`crate::room::Name`]",
        "#[cfg(test)]\nmod tests {\n    use crate::room::Name;\n}",
    ] {
        assert_eq!(faults(good), [""; 0], "{good}");
    }
    for bad in [
        "use crate::room::Name;",
        "pub(crate) use crate::{room::{Name, Other}};",
        "use crate::{\n    room::Name,\n};",
        "use super::room::Name;",
        "fn name() -> crate::room::Name {}",
        "use crate::Name;",
        "macro_rules! name { () => { $crate::room::Name }; }",
        "use crate::beside::Thing;",
        "use crate::room::low::Part;",
        "use crate::nowhere::Thing;",
    ] {
        assert!(!faults(bad).is_empty(), "{bad}");
    }
    // An exception that is not needed any more has to go.
    let house = House::read(&text.replace("`beside.rs` | `room/`", "`low.rs` | `room/`"));
    let files = [("low.rs", ""), ("beside.rs", ""), ("room/mod.rs", ""), ("room/low.rs", ""), ("lib.rs", "")];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    assert_eq!(house.faults(&files), ["low.rs: the exception for room/ is not needed"]);
}
