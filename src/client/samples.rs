//! Reads what the daemon has counted: the text form of metrics (OpenMetrics 1.0, section 5).

use std::collections::BTreeMap;

/// Metrics at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    samples: BTreeMap<String, Vec<Sample>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    labels: Vec<(String, String)>,
    value: f64,
}

/// A text that holds no metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of the metrics cannot be read")]
pub struct SamplesError(pub usize);

/// How often values up to each bound were seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Upper bounds, rising, with how many values were seen up to each; the last bound is infinite.
    pub buckets: Vec<(f64, f64)>,
}

impl Samples {
    /// Reads metrics. The text has to end with `# EOF`: a body that broke off is no sample.
    ///
    /// # Errors
    ///
    /// [`SamplesError`] with the line that is wrong, counted from 1.
    pub fn parse(text: &str) -> Result<Samples, SamplesError> {
        let mut samples = Samples::default();
        let mut ended = false;
        let mut number = 0;
        for line in text.lines() {
            number += 1;
            let wrong = SamplesError(number);
            if ended {
                return Err(wrong);
            }
            ended = line == "# EOF";
            if line.starts_with('#') {
                continue;
            }
            let (name, sample) = sample(line).ok_or(wrong)?;
            samples.samples.entry(name.to_owned()).or_default().push(sample);
        }
        if ended { Ok(samples) } else { Err(SamplesError(number + 1)) }
    }

    /// The sum of a metric over all its label sets; 0 where there is none.
    pub fn sum(&self, name: &str) -> f64 {
        self.of(name).map(|sample| sample.value).sum()
    }

    /// The sum of a metric for each value of a label.
    pub fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for sample in self.of(name) {
            if let Some(value) = sample.label(label) {
                *sums.entry(value.to_owned()).or_default() += sample.value;
            }
        }
        sums
    }

    /// A histogram by its name without `_bucket`, for each value of a label.
    pub fn histograms(&self, name: &str, label: &str) -> BTreeMap<String, Histogram> {
        let mut histograms: BTreeMap<String, Histogram> = BTreeMap::new();
        for sample in self.of(&format!("{name}_bucket")) {
            let bound = sample.label("le").and_then(number);
            if let (Some(value), Some(bound)) = (sample.label(label), bound) {
                let histogram = histograms.entry(value.to_owned()).or_default();
                histogram.buckets.push((bound, sample.value));
            }
        }
        for histogram in histograms.values_mut() {
            histogram.buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        }
        histograms
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.samples.get(name).into_iter().flatten()
    }
}

impl Sample {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

impl Histogram {
    /// How many values were seen.
    pub fn count(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }

    /// What was seen since an earlier time. Where the counts went back, as after a restart, all of it.
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        if earlier.count() > self.count() {
            return self.clone();
        }
        let before = |bound: f64| {
            earlier.buckets.iter().find(|(it, _)| *it == bound).map_or(0.0, |(_, count)| *count)
        };
        let buckets = self.buckets.iter().map(|(bound, count)| (*bound, count - before(*bound)));
        Histogram { buckets: buckets.collect() }
    }

    /// The value that this share (0 to 1) of all values does not exceed, taken as evenly spread in its
    /// bucket; none where nothing was seen. Past the last finite bound it is that bound.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count <= 0.0 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * count;
        let mut below = (0.0, 0.0);
        for (bound, upto) in &self.buckets {
            if *upto >= rank && *upto > below.1 {
                if bound.is_infinite() {
                    return Some(below.0);
                }
                let part = (rank - below.1) / (upto - below.1);
                return Some(below.0 + (bound - below.0) * part.clamp(0.0, 1.0));
            }
            below = (*bound, *upto);
        }
        None
    }
}

/// Reads `name{label="value",...} number`.
fn sample(line: &str) -> Option<(&str, Sample)> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at_checked(end)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        None => (Vec::new(), rest),
        Some(rest) => labels(rest)?,
    };
    // A time or an exemplar may follow.
    let value = number(rest.strip_prefix(' ')?.split(' ').next()?)?;
    Some((name, Sample { labels, value }))
}

/// Reads labels up to the closing brace; gives what stands behind it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = behind.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
        rest = behind.get(end..)?;
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        _ => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP x Words.\n# TYPE x counter\n\
        x_total{a=\"1\",b=\"q\\\"\\\\\\n\"} 2\nx_total{a=\"2\",b=\"q\"} 3\nx_total{a=\"2\",b=\"r\"} 4.5\n\
        y 7 1700000000\n\
        t_bucket{le=\"0.1\",r=\"/a\"} 0\nt_bucket{le=\"0.2\",r=\"/a\"} 6\n\
        t_bucket{le=\"0.4\",r=\"/a\"} 8\nt_bucket{le=\"+Inf\",r=\"/a\"} 10\n# EOF\n";

    #[test]
    fn metrics_are_read() {
        let samples = Samples::parse(TEXT).unwrap();
        assert_eq!((samples.sum("x_total"), samples.sum("y"), samples.sum("z")), (9.5, 7.0, 0.0));
        let by = samples.by("x_total", "a");
        assert_eq!(by.into_iter().collect::<Vec<_>>(), [("1".into(), 2.0), ("2".into(), 7.5)]);
        assert!(samples.by("x_total", "b").contains_key("q\"\\\n"));
    }

    #[test]
    fn what_is_no_metric_is_an_error() {
        for (text, line) in [
            ("", 1),
            ("y 7\n", 2),
            ("# EOF\ny 7\n", 2),
            ("y\n# EOF\n", 1),
            ("y seven\n# EOF\n", 1),
            ("y{a=\"b} 7\n# EOF\n", 1),
            ("y NaN\n# EOF\n", 1),
            ("{} 7\n# EOF\n", 1),
        ] {
            assert_eq!(Samples::parse(text), Err(SamplesError(line)), "{text}");
        }
    }

    #[test]
    fn quantiles_come_from_buckets() {
        let samples = Samples::parse(TEXT).unwrap();
        let histogram = &samples.histograms("t", "r")["/a"];
        assert_eq!(histogram.count(), 10.0);
        let close =
            |share: f64, value: f64| (histogram.quantile(share).unwrap() - value).abs() < 1e-9;
        assert!(close(0.5, 0.1 + 0.1 * 5.0 / 6.0) && close(0.7, 0.3) && close(0.8, 0.4));
        // Nobody knows how far past the last bound.
        assert!(close(0.99, 0.4) && close(1.0, 0.4));
        let since = histogram.since(histogram);
        assert_eq!((since.count(), since.quantile(0.5)), (0.0, None));
        let earlier = Histogram { buckets: vec![(0.2, 50.0), (f64::INFINITY, 50.0)] };
        assert_eq!(&histogram.since(&earlier), histogram);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
