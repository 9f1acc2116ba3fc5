//! The swap of durapub2: a queue in a file.

use std::io;
use std::path::PathBuf;

use crate::durapub2::Swap;

/// A new swap, and the path of its file.
fn swap(name: &str, capacity: u64) -> (Swap, PathBuf) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.swap", std::process::id()));
    (Swap::new(&path, capacity), path)
}

#[deadline::test]
fn swap_gives_messages_in_order_and_removes_its_file_with_the_last() {
    let (mut swap, path) = swap("order", 1000);
    assert!(!path.exists());
    for number in 0..20 {
        assert!(swap.push(format!("message {number}").as_bytes()).unwrap());
    }
    assert!(path.metadata().unwrap().len() >= 20 * 9);
    for number in 0..20 {
        assert!(path.exists());
        assert_eq!(swap.pop().unwrap().unwrap(), format!("message {number}").as_bytes());
    }
    assert_eq!(swap.pop().unwrap(), None);
    assert!(!path.exists());
}

#[deadline::test]
fn swap_is_bounded_and_wraps_around() {
    let (mut swap, path) = swap("round", 50);
    let mut numbers = 0_u64..;
    let mut expected = 0_u64..;
    let mut is_full = false;
    for _ in 0..100 {
        let number = numbers.next().unwrap();
        // Three or four messages of 12 bytes fit, so most positions are reached by wrapping around.
        while !swap.push(&number.to_be_bytes()).unwrap() {
            is_full = true;
            assert_eq!(swap.pop().unwrap().unwrap(), expected.next().unwrap().to_be_bytes());
        }
        assert!(path.metadata().unwrap().len() <= 50);
    }
    assert!(is_full);
    while let Some(message) = swap.pop().unwrap() {
        assert_eq!(message, expected.next().unwrap().to_be_bytes());
    }
    assert_eq!(expected.next(), Some(100));
}

#[deadline::test]
fn swap_refuses_a_message_that_never_fits() {
    let (mut swap, path) = swap("large", 10);
    assert!(!swap.push(&[0; 7]).unwrap());
    assert!(!path.exists());
    assert!(swap.push(&[7; 6]).unwrap());
    assert!(!swap.push(b"").unwrap());
    assert_eq!(swap.pop().unwrap().unwrap(), [7; 6]);
    assert!(swap.push(b"").unwrap());
    assert_eq!(swap.pop().unwrap().unwrap(), b"");
}

#[deadline::test]
fn swap_removes_its_file_when_it_is_dropped() {
    let (mut swap, path) = swap("drop", 100);
    assert!(swap.push(b"left behind").unwrap());
    assert!(path.exists());
    drop(swap);
    assert!(!path.exists());
}

#[deadline::test]
fn swap_leaves_an_existing_file_alone() {
    let (mut swap, path) = swap("taken", 100);
    std::fs::write(&path, "precious").unwrap();
    assert_eq!(swap.push(b"mine").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    drop(swap);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(path).unwrap();
}
