//! Reads and applies one patch: a header and a unified diff, as `patches/README.md` describes them.
//!
//! It is stricter than `patch`: no fuzz. The old lines of a hunk must match the file in exactly one place, behind the hunk
//! before it. The line numbers are not used, because they change if another patch is left out.

#[cfg(test)]
mod tests;

use crate::Error;
use std::fmt;
use std::fs;
use std::iter::Peekable;
use std::path::Path;

/// A patch of `patches/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Its number: below 1000 it belongs to [`Patches::Safety`](crate::Patches::Safety).
    pub number: u16,
    /// The name of its file, without `.patch`.
    pub name: String,
    /// The fault that it cures.
    pub title: String,
    /// The parties that can trigger the fault.
    pub trigger: String,
    /// The first libzmq with the fault.
    pub since: String,
    /// The fault in the master branch of libzmq.
    pub upstream: String,
    /// The tests that fail without it.
    pub tests: Vec<Test>,
    /// The numbers of the patches that it builds on.
    pub needs: Vec<u16>,
    /// The files that it changes.
    pub files: Vec<FilePatch>,
}

/// A test that fails without a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its file, from the root of the repository.
    pub file: String,
    /// The name of its function.
    pub name: String,
    /// How often it runs before it surely fails.
    pub runs: u32,
}

/// The changes of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePatch {
    /// The file, from the root of libzmq.
    pub path: String,
    hunks: Vec<Hunk>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hunk {
    /// The context and the removed lines, each with its line end.
    old: Vec<String>,
    /// The context and the added lines.
    new: Vec<String>,
}

impl Patch {
    /// Reads the patch `name` (`NNNN-title`).
    ///
    /// # Errors
    ///
    /// The text is not such a patch; the error names the patch and the line.
    pub fn parse(name: &str, text: &str) -> Result<Patch, Error> {
        let fail = |line: usize, why: &str| Error::new(format!("patch {name}, line {line}: {why}"));
        let number = name.split_once('-').filter(|(digits, title)| {
            digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit()) && !title.is_empty()
        });
        let number = number.and_then(|(digits, _)| digits.parse().ok());
        let mut patch = Patch {
            number: number.ok_or_else(|| fail(0, "its name must be NNNN-title"))?,
            name: name.to_owned(),
            title: String::new(),
            trigger: String::new(),
            since: String::new(),
            upstream: String::new(),
            tests: Vec::new(),
            needs: Vec::new(),
            files: Vec::new(),
        };
        if let Some(line) = text.split('\n').position(|line| line.ends_with('\r')) {
            return Err(fail(line + 1, "it must end with LF alone, not with CR LF"));
        }
        if !text.ends_with('\n') {
            return Err(fail(text.lines().count(), "its last line must end with a newline"));
        }

        let mut lines = text.lines().zip(1..).peekable();
        // The fields, up to an empty line. A line that begins with two spaces continues the one before it.
        let mut fields: Vec<(String, usize)> = Vec::new();
        for (line, at) in lines.by_ref().take_while(|(line, _)| !line.is_empty()) {
            match (line.strip_prefix("  "), fields.last_mut()) {
                (Some(rest), Some((field, _))) => *field = format!("{field} {rest}"),
                _ => fields.push((line.to_owned(), at)),
            }
        }
        for (field, at) in fields {
            patch.field(&field).map_err(|why| fail(at, &why))?;
        }
        // The sentences, up to the diff.
        while let Some((line, at)) = lines.next_if(|(line, _)| !line.starts_with("--- ")) {
            if ["---", "+++", "@@", "diff "].iter().any(|mark| line.starts_with(mark)) {
                return Err(fail(at, "a line of a diff stands before the first `--- a/`"));
            }
        }
        while let Some((line, at)) = lines.next() {
            let path = line.strip_prefix("--- a/").ok_or_else(|| fail(at, "neither a hunk nor a file begins here"))?;
            if path.split('/').any(|part| part.is_empty() || part == "..") || path.contains('\\') {
                return Err(fail(at, "the path must be inside libzmq"));
            }
            if lines.next().is_none_or(|(line, _)| line.strip_prefix("+++ b/") != Some(path)) {
                return Err(fail(at + 1, "`+++ b/` and the same path must follow"));
            }
            if patch.files.iter().any(|file| file.path == path) {
                return Err(fail(at, "the patch has this file twice"));
            }
            let mut hunks = Vec::new();
            while let Some((header, at)) = lines.next_if(|(line, _)| line.starts_with("@@")) {
                hunks.push(Hunk::read(header, &mut lines).map_err(|why| fail(at, why))?);
            }
            if hunks.is_empty() {
                return Err(fail(at + 2, "a hunk must follow"));
            }
            patch.files.push(FilePatch { path: path.to_owned(), hunks });
        }
        if patch.files.is_empty() {
            return Err(fail(text.lines().count(), "it has no diff"));
        }
        Ok(patch)
    }

    /// Reads a field of the header.
    fn field(&mut self, field: &str) -> Result<(), String> {
        let (name, value) = field.split_once(": ").ok_or("a field must be `Name: value`")?;
        let text = match name {
            "Title" => &mut self.title,
            "Trigger" => &mut self.trigger,
            "Since" => &mut self.since,
            "Upstream" => &mut self.upstream,
            "Test" => {
                let test = Test::parse(value).ok_or("a test must be `FILE.rs: NAME` or `FILE.rs: NAME (N runs)`")?;
                self.tests.push(test);
                return Ok(());
            }
            "Needs" if !self.needs.is_empty() => return Err("the field Needs is there twice".to_owned()),
            "Needs" => {
                let numbers = value.split(", ").map(str::parse).collect::<Result<Vec<u16>, _>>();
                self.needs = numbers.map_err(|_| "it must be the numbers of patches, with `, ` between them")?;
                return Ok(());
            }
            _ => return Err(format!("there is no field {name}")),
        };
        if !text.is_empty() {
            return Err(format!("the field {name} is there twice"));
        }
        value.clone_into(text);
        Ok(())
    }

    /// Applies the patch to the libzmq in `source`.
    ///
    /// # Errors
    ///
    /// A hunk does not match, or a file cannot be read or written; the error names the patch and the file.
    pub fn apply(&self, source: &Path) -> Result<(), Error> {
        for file in &self.files {
            let path = source.join(&file.path);
            let fails = |why: &dyn fmt::Display| self.fails(&file.path, why);
            let text = fs::read_to_string(&path).map_err(|error| fails(&error))?;
            let text = file.apply(&text).map_err(|why| fails(&why))?;
            fs::write(&path, text).map_err(|error| fails(&error))?;
        }
        Ok(())
    }

    fn fails(&self, path: &str, why: &dyn fmt::Display) -> Error {
        Error::new(format!("the patch {} does not apply to {path}: {why}", self.name))
    }
}

