//! The imports of a file of src/, read from its text.

use std::collections::{BTreeMap, BTreeSet};

use crate::Files;

/// The length of the comment, string or character literal with which `text` begins. `text` must be at the beginning of a token.
fn skipped(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        let (mut depth, mut place) = (0, 0);
        while place < text.len() {
            let step = match text.as_bytes()[place..] {
                [b'/', b'*', ..] => 1,
                [b'*', b'/', ..] => -1,
                _ => 0,
            };
            depth += step;
            place += if step == 0 { 1 } else { 2 };
            if depth == 0 {
                return Some(place);
            }
        }
        return Some(text.len());
    }
    let raw = ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(content) = raw[hashes..].strip_prefix('"') {
            let close = format!("\"{}", &raw[..hashes]);
            let end = content.find(&close).map_or(content.len(), |end| end + close.len());
            return Some(text.len() - content.len() + end);
        }
    }
    let mut characters = text.char_indices();
    match characters.next()?.1 {
        '"' => loop {
            match characters.next() {
                Some((_, '\\')) => drop(characters.next()),
                Some((place, '"')) => return Some(place + 1),
                Some(_) => {}
                None => return Some(text.len()),
            }
        },
        '\'' => match (characters.next()?.1, characters.next()?) {
            ('\\', (escaped, _)) => text[escaped + 1..].find('\'').map(|end| escaped + 1 + end + 1),
            (_, (place, '\'')) => Some(place + 1),
            // A lifetime.
            _ => None,
        },
        _ => None,
    }
}

/// The tokens of a file, without comments and the contents of strings: names, `::` and single characters.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let len = if let Some(len) = skipped(rest) {
            rest = &rest[len..];
            continue;
        } else if is_name(first) {
            rest.find(|character| !is_name(character)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push(&rest[..len]);
        }
        rest = &rest[len..];
    }
    without_tests(&tokens)
}

/// Leaves out each item after `#[cfg(test)]`: tests may import anything.
fn without_tests<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if !tokens[at..].starts_with(&ATTRIBUTE) {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        at += ATTRIBUTE.len();
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            match *token {
                "{" | "(" | "[" => depth += 1,
                // The end of the block that the item is in.
                "}" | ")" | "]" if depth == 0 => break,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(*token, "}" | ";" | ",") {
                break;
            }
        }
    }
    kept
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The paths that a file imports or names, from the root of the crate. An import that is refused is an error.
pub fn imports(file: &str, text: &str, files: &Files) -> BTreeSet<Result<Vec<String>, String>> {
    let tokens = tokens(text);
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let module: Vec<&str> = path.split('/').filter(|_| file != "lib.rs").collect();
    let mut found = BTreeSet::new();
    // The open braces, those of `mod name {` with the name.
    let mut braces: Vec<Option<&str>> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map_or("", |before| tokens[before]);
        let next = tokens.get(at + 1).copied().unwrap_or_default();
        let is_use = tokens[at] == "use" && next != "<";
        let mut trees = Vec::new();
        match tokens[at] {
            "{" => braces.push(Some(before).filter(|_| at > 1 && tokens[at - 2] == "mod")),
            "}" => drop(braces.pop()),
            "crate" if before == "extern" && next == "self" => {
                found.insert(Err("extern crate self".to_owned()));
            }
            "use" if is_use => {
                at += 1;
                expand(&tokens, &mut at, &[], &mut trees);
            }
            name if next == "::"
                && name.starts_with(is_name)
                && !matches!(before, "::" | ".")
                && (before != "$" || name == "crate") =>
            {
                expand(&tokens, &mut at, &[], &mut trees);
            }
            _ => {}
        }
        if trees.is_empty() {
            at += 1;
        }
        let module = [module.as_slice(), &braces.iter().flatten().copied().collect::<Vec<_>>()].concat();
        for Tree { path, .. } in trees {
            found.extend(resolve(&path, &module, file, files));
        }
    }
    found
}

