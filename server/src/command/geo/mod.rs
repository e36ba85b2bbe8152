//! The geo commands: a file for each, or for a few that are one thing.
//!
//! Places are scores of sorted sets.

mod add;
mod ask;
mod radius;
mod search;

use super::{Spec, errors};
use crate::resp::Failure;
use crate::value::float;
use crate::value::geo::Place;

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &add::GEOADD,
    &ask::GEODIST,
    &ask::GEOHASH,
    &ask::GEOPOS,
    &radius::GEORADIUS,
    &radius::GEORADIUSBYMEMBER,
    &radius::GEORADIUSBYMEMBER_RO,
    &radius::GEORADIUS_RO,
    &search::GEOSEARCH,
    &search::GEOSEARCHSTORE,
];

fn place(longitude: &[u8], latitude: &[u8]) -> Result<Place, Failure> {
    let longitude = float::number(longitude).ok_or(errors::NOT_FLOAT)?;
    let latitude = float::number(latitude).ok_or(errors::NOT_FLOAT)?;
    let place = Place { longitude, latitude };
    if place.is_valid() {
        return Ok(place);
    }
    Err(Failure::text(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}")))
}

/// Metres of a unit.
fn unit(word: &[u8]) -> Result<f64, Failure> {
    match word.to_ascii_lowercase().as_slice() {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => Err(Failure::new("ERR unsupported unit provided. please use M, KM, FT, MI")),
    }
}
