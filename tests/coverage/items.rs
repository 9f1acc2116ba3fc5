//! The public items of this crate and their aliases, from rustdoc's JSON: macros are expanded, and the names are those that
//! programs use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::cargo::{cargo, run};

/// A public item that has an alias.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Its path after `zmq::`.
    pub path: String,
    /// Whether it is a free function. A module may have the same name.
    pub is_function: bool,
}

/// The public items, by the names under which a search finds them.
#[derive(Default)]
pub struct Public {
    /// For each alias, the items that have it.
    pub aliases: BTreeMap<String, BTreeSet<Item>>,
    /// The same for the items' own names.
    pub names: BTreeMap<String, BTreeSet<Item>>,
    /// The number of types, traits, functions, constants and macros. A module is a heading above them.
    pub items: usize,
    /// The number of functions of types and traits.
    pub methods: usize,
}

impl Public {
    /// The items that are found by this C name.
    pub fn find(&self, name: &str) -> BTreeSet<Item> {
        [&self.aliases, &self.names].into_iter().filter_map(|items| items.get(name)).flatten().cloned().collect()
    }
}

/// The public items of this crate, with the draft API or without it, and otherwise with the features of this test.
pub fn public(draft: bool) -> Public {
    let written = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("doc/zmq.json");
    // All runs write the same file, so they take turns, and the file of an earlier run is removed.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = std::fs::remove_file(&written);
    let rustdoc = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/coverage/rustdoc");
    let mut cargo = cargo("rustdoc", draft);
    cargo.args(["--quiet", "--lib", "--", "-Zunstable-options", "--output-format=json"]).env("RUSTDOC", rustdoc);
    run(cargo);
    let docs = std::fs::read_to_string(&written).unwrap_or_else(|error| panic!("{}: {error}", written.display()));
    public_of(&serde_json::from_str(&docs).unwrap())
}

fn public_of(docs: &Value) -> Public {
    let mut walk = Walk { index: &docs["index"], found: BTreeMap::new() };
    walk.items(&walk.item(&docs["root"])["inner"]["module"]["items"], "");
    let mut public = Public::default();
    for (item, own) in walk.found.into_values() {
        let inner = &own["inner"];
        if inner["function"].is_object() && !item.is_function {
            public.methods += 1;
        } else if !["module", "variant", "struct_field", "assoc_const", "assoc_type"]
            .iter()
            .any(|part| !inner[part].is_null())
        {
            public.items += 1;
        }
        let name = item.path.rsplit("::").next().unwrap_or_default();
        public.names.entry(name.to_owned()).or_default().insert(item.clone());
        for alias in attributes(own).flat_map(quoted) {
            public.aliases.entry(alias.to_owned()).or_default().insert(item.clone());
        }
    }
    let format = &docs["format_version"];
    assert!(!public.aliases.is_empty(), "rustdoc writes its JSON in format {format}, which is not understood");
    public
}

struct Walk<'a> {
    index: &'a Value,
    /// For each id the item and its entry in the index. An item that is exported in several places has the shortest path.
    found: BTreeMap<String, (Item, &'a Value)>,
}

impl<'a> Walk<'a> {
    /// The entry of an item, or null if the item belongs to another crate.
    fn item(&self, id: &Value) -> &'a Value {
        &self.index[id.to_string().trim_matches('"')]
    }

    /// Visits the items of the module, or the members of the type, that has this path.
    fn items(&mut self, ids: &Value, path: &str) {
        for id in ids.as_array().into_iter().flatten() {
            let item = self.item(id);
            let reexport = &item["inner"]["use"];
            if reexport["is_glob"] == true {
                let of = &self.item(&reexport["id"])["inner"];
                self.items(&of["module"]["items"], path);
                self.items(&of["enum"]["variants"], path);
            } else if reexport.is_object() {
                self.named(&reexport["id"], &reexport["name"], path);
            } else {
                self.named(id, &item["name"], path);
            }
        }
    }

    fn named(&mut self, id: &Value, name: &Value, parent: &str) {
        let item = self.item(id);
        let inner = &item["inner"];
        if inner["impl"]["trait"].is_null() {
            self.items(&inner["impl"]["items"], parent);
        }
        let Some(name) = name.as_str().filter(|_| item.is_object()) else { return };
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}::{name}") };
        for parts in [&inner["module"]["items"], &inner["trait"]["items"], &inner["struct"]["impls"]] {
            self.items(parts, &path);
        }
        for parts in [&inner["enum"]["impls"], &inner["enum"]["variants"]] {
            self.items(parts, &path);
        }
        self.items(&inner["struct"]["kind"]["plain"]["fields"], &path);
        self.items(&inner["variant"]["kind"]["struct"]["fields"], &path);

        let length = |path: &str| (path.matches("::").count(), path.len());
        let is_function = inner["function"].is_object() && parent.chars().all(|letter| !letter.is_uppercase());
        let known = self.found.entry(id.to_string()).or_insert((Item { path: path.clone(), is_function }, item));
        if length(&path) < length(&known.0.path) {
            known.0.path = path;
        }
    }
}

