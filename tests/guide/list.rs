//! The list of the guide's programs and classes, `programs.tsv`, and of its sections, `sections.tsv`: facts against which
//! `examples/` and the libraries are held.

use std::path::Path;

use crate::header::Header;
use crate::run::Programs;

const PROGRAMS: &str = include_str!("programs.tsv");
const SECTIONS: &str = include_str!("sections.tsv");

/// A program or a class of the guide, or of an older edition.
#[derive(Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    chapter: u32,
    section: &'static str,
    /// The file of a class, and a word that is in it.
    place: Option<(&'static str, &'static str)>,
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
    rows(PROGRAMS).map(|[name, kind, chapter, section, place]| {
        let place = place.split_once(' ');
        assert_eq!(place.is_some(), kind == "class", "{name}");
        Entry { name, chapter: chapter.parse().unwrap(), section, place }
    })
}

/// The programs of the guide and of its older editions, in the order for reading.
pub fn programs() -> impl Iterator<Item = Entry> {
    entries().filter(|entry| entry.place.is_none())
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

/// Checks that each program and class of the list is there, and that each port is in the list with its chapter and section.
pub fn check(root: &Path, programs: &Programs) -> Result<(), String> {
    let mut faults = Vec::new();
    for entry in entries() {
        let is_there = match entry.place {
            None => programs.contains_key(entry.name),
            Some((file, word)) => std::fs::read_to_string(root.join(file)).is_ok_and(|text| text.contains(word)),
        };
        if !is_there {
            faults.push(format!("{} is missing", entry.name));
        }
        if !sections().any(|section| section.chapter == entry.chapter && section.title == entry.section) {
            faults.push(format!("sections.tsv has no section {:?}", entry.section));
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
