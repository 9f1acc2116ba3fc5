//! That the headers of the guide's programs are read as they are meant, and that a wrong one is found out.

#[path = "guide/header.rs"]
#[allow(dead_code, reason = "what a run needs is not looked at here")]
mod header;

use header::Header;

const FIELDS: &str = "\
//! Says hello.
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Original: hwclient.c
//! Teaches: a request
//! Arguments: --endpoint tcp://localhost:5555,
//!     --filter \"1 \"
//! Partners: hwserver --delay 5, 2 x wuclient \"1 \"
//! Input: Enter | a line
//! Ends: by itself
";

fn header(prints: &str) -> Header {
    Header::parse("hello", &format!("{FIELDS}{prints}\nfn main() {{}}")).unwrap_or_else(|why| panic!("{why}"))
}

fn malformed(text: &str) -> String {
    Header::parse("hello", text).err().expect("the header is wrong").to_string()
}

fn lines(text: &str) -> Vec<String> {
    text.split_terminator('|').map(str::to_owned).collect()
}

#[test]
fn the_fields_are_read() {
    let header = header("//! Prints: nothing");
    assert_eq!((header.chapter, header.section.as_str()), (Some(1), "Ask and Ye Shall Receive"));
    assert_eq!(header.original.as_deref(), Some("hwclient.c"));
    assert_eq!(header.arguments, ["--endpoint tcp://localhost:5555", "--filter \"1 \""]);
    let partners: Vec<_> = header.partners.iter().map(|partner| (partner.count, partner.program.as_str())).collect();
    assert_eq!(partners, [(1, "hwserver"), (2, "wuclient")]);
    assert_eq!(header.partners[0].args, ["--delay", "5"]);
    assert_eq!(header.partners[1].args, ["1 "]);
    assert_eq!(header.input.as_deref(), Some("\na line\n"));
    assert!(header.ends_by_itself && header.run.is_empty());
}

#[test]
fn lines_in_order_are_these_and_no_others() {
    let prints =
        header("//! Prints: in order\n//! - `to [<id>]...`\n//! - 2 x `send <n>`, `got <hex>`\n//! - 1+ x `.`").prints;
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
fn lines_in_any_order_are_these_and_no_others() {
    let prints = header("//! Prints: in any order\n//! - 2 x `worker <n>`\n//! - 1+ x `client <text>`").prints;
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
fn a_program_that_prints_nothing_prints_nothing() {
    let prints = header("//! Prints: nothing").prints;
    assert_eq!(prints.check(&[]), Ok(()));
    prints.check(&lines("a line")).expect_err("a line");
}

#[test]
fn a_wrong_header_says_what_is_wrong() {
    assert!(malformed("fn main() {}").contains("the first line says nothing"));
    let without = FIELDS.replace("//! Teaches: a request\n", "");
    assert!(malformed(&format!("{without}//! Prints: nothing")).contains("Teaches is missing"));
    assert!(malformed(FIELDS).contains("Prints is missing"));
    let misspelt = FIELDS.replace("Input:", "Inputs:");
    assert!(malformed(&format!("{misspelt}//! Prints: nothing")).contains("Inputs"));
    assert!(malformed(&format!("{FIELDS}//! Prints: in order")).contains("prints nothing"));
    assert!(malformed(&format!("{FIELDS}//! Prints: in order\n//! - a line")).contains("between backquotes"));
    let ends = FIELDS.replace("by itself", "sometimes");
    assert!(malformed(&format!("{ends}//! Prints: nothing")).contains("sometimes"));
}
