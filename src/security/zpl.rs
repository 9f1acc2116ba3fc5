//! The text that certificates are written in: sections, and in them names with values. czmq calls it ZPL.
//!
//! ```text
//! # a comment
//! section
//!     name = "value"
//! ```

use super::secret::SecretBytes;

/// The number of a line that cannot be read, from 1 on, and the reason. The text of the line is left out: it may be a secret.
#[derive(Debug, PartialEq)]
pub(super) struct BadLine(pub(super) usize, pub(super) &'static str);

/// A name with its value, its section and its line.
#[derive(Debug, PartialEq)]
pub(super) struct Entry<'a> {
    pub(super) line: usize,
    pub(super) section: &'a str,
    pub(super) name: &'a str,
    /// The text after the `=`.
    rest: &'a str,
}

impl<'a> Entry<'a> {
    /// The value: the text in quotes, or the text before a comment.
    pub(super) fn value(&self) -> Result<&'a str, BadLine> {
        if let Some(quote) = self.rest.chars().next().filter(|first| matches!(first, '"' | '\'')) {
            let (value, behind) = self.rest[1..].split_once(quote).ok_or(BadLine(self.line, "a quote has no end"))?;
            let behind = behind.trim_start();
            if !behind.is_empty() && !behind.starts_with('#') {
                return Err(BadLine(self.line, "there is something behind the quotes"));
            }
            return Ok(value);
        }
        Ok(self.rest.split('#').next().unwrap_or_default().trim_end())
    }

    /// As [`Entry::value`], for a value without spaces: a `#` outside of quotes is one of its characters.
    pub(super) fn word(&self) -> Result<&'a str, BadLine> {
        if self.rest.starts_with(['"', '\'']) {
            return self.value();
        }
        Ok(self.rest.split_ascii_whitespace().next().unwrap_or_default())
    }
}

/// The characters of names besides ASCII letters and digits.
const OTHERS: &str = "-$_@.&+/";

/// Whether a name can be written.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || OTHERS.contains(letter))
}

/// Whether a value can be written: it stays on its line, and inside of one kind of quotes.
pub(super) fn is_value(value: &str) -> bool {
    let has_both_quotes = value.contains('"') && value.contains('\'');
    !has_both_quotes && !value.contains(char::is_control)
}

/// The entries of all sections, in their order.
pub(super) fn parse(text: &str) -> Result<Vec<Entry<'_>>, BadLine> {
    let mut entries = Vec::new();
    let mut section = None;
    // The indentation of the section's entries. A line that is indented further belongs to an entry, and is left out.
    let mut indentation = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if content.contains('\0') {
            return Err(BadLine(number, "there is a NUL in it"));
        }
        let indented = line.len() - line.trim_start().len();
        let (name, rest) = content.split_once('=').map_or((content, None), |(name, rest)| (name, Some(rest.trim())));
        let name = name.trim_end();
        if indented == 0 {
            let name = name.split('#').next().unwrap_or_default().trim_end();
            if !is_name(name) {
                return Err(BadLine(number, "this is neither a section nor a comment"));
            }
            (section, indentation) = (Some(name), None);
            continue;
        }
        let Some(section) = section else {
            return Err(BadLine(number, "it is indented, and no section has begun"));
        };
        if *indentation.get_or_insert(indented) != indented {
            if indentation > Some(indented) {
                return Err(BadLine(number, "it is indented less than the lines before it"));
            }
            continue;
        }
        match rest {
            Some(_) if name.is_empty() => return Err(BadLine(number, "there is no name before the =")),
            Some(rest) => entries.push(Entry { line: number, section, name, rest }),
            // A section in a section.
            None if is_name(name) => {}
            None => return Err(BadLine(number, "there is no = in it")),
        }
    }
    Ok(entries)
}

/// Writes the line that begins a section.
pub(super) fn write_section(text: &mut String, name: &str) {
    text.push_str(name);
    text.push('\n');
}