impl Test {
    fn parse(value: &str) -> Option<Test> {
        let (value, runs) = match value.strip_suffix(" runs)") {
            Some(value) => value.split_once(" (").and_then(|(value, runs)| Some((value, runs.parse().ok()?)))?,
            None => (value, 1),
        };
        let (file, name) = value.split_once(": ").filter(|(file, _)| file.ends_with(".rs"))?;
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (is_name && runs > 0).then(|| Test { file: file.to_owned(), name: name.to_owned(), runs })
    }
}

impl FilePatch {
    /// Applies the hunks to the text of the file.
    fn apply(&self, text: &str) -> Result<String, String> {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut behind = 0;
        for (hunk, number) in self.hunks.iter().zip(1..) {
            let matches = places(&lines, &hunk.old);
            let place = match matches[..] {
                [] => return Err(format!("hunk {number} matches nothing")),
                [place] if place < behind => {
                    return Err(format!("hunk {number} matches in front of the hunk before it"));
                }
                [place] => place,
                _ => return Err(format!("hunk {number} matches {} places", matches.len())),
            };
            let ends_file = hunk.new.last().is_some_and(|line| !line.ends_with('\n'));
            if ends_file && place + hunk.old.len() != lines.len() {
                return Err(format!("hunk {number} ends the file in its middle"));
            }
            lines.splice(place..place + hunk.old.len(), hunk.new.iter().map(String::as_str));
            behind = place + hunk.new.len();
            if !places(&lines, &hunk.old).is_empty() {
                return Err(format!("hunk {number} could be applied again: it needs more context"));
            }
        }
        Ok(lines.concat())
    }
}

impl Hunk {
    /// Reads the lines of a hunk.
    fn read<'a>(
        header: &str,
        lines: &mut Peekable<impl Iterator<Item = (&'a str, usize)>>,
    ) -> Result<Hunk, &'static str> {
        let (old_count, new_count) = counts(header).ok_or("a hunk must begin with `@@ -L,N +L,N @@`")?;
        let mut hunk = Hunk { old: Vec::new(), new: Vec::new() };
        let (mut in_old, mut in_new) = (false, false);
        loop {
            let complete = (hunk.old.len(), hunk.new.len()) == (old_count, new_count);
            let Some((line, _)) = lines.next_if(|(line, _)| line.starts_with('\\') || !complete) else { break };
            if line.starts_with('\\') {
                if line != "\\ No newline at end of file" || !(in_old || in_new) {
                    return Err("`\\ No newline at end of file` must stand once, behind a line of the hunk");
                }
                // The line before it ends the file, and has no line end.
                for lines in [in_old.then_some(&mut hunk.old), in_new.then_some(&mut hunk.new)].into_iter().flatten() {
                    lines.last_mut().and_then(String::pop);
                }
                (in_old, in_new) = (false, false);
                continue;
            }
            (in_old, in_new) = match line.as_bytes().first() {
                Some(b' ') => (true, true),
                Some(b'-') => (true, false),
                Some(b'+') => (false, true),
                _ => return Err("a line of the hunk must begin with a space, `-`, `+` or `\\`"),
            };
            for lines in [in_old.then_some(&mut hunk.old), in_new.then_some(&mut hunk.new)].into_iter().flatten() {
                lines.push(format!("{}\n", &line[1..]));
            }
        }
        if (hunk.old.len(), hunk.new.len()) != (old_count, new_count) {
            return Err("the hunk must have as many lines as it says");
        }
        if hunk.old.is_empty() || hunk.old == hunk.new {
            return Err("the hunk must have old lines, and change them");
        }
        for lines in [&hunk.old, &hunk.new] {
            if lines.iter().rev().skip(1).any(|line| !line.ends_with('\n')) {
                return Err("only the last line of a file can lack its line end");
            }
        }
        Ok(hunk)
    }
}

/// The numbers of old and new lines that the first line of a hunk states.
fn counts(header: &str) -> Option<(usize, usize)> {
    let (old, new) = header.strip_prefix("@@ -")?.strip_suffix(" @@")?.split_once(" +")?;
    let count = |range: &str| {
        let (line, count) = range.split_once(',').unwrap_or((range, "1"));
        line.parse::<usize>().ok()?;
        count.parse().ok()
    };
    Some((count(old)?, count(new)?))
}

/// The indices at which `old` begins in `lines`.
fn places(lines: &[&str], old: &[String]) -> Vec<usize> {
    lines.windows(old.len()).zip(0..).filter(|(window, _)| *window == old).map(|(_, place)| place).collect()
}