/// The item's `doc(alias)` attributes. Older formats have them as texts, newer ones as texts of an `other` attribute.
fn attributes(item: &Value) -> impl Iterator<Item = &str> {
    let attributes = item["attrs"].as_array().into_iter().flatten();
    let texts = attributes.filter_map(|attribute| attribute["other"].as_str().or(attribute.as_str()));
    texts.filter(|text| text.contains("doc(alias"))
}

/// The texts in quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

#[test]
fn items_are_found_where_they_are_exported() {
    let function = |name: &str, alias: &str| {
        serde_json::json!({
            "name": name, "attrs": [{"other": format!("#[doc(alias = \"{alias}\")]")}], "inner": {"function": {}}
        })
    };
    let docs = serde_json::json!({
        "root": 0,
        "index": {
            "0": {"name": "zmq", "attrs": [], "inner": {"module": {"items": [1, 2, 3, 99]}}},
            "1": {"name": null, "attrs": [], "inner": {"use": {"name": "Renamed", "id": 4, "is_glob": false}}},
            "2": {"name": null, "attrs": [], "inner": {"use": {"name": "hidden", "id": 8, "is_glob": true}}},
            "3": {"name": "open", "attrs": [], "inner": {"module": {"items": [7]}}},
            "4": {
                "name": "Type", "attrs": ["#[doc(alias(\"zmq_old\", \"zmq_older\"))]", "#[must_use]"],
                "inner": {"struct": {"impls": [5, 6], "kind": {"plain": {"fields": []}}}}
            },
            "5": {"name": null, "attrs": [], "inner": {"impl": {"trait": null, "items": [12]}}},
            "6": {"name": null, "attrs": [], "inner": {"impl": {"trait": {"path": "Clone"}, "items": [9]}}},
            "7": function("call", "zmq_call"),
            "8": {"name": "hidden", "attrs": [], "inner": {"module": {"items": [10, 7]}}},
            "9": function("clone", "zmq_not"),
            "10": {"name": "Choice", "attrs": [], "inner": {"enum": {"impls": [], "variants": [11]}}},
            "11": {"name": "One", "attrs": [{"other": "#[doc(alias = \"ZMQ_ONE\")]"}], "inner": {"variant": {}}},
            "12": function("method", "zmq_call"),
        }
    });
    let public = public_of(&docs);
    let items = |(alias, items): (&String, &BTreeSet<Item>)| {
        items.iter().map(|item| format!("{alias}: {} {}", item.path, item.is_function)).collect::<Vec<_>>()
    };
    let found: Vec<_> = public.aliases.iter().flat_map(items).collect();
    assert_eq!(
        found,
        [
            "ZMQ_ONE: Choice::One false",
            "zmq_call: Renamed::method false",
            "zmq_call: call true",
            "zmq_old: Renamed false",
            "zmq_older: Renamed false"
        ]
    );
    assert_eq!(public.find("Renamed"), public.find("zmq_old"));
    // A renamed struct, a function of a module and an enum; the method of the struct.
    assert_eq!((public.items, public.methods), (3, 1));
    assert!(public.find("clone").is_empty() && public.find("Type").is_empty());
}
