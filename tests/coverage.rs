//! Everything that `zmq.h` declares is found in the documentation under its C name, or listed here with the reason.

use std::collections::BTreeSet;
use std::path::Path;

/// What has no counterpart, and why.
const WITHOUT: &[(&str, &[&str])] = &[
    (
        "monitors are not wrapped yet",
        &[
            "zmq_socket_monitor",
            "ZMQ_EVENT_CONNECTED",
            "ZMQ_EVENT_CONNECT_DELAYED",
            "ZMQ_EVENT_CONNECT_RETRIED",
            "ZMQ_EVENT_LISTENING",
            "ZMQ_EVENT_BIND_FAILED",
            "ZMQ_EVENT_ACCEPTED",
            "ZMQ_EVENT_ACCEPT_FAILED",
            "ZMQ_EVENT_CLOSED",
            "ZMQ_EVENT_CLOSE_FAILED",
            "ZMQ_EVENT_DISCONNECTED",
            "ZMQ_EVENT_MONITOR_STOPPED",
            "ZMQ_EVENT_ALL",
            "ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL",
            "ZMQ_EVENT_HANDSHAKE_SUCCEEDED",
            "ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL",
            "ZMQ_EVENT_HANDSHAKE_FAILED_AUTH",
        ],
    ),
    (
        "what monitors report is not wrapped yet",
        &[
            "ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED",
            "ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND",
            "ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE",
            "ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE",
            "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED",
            "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE",
            "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO",
            "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE",
            "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR",
            "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY",
            "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME",
            "ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_METADATA",
            "ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC",
            "ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH",
            "ZMQ_PROTOCOL_ERROR_ZAP_UNSPECIFIED",
            "ZMQ_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY",
            "ZMQ_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID",
            "ZMQ_PROTOCOL_ERROR_ZAP_BAD_VERSION",
            "ZMQ_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE",
            "ZMQ_PROTOCOL_ERROR_ZAP_INVALID_METADATA",
            "ZMQ_PROTOCOL_ERROR_WS_UNSPECIFIED",
        ],
    ),
    ("the steerable proxy is not wrapped yet", &["zmq_proxy_steerable"]),
    (
        "timers are not wrapped yet",
        &[
            "zmq_timers_new",
            "zmq_timers_destroy",
            "zmq_timers_add",
            "zmq_timers_cancel",
            "zmq_timers_set_interval",
            "zmq_timers_reset",
            "zmq_timers_timeout",
            "zmq_timers_execute",
        ],
    ),
    (
        "the standard library has atomic integers",
        &[
            "zmq_atomic_counter_new",
            "zmq_atomic_counter_set",
            "zmq_atomic_counter_inc",
            "zmq_atomic_counter_dec",
            "zmq_atomic_counter_value",
            "zmq_atomic_counter_destroy",
        ],
    ),
    (
        "the standard library measures time with Instant",
        &["zmq_stopwatch_start", "zmq_stopwatch_intermediate", "zmq_stopwatch_stop"],
    ),
    ("the standard library has threads, which sleep too", &["zmq_sleep", "zmq_threadstart", "zmq_threadclose"]),
    ("for the C compiler: how a function is exported", &["ZMQ_EXPORT"]),
    ("for the C preprocessor: what the header has brought with it", &["ZMQ_DEFINED_STDINT", "ZMQ_HAVE_TIMERS"]),
];

/// As [`WITHOUT`], of the draft part of the header.
const WITHOUT_DRAFT: &[(&str, &[&str])] = &[
    (
        "the draft kinds are not wrapped yet",
        &[
            "ZMQ_SERVER",
            "ZMQ_CLIENT",
            "ZMQ_RADIO",
            "ZMQ_DISH",
            "ZMQ_GATHER",
            "ZMQ_SCATTER",
            "ZMQ_DGRAM",
            "ZMQ_PEER",
            "ZMQ_CHANNEL",
        ],
    ),
    ("comes with the draft kinds, which are not wrapped yet", &["zmq_join", "zmq_leave", "zmq_connect_peer"]),
    (
        "the poller is not wrapped yet; `poll` is",
        &[
            "zmq_poller_new",
            "zmq_poller_destroy",
            "zmq_poller_size",
            "zmq_poller_add",
            "zmq_poller_modify",
            "zmq_poller_remove",
            "zmq_poller_wait",
            "zmq_poller_wait_all",
            "zmq_poller_fd",
            "zmq_poller_add_fd",
            "zmq_poller_modify_fd",
            "zmq_poller_remove_fd",
        ],
    ),
    ("a peer's state is not wrapped yet", &["zmq_socket_get_peer_state"]),
    ("polling under another signal mask is not wrapped yet", &["zmq_ppoll"]),
    (
        "monitors are not wrapped yet",
        &[
            "zmq_socket_monitor_versioned",
            "zmq_socket_monitor_pipes_stats",
            "ZMQ_EVENT_PIPES_STATS",
            "ZMQ_EVENT_ALL_V1",
            "ZMQ_EVENT_ALL_V2",
            "ZMQ_CURRENT_EVENT_VERSION",
            "ZMQ_CURRENT_EVENT_VERSION_DRAFT",
        ],
    ),
    ("for the C preprocessor: what the header has brought with it", &["ZMQ_HAVE_POLLER"]),
];

