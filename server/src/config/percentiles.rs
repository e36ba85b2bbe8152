//! `latency-tracking-info-percentiles`: which shares of all calls `INFO latencystats` tells of.

use super::kinds::Kind;

pub struct Percentiles;

impl Kind<Vec<f64>> for Percentiles {
    fn read(&self, words: &[String], _: &Vec<f64>, _: bool) -> Result<Vec<f64>, String> {
        let words = words.iter().flat_map(|word| word.split(' ')).filter(|word| !word.is_empty());
        words.map(percentile).collect()
    }
    fn show(&self, value: &Vec<f64>) -> String {
        value.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
    fn form(&self) -> String {
        "0.0..100.0 ...".into()
    }
}

fn percentile(word: &str) -> Result<f64, String> {
    let number = word.parse::<f64>().ok().filter(|number| !number.is_nan());
    let number = number.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
    if (0.0..=100.0).contains(&number) {
        Ok(number)
    } else {
        Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into())
    }
}
