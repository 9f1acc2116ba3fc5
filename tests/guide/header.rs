//! The header of a guide program: its first lines, which say in fixed fields what it is, how it runs and what it prints.

use std::fmt;
use std::path::Path;

use regex::Regex;

/// The header of a program.
pub struct Header {
    pub name: String,
    /// A sentence that names the program.
    pub title: String,
    /// The chapter's number, if the program is of the guide.
    pub chapter: Option<u32>,
    pub section: String,
    /// The C program that it is a port of.
    pub original: Option<String>,
    /// Why it cannot take the place of the original, if it cannot.
    pub no_replacement: Option<String>,
    pub teaches: String,
    /// Each argument with its default, as `--help` shows them.
    pub arguments: Vec<String>,
    /// The other files that it uses.
    pub other_files: Vec<String>,
    /// The features of this library that it needs.
    pub features: Vec<String>,
    pub ends_by_itself: bool,
    /// The programs that run with it in the test.
    pub partners: Vec<Member>,
    /// The program's own arguments in the test.
    pub run: Vec<String>,
    /// The text that the test types.
    pub input: Option<String>,
    /// The lines that it prints in the test.
    pub prints: Output,
}

/// A program that takes part in a run, and how many times.
pub struct Member {
    pub count: usize,
    pub program: String,
    pub args: Vec<String>,
}

/// The lines that a program prints.
pub struct Output {
    in_order: bool,
    groups: Vec<Group>,
}

/// Lines that are printed together, and how many times.
struct Group {
    least: usize,
    or_more: bool,
    lines: Vec<String>,
}

/// The fault of a header.
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

type Parsed<T> = Result<T, Malformed>;

/// The fields in their order, with `true` if a field may be missing.
const FIELDS: [(&str, bool); 12] = [
    ("Chapter", false),
    ("Original", false),
    ("Replaces it", true),
    ("Teaches", false),
    ("Arguments", false),
    ("Other files", false),
    ("Features", true),
    ("Ends", false),
    ("Test partners", false),
    ("Test run", true),
    ("Test input", true),
    ("Test prints", false),
];

impl Header {
    pub fn read(program: &Path) -> Parsed<Header> {
        let name = program.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(program).unwrap();
        Header::parse(name, &text).map_err(|Malformed(why)| Malformed(format!("{}: {why}", program.display())))
    }

    pub fn parse(name: &str, text: &str) -> Parsed<Header> {
        let lines: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
        if lines.first().is_none_or(|title| title.is_empty()) {
            return Err(Malformed("the first line says nothing".to_owned()));
        }
        let mut rest = lines.iter().skip_while(|line| !line.is_empty()).map(|line| line.trim_end());

        let mut values: Vec<(String, String)> = Vec::new();
        let mut groups = Vec::new();
        for line in rest.by_ref().filter(|line| !line.is_empty()) {
            if let Some(group) = line.strip_prefix(" - ") {
                groups.push(Group::parse(group)?);
            } else if let Some(more) = line.strip_prefix("     ") {
                let Some((_, value)) = values.last_mut() else {
                    return Err(Malformed(format!("{line:?} continues nothing")));
                };
                value.push(' ');
                value.push_str(more.trim());
            } else {
                let Some((field, value)) = line.trim().split_once(": ") else {
                    return Err(Malformed(format!("{line:?} is no field")));
                };
                values.push((field.to_owned(), value.trim().to_owned()));
            }
        }

        let mut values = values.into_iter().peekable();
        let mut fields = Vec::new();
        for (field, optional) in FIELDS {
            match values.next_if(|(name, _)| name == field) {
                Some((_, value)) => fields.push(Some(value)),
                None if optional => fields.push(None),
                None => {
                    let instead = values.next().map(|(name, _)| name);
                    return Err(Malformed(format!("{field} is missing or not in its place: there is {instead:?}")));
                }
            }
        }
        if let Some((field, _)) = values.next() {
            return Err(Malformed(format!("{field} is no field, or not in its place")));
        }
        let [
            chapter,
            original,
            replaces,
            teaches,
            arguments,
            other_files,
            features,
            ends,
            partners,
            run,
            input,
            prints,
        ] = <[Option<String>; FIELDS.len()]>::try_from(fields).unwrap();
        // The fields that are not optional are `Some` here.
        let (chapter, original, arguments) = (chapter.unwrap(), original.unwrap(), arguments.unwrap());
        let original = Some(original).filter(|original| original != "none");
        let no_replacement = match (&original, replaces.as_deref()) {
            (Some(_), Some("in any pair" | "alone")) | (None, None) => None,
            (Some(_), Some(no)) if no.starts_with("no, ") => no.strip_prefix("no, ").map(str::to_owned),
            (_, other) => return Err(Malformed(format!("it replaces {original:?} {other:?}"))),
        };
        let (number, section) =
            chapter.split_once(", ").ok_or_else(|| Malformed(format!("{chapter:?} is no chapter and section")))?;
        let chapter = match number {
            "none" => None,
            number => Some(number.parse().map_err(|_| Malformed(format!("{number:?} is no chapter")))?),
        };

        let ends_by_itself = match ends.as_deref() {
            Some("by itself") => true,
            Some("on Ctrl-C") => false,
            other => return Err(Malformed(format!("it ends {other:?}"))),
        };
        let in_order = match prints.as_deref() {
            Some("in order" | "nothing") => true,
            Some("in any order") => false,
            other => return Err(Malformed(format!("it prints {other:?}"))),
        };
        if (prints.as_deref() == Some("nothing")) != groups.is_empty() {
            return Err(Malformed("it prints nothing, or lines that are named".to_owned()));
        }
        Ok(Header {
            name: name.to_owned(),
            title: lines[0].trim().to_owned(),
            chapter,
            section: section.to_owned(),
            original,
            no_replacement,
            teaches: teaches.unwrap(),
            arguments: list(&arguments).map(str::to_owned).collect(),
            other_files: list(&other_files.unwrap()).map(str::to_owned).collect(),
            features: list(&features.unwrap_or_default()).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            ends_by_itself,
            partners: list(&partners.unwrap()).map(Member::parse).collect::<Parsed<_>>()?,
            run: words(&run.unwrap_or_default())?,
            input: input.map(|input| input.split(" | ").map(typed).collect()),
            prints: Output { in_order, groups },
        })
    }
}