/// What a header declares: the names that programs use.
#[derive(Debug, Default, PartialEq)]
struct Declared {
    stable: BTreeSet<String>,
    draft: BTreeSet<String>,
}

/// The exported functions, and the macros whose names begin with `ZMQ_`.
fn declared(header: &str) -> Declared {
    let header = without_comments(&header.replace("\\\r\n", " ").replace("\\\n", " "));
    let mut names = Declared::default();
    let (mut stable, mut draft) = (String::new(), String::new());
    // For each conditional that is open, whether the draft API depends on it.
    let mut open = Vec::new();
    for line in header.lines() {
        let in_draft = open.contains(&true);
        let Some(directive) = line.trim_start().strip_prefix('#') else {
            let text = if in_draft { &mut draft } else { &mut stable };
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let directive = directive.trim_start();
        let rest = directive.trim_start_matches(is_of_name);
        match &directive[..directive.len() - rest.len()] {
            "if" | "ifdef" | "ifndef" => open.push(directive.contains("ZMQ_BUILD_DRAFT_API")),
            "endif" => drop(open.pop()),
            "define" => {
                let name = rest.trim_start().split(|letter| !is_of_name(letter)).next().unwrap_or_default();
                if name.starts_with("ZMQ_") {
                    if in_draft { &mut names.draft } else { &mut names.stable }.insert(name.to_owned());
                }
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "a conditional has no end");
    names.stable.extend(functions(&stable));
    names.draft.extend(functions(&draft));
    names
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The names before the parameters of what is exported.
fn functions(text: &str) -> impl Iterator<Item = String> {
    text.split("ZMQ_EXPORT").skip(1).map(|declaration| {
        let (result_and_name, _) = declaration.split_once('(').expect("what is exported is a function");
        let name = result_and_name.trim_end().rsplit(|letter| !is_of_name(letter)).next().unwrap_or_default();
        assert!(name.starts_with("zmq_"), "{declaration}");
        name.to_owned()
    })
}

/// Puts a space in the place of each comment. The strings of the header contain none.
fn without_comments(text: &str) -> String {
    let (mut rest, mut kept) = (text, String::new());
    while let Some(start) = rest.find("/*").into_iter().chain(rest.find("//")).min() {
        kept.push_str(&rest[..start]);
        kept.push(' ');
        let comment = &rest[start..];
        rest = match comment.strip_prefix("/*") {
            Some(comment) => comment.split_once("*/").expect("a comment has no end").1,
            None => &comment[comment.find('\n').unwrap_or(comment.len())..],
        };
    }
    kept + rest
}

/// The header that this build was made with.
fn header() -> String {
    let directories = match env!("ZMQ_INCLUDE") {
        "" => vec!["/usr/include", "/usr/local/include"],
        directory => vec![directory],
    };
    let found = directories.iter().map(|directory| Path::new(directory).join("zmq.h")).find(|path| path.is_file());
    std::fs::read_to_string(found.unwrap_or_else(|| panic!("no zmq.h in {directories:?}"))).unwrap()
}

/// The crate's own code, file by file, without its comments.
fn sources() -> Vec<String> {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut sources = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                sources.push(code.flat_map(|line| [line, "\n"]).collect());
            }
        }
    }
    sources
}

/// The texts in quotes, each with what stands before it and after it.
fn quoted(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.match_indices('"').step_by(2).filter_map(move |(start, _)| {
        let (name, after) = text[start + 1..].split_once('"')?;
        Some((&text[..start], name, after))
    })
}

/// The names in the `doc(alias)` attributes of the sources. Macros whose attributes take the name from a row have rows
/// in which the name stands twice, as a text and as the constant beside it.
fn aliases(sources: &[String]) -> BTreeSet<String> {
    const ATTRIBUTE: &str = "doc(alias";
    let mut found = BTreeSet::new();
    let mut makers = BTreeSet::new();
    for source in sources {
        for (start, _) in source.match_indices(ATTRIBUTE) {
            let attribute = source[start..].split(']').next().unwrap_or_default();
            if attribute.contains('$') {
                let definition = source[..start].rsplit("macro_rules!").next().unwrap_or_default();
                makers.extend(definition.split_whitespace().next());
            }
            found.extend(quoted(attribute).map(|(_, name, _)| name.to_owned()));
        }
    }
    for source in sources {
        for maker in &makers {
            for invocation in source.split(&format!("{maker}! {{\n")).skip(1) {
                let rows = invocation.split("\n}").next().unwrap_or_default();
                let in_row = quoted(rows).filter(|(before, name, after)| {
                    before.trim_end_matches([' ', ',', '\n']).ends_with(&format!("= {name}"))
                        || after.starts_with(&format!(" = {name}:"))
                });
                found.extend(in_row.map(|(_, name, _)| name.to_owned()));
            }
        }
    }
    found
}

fn names(list: &[(&str, &[&str])]) -> BTreeSet<String> {
    let all: Vec<_> = list.iter().flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned())).collect();
    let distinct: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(all.len(), distinct.len(), "a name is listed twice");
    assert!(list.iter().all(|(why, names)| !why.is_empty() && !names.is_empty()), "a reason for each, and names");
    distinct
}

