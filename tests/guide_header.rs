//! The headers of the guide's programs: valid ones are parsed, and malformed ones are refused with the reason.

#[path = "guide/header.rs"]
#[allow(dead_code, reason = "what a run needs is not looked at here")]
mod header;

use header::Header;

const FIELDS: &str = "\
//! Says hello.
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Original: hwclient.c
//! Replaces it: in any pair
//! Teaches: a request
//! Arguments: --endpoint tcp://localhost:5555,
//!     --filter \"1 \"
//! Other files: common/mod.rs, common/frames.rs
//! Features: tokio, bytes
//! Ends: by itself
//! Test partners: hwserver --delay 5, 2 x wuclient \"1 \"
//! Test input: Enter | a line
";

fn header(prints: &str) -> Header {
    Header::parse("hello", &format!("{FIELDS}{prints}\nfn main() {{}}")).unwrap_or_else(|why| panic!("{why}"))
}

fn malformed(text: &str) -> String {
    Header::parse("hello", text).err().expect("the header is wrong").to_string()
}

#[test]
fn header_says_why_a_program_does_not_replace_its_original() {
    let text = format!("{}//! Test prints: nothing", FIELDS.replace("in any pair", "no, it is too old"));
    let header = Header::parse("hello", &text).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(header.no_replacement.as_deref(), Some("it is too old"));
}

fn lines(text: &str) -> Vec<String> {
    text.split_terminator('|').map(str::to_owned).collect()
}

#[test]
fn header_has_the_fields_of_the_text() {
    let header = header("//! Test prints: nothing");
    assert_eq!((header.chapter, header.section.as_str()), (Some(1), "Ask and Ye Shall Receive"));
    assert_eq!(header.original.as_deref(), Some("hwclient.c"));
    assert_eq!(header.no_replacement, None);
    assert_eq!(header.other_files, ["common/mod.rs", "common/frames.rs"]);
    assert_eq!(header.features, ["tokio", "bytes"]);
    assert_eq!(header.arguments, ["--endpoint tcp://localhost:5555", "--filter \"1 \""]);
    let partners: Vec<_> = header.partners.iter().map(|partner| (partner.count, partner.program.as_str())).collect();
    assert_eq!(partners, [(1, "hwserver"), (2, "wuclient")]);
    assert_eq!(header.partners[0].args, ["--delay", "5"]);
    assert_eq!(header.partners[1].args, ["1 "]);
    assert_eq!(header.input.as_deref(), Some("\na line\n"));
    assert!(header.ends_by_itself && header.run.is_empty());
}

#[test]
fn output_in_order_matches_these_lines_only() {
    let prints =
        header("//! Test prints: in order\n//! - `to [<id>]...`\n//! - 2 x `send <n>`, `got <hex>`\n//! - 1+ x `.`")
            .prints;
    assert_eq!(prints.check(&lines("to [01AB-FFFF]...|send 0|got 0A|send -1|got FF|.|.")), Ok(()));
    for wrong in [
        "",
        "to [01AB-FFFF]...|send 0|got 0A|send 1|got FF",
        "to [01AB-FFFF]...|send 0|got 0A|.",
        "to [01AB-FFFF]...|send 0|send 1|got 0A|got FF|.",
        "to [01AB-FFFF]...|send x|got 0A|send 1|got FF|.",
        "to [01AB-FFFF]---|send 0|got 0A|send 1|got FF|.",
        "to [01AB-FFFF]...|send 0|got 0A|send 1|got FF|x",
        "to [01AB-FFFF]...|send 0|got 0A|send 1|got FF|.|more",
    ] {
        prints.check(&lines(wrong)).expect_err(wrong);
    }
}

#[test]
fn output_in_any_order_matches_these_lines_only() {
    let prints = header("//! Test prints: in any order\n//! - 2 x `worker <n>`\n//! - 1+ x `client <text>`").prints;
    assert_eq!(prints.check(&lines("client a|worker 1|client b|worker 2")), Ok(()));
    for wrong in [
        "worker 1|worker 2",
        "worker 1|client a",
        "worker 1|worker 2|worker 3|client a",
        "worker 1|worker 2|client a|other",
    ] {
        prints.check(&lines(wrong)).expect_err(wrong);
    }
}

#[test]
fn output_of_nothing_matches_no_line() {
    let prints = header("//! Test prints: nothing").prints;
    assert_eq!(prints.check(&[]), Ok(()));
    prints.check(&lines("a line")).expect_err("a line");
}

#[test]
fn header_that_is_malformed_is_refused_with_the_reason() {
    assert!(malformed("fn main() {}").contains("the first line says nothing"));
    let without = FIELDS.replace("//! Teaches: a request\n", "");
    assert!(malformed(&format!("{without}//! Test prints: nothing")).contains("Teaches is missing"));
    assert!(malformed(FIELDS).contains("Test prints is missing"));
    let misspelt = FIELDS.replace("Test input:", "Test inputs:");
    assert!(malformed(&format!("{misspelt}//! Test prints: nothing")).contains("Test inputs"));
    assert!(malformed(&format!("{FIELDS}//! Test prints: in order")).contains("prints nothing"));
    assert!(malformed(&format!("{FIELDS}//! Test prints: in order\n//! - a line")).contains("between backquotes"));
    let replaces = FIELDS.replace("in any pair", "now and then");
    assert!(malformed(&format!("{replaces}//! Test prints: nothing")).contains("now and then"));
    let replaces = FIELDS.replace("hwclient.c", "none");
    assert!(malformed(&format!("{replaces}//! Test prints: nothing")).contains("in any pair"));
    let ends = FIELDS.replace("by itself", "sometimes");
    assert!(malformed(&format!("{ends}//! Test prints: nothing")).contains("sometimes"));
}
