//! Test data: writes the file that fileio1 to fileio3 transfer.
//!
//! Chapter: 7, Transferring Files
//! Original: mktestdata.c
//! Replaces it: alone
//! Teaches: a file whose bytes are known, so that a copy can be compared; C writes what is in its memory
//! Arguments: --file testdata, --size 1073741824
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test run: --size 600001
//! Test prints: nothing

mod common;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Parser;

/// Test data: writes the file that fileio1 to fileio3 transfer.
#[derive(Parser)]
struct Args {
    /// The file
    #[arg(long, default_value = "testdata")]
    file: PathBuf,

    /// Its size in bytes
    #[arg(long, default_value_t = 1 << 30)]
    size: u64,
}

fn main() -> common::Result {
    let args = Args::parse();
    let mut file = BufWriter::new(File::create(&args.file)?);
    // Lines of eight bytes, each its own number, so that a missing or swapped chunk is seen.
    for number in 0..args.size.div_ceil(8) {
        let line = format!("{number:07x}\n");
        let left = args.size - 8 * number;
        file.write_all(&line.as_bytes()[..left.min(8) as usize])?;
    }
    Ok(file.flush()?)
}
