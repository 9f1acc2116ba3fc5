//! The source of a guide program uses the files that its header names, and sends texts in one way.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

use crate::header::Header;

/// Checks the source of a program against its header.
pub fn check(program: &Header) -> Result<(), String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let source = read(&directory.join(format!("{}.rs", program.name)));
    let used = used_files(&directory, &source);
    let named: BTreeSet<String> = program.other_files.iter().cloned().collect();
    if used != named {
        return Err(format!("{} uses {used:?}, and its header names {named:?}", program.name));
    }
    check_features(program)?;
    check_texts(program, &source)
}

/// Checks that Cargo.toml requires the features that the header names: without them, Cargo does not build the program.
fn check_features(program: &Header) -> Result<(), String> {
    let manifest = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let entry = format!("[[example]]\nname = \"{}\"\nrequired-features = [", program.name);
    let required = manifest.split_once(&entry).and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    let required: Vec<&str> = required.split('"').skip(1).step_by(2).collect();
    if required == program.features {
        return Ok(());
    }
    Err(format!("Cargo.toml requires {required:?} for {}, and its header {:?}", program.name, program.features))
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The files of `common` that a program uses, itself or through another of them.
fn used_files(directory: &Path, source: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    if !source.lines().any(|line| line == "mod common;") {
        return used;
    }
    used.insert("common/mod.rs".to_owned());
    let shared: Vec<String> = directory
        .join("common")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "mod")
        .collect();
    let mut left = vec![("common", source.to_owned())];
    while let Some((path, text)) = left.pop() {
        for name in &shared {
            let file = format!("common/{name}.rs");
            let uses = Regex::new(&format!(r"\b{path}::(\{{[^}}]*\b)?{name}\b")).unwrap();
            // `common/mod.rs` does not include a file whose crates few programs need.
            let includes = text.contains(&format!("\n#[path = \"{file}\"]\n"));
            if (uses.is_match(&text) || includes) && !used.contains(&file) {
                left.push(("(?:super|common)", read(&directory.join(&file))));
                used.insert(file);
            }
        }
    }
    used
}

/// Ports of C programs send texts as C does, with `s_send` and `s_sendmore`, except those that must not wait. Programs for async
/// runtimes, and programs without an original, show what the sockets themselves do.
fn check_texts(program: &Header, source: &str) -> Result<(), String> {
    let wrong = match program.original {
        Some(_) if program.features.is_empty() => r#"[^)]\.send(_more)?\((&format!\(|format!\(|")"#,
        _ => r"\bs_(send|sendmore|recv)\b",
    };
    match Regex::new(wrong).unwrap().find(source) {
        None => Ok(()),
        Some(found) => Err(format!("{} has {:?}: see examples/README.md on texts", program.name, found.as_str())),
    }
}
