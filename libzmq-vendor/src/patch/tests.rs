//! Patches are read and applied as they should be, and malformed ones are refused.

use super::{FilePatch, Patch};

const HEADER: &str = "Title: a\nTrigger: safe code\n\nWhy.\n\n";

/// A patch of one file, with these hunks.
fn read(hunks: &str) -> Result<Patch, String> {
    let text = format!("{HEADER}--- a/src/a.cpp\n+++ b/src/a.cpp\n{hunks}");
    Patch::parse("0001-a", &text).map_err(|error| error.to_string())
}

fn file(hunks: &str) -> FilePatch {
    read(hunks).unwrap().files.remove(0)
}

#[track_caller]
fn refuses(text: &str, why: &str) {
    let error = Patch::parse("0001-a", text).unwrap_err().to_string();
    assert!(error.starts_with("patch 0001-a, line ") && error.contains(why), "{error}");
}

const HUNK: &str = "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

#[test]
fn hunks_replace_their_old_lines() {
    assert_eq!(file(HUNK).apply("zero\none\ntwo\nthree\nfour\n").unwrap(), "zero\none\n2\nthree\nfour\n");
    let two = format!("{HUNK}@@ -9 +9,2 @@\n nine\n+ten\n");
    assert!(file(&two).apply("one\ntwo\nthree\nnine\n").unwrap_err().starts_with("hunk 2 could be applied again"));
    let two = format!("{HUNK}@@ -9,2 +9,3 @@\n nine\n+nine and a half\n ten\n");
    assert_eq!(
        file(&two).apply("one\ntwo\nthree\nnine\nten\n").unwrap(),
        "one\n2\nthree\nnine\nnine and a half\nten\n"
    );
}

#[test]
fn hunks_do_not_apply_to_another_text() {
    let file = file(HUNK);
    for other in
        ["", "one\ntwo\n", "one\ntwo\nthree", "one\ntwo \nthree\n", "one\ntwo\nthird\n", "one\r\ntwo\r\nthree\r\n"]
    {
        assert_eq!(file.apply(other).unwrap_err(), "hunk 1 matches nothing", "{other:?}");
    }
}

#[test]
fn hunks_do_not_apply_in_two_places() {
    let text = "one\ntwo\nthree\n";
    assert_eq!(file(HUNK).apply(&text.repeat(2)).unwrap_err(), "hunk 1 matches 2 places");
}

#[test]
fn hunks_do_not_apply_twice() {
    let once = file(HUNK).apply("one\ntwo\nthree\n").unwrap();
    assert_eq!(file(HUNK).apply(&once).unwrap_err(), "hunk 1 matches nothing");
    let adds = file("@@ -1,2 +1,3 @@\n one\n two\n+three\n");
    assert_eq!(adds.apply("one\ntwo\n").unwrap_err(), "hunk 1 could be applied again: it needs more context");
}

#[test]
fn hunks_do_not_apply_out_of_order() {
    let swapped = format!("@@ -8,3 +8,2 @@\n eight\n-nine\n ten\n{HUNK}");
    let error = file(&swapped).apply("one\ntwo\nthree\neight\nnine\nten\n").unwrap_err();
    assert_eq!(error, "hunk 2 matches in front of the hunk before it");
}

#[test]
fn last_lines_can_lack_their_newline() {
    let removes = file("@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+2\n");
    assert_eq!(removes.apply("one\ntwo").unwrap(), "one\n2\n");
    assert_eq!(removes.apply("one\ntwo\n").unwrap_err(), "hunk 1 matches nothing");
    let adds = file("@@ -1,2 +1,2 @@\n one\n-two\n+2\n\\ No newline at end of file\n");
    assert_eq!(adds.apply("one\ntwo\n").unwrap(), "one\n2");
    assert_eq!(adds.apply("one\ntwo\nthree\n").unwrap_err(), "hunk 1 ends the file in its middle");
    let mark = "\\ No newline at end of file\n";
    let twice = format!("@@ -1,2 +1,2 @@\n one\n-two\n+2\n{mark}{mark}");
    let first = format!("@@ -1,2 +1,2 @@\n{mark} one\n-two\n+2\n");
    for hunk in [&twice, &first, "@@ -1,2 +1,2 @@\n one\n-two\n+2\n\\ No newline\n"] {
        assert!(read(hunk).unwrap_err().contains("must stand once"), "{hunk}");
    }
    let keeps = file("@@ -1,2 +1,2 @@\n-one\n+1\n two\n\\ No newline at end of file\n");
    assert_eq!(keeps.apply("one\ntwo").unwrap(), "1\ntwo");
    let inside = "@@ -1,2 +1,2 @@\n one\n\\ No newline at end of file\n-two\n+2\n";
    assert!(read(inside).unwrap_err().contains("only the last line of a file"));
}

#[test]
fn lines_that_look_like_heads_of_files_belong_to_their_hunk() {
    let dashes = file("@@ -1,2 +1,2 @@\n--- a\n+++ b\n one\n");
    assert_eq!(dashes.apply("-- a\none\n").unwrap(), "++ b\none\n");
}

