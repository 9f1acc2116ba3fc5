//! The names that `zmq.h` declares.

use std::collections::BTreeSet;

/// The names that a header declares for programs.
#[derive(Debug, Default, PartialEq)]
pub struct Declared {
    pub stable: BTreeSet<String>,
    pub draft: BTreeSet<String>,
}

impl Declared {
    pub fn declares(&self, name: &str) -> bool {
        self.stable.contains(name) || self.draft.contains(name)
    }
}

/// The exported functions, and the macros whose names begin with `ZMQ_` or are those of errors.
pub fn declared(header: &str) -> Declared {
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
                if name.starts_with("ZMQ_") || is_error(name) {
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

pub fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Whether `name` is that of an error number, of the system or of libzmq alone.
pub fn is_error(name: &str) -> bool {
    name.starts_with('E') && name.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit())
}

/// The names of the exported functions.
fn functions(text: &str) -> impl Iterator<Item = String> {
    text.split("ZMQ_EXPORT").skip(1).map(|declaration| {
        let (result_and_name, _) = declaration.split_once('(').expect("an exported declaration is that of a function");
        let name = result_and_name.trim_end().rsplit(|letter| !is_of_name(letter)).next().unwrap_or_default();
        assert!(name.starts_with("zmq_"), "{declaration}");
        name.to_owned()
    })
}

/// Puts a space in the place of each comment. The strings of the header contain none.
pub fn without_comments(text: &str) -> String {
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

#[test]
fn declared_finds_names_in_every_way_of_writing_them() {
    let header = r#"
        #define ZMQ_VALUE 1 /* ZMQ_EXPORT int zmq_not (void); */
        #  define	ZMQ_FUNCTION(major, minor)    \
            ((major) * 100 + ZMQ_NOT)
        #define ZMQ_WITHOUT_VALUE
        // #define ZMQ_NOT 1
        #ifndef ENOTSUP
        #define ENOTSUP (ZMQ_NOT + 1)
        #define E2BIG 7
        #define Eno 1
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
        stable: set(&[
            "ENOTSUP",
            "E2BIG",
            "ZMQ_VALUE",
            "ZMQ_FUNCTION",
            "ZMQ_WITHOUT_VALUE",
            "zmq_pointer",
            "zmq_two_lines",
            "zmq_last",
        ]),
        draft: set(&["ZMQ_DRAFT", "zmq_draft"]),
    };
    assert_eq!(declared(header), expected);
}
