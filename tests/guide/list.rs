//! The list of the guide's programs and classes, `programs.tsv`, of what each class has in C, `classes.tsv`, and of the guide's
//! sections, `sections.tsv`: facts against which `examples/` and the libraries are held.

use std::path::Path;

use crate::header::Header;
use crate::run::Programs;

const PROGRAMS: &str = include_str!("programs.tsv");
const CLASSES: &str = include_str!("classes.tsv");
const SECTIONS: &str = include_str!("sections.tsv");

/// A program or a class of the guide, or of an older edition.
#[derive(Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    chapter: u32,
    section: &'static str,
    is_class: bool,
}

/// A type, a function or a constant of a class in C, and its counterpart here. A destructor has none: values are dropped.
/// Nor has a copy if `Clone` is derived.
struct Item {
    class: &'static str,
    name: &'static str,
    file: &'static str,
    /// The first line of the block with the definition: it ends before a line `}`. Without a block the definition is in none.
    block: Option<&'static str>,
    /// The beginning of the line with the definition.
    definition: &'static str,
}

impl Item {
    /// Whether the definition is in this text of the file.
    fn is_in(&self, text: &str) -> bool {
        let begins = |line: &str| {
            let rest = line.strip_prefix(self.definition);
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
        };
        let Some(block) = self.block else { return text.lines().any(begins) };
        let mut is_inside = false;
        text.lines().any(|line| {
            is_inside = line == block || is_inside && line != "}";
            is_inside && begins(line.trim_start())
        })
    }
}

/// A section of the guide.
pub struct Section {
    chapter: u32,
    pub title: &'static str,
    pub in_chinese: &'static str,
}

/// The lines of a list, without its head.
fn rows<const N: usize>(list: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    list.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        columns.try_into().unwrap_or_else(|_| panic!("{line:?} has not {N} columns"))
    })
}

fn entries() -> impl Iterator<Item = Entry> {
    rows(PROGRAMS).map(|[name, kind, chapter, section]| {
        assert!(["class", "program"].contains(&kind), "{name} is a {kind}");
        Entry { name, chapter: chapter.parse().unwrap(), section, is_class: kind == "class" }
    })
}

fn items() -> impl Iterator<Item = Item> {
    rows(CLASSES).map(|[class, name, file, block, definition]| {
        let block = (block != "-").then_some(block);
        Item { class, name, file, block, definition }
    })
}

/// The programs of the guide and of its older editions, in the order for reading.
pub fn programs() -> impl Iterator<Item = Entry> {
    entries().filter(|entry| !entry.is_class)
}

fn sections() -> impl Iterator<Item = Section> {
    rows(SECTIONS).map(|[chapter, title, in_chinese, _translated_by]| {
        assert!(!in_chinese.is_ascii(), "{title}");
        Section { chapter: chapter.parse().unwrap(), title, in_chinese }
    })
}

/// The section of a program, by the title in its header. Words in parentheses may follow the title there.
pub fn section(program: &Header) -> Option<Section> {
    let is_of_program = |section: &Section| {
        let rest = program.section.strip_prefix(section.title);
        program.chapter == Some(section.chapter) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
    };
    sections().find(is_of_program)
}

/// Checks that each program of the list and each item of its classes is there, and that each port is in the list with its chapter and section.
pub fn check(root: &Path, programs: &Programs) -> Result<(), String> {
    let mut faults = Vec::new();
    for entry in entries() {
        let is_there = match entry.is_class {
            false => programs.contains_key(entry.name),
            true => items().any(|item| item.class == entry.name),
        };
        if !is_there {
            faults.push(format!("{} is missing", entry.name));
        }
        if !sections().any(|section| section.chapter == entry.chapter && section.title == entry.section) {
            faults.push(format!("sections.tsv has no section {:?}", entry.section));
        }
    }
    for item in items() {
        let Item { class, name, file, definition, .. } = item;
        if !entries().any(|entry| entry.is_class && entry.name == class) {
            faults.push(format!("programs.tsv has no class {class}"));
        }
        if !std::fs::read_to_string(root.join(file)).is_ok_and(|text| item.is_in(&text)) {
            faults.push(format!("{name} of {class} is missing: {file} has no `{definition}`"));
        }
    }
    // Programs with features are further ports, to async runtimes.
    for program in programs.values().filter(|program| program.original.is_some() && program.features.is_empty()) {
        let entry = self::programs().find(|entry| entry.name == program.name);
        let section = section(program);
        let fits = entry
            .zip(section)
            .is_some_and(|(entry, section)| entry.chapter == section.chapter && entry.section == section.title);
        if !fits {
            faults.push(format!("{} has another chapter or section than programs.tsv, or is not there", program.name));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}