impl Header {
    /// Whether it does nothing without arguments: a list of names has no default.
    pub fn needs_names(&self) -> bool {
        self.arguments.iter().any(|argument| argument.ends_with("]..."))
    }
}

fn typed(line: &str) -> String {
    format!("{}\n", if line == "Enter" { "" } else { line })
}

/// Items that are separated by commas, or `none`.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(", ").filter(|item| *item != "none")
}

/// Words that are separated by blanks. Double quotes keep blanks together.
fn words(text: &str) -> Parsed<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let (mut quoted, mut within) = (false, false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                within = false;
                continue;
            }
            _ => {}
        }
        if !within {
            words.push(String::new());
            within = true;
        }
        if letter != '"' {
            words.last_mut().unwrap().push(letter);
        }
    }
    if quoted { Err(Malformed(format!("a quote in {text:?} does not end"))) } else { Ok(words) }
}

/// Splits a count, such as `10 x ` or `10+ x `, from the text after it.
fn count(text: &str) -> Parsed<(usize, bool, &str)> {
    let Some((number, what)) = text.split_once(" x ") else {
        return Ok((1, false, text));
    };
    let (number, or_more) = number.strip_suffix('+').map_or((number, false), |number| (number, true));
    match number.parse() {
        Ok(number) => Ok((number, or_more, what)),
        Err(_) => Ok((1, false, text)),
    }
}

impl Member {
    fn parse(text: &str) -> Parsed<Member> {
        let (count, _, command) = count(text)?;
        let mut words = words(command)?.into_iter();
        let program = words.next().ok_or_else(|| Malformed("a partner without a name".to_owned()))?;
        Ok(Member { count, program, args: words.collect() })
    }
}

impl Group {
    fn parse(text: &str) -> Parsed<Group> {
        let (least, or_more, lines) = count(text)?;
        let lines = lines.strip_prefix('`').and_then(|lines| lines.strip_suffix('`'));
        let lines = lines.ok_or_else(|| Malformed(format!("{text:?} has no lines between backquotes")))?;
        Ok(Group { least, or_more, lines: lines.split("`, `").map(str::to_owned).collect() })
    }
}

/// The regular expression for a line with placeholders.
fn pattern(line: &str) -> String {
    let literal = regex::escape(line);
    [("<n>", "-?[0-9]+"), ("<hex>", "[0-9A-F]+"), ("<id>", "[0-9A-F]{4}-[0-9A-F]{4}"), ("<text>", ".+")]
        .into_iter()
        .fold(literal, |line, (placeholder, expression)| line.replace(placeholder, expression))
}

impl Output {
    /// Checks that `lines` are exactly those that the header names.
    pub fn check(&self, lines: &[String]) -> Result<(), String> {
        if self.in_order {
            let groups = self.groups.iter().map(|group| {
                let lines: String = group.lines.iter().map(|line| pattern(line) + "\n").collect();
                format!("(?:{lines}){{{}{}}}", group.least, if group.or_more { "," } else { "" })
            });
            let expression = format!("^{}$", groups.collect::<String>());
            let printed: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let matches = Regex::new(&expression).unwrap().is_match(&printed);
            return if matches { Ok(()) } else { Err(format!("{lines:#?} is not {expression}")) };
        }
        let mut left: Vec<&String> = lines.iter().collect();
        for group in &self.groups {
            for line in &group.lines {
                let expression = Regex::new(&format!("^{}$", pattern(line))).unwrap();
                let before = left.len();
                left.retain(|line| !expression.is_match(line));
                let found = before - left.len();
                if found < group.least || (found > group.least && !group.or_more) {
                    return Err(format!("{line:?} came {found} times, and is to come {}: {lines:#?}", group.least));
                }
            }
        }
        if left.is_empty() { Ok(()) } else { Err(format!("nothing says that it prints {left:#?}")) }
    }
}