#[test]
fn malformed_patches_are_refused() {
    refuses("Title: a\n\n", "it has no diff");
    refuses("Title: a\r\n", "LF alone");
    refuses("Title a\n", "`Name: value`");
    refuses("Titel: a\n", "there is no field Titel");
    refuses("Title: a\nTitle: b\n", "twice");
    refuses("Needs: 1 2\n", "numbers of patches");
    refuses("Needs: 1\nNeeds: 2\n", "twice");
    for test in ["a: b", "a.rs: a b", "a.rs: a (x runs)", "a.rs: a (0 runs)", "a.rs"] {
        refuses(&format!("Test: {test}\n"), "a test must be");
    }
    let header = |files: &str| format!("{HEADER}{files}");
    for damaged in ["---a/x\n+++ b/x\n", "+++ b/x\n", HUNK, "diff --git a/x b/x\n"] {
        refuses(&header(&format!("{damaged}--- a/x\n+++ b/x\n{HUNK}")), "before the first");
    }
    refuses(&header("--- a/x\n"), "must follow");
    refuses(&header("--- a/x\n+++ b/y\n"), "must follow");
    refuses(&header("--- x\n+++ x\n"), "neither a hunk nor a file");
    refuses(&header("--- a/../x\n+++ b/../x\n"), "inside libzmq");
    refuses(&header("--- a/x\n+++ b/x\n"), "a hunk must follow");
    for (hunk, why) in [
        ("@@ -1,3 +1,3\n one\n-two\n+2\n three\n", "`@@ -L,N +L,N @@`"),
        ("@@ -1,x +1,3 @@\n one\n", "`@@ -L,N +L,N @@`"),
        ("@@ -1,4 +1,3 @@\n one\n-two\n+2\n three\n", "as many lines"),
        ("@@ -1,2 +1,3 @@\n one\n-two\n+2\n three\n", "as many lines"),
        ("@@ -1,2 +1,2 @@\n one\n-two\n+2\n three\n", "neither a hunk nor a file"),
        ("@@ -1,3 +1,3 @@\n one\n-two\n+2\n\n", "must begin with"),
        ("@@ -1,1 +1,1 @@\n one\n", "change them"),
        ("@@ -0,0 +1,1 @@\n+one\n", "old lines"),
    ] {
        assert!(read(hunk).unwrap_err().contains(why), "{hunk}");
    }
    assert!(read("@@ -1 +1 @@\n-one\n+1").unwrap_err().contains("must end with a newline"));
    let twice = format!("--- a/x\n+++ b/x\n{HUNK}").repeat(2);
    refuses(&header(&twice), "this file twice");
    for name in ["1-a", "0001", "0001-", "x001-a", "+001-a"] {
        let error = Patch::parse(name, "Title: a\n").unwrap_err().to_string();
        assert!(error.contains("its name must be NNNN-title"), "{error}");
    }
}

#[test]
fn fields_are_read() {
    let text = "Title: t\n  t\nTrigger: r\nSince: s\nUpstream: u\nTest: tests/patches/a.rs: b\n\
                Test: tests/patches/a.rs: c (20 runs)\nNeeds: 0001, 1002\n\nWhy.\n\n--- a/x\n+++ b/x\n";
    let patch = Patch::parse("1003-a-b", &format!("{text}{HUNK}")).unwrap();
    assert_eq!((patch.number, &*patch.title, &*patch.trigger), (1003, "t t", "r"));
    assert_eq!((&*patch.since, &*patch.upstream, &*patch.needs), ("s", "u", &[1, 1002][..]));
    let tests: Vec<_> = patch.tests.iter().map(|test| (&*test.file, &*test.name, test.runs)).collect();
    assert_eq!(tests, [("tests/patches/a.rs", "b", 1), ("tests/patches/a.rs", "c", 20)]);
}

#[test]
fn failures_name_the_patch_and_the_file() {
    let directory = std::env::temp_dir().join(format!("libzmq-vendor-patch-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("src")).unwrap();
    std::fs::write(directory.join("src/a.cpp"), "another\n").unwrap();
    let error = read(HUNK).unwrap().apply(&directory).unwrap_err().to_string();
    std::fs::write(directory.join("src/a.cpp"), "one\ntwo\nthree\n").unwrap();
    let applied = read(HUNK).unwrap().apply(&directory);
    let text = std::fs::read_to_string(directory.join("src/a.cpp")).unwrap();
    let none = read(HUNK).unwrap().apply(&directory.join("none")).unwrap_err().to_string();
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(error, "the patch 0001-a does not apply to src/a.cpp: hunk 1 matches nothing");
    assert!(applied.is_ok() && text == "one\n2\nthree\n", "{applied:?} {text}");
    assert!(none.starts_with("the patch 0001-a does not apply to src/a.cpp: No such file"), "{none}");
}
