//! Plots of the documentation, as SVG.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::arguments::Arguments;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 56.0;
/// Steps of the grid.
const STEPS: u32 = 4;
/// Told apart by who sees no colours too: each line has its name at its end.
const COLOURS: [&str; 2] = ["#1f6feb", "#bf5700"];

/// Lines between points.
pub struct Plot {
    pub title: String,
    pub across: &'static str,
    pub up: &'static str,
    /// Each by name, its points from left to right.
    pub lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

impl Plot {
    /// Draws it into the documentation, if that is asked for.
    pub fn draw(&self, name: &str, arguments: &Arguments) -> Result<(), String> {
        if !arguments.plots {
            return Ok(());
        }
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plots");
        let path = directory.join(format!("{name}.svg"));
        let drawn = fs::create_dir_all(&directory).and_then(|()| fs::write(&path, self.svg()));
        drawn.map_err(|error| format!("{}: {error}", path.display()))?;
        println!("  drawn: docs/plots/{name}.svg");
        Ok(())
    }

    fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let (widest, highest) =
            (round_up(points().map(|(across, _)| *across).fold(0.0, f64::max)), round_up(points().map(|(_, up)| *up).fold(0.0, f64::max)));
        let x = |across: f64| LEFT + across / widest * (WIDTH - LEFT - RIGHT);
        let y = |up: f64| HEIGHT - BOTTOM - up / highest * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
             <title>{}</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n",
            self.title
        );
        text(&mut svg, (LEFT, TOP / 2.0), "start", "#111", &self.title);
        for step in 0..=STEPS {
            let part = f64::from(step) / f64::from(STEPS);
            let (across, up) = (widest * part, highest * part);
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {:.1}H{:.1}M{:.1} {TOP}V{:.1}\" stroke=\"#ddd\" fill=\"none\"/>",
                LEFT,
                y(up),
                WIDTH - RIGHT,
                x(across),
                HEIGHT - BOTTOM
            );
            text(&mut svg, (LEFT - 8.0, y(up) + 4.0), "end", "#444", &up.to_string());
            text(&mut svg, (x(across), HEIGHT - BOTTOM + 18.0), "middle", "#444", &across.to_string());
        }
        text(&mut svg, (LEFT.midpoint(WIDTH - RIGHT), HEIGHT - 12.0), "middle", "#111", self.across);
        text(&mut svg, (LEFT - 8.0, TOP - 8.0), "end", "#111", self.up);
        for (number, ((name, points), colour)) in self.lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let places: Vec<String> = points.iter().map(|(across, up)| format!("{:.1},{:.1}", x(*across), y(*up))).collect();
            let _ = writeln!(svg, "<polyline points=\"{}\" stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\"/>", places.join(" "));
            for (across, up) in points {
                let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", x(*across), y(*up));
            }
            if let Some((across, up)) = points.last() {
                // The first of several is the lowest.
                let beside = if number == 0 && self.lines.len() > 1 { 18.0 } else { -8.0 };
                text(&mut svg, (x(*across) - 6.0, y(*up) + beside), "end", colour, name);
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, colour: &str, words: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>");
}

/// The next number that a grid divides well.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(10.0 * power)
}