/// Turns a path that is written in `module` into one from the root of the crate. `None` if it leads out of the crate.
fn resolve(path: &[&str], module: &[&str], file: &str, files: &Files) -> Option<Result<Vec<String>, String>> {
    let (first, mut rest) = path.split_first()?;
    let mut base = match *first {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module.split_last().map_or_else(Vec::new, |(_, parent)| parent.to_vec()),
        child => {
            let child = [module, &[child]].concat();
            module_file(&child, files)?;
            child
        }
    };
    while let Some(further) = rest.strip_prefix(&["super"]) {
        base.pop();
        rest = further;
    }
    base.extend(rest.iter().filter(|name| !matches!(**name, "self" | "*")));
    if base.is_empty() {
        return (file != "lib.rs").then(|| Err(format!("{}: imports the root of the crate", path.join("::"))));
    }
    Some(Ok(base.into_iter().map(str::to_owned).collect()))
}

/// A path of a use tree, with the name after `as`.
struct Tree<'a> {
    path: Vec<&'a str>,
    alias: Option<&'a str>,
}

/// Adds the paths of the use tree that begins at `at`, such as `a::b` or `a::{b, c::d}`, and moves `at` after it.
fn expand<'a>(tokens: &[&'a str], at: &mut usize, base: &[&'a str], found: &mut Vec<Tree<'a>>) {
    let mut path = base.to_vec();
    while let Some(token) = tokens.get(*at) {
        match *token {
            "$" => *at += 1,
            "{" => {
                *at += 1;
                while tokens.get(*at).is_some_and(|token| *token != "}") {
                    let start = *at;
                    expand(tokens, at, &path, found);
                    if tokens.get(*at) == Some(&",") || *at == start {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            name if name == "*" || name.starts_with(is_name) => {
                path.push(name);
                *at += 1;
                if tokens.get(*at) != Some(&"::") {
                    break;
                }
                *at += 1;
            }
            _ => break,
        }
    }
    let alias = (tokens.get(*at) == Some(&"as")).then(|| tokens.get(*at + 1).copied()).flatten();
    *at += if alias.is_some() { 2 } else { 0 };
    if path.len() > base.len() {
        found.push(Tree { path, alias });
    }
}

/// The names that a file passes on by `pub use` without using them itself, each with its path.
pub fn passed_on(file: &str, files: &Files) -> BTreeMap<String, Vec<String>> {
    let tokens = tokens(&files[file]);
    let module: Vec<&str> = file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect();
    let mut trees = Vec::new();
    for at in (1..tokens.len()).filter(|&at| tokens[at] == "use" && matches!(tokens[at - 1], "pub" | ")")) {
        expand(&tokens, &mut (at + 1), &[], &mut trees);
    }
    let is_used = |name: &str| tokens.iter().filter(|token| **token == name).count() > 1;
    let named = trees.into_iter().filter_map(|Tree { path, .. }| {
        let name = path.last().filter(|name| !is_used(name))?;
        Some(((*name).to_owned(), resolve(&path, &module, file, files)?.ok()?))
    });
    named.collect()
}

/// The names that lib.rs gives to the crate's root, each with its path.
pub fn reexports(text: &str) -> BTreeMap<String, Vec<String>> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for start in (1..tokens.len()).filter(|&start| tokens[start - 1..].starts_with(&["pub", "use"])) {
        expand(&tokens, &mut (start + 1), &[], &mut found);
    }
    let owned = |path: Vec<&str>| path.into_iter().filter(|name| *name != "crate").map(str::to_owned).collect();
    let named = found.into_iter().filter_map(|Tree { path, alias }| Some(((alias.or(path.last().copied()))?, path)));
    named.map(|(name, path)| (name.to_owned(), owned(path))).collect()
}

fn module_file(path: &[impl AsRef<str>], files: &Files) -> Option<String> {
    let path = path.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("/");
    [format!("{path}.rs"), format!("{path}/mod.rs")].into_iter().find(|file| files.contains_key(file))
}

/// The file that a path leads into, and the path of its folder if the path is the module itself.
pub fn file_of(
    path: &[String],
    files: &Files,
    reexports: &BTreeMap<String, Vec<String>>,
) -> Option<(String, Option<String>)> {
    let prefixes = |path: &[String]| {
        let (len, file) = (1..=path.len()).rev().find_map(|len| Some((len, module_file(&path[..len], files)?)))?;
        Some((file, (len == path.len()).then(|| path.join("/"))))
    };
    prefixes(path).or_else(|| prefixes(reexports.get(path.first()?)?))
}
