//! Each name that `zmq.h` declares is in the documentation, or listed here with the reason why not. The page
//! `zmq::c_names`, which lists all names, is up to date: `ZMQ_BLESS=1 cargo test --test coverage` writes it. The numbers of
//! public items and methods are at most those recorded here.

#[path = "../common/cargo.rs"]
mod cargo;
mod header;
mod items;
mod page;
#[path = "../common/zmq_h.rs"]
mod zmq_h;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use header::{Declared, declared, is_of_name, without_comments};
use items::{Public, public};
use zmq_h::zmq_h;

/// C names that share one reason.
type Group<T> = (&'static [T], &'static str);

/// Functions that Rust's standard library replaces: the C name, the replacement, and the reason.
const STD: &[Group<(&str, &str)>] = &[
    (
        &[
            ("zmq_atomic_counter_new", "[`AtomicI32::new`](std::sync::atomic::AtomicI32::new)"),
            ("zmq_atomic_counter_set", "[`AtomicI32::store`](std::sync::atomic::AtomicI32::store)"),
            ("zmq_atomic_counter_inc", "[`AtomicI32::fetch_add`](std::sync::atomic::AtomicI32::fetch_add)"),
            ("zmq_atomic_counter_dec", "[`AtomicI32::fetch_sub`](std::sync::atomic::AtomicI32::fetch_sub)"),
            ("zmq_atomic_counter_value", "[`AtomicI32::load`](std::sync::atomic::AtomicI32::load)"),
            ("zmq_atomic_counter_destroy", "dropping the [`AtomicI32`](std::sync::atomic::AtomicI32)"),
        ],
        "it needs no allocation, and none can be used after it was destroyed",
    ),
    (
        &[
            ("zmq_stopwatch_start", "[`Instant::now`](std::time::Instant::now)"),
            ("zmq_stopwatch_intermediate", "[`Instant::elapsed`](std::time::Instant::elapsed)"),
            ("zmq_stopwatch_stop", "[`Instant::elapsed`](std::time::Instant::elapsed)"),
        ],
        "it is a value, finer than a microsecond, and nothing has to be stopped",
    ),
    (&[("zmq_sleep", "[`thread::sleep`](std::thread::sleep)")], "it takes a `Duration` instead of whole seconds"),
    (
        &[
            ("zmq_threadstart", "[`thread::spawn`](std::thread::spawn)"),
            ("zmq_threadclose", "[`JoinHandle::join`](std::thread::JoinHandle::join)"),
        ],
        "what a thread takes with it and gives back is checked by the compiler",
    ),
];

/// Macros without a meaning outside of C, and their purpose in C.
const C_ALONE: &[Group<&str>] = &[
    (&["ZMQ_EXPORT"], "it tells the C compiler how a function is exported"),
    (
        &["ZMQ_DEFINED_STDINT", "ZMQ_HAVE_TIMERS", "ZMQ_HAVE_POLLER"],
        "it tells the C preprocessor what the header has declared",
    ),
];

/// Names that only the draft API uses, although the stable part of the header declares them.
const DRAFT_ALONE: &[&str] = &["ZMQ_GROUP_MAX_LENGTH"];

/// C names that the implementation of a trait replaces, or the language itself. rustdoc finds no aliases in either.
const OF_TRAITS: &[(&str, &str)] = &[
    ("zmq_msg_close", "dropping the message"),
    ("zmq_msg_copy", "[`Message::clone`](crate::Message#impl-Clone-for-Message)"),
    ("zmq_msg_data", "[`&message[..]`](crate::Message#impl-Deref-for-Message)"),
    ("zmq_msg_init_buffer", "[`Message::from`](crate::Message#impl-From%3C%26%5Bu8%5D%3E-for-Message)"),
    ("zmq_msg_move", "an assignment, or [`mem::take`](std::mem::take) if the source must stay valid"),
    ("zmq_msg_size", "[`len`](slice::len) of the message, which is a slice"),
];

/// Aliases that neither `zmq.h` nor a slip needs.
const OTHER_ALIASES: &[Group<&str>] = &[
    (
        &["zmsg_unwrap", "zmsg_wrap"],
        "`unwrap` and `wrap` read as a panic and its opposite, so the methods have other names",
    ),
    (&["zmsg_t"], "the class of the guide's list in `tests/guide/programs.tsv`, whose names lead to types"),
    (&["within"], "a macro of the guide's zhelpers.h, beside `randof`; `within` is a method of sockets here"),
];

/// Notes on C names.
const NOTES: &[(&str, &str)] = &[
    ("EINTR", "calls return it as [`Context::set_interruptible`](crate::Context::set_interruptible) says"),
    ("zmq_msg_set", "where 4.3.5 has no property that can be set"),
];

/// The names that `zmq.h` declares.
static HEADER: LazyLock<Declared> = LazyLock::new(|| declared(&zmq_h()));
/// The public items of this crate.
static PUBLIC: LazyLock<Public> = LazyLock::new(|| public(cfg!(feature = "draft")));

/// The listed names; no name is listed twice.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut listed = BTreeSet::new();
    names.for_each(|name| assert!(listed.insert(name), "{name} is listed twice"));
    listed
}

