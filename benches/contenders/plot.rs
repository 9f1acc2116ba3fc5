//! Plots in SVG: the size of messages against throughput or latency, one line for each contender.

use std::fmt::Write;
use std::path::Path;

use crate::report::{Section, figure, median_of};
use crate::runs::Taken;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
/// The edges of the plane.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 430.0;
const COLOURS: [&str; 9] =
    ["#000000", "#888888", "#d62728", "#1f77b4", "#17becf", "#9467bd", "#2ca02c", "#8c8c00", "#ff7f0e"];

fn label(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>").expect("a string");
}

/// Writes the plot of a section, both of whose axes are logarithmic.
pub fn write(folder: &Path, section: &Section, names: &[String], taken: &[Vec<Option<Vec<Taken>>>]) {
    let value = |runs: &[Taken]| {
        if section.has_trips {
            median_of(runs, |taken| taken.trips[0]) / 1e3
        } else {
            1e6 / median_of(runs, |taken| taken.nanoseconds)
        }
    };
    let lines: Vec<Vec<(usize, f64)>> = (0..names.len())
        .map(|index| {
            let columns = section.columns.iter().zip(taken);
            columns.filter_map(|((_, row), runs)| Some((row.size, value(runs[index].as_ref()?)))).collect()
        })
        .collect();
    let values = || lines.iter().flatten().map(|(_, value)| *value);
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
    let (low, high) = (least.log10().floor(), most.log10().ceil().max(least.log10().floor() + 1.0));
    let sizes = || section.columns.iter().map(|(_, row)| row.size);
    let widest = (sizes().max().unwrap_or(2).max(2) as f64).log2();
    let x = |size: usize| LEFT + (size as f64).log2() / widest * (RIGHT - LEFT);
    let y = |value: f64| BOTTOM - (value.log10() - low) / (high - low) * (BOTTOM - TOP);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let unit = if section.has_trips { "median round trip, microseconds" } else { "thousands of messages a second" };
    label(&mut svg, LEFT, 24.0, "start", &format!("{}: {unit}, by the size of a message", section.title));
    let decades: Vec<f64> = (low as i32..=high as i32).map(|power| 10f64.powi(power)).collect();
    for decade in &decades {
        label(
            &mut svg,
            LEFT - 6.0,
            y(*decade) + 4.0,
            "end",
            &if *decade < 1.0 { decade.to_string() } else { figure(*decade) },
        );
    }
    for (name, row) in &section.columns {
        // 33 and 34 bytes would be one text over the other.
        if row.size != 34 {
            label(&mut svg, x(row.size), BOTTOM + 18.0, "middle", name);
        }
    }
    let mut place = TOP + 10.0;
    for ((name, line), colour) in names.iter().zip(&lines).zip(COLOURS) {
        if !line.is_empty() {
            label(&mut svg, RIGHT + 40.0, place + 4.0, "start", name);
            let points: Vec<String> =
                line.iter().map(|(size, value)| format!("{:.1},{:.1}", x(*size), y(*value))).collect();
            let shape = "fill=\"none\" stroke-width=\"2\" stroke";
            writeln!(svg, "<polyline points=\"{}\" {shape}=\"{colour}\"/>", points.join(" ")).expect("a string");
            let (from, to) = (RIGHT + 12.0, RIGHT + 34.0);
            writeln!(svg, "<path d=\"M{from} {place}H{to}\" {shape}=\"{colour}\"/>").expect("a string");
            place += 20.0;
        }
    }
    for decade in decades {
        let y = y(decade);
        writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"#dddddd\"/>").expect("a string");
    }
    svg.push_str("</svg>\n");
    let name = format!("{}.svg", section.title.replace(", ", "-"));
    crate::report::write(folder, &name, &svg);
}
