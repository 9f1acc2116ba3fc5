//! The documents that say what holds name its proof: tests, patches, functions and public items. All of these exist.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The documents, and whether each row of their tables must have a test.
const DOCUMENTS: [(&str, bool); 3] = [("docs/ASSERTIONS.md", false), ("docs/TRAPS.md", true), ("SECURITY.md", true)];

/// The columns whose content is checked. In other columns there are names and numbers of libzmq.
const PREVENTIONS: [&str; 3] = ["what prevents it", "what holds", "limit"];
const TEST: &str = "test";

/// The files of the repository in which claims are looked up, by their paths.
struct Repository(BTreeMap<String, String>);

impl Repository {
    fn read() -> Repository {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = BTreeMap::new();
        for folder in ["src", "patterns", "tests", "libzmq-vendor/src", "libzmq-vendor/patches", "libzmq-vendor/tests"]
        {
            read_folder(&root.join(folder), &format!("{folder}/"), &mut files);
        }
        Repository(files)
    }

    /// The text of a file. The path begins with a folder of [`Repository::read`], or is relative to `tests/`.
    fn file(&self, path: &str) -> Option<&str> {
        self.0.get(path).or_else(|| self.0.get(&format!("tests/{path}"))).map(String::as_str)
    }

    fn has_patch(&self, number: &str) -> bool {
        let start = format!("libzmq-vendor/patches/{number}-");
        self.0.keys().any(|path| path.starts_with(&start))
    }

    /// Whether there is an item `owner::name`: the owner is declared, and a file that speaks of it declares the name. Options
    /// are declared by rows of tables. All files are in the crate `zmq`.
    fn has_item(&self, owner: &str, name: &str) -> bool {
        let code = || {
            let is_code = |path: &str| path.starts_with("src/") || path.starts_with("patterns/src/");
            self.0.iter().filter(move |(path, _)| is_code(path) && path.ends_with(".rs")).map(|(_, text)| text)
        };
        (owner == "zmq" || code().any(|text| declares(text, owner)))
            && code().any(|text| text.contains(owner) && declares(text, name))
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), files);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            files.insert(path, text);
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Whether the text declares a function, type or module of this name, a variant at the beginning of a line, or a method of
/// an option, which is in brackets.
fn declares(text: &str, name: &str) -> bool {
    let keywords = ["fn", "struct", "enum", "trait", "type", "mod"];
    let qualifiers = ["", "pub", "crate", "super", "const", "unsafe", "async"];
    let lines = if text.contains(name) { text } else { "" }.lines();
    lines.filter(|line| line.contains(name) && !line.trim_start().starts_with("//")).any(|line| {
        let mut names = words(line).filter(|word| !qualifiers.contains(word));
        let first = names.next();
        let declared = if first.is_some_and(|first| keywords.contains(&first)) { names.next() } else { first };
        declared == Some(name) || line.contains("] [") && line.contains(&format!("[{name}]"))
    })
}

/// Whether the text has a test function of this name.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let function = format!("fn {name}(");
    lines.iter().enumerate().filter(|(_, line)| line.starts_with(&function)).any(|(at, _)| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[deadline::test"))
    })
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The rows of the tables of a document: the cells by the titles of their columns.
fn rows(document: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut titles: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for line in document.lines() {
        let Some(cells) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            titles.clear();
            continue;
        };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        if titles.is_empty() {
            titles = cells;
        } else if !cells.iter().all(|cell| cell.starts_with("---")) {
            rows.push(titles.iter().copied().zip(cells).collect());
        }
    }
    rows
}

/// The faults of the claims of a document, a line each.
fn faults(repository: &Repository, document: &str, each_row_has_a_test: bool) -> Vec<String> {
    let mut faults = Vec::new();
    for row in rows(document) {
        let mut named = 0;
        for (title, cell) in &row {
            match *title {
                TEST => {
                    named = quoted(cell).filter(|name| !name.ends_with(".rs") || name.starts_with("ui/")).count();
                    faults.extend(faults_of_tests(repository, cell));
                }
                title if PREVENTIONS.contains(&title) => faults.extend(faults_of_prevention(repository, cell)),
                _ => {}
            }
        }
        if each_row_has_a_test && row.contains_key(TEST) && named == 0 {
            faults.push(format!("no test: {row:?}"));
        }
    }
    for name in quoted(document) {
        let path: Vec<&str> = name.split("::").collect();
        // Others are C++'s and the standard library's.
        let is_ours = !path.iter().any(|part| part.ends_with("_t") || *part == "std");
        if let [.., owner, item] = path[..]
            && is_ours
            && path.iter().all(|part| !part.is_empty() && words(part).count() == 1)
            && !repository.has_item(owner, item)
        {
            faults.push(format!("{name}: no such item"));
        }
    }
    faults
}