/// Writes an entry whose name and value can be written, or were read.
pub(super) fn write_entry(text: &mut String, name: &str, value: &str) {
    let quote = match (value.contains('"'), value.contains('\'')) {
        (false, _) => "\"",
        (true, false) => "'",
        // Such a value was read without quotes, so it can be written without them.
        (true, true) => "",
    };
    text.extend(["    ", name, " = ", quote, value, quote, "\n"]);
}

/// Joins texts, some of them secret, without a reallocation that would leave a copy in freed memory.
pub(super) fn concat_secret(texts: &[&str]) -> SecretBytes {
    let mut bytes = SecretBytes::new(Vec::with_capacity(texts.iter().map(|text| text.len()).sum()));
    texts.iter().for_each(|text| bytes.extend_from_slice(text.as_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<(String, String, String)>, BadLine> {
        let owned = |entry: &Entry<'_>| {
            let value = entry.value()?;
            Ok((entry.section.to_owned(), entry.name.to_owned(), value.to_owned()))
        };
        parse(text)?.iter().map(owned).collect()
    }

    fn value(line: &str) -> Result<String, BadLine> {
        values(&format!("s\n    {line}\n")).map(|values| values[0].2.clone())
    }

    #[test]
    fn values_are_read_with_and_without_quotes() {
        for (line, expected) in [
            ("n = plain", "plain"),
            ("n=tight", "tight"),
            ("n = two words  # and a comment", "two words"),
            ("n = \"quoted # no comment\"", "quoted # no comment"),
            ("n = 'it is \"so\"' # comment", "it is \"so\""),
            ("n = \"a = b\"", "a = b"),
            ("n = a = b", "a = b"),
            ("n = \"\"", ""),
            ("n =", ""),
            ("n = na\u{ef}ve", "na\u{ef}ve"),
        ] {
            assert_eq!(value(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn parse_skips_nested_sections() {
        let text = "# head\n\na\n    one = 1\n        deeper = 2\n    two = 2\nb = 7\n\tthree = 3\r\n";
        let triple = |section: &str, name: &str, value: &str| (section.into(), name.into(), value.into());
        assert_eq!(
            values(text).unwrap(),
            [triple("a", "one", "1"), triple("a", "two", "2"), triple("b", "three", "3")]
        );
    }

    #[test]
    fn parse_names_the_line_and_the_fault() {
        for (text, line, why) in [
            ("    n = 1\n", 1, "it is indented, and no section has begun"),
            ("s\n    n = \"1\n", 2, "a quote has no end"),
            ("s\n    n = \"1\" 2\n", 2, "there is something behind the quotes"),
            ("s\n\n    = 2\n", 3, "there is no name before the ="),
            ("s\n    %%\n", 2, "there is no = in it"),
            ("# ok\n%%\n", 2, "this is neither a section nor a comment"),
            ("s\n        n = 1\n    m = 1\n", 3, "it is indented less than the lines before it"),
            ("s\n    n = \0\n", 2, "there is a NUL in it"),
        ] {
            assert_eq!(values(text), Err(BadLine(line, why)), "{text:?}");
        }
    }

    #[test]
    fn written_zpl_is_read_back() {
        for value in ["", "plain", "two words", "# no comment", "\"quoted\"", "it's", "a = b", "\u{1f600}"] {
            assert!(is_value(value));
            let mut text = String::new();
            write_section(&mut text, "s");
            write_entry(&mut text, "n-1.x", value);
            assert_eq!(values(&text).unwrap(), [("s".to_owned(), "n-1.x".to_owned(), value.to_owned())]);
        }
        for bad in ["two\nlines", "it's \"so\"", "\0"] {
            assert!(!is_value(bad), "{bad:?}");
        }
        assert!(!is_name("") && !is_name("two words") && !is_name("n=") && !is_name("#"));
    }
}
