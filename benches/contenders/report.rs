//! Tables in Markdown, with medians and intervals of ratios.

use std::path::Path;
use std::process::Command;

use crate::common::{median, text};
use crate::runs::{Row, Taken};

/// A table: the contenders, and a column for each row of work.
pub struct Section {
    pub title: String,
    /// Whether the work is round trips, which have percentiles.
    pub has_trips: bool,
    /// Whether the columns go by size.
    pub has_plot: bool,
    pub columns: Vec<(String, Row)>,
}

/// A ratio counts as another one than 1 if its whole interval lies beyond this or its inverse.
const BEYOND: f64 = 1.05;

/// The processor, its cores, and the kernel.
pub fn machine(rounds: usize) -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = processors.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = models.clone().next().map_or("an unknown processor", |(_, model)| model);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let day = Command::new("date").arg("+%Y-%m-%d").output().map(|output| text(&output)).unwrap_or_default();
    format!(
        "{model}, {} cores, Linux {}, {}. Medians of {rounds} rounds. The ratio is the time to C's in the same rounds, with the \
         interval that has its median with about 95 %, or all of it in fewer than six rounds. A contender is `slower` or \
         `faster` if the whole interval lies beyond 5 %.\n",
        models.count().max(1),
        kernel.trim(),
        day.trim(),
    )
}

pub fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    println!("{}", path.display());
}

/// The table of a section: `taken` has for each column what each contender took in each round.
pub fn table(section: &Section, names: &[String], taken: &[Vec<Option<Vec<Taken>>>]) -> String {
    let unit = if section.has_trips {
        "microseconds of a round trip at 50 %, 99 % and 99.9 % of all"
    } else {
        "thousands of messages a second"
    };
    let cells: Vec<Vec<String>> =
        taken.iter().map(|runs| runs.iter().map(|of_it| cell(section, &runs[0], of_it)).collect()).collect();
    let columns: Vec<String> = section.columns.iter().map(|(name, _)| name.clone()).collect();
    let shown: Vec<usize> = (0..names.len()).filter(|index| taken.iter().any(|runs| runs[*index].is_some())).collect();
    let mut table = format!("\n### {}\n\n", section.title);
    // The longer side goes down.
    if shown.len() < columns.len() / 2 {
        let heads = shown.iter().map(|index| names[*index].clone());
        line(&mut table, std::iter::once(unit.to_owned()).chain(heads), true);
        for (column, cells) in columns.into_iter().zip(cells) {
            let cells = shown.iter().map(|index| cells[*index].clone());
            line(&mut table, std::iter::once(column).chain(cells), false);
        }
    } else {
        line(&mut table, std::iter::once(unit.to_owned()).chain(columns), true);
        for index in shown {
            let cells = cells.iter().map(|cells| cells[index].clone());
            line(&mut table, std::iter::once(names[index].clone()).chain(cells), false);
        }
    }
    table
}

/// Adds a line to a table, and the one under its head.
pub fn line(table: &mut String, cells: impl Iterator<Item = String>, is_head: bool) {
    let cells: Vec<String> = cells.collect();
    table.push_str(&format!("| {} |\n", cells.join(" | ")));
    if is_head {
        table.push_str(&format!("|{}\n", " --- |".repeat(cells.len())));
    }
}

fn cell(section: &Section, of_c: &Option<Vec<Taken>>, of_it: &Option<Vec<Taken>>) -> String {
    let Some(runs) = of_it else { return "-".to_owned() };
    let mut cell = if section.has_trips {
        let trips = [0, 1, 2].map(|part| figure(median_of(runs, |taken| taken.trips[part]) / 1e3));
        trips.join(", ")
    } else {
        figure(1e6 / median_of(runs, |taken| taken.nanoseconds))
    };
    let Some(of_c) = of_c.as_ref().filter(|of_c| !std::ptr::eq(*of_c, runs)) else { return cell };
    let time = |taken: &Taken| if section.has_trips { taken.trips[0] } else { taken.nanoseconds };
    let ratios = runs.iter().zip(of_c).map(|(taken, of_c)| time(taken) / time(of_c)).collect();
    let (low, middle, high) = interval(ratios);
    cell.push_str(&format!("; {middle:.2} ({low:.2} to {high:.2})"));
    if low > BEYOND {
        cell.push_str(" slower");
    } else if high < 1.0 / BEYOND {
        cell.push_str(" faster");
    }
    cell
}

pub fn median_of(runs: &[Taken], figure: impl Fn(&Taken) -> f64) -> f64 {
    median(runs.iter().map(figure).collect())
}

/// Three digits, or the whole number.
pub fn figure(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The median, between the values that have the true median between them with 95 % or more: the order says so, whatever the
/// distribution is. Fewer than six values cannot, and give their least and their greatest.
fn interval(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let number = values.len();
    let mut rank = 0;
    // The probability that no more than `rank` values are less than the true median.
    let mut ways = 1.0;
    let mut below = 0.0;
    for less in 0..number / 2 {
        below += ways / 2f64.powi(number as i32);
        if 2.0 * below > 0.05 {
            break;
        }
        rank = less;
        ways *= (number - less) as f64 / (less + 1) as f64;
    }
    (values[rank], values[number / 2], values[number - 1 - rank])
}