#[test]
fn everything_in_the_header_has_an_alias_or_a_reason() {
    let header = declared(&header());
    let aliases = aliases(&sources());
    let (mut expected, mut listed) = (header.stable, names(WITHOUT));
    if cfg!(feature = "draft") {
        expected.extend(header.draft);
        listed.extend(names(WITHOUT_DRAFT));
    }
    let both: Vec<_> = listed.intersection(&aliases).collect();
    assert!(both.is_empty(), "these have an alias now, and need no reason: {both:?}");
    let neither: Vec<_> = expected.iter().filter(|name| !aliases.contains(*name) && !listed.contains(*name)).collect();
    assert!(neither.is_empty(), "nobody who knows C finds these: {neither:#?}");
    // An older header of the system may lack some.
    let unknown: Vec<_> = listed.difference(&expected).filter(|_| cfg!(zmq_vendored)).collect();
    assert!(unknown.is_empty(), "zmq.h does not declare these: {unknown:?}");
}

/// An alias that is misspelt helps nobody. An older header of the system lacks some.
#[cfg(zmq_vendored)]
#[test]
fn aliases_are_names_of_the_header() {
    let header = without_comments(&header());
    let words: BTreeSet<_> = header.split(|letter| !is_of_name(letter)).collect();
    let aliases = aliases(&sources());
    let unknown: Vec<_> = aliases
        .iter()
        .filter(|alias| alias.to_ascii_lowercase().starts_with("zmq_") && !words.contains(alias.as_str()))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_header_is_read_however_it_is_written() {
    let header = r#"
        #define ZMQ_VALUE 1 /* ZMQ_EXPORT int zmq_not (void); */
        #  define	ZMQ_FUNCTION(major, minor)    \
            ((major) * 100 + ZMQ_NOT)
        #define ZMQ_WITHOUT_VALUE
        // #define ZMQ_NOT 1
        #ifndef ENOTSUP
        #define ENOTSUP (ZMQ_NOT + 1)
        #endif
        ZMQ_EXPORT const char *zmq_pointer (const char *text_);
        ZMQ_EXPORT int
        zmq_two_lines (void *s_, /* what ( is this */
                       void (*callback_) (int));
        /*  Draft
         *  #define ZMQ_NOT 1 */
        #ifdef ZMQ_BUILD_DRAFT_API
        #define ZMQ_DRAFT "Draft"
        #if !defined _WIN32
        ZMQ_EXPORT int zmq_draft(
          void);
        #else
        ZMQ_EXPORT int zmq_draft (int);
        #endif
        #endif // ZMQ_BUILD_DRAFT_API
        ZMQ_EXPORT void zmq_last (void);
        #undef ZMQ_EXPORT
    "#;
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = Declared {
        stable: set(&["ZMQ_VALUE", "ZMQ_FUNCTION", "ZMQ_WITHOUT_VALUE", "zmq_pointer", "zmq_two_lines", "zmq_last"]),
        draft: set(&["ZMQ_DRAFT", "zmq_draft"]),
    };
    assert_eq!(declared(header), expected);
}

#[test]
fn aliases_are_found_however_they_are_written() {
    let plain = r#"#[doc(alias = "zmq_one")] fn one() { name("ZMQ_NOT") } #[doc(alias("zmq_two", "zmq_three"))]"#;
    let maker = "macro_rules! rows { ($name:literal) => { #[doc(alias = $name)] } }";
    let other = "macro_rules! others { ($name:literal) => {} }";
    let rows = "rows! {\n    \"ZMQ_FIRST\" = ZMQ_FIRST: text(\"ZMQ_NOT\");\n    Second = ZMQ_SECOND, \"ZMQ_SECOND\";\n    \
                Third = ZMQ_THIRD \"ZMQ_THIRD\",\n}\nothers! {\n    \"ZMQ_NOT\" = ZMQ_NOT: 1;\n}\n";
    let sources = [plain, maker, other, rows].map(str::to_owned);
    let found: Vec<_> = aliases(&sources).into_iter().collect();
    assert_eq!(found, ["ZMQ_FIRST", "ZMQ_SECOND", "ZMQ_THIRD", "zmq_one", "zmq_three", "zmq_two"]);
}
