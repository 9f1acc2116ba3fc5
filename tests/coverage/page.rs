//! The page of the documentation that leads from C names to Rust items.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::header::{Declared, is_error};
use crate::items::{Item, Public};
use crate::{C_ALONE, NOTES, OF_TRAITS, STD};

/// The functions that serve every option. An item with the alias of an option's constant too is in the constant's row only.
const FOR_OPTIONS: &[&str] = &["zmq_getsockopt", "zmq_setsockopt", "zmq_ctx_get", "zmq_ctx_set"];

/// The rows of the table: for each C name its cells, in order.
pub type Rows = BTreeMap<String, Vec<String>>;

/// The rows for the items of this build.
pub fn rows(public: &Public, header: &Declared) -> Rows {
    let declared = || header.stable.iter().chain(&header.draft);
    let errors = public.names.keys().filter(|name| is_error(name));
    let names: BTreeSet<_> = declared().chain(public.aliases.keys()).chain(errors).collect();
    let options: BTreeSet<_> =
        declared().filter(|name| name.starts_with("ZMQ_")).flat_map(|name| public.find(name)).collect();

    let mut rows = Rows::new();
    for name in names {
        let by_its_name = header.declares(name) || is_error(name);
        let mut items = if by_its_name { public.find(name) } else { public.aliases[name].clone() };
        let mut cells = Vec::new();
        if FOR_OPTIONS.contains(&name.as_str()) {
            items.retain(|item| !options.contains(item));
            cells.push("methods of each option: see its constant".to_owned());
        }
        // A getter stands before its setter.
        let mut items: Vec<_> = items.into_iter().collect();
        items.sort_by_key(|item| (item.path.replace("set_", ""), item.path.clone()));
        let of_trait = OF_TRAITS.iter().filter(|(of_trait, _)| of_trait == name).map(|(_, item)| (*item).to_owned());
        cells.extend(of_trait);
        if !cells.is_empty() {
            // The method says more than its type does.
            items.retain(|item| item.path != "Message");
        }
        cells.extend(items.iter().map(link));
        if !cells.is_empty() {
            rows.insert(name.clone(), cells);
        }
    }
    for (name, instead) in STD.iter().flat_map(|(names, _)| *names) {
        rows.insert((*name).to_owned(), vec![(*instead).to_owned()]);
    }
    for (names, why) in C_ALONE {
        for name in names.iter().filter(|name| header.declares(name)) {
            rows.insert((*name).to_owned(), vec![format!("nothing: {why}")]);
        }
    }
    for (name, note) in NOTES {
        if let Some(cells) = rows.get_mut(*name) {
            cells.push((*note).to_owned());
        }
    }
    rows
}

/// The rows that a written page lacks.
pub fn missing_on(page: &str, mut rows: Rows) -> Rows {
    for line in page.lines() {
        let name = line.trim_start_matches("| `").split('`').next().unwrap_or_default();
        if let Some(cells) = rows.get_mut(name) {
            cells.retain(|cell| !line.contains(cell));
        }
    }
    rows.retain(|_, cells| !cells.is_empty());
    rows
}

fn link(item: &Item) -> String {
    let disambiguator = if item.is_function { "fn@" } else { "" };
    format!("[`{path}`]({disambiguator}crate::{path})", path = item.path)
}

/// The title for the names that `zmq.h` does not declare.
const ELSEWHERE: &str = "Of rust-zmq, zhelpers.h and czmq, if the name differs";

fn section(name: &str, header: &Declared) -> &'static str {
    if is_error(name) {
        return "Error numbers";
    }
    match (header.declares(name), name.starts_with("zmq_")) {
        (true, true) => "Functions",
        (true, false) => "Constants",
        (false, true) => "Types",
        (false, false) => ELSEWHERE,
    }
}

/// The rows as the text of a page.
pub fn written(rows: &Rows, header: &Declared, draft: bool) -> String {
    let mut text =
        "<!-- Made by tests/coverage; `ZMQ_BLESS=1 cargo test --test coverage` writes it anew. -->\n".to_owned();
    for title in ["Functions", "Constants", "Error numbers", "Types", ELSEWHERE] {
        let mut of_section = rows.iter().filter(|(name, _)| section(name, header) == title).peekable();
        if of_section.peek().is_none() {
            continue;
        }
        let with = if draft { ", with the draft API" } else { "" };
        let _ = write!(text, "\n## {title}{with}\n\n| C | Rust |\n| --- | --- |\n");
        for (name, cells) in of_section {
            let _ = writeln!(text, "| `{name}` | {} |", cells.join(", "));
        }
    }
    if !draft {
        text.push_str("\n## Why the standard library\n\n");
        for (names, why) in STD {
            let names: Vec<_> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
            let _ = writeln!(text, "- {}: {why}.", names.join(", "));
        }
    }
    text
}

#[test]
fn missing_on_returns_only_what_the_page_lacks() {
    let rows = |rows: &[(&str, &[&str])]| -> Rows {
        rows.iter()
            .map(|(name, cells)| ((*name).to_owned(), cells.iter().map(|cell| (*cell).to_owned()).collect()))
            .collect()
    };
    let stable =
        rows(&[("zmq_both", &["[`a`](crate::a)", "a note, with a comma"]), ("zmq_stable", &["[`b`](crate::b)"])]);
    let all = rows(&[
        ("zmq_both", &["[`a`](crate::a)", "[`a::c`](crate::a::c)", "a note, with a comma"]),
        ("zmq_draft", &["[`b`](crate::b)"]),
        ("zmq_stable", &["[`b`](crate::b)"]),
    ]);
    let header = Declared { stable: stable.keys().cloned().collect(), draft: BTreeSet::from(["zmq_draft".to_owned()]) };
    let added = missing_on(&written(&stable, &header, false), all);
    assert_eq!(added, rows(&[("zmq_both", &["[`a::c`](crate::a::c)"]), ("zmq_draft", &["[`b`](crate::b)"])]));
}
