//! How figures are printed: medians, with the raw numbers beside them.

use jiff::Timestamp;

/// One figure of all runs.
pub fn print(name: &str, unit: &str, values: &[f64]) {
    println!("  {name}: {} {unit}{}", shown(median(values)), raw(values));
}

/// One figure of all runs of the product and of the floor, and the ratio of their medians.
pub fn print_beside(name: &str, unit: &str, product: &[f64], floor: &[f64]) {
    let (ours, theirs) = (median(product), median(floor));
    let ratio = if theirs > 0.0 { format!(", {:.2} of the floor", ours / theirs) } else { String::new() };
    println!("  {name}: {} {unit}{}; floor {} {unit}{}{ratio}", shown(ours), raw(product), shown(theirs), raw(floor));
}

/// How times are spread.
pub fn print_spread(name: &str, seconds: &[f64]) {
    let at = |part: f64| shown(percentile(seconds, part) * 1000.0);
    println!("  {name}: median {} ms, p99 {} ms, last {} ms", at(0.5), at(0.99), at(1.0));
}

/// The middle one, or the mean of the two in the middle; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2)) {
        (Some(one), Some(other)) => one.midpoint(*other),
        _ => 0.0,
    }
}

/// The value that this part of all does not exceed; 0 of none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// Seconds from `from` to each of the moments.
pub fn seconds_since(from: Timestamp, moments: &[Timestamp]) -> Vec<f64> {
    moments.iter().map(|moment| moment.duration_since(from).as_secs_f64().max(0.0)).collect()
}

fn raw(values: &[f64]) -> String {
    if values.len() < 2 {
        return String::new();
    }
    format!(" ({})", values.iter().map(|value| shown(*value)).collect::<Vec<_>>().join(", "))
}

/// Three figures are as many as repeated runs agree in.
fn shown(value: f64) -> String {
    match value {
        value if value >= 100.0 || value == 0.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