/// A file, and then functions of it. The files of `ui/` are programs that must not compile, and have no functions.
fn faults_of_tests(repository: &Repository, cell: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut file = None;
    for name in quoted(cell) {
        if name.ends_with(".rs") {
            file = repository.file(name).map(|text| (name, text));
            let output = name.strip_suffix("rs").filter(|_| name.starts_with("ui/"));
            if file.is_none() || output.is_some_and(|name| repository.file(&format!("{name}stderr")).is_none()) {
                faults.push(format!("{name}: no such test"));
            }
        } else if let Some((path, text)) = file {
            if !has_test(text, name) {
                faults.push(format!("{path}: has no test {name}"));
            }
        } else {
            faults.push(format!("{name}: in which file?"));
        }
    }
    faults
}

/// Patches by their numbers, and functions as `` `name` in `src/file.rs` ``.
fn faults_of_prevention(repository: &Repository, cell: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for number in words(cell).filter(|word| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit())) {
        if !repository.has_patch(number) {
            faults.push(format!("{number}: no such patch"));
        }
    }
    let places = cell.split("` in `").collect::<Vec<_>>();
    for pair in places.windows(2) {
        let (name, path) = (pair[0].rsplit('`').next().unwrap(), pair[1].split('`').next().unwrap());
        if !repository.file(path).is_some_and(|text| declares(text, name)) {
            faults.push(format!("{path}: has no {name}"));
        }
    }
    for path in quoted(cell).filter(|name| name.ends_with(".rs") && repository.file(name).is_none()) {
        faults.push(format!("{path}: no such file"));
    }
    faults
}

#[deadline::test]
fn documents_name_tests_patches_and_items_that_exist() {
    let repository = Repository::read();
    let mut found = Vec::new();
    for (path, each_row_has_a_test) in DOCUMENTS {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let claims = rows(&text).iter().filter(|row| row.contains_key(TEST)).count();
        assert!(claims > 10, "{path}: has {claims} rows with a test");
        found.extend(faults(&repository, &text, each_row_has_a_test).iter().map(|fault| format!("{path}: {fault}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The faults of a table of one row.
fn faults_of_row(repository: &Repository, prevention: &str, test: &str) -> Vec<String> {
    let titles = format!("| trap | {} | {TEST} |", PREVENTIONS[0]);
    let document = format!("{titles}\n| --- | --- | --- |\n| x | {prevention} | {test} |\n");
    faults(repository, &document, true)
}

#[deadline::test]
fn claims_of_what_does_not_exist_are_faults() {
    let repository = Repository::read();
    const OWN: &str = "`claims.rs` `claims_of_what_does_not_exist_are_faults`";
    for good in [
        "0001, and 1044",
        "`Socket::bind` refuses it",
        "`Socket::set_linger` and `Context::set_io_threads`",
        "`Event::ConnectRetried`, `monitor::Options`, `zmq::poll`",
        "`check_bind` in `src/endpoint.rs`",
        "`a row without a colon`, at most 65536",
    ] {
        assert_eq!(faults_of_row(&repository, good, OWN), [""; 0], "{good}");
    }
    for bad in [
        "9999",
        "`Socket::bnd`",
        "`Sokcet::bind`",
        "`Socket::set_lingers`",
        "`check_bnd` in `src/endpoint.rs`",
        "`check_bind` in `src/endpoints.rs`",
    ] {
        assert_ne!(faults_of_row(&repository, bad, OWN), [""; 0], "{bad}");
    }
    for good in [
        "`endpoints.rs` `pair_refuses_a_second_peer`, `lost_connection_is_made_again`; `ui/socket_of_no_kind.rs`",
        "`patterns/tests/actor.rs` `actor_ends_with_its_context`",
        "`libzmq-vendor/src/tests.rs` `features_define_their_macros`",
    ] {
        assert_eq!(faults_of_row(&repository, "", good), [""; 0], "{good}");
    }
    for bad in [
        "",
        "`endpoints.rs`",
        "`endpoints.rs` `pair_refuses_a_third_peer`",
        "`no_file.rs` `pair_refuses_a_second_peer`",
        "`pair_refuses_a_second_peer`",
        "`ui/no_program.rs`",
        // A function, and no test.
        "`claims.rs` `faults_of_row`",
    ] {
        assert_ne!(faults_of_row(&repository, "", bad), [""; 0], "{bad}");
    }
}
