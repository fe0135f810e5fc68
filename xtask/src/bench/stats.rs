//! The few statistics of the benchmark.

/// A median with the lowest and the highest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// The spread of some values; none of no values.
pub fn spread(values: &[f64]) -> Option<Spread> {
    let sorted = sorted(values);
    let (low, high) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median =
        if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
    Some(Spread { median, low, high })
}

/// The smallest value that at least `share` of the values do not exceed.
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let sorted = sorted(values);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Round by round, one peer over another.
pub fn ratios(of: &[f64], to: &[f64]) -> Vec<f64> {
    of.iter().zip(to).map(|(of, to)| of / to).collect()
}

/// The line of least squares through points: its slope, and where it begins.
pub fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    slope.is_finite().then_some((slope, y - slope * x))
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_odd_count_has_the_middle_value() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, low: 1.0, high: 3.0 }));
    }

    #[test]
    fn spread_even_count_has_the_mean_of_the_middle() {
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).map(|spread| spread.median), Some(2.5));
    }

    #[test]
    fn spread_nothing_is_none() {
        assert_eq!(spread(&[]), None);
        assert_eq!(percentile(&[], 0.95), None);
    }

    #[test]
    fn percentile_twenty_values_is_the_nineteenth() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.95), Some(19.0));
        assert_eq!(percentile(&values, 0.5), Some(10.0));
    }

    #[test]
    fn line_is_slope_and_intercept() {
        assert_eq!(line(&[(0.0, 10.0), (2.0, 14.0), (4.0, 18.0)]), Some((2.0, 10.0)));
    }

    #[test]
    fn line_through_one_point_is_none() {
        assert_eq!(line(&[(1.0, 12.0)]), None);
        assert_eq!(line(&[]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round ran on a machine half as fast: the ratio does not notice.
        assert_eq!(ratios(&[80.0, 40.0], &[100.0, 50.0]), [0.8, 0.8]);
    }
}
