//! Running a guide program as its header says: a process among its partners' processes.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use regex::{Captures, Regex};

use crate::common::guide::{Directory, Port, ended, example, interrupt};
use crate::common::{Process, command_of};
use crate::header::{Header, Member};

/// All programs by their names.
pub type Programs = BTreeMap<String, Header>;

/// Runs a program with its partners, and checks its output and its end against its header.
pub fn run(program: &Header, programs: &Programs) -> Result<(), String> {
    let directory = Directory::new(&format!("guide-{}", program.name));
    let mut ports = Ports::new();
    let mut start = |header: &Header, args: &[String]| {
        let mut command = command_of(&example(&header.name));
        command.args(ports.arguments(header, args)).current_dir(directory.path());
        let mut process = Process::spawn(&mut command);
        process.type_all(header.input.as_deref().unwrap_or_default());
        process
    };

    let (mut ending, mut staying) = (Vec::new(), Vec::new());
    for Member { count, program: name, args } in &program.partners {
        let header = programs.get(name).ok_or_else(|| format!("there is no partner {name}"))?;
        let partners = if ends_by_itself(header, args) { &mut ending } else { &mut staying };
        partners.extend((0..*count).map(|_| start(header, args)));
    }
    let process = start(program, &program.run);

    if ends_by_itself(program, &program.run) {
        program.prints.check(&ended(process))?;
        ending.into_iter().for_each(|partner| drop(ended(partner)));
    } else {
        if ending.is_empty() && program.prints.check(&[]).is_ok() {
            return Err("no partner ends and nothing is printed: nothing says that it has done its work".to_owned());
        }
        ending.into_iter().for_each(|partner| drop(ended(partner)));
        let mut lines = Vec::new();
        while program.prints.check(&lines).is_err() {
            match process.line_or_end() {
                Some(line) => lines.push(line),
                None => return Err(format!("it ended by itself, after {lines:#?}")),
            }
        }
        lines.extend(interrupt(process));
        program.prints.check(&lines)?;
    }
    staying.into_iter().for_each(|partner| drop(interrupt(partner)));
    Ok(())
}

/// Whether a program ends by itself. Every program does so with `--count`.
fn ends_by_itself(program: &Header, args: &[String]) -> bool {
    program.ends_by_itself || args.iter().any(|argument| argument == "--count")
}

/// Checks that `--help` shows the title, the arguments and the defaults of the header.
pub fn check_help(program: &Header) -> Result<(), String> {
    let Output { status, stdout, stderr } =
        Command::new(example(&program.name)).arg("--help").stdin(Stdio::null()).output().unwrap();
    let help = String::from_utf8(stdout).unwrap();
    if !status.success() || !stderr.is_empty() {
        return Err(format!("--help: {status}, {}", String::from_utf8_lossy(&stderr)));
    }
    // Clap leaves the full stop out.
    let title = program.title.trim_end_matches('.');
    if help.lines().next() != Some(title) || !help.contains("\nUsage: ") {
        return Err(format!("--help does not say {title:?} and how the program is used: {help}"));
    }
    let argument = Regex::new(r"^ +(?:(--[a-z0-9-]+)|(\[[A-Z]+\](?:\.\.\.)?))(?:.*\[default: (.*)\])?").unwrap();
    let told = help.lines().filter_map(|line| argument.captures(line)).map(|found| {
        let name = found.get(1).or(found.get(2)).unwrap().as_str();
        found.get(3).map_or(name.to_owned(), |default| format!("{name} {}", default.as_str()))
    });
    let mut told: Vec<String> = told.collect();
    let mut stated = program.arguments.clone();
    told.sort();
    stated.sort();
    if told == stated { Ok(()) } else { Err(format!("--help tells of {told:?}, the header of {stated:?}")) }
}

/// The ports of one run: a free port for each port that a default or an argument names.
struct Ports {
    reserved: BTreeMap<String, Port>,
    endpoint: Regex,
}

impl Ports {
    fn new() -> Ports {
        Ports { reserved: BTreeMap::new(), endpoint: Regex::new(r"((tcp|udp)://[^:]+:)([0-9]+)").unwrap() }
    }

    fn replaced(&mut self, text: &str) -> String {
        let Ports { reserved, endpoint } = self;
        let replaced = endpoint.replace_all(text, |found: &Captures<'_>| {
            let reserve = if &found[2] == "tcp" { Port::reserve } else { Port::reserve_udp };
            let port = reserved.entry(format!("{} {}", &found[2], &found[3])).or_insert_with(reserve);
            format!("{}{}", &found[1], port.number())
        });
        replaced.into_owned()
    }

    /// The arguments of a program: those given, and every default that names a port.
    fn arguments(&mut self, header: &Header, given: &[String]) -> Vec<String> {
        let mut arguments: Vec<String> = given.iter().map(|argument| self.replaced(argument)).collect();
        for argument in &header.arguments {
            if let Some((name, default)) = argument.split_once(' ')
                && self.endpoint.is_match(default)
                && !given.iter().any(|given| given == name)
            {
                arguments.extend([name.to_owned(), self.replaced(default)]);
            }
        }
        arguments
    }
}