#[test]
fn every_name_of_the_header_has_an_item_or_a_reason() {
    let stable = |name: &&str| cfg!(feature = "draft") || !DRAFT_ALONE.contains(name);
    let of_std = STD.iter().flat_map(|(names, _)| names.iter().map(|(name, _)| *name));
    let listed = listed(of_std.chain(C_ALONE.iter().flat_map(|(names, _)| names.iter().copied())));
    let both: Vec<_> = listed.iter().filter(|name| !PUBLIC.find(name).is_empty()).collect();
    assert!(both.is_empty(), "these have an item, and need no reason: {both:#?}");

    let draft = HEADER.draft.iter().filter(|_| cfg!(feature = "draft"));
    let expected = HEADER.stable.iter().chain(draft).map(String::as_str).filter(stable);
    let neither: Vec<_> = expected.filter(|name| !listed.contains(name) && PUBLIC.find(name).is_empty()).collect();
    assert!(neither.is_empty(), "the documentation lacks these: {neither:#?}");

    let of_functions = OF_TRAITS.iter().map(|(name, _)| *name);
    let unused: Vec<_> = of_functions.filter(|name| PUBLIC.find(name).is_empty()).collect();
    assert!(unused.is_empty(), "search does not find these, which have no alias: {unused:?}");

    // An older header of the system can lack some.
    let unknown: Vec<_> = listed.iter().filter(|name| cfg!(zmq_vendored) && !HEADER.declares(name)).collect();
    assert!(unknown.is_empty(), "zmq.h does not declare these: {unknown:?}");
}

/// Each alias is in the header, is named in a hint of the compiler that `tests/ui` records, or is listed with its reason.
#[cfg_attr(not(zmq_vendored), ignore = "the system's header may be another version's")]
#[test]
fn aliases_are_names_of_the_header_or_of_recorded_hints() {
    let header = without_comments(&zmq_h());
    let words: BTreeSet<_> = header.split(|letter| !is_of_name(letter)).collect();
    let recorded = ["slips_of_c", "slips_of_rust_zmq"].map(|slips| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/ui/{slips}.stderr"));
        std::fs::read_to_string(path).unwrap()
    });
    let hinted = |alias: &str| {
        let hint = format!("has a name defined in the doc alias attribute as `{alias}`");
        recorded.iter().any(|output| output.contains(&hint))
    };
    let listed = listed(OTHER_ALIASES.iter().flat_map(|(names, _)| names.iter().copied()));
    let needed = |alias: &str| words.contains(alias) || hinted(alias);

    let aliases = || PUBLIC.aliases.keys().map(String::as_str);
    let neither: Vec<_> = aliases().filter(|alias| !needed(alias) && !listed.contains(alias)).collect();
    assert!(neither.is_empty(), "zmq.h and the hints of tests/ui lack these, and no reason is listed: {neither:?}");
    let unused: Vec<_> = listed.iter().filter(|name| needed(name) || !aliases().any(|alias| alias == **name)).collect();
    assert!(unused.is_empty(), "these are no aliases, or need no reason: {unused:?}");
}

/// The page of the stable API, and the page of the draft API's additions.
#[cfg_attr(not(zmq_vendored), ignore = "the system's header may be another version's")]
#[test]
fn pages_of_c_names_are_up_to_date() {
    const HOW: &str = "`ZMQ_BLESS=1 cargo test --test coverage` writes it anew";
    let bless = std::env::var_os("ZMQ_BLESS").is_some();
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("src/c_names").join(name);
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let rows = |draft| match draft == cfg!(feature = "draft") {
        true => page::rows(&PUBLIC, &HEADER),
        false => page::rows(&public(draft), &HEADER),
    };
    let check = |path: &Path, made: String| {
        if bless {
            return std::fs::write(path, made).unwrap();
        }
        let (old, path) = (read(path), path.display());
        let lines = |text| str::lines(text).collect::<BTreeSet<_>>();
        let (gone, new) = (&lines(&old) - &lines(&made), &lines(&made) - &lines(&old));
        assert!(old == made, "{path} is out of date: {HOW}\ngone: {gone:#?}\nnew: {new:#?}");
    };

    let (stable, draft) = (file("stable.md"), file("draft.md"));
    if bless || cfg!(not(feature = "draft")) {
        check(&stable, page::written(&rows(false), &HEADER, false));
    }
    if bless || cfg!(feature = "draft") {
        check(&draft, page::written(&page::missing_on(&read(&stable), rows(true)), &HEADER, true));
    }
}

/// The most public items, and the most methods of types and traits, without the draft API and with it. A change that raises a
/// number must say why. They were 136 and 465, and 162 and 553, before the surface was made smaller.
const MOST: [(bool, usize, usize); 2] = [(false, 99, 347), (true, 114, 411)];

/// The same of the module `aio`, which the features `tokio` and `async-io` have.
const MOST_OF_AIO: (usize, usize) = (13, 41);

#[cfg_attr(feature = "gssapi", ignore = "the numbers are those without GSSAPI")]
#[test]
fn public_items_and_methods_are_no_more_than_recorded() {
    let (_, mut items, mut methods) = MOST.into_iter().find(|(draft, ..)| *draft == cfg!(feature = "draft")).unwrap();
    if cfg!(any(feature = "tokio", feature = "async-io")) {
        items += MOST_OF_AIO.0;
        methods += MOST_OF_AIO.1;
    }
    assert!(
        PUBLIC.items <= items && PUBLIC.methods <= methods,
        "{} items and {} methods are public: more than {items} and {methods}",
        PUBLIC.items,
        PUBLIC.methods
    );
}
