//! The table of contents, `examples/README.md`: made from the programs' headers.

use std::fmt::Write;
use std::path::Path;

use crate::header::{Header, Member};
use crate::list;
use crate::run::Programs;

const INTRODUCTION: &str = r#"# The programs of the ZeroMQ Guide

A teaching port of the guide's programs, under their own names. A program uses the same frames as its C original: a program
from here and one in C can replace each other in any pair, except those whose last column says why not.

[What goes wrong](#what-goes-wrong) lists programs that show faults, and how to do it right.

## How to run them

Start a program with `cargo run --example NAME`, and its partners in other terminals. All endpoints, counts and delays
are arguments: `cargo run --example NAME -- --help` lists them. Ctrl-C ends the programs that run without end.

Most programs may be started in any order: the side that connects waits for the side that binds. The exceptions:

- The pipelines: first the sink, then the workers, then taskvent. Press Enter in taskvent when all workers are there, or
  the first to connect gets most of the tasks. taskwork2 waits a second for its controller, which is tasksink2.
- Publishers: an update that is sent before a subscriber has connected does not reach it. syncpub waits for ten
  subscribers, so it needs ten of them. The guide starts all with a shell loop:

  ```sh
  cargo build --example syncsub --example syncpub
  cd target/debug/examples
  echo "Starting subscribers..."
  for ((a=0; a<10; a++)); do
      ./syncsub &
  done
  echo "Starting publisher..."
  ./syncpub
  ```

- peering2: start all brokers, then press Enter in each.
- lvcache: start it before pathopub, whose first updates come after a second.
- fileio1 to fileio3 transfer the file `testdata` of the directory in which they are started. mktestdata writes it.
- dechat: each peer has an address of its own. On one host they are 127.0.0.1, 127.0.0.2 and so on:
  `cargo run --example dechat -- --interface tcp://127.0.0.2:9000 --username Ann`.
- udpping1 to udpping3 send to all hosts of the network. `--broadcast udp://127.255.255.255:9999` keeps that on this host.
- The `ipc://` endpoints are files of the directory in which a program is started: start partners in the same one.

wuclient needs a hundred updates of one zip code, and wuserver sends updates of a hundred thousand: about ten million have
to pass. In a debug build that takes about ten seconds. `cargo run --release` is faster, and so is a shorter filter:
`cargo run --example wuclient -- 1`.

## How to read them

The tables name each program's section of the guide by its title in English and in Chinese. Titles of chapters 1 to 5 are
those of the [Chinese edition](https://github.com/anjuke/zguide-cn), as far as it has the section; the others are translated
here.

A program is read from top to bottom. Its header names the C original, and the other files that it uses. It is compiled
with files of the folder `common/`: `mod.rs` has what every program needs (`until_ctrl_c`, `pause`, an error that prints what
went wrong), the other files have what two or more programs share. The fields whose names begin with `Test` say how
`cargo test --test guide` runs the program: with shorter delays than a reader wants.

`C` in a comment means the original program in C: "C sleeps here" says what the original does if the port differs.

Ports send and receive texts with the guide's own `s_send`, `s_sendmore` and `s_recv`, so that they can be read beside the
text of the guide. Routing ids, whole messages, and calls that must not wait go through the methods of `Socket`. The
programs without an original, and those for async runtimes, use these methods only, since they show what the methods give
back.

The older editions have programs that today's guide lacks. They have their own names here, except one: the older
rtdealer is [rtdealer_v2](rtdealer_v2.rs), since today's guide gave its name to another program. lruqueue and lruqueue2 of
the older editions are lbbroker and lbbroker2 today.
"#;

const FAULTS: &str = "
## What goes wrong

These programs show what the guide warns of: first the fault, then the right way.
";

const ASYNC: &str = "
## In async runtimes

These programs wait in [async runtimes](https://docs.rs/safe-zmq/latest/zmq/aio/), Tokio or async-io. A program with a C
original uses the same frames, and can take its place in any pair, among programs in C and those above.

| program | what it teaches | command | C original, or subject |
| --- | --- | --- | --- |
";

const FROM_C: &str = r"
## Coming from C

These programs show idioms of C programs, and what replaces them here. They are not the guide's. Each header describes the
idiom in C, its replacement, and what the compiler checks. `cargo run --example from_c_NAME` runs one, and prints its usage.
`cargo test --test from_c` runs each with itself, and with a program in C that does the same ([tests/from_c](../tests/from_c)),
on either side.

| program | in C | here |
| --- | --- | --- |
| [notifier](from_c/notifier.rs) | a context in a `static`, a `__thread` socket, `atexit` | `LazyLock`, `thread_local!`, `Context::terminate` |
| [chat](from_c/chat.rs) | `zmq_poll` over standard input and a socket | `poll` with `PollItem::fd`, and no line left in a buffer |
| [secure_server](from_c/secure_server.rs) | CURVE's options, a ZAP thread, `zmq_socket_monitor` | `Socket::secure`, `Authenticator`, `Monitor`, in one poll |
| [event_loop](from_c/event_loop.rs) | `ZMQ_FD` in an edge-triggered epoll, `ZMQ_EVENTS` | `Socket::fd` and `Socket::events` in the loop of mio |
| [locked_publisher](from_c/locked_publisher.rs) | a global socket and a `pthread_mutex_t` | `Mutex<Socket<XPub>>`, and a message of several parts in one call |
| [forked_worker](from_c/forked_worker.rs) | `fork`, and a context in the child | `Command`, and what an inherited socket does |
| [options_file](from_c/options_file.rs) | a table of names, numbers and C types | `set_option` by name, of sockets and contexts |
";

/// Checks that the file matches the headers. Writes it if `ZMQ_BLESS` is set.
pub fn check(directory: &Path, programs: &Programs) -> Result<(), String> {
    let file = directory.join("README.md");
    let contents = contents(programs);
    if std::env::var_os("ZMQ_BLESS").is_some() {
        std::fs::write(&file, contents).unwrap();
    } else if std::fs::read_to_string(&file).unwrap_or_default() != contents {
        return Err(
            "examples/README.md is not what the headers say: ZMQ_BLESS=1 cargo test --test guide writes it".into()
        );
    }
    Ok(())
}

fn contents(programs: &Programs) -> String {
    let mut text = INTRODUCTION.to_owned();
    let guide = |program: &&Header| program.original.is_some() && program.features.is_empty();
    let mut chapters: Vec<u32> = programs.values().filter(guide).filter_map(|program| program.chapter).collect();
    chapters.sort();
    chapters.dedup();
    for chapter in chapters {
        writeln!(text, "\n## Chapter {chapter}\n").unwrap();
        text += "| program | section | what it teaches | command | C original |\n| --- | --- | --- | --- | --- |\n";
        for program in in_order(programs).filter(guide).filter(|program| program.chapter == Some(chapter)) {
            let original = program.original.as_deref().unwrap_or_default();
            write!(text, "{} {original}", row(program, Some(&section(program)))).unwrap();
            if let Some(why) = &program.no_replacement {
                write!(text, "; not in its place: {why}").unwrap();
            }
            text += " |\n";
        }
    }
    let table = |text: &mut String, of_a_chapter: bool| {
        *text += "\n| program | what it teaches | command | in the guide |\n| --- | --- | --- | --- |\n";
        let others = programs.values().filter(|program| program.original.is_none() && program.features.is_empty());
        for program in others.filter(|program| program.chapter.is_some() == of_a_chapter) {
            let chapter = program.chapter.map_or_else(String::new, |chapter| format!("chapter {chapter}, "));
            writeln!(text, "{} {chapter}{} |", row(program, None), program.section).unwrap();
        }
    };
    text += FAULTS;
    table(&mut text, true);
    text += "\n## Besides\n";
    table(&mut text, false);
    text += ASYNC;
    for program in programs.values().filter(|program| !program.features.is_empty()) {
        let instead_of = program.original.as_deref().unwrap_or(&program.section);
        writeln!(text, "{} {instead_of} |", row(program, None)).unwrap();
    }
    text + FROM_C
}

/// The guide's programs in their order, and then all others.
fn in_order(programs: &Programs) -> impl Iterator<Item = &Header> {
    let names: Vec<&str> = list::programs().map(|program| program.name).collect();
    let others = move |program: &&Header| !names.contains(&program.name.as_str());
    list::programs().filter_map(|program| programs.get(program.name)).chain(programs.values().filter(others))
}

/// The title of a program's section in the guide, in English and in Chinese.
fn section(program: &Header) -> String {
    match list::section(program) {
        Some(section) => format!("{} / {}", section.title, section.in_chinese),
        None => program.section.clone(),
    }
}

/// A program's row without its last column, with the column of its section if there is one.
fn row(program: &Header, section: Option<&str>) -> String {
    let Header { name, teaches, features, partners, run, .. } = program;
    let section = section.map_or_else(String::new, |section| format!(" {section} |"));
    let mut row = format!("| [{name}]({name}.rs) |{section} {teaches} | `cargo run");
    if !features.is_empty() {
        write!(row, " --features {}", features.join(",")).unwrap();
    }
    write!(row, " --example {name}").unwrap();
    let own = needed(run, program.needs_names());
    if !own.is_empty() {
        write!(row, " --{own}").unwrap();
    }
    row.push('`');
    for (number, Member { count, program: partner, args }) in partners.iter().enumerate() {
        row += if number == 0 { " with " } else { ", " };
        if *count > 1 {
            write!(row, "{count} x ").unwrap();
        }
        write!(row, "`{partner}{}`", needed(args, program.needs_names())).unwrap();
    }
    row + " |"
}

/// The arguments of a test that a reader needs too: names, which come first, roles, and endpoints. The others make the test
/// shorter, or keep its broadcasts on this host.
fn needed(args: &[String], with_names: bool) -> String {
    let names = args.iter().take_while(|arg| with_names && !arg.starts_with("--"));
    let roles = args.iter().filter(|arg| ["--backup", "--host", "--primary"].contains(&arg.as_str()));
    let is_endpoint = |arg: &str| arg.contains("://") && !arg.starts_with("udp://");
    let endpoints = args.windows(2).filter(|pair| pair[0].starts_with("--") && is_endpoint(&pair[1])).flatten();
    names.chain(roles).chain(endpoints).map(|arg| format!(" {arg}")).collect()
}
