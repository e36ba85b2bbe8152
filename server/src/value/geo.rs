//! Places on earth as scores: geohashes of 52 bits, distances, and the cells that cover an area.
//!
//! Contract: the very numbers of the reference, operation by operation, because scores and distances are seen by
//! clients. A cell is a prefix of a geohash: so many bits of longitude and latitude, one after the other.

const LONGITUDE: (f64, f64) = (-180.0, 180.0);
/// Where the square map ends (EPSG:3857).
const LATITUDE: (f64, f64) = (-85.051_128_78, 85.051_128_78);
/// The latitudes of the geohashes that others know.
const LATITUDE_STANDARD: (f64, f64) = (-90.0, 90.0);
/// Bits for each coordinate of a score.
const STEP_MAX: u32 = 26;
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
const MERCATOR_MAX: f64 = 20_037_726.37;
const DEGREE: f64 = std::f64::consts::PI / 180.0;

const LONGITUDE_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
const LATITUDE_BITS: u64 = 0x5555_5555_5555_5555;

/// A longitude and a latitude in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub longitude: f64,
    pub latitude: f64,
}

impl Place {
    /// Whether a score can say it.
    pub fn is_valid(&self) -> bool {
        (LONGITUDE.0..=LONGITUDE.1).contains(&self.longitude)
            && (LATITUDE.0..=LATITUDE.1).contains(&self.latitude)
    }

    pub fn score(&self) -> f64 {
        Cell::of(self, LATITUDE, STEP_MAX).bits as f64
    }

    /// The middle of the smallest cell.
    pub fn of_score(score: f64) -> Self {
        let ((west, east), (south, north)) = Cell { bits: bits(score), step: STEP_MAX }.area();
        Self {
            longitude: west.midpoint(east).clamp(LONGITUDE.0, LONGITUDE.1),
            latitude: south.midpoint(north).clamp(LATITUDE.0, LATITUDE.1),
        }
    }

    /// The geohash in its common notation. There are bits for ten letters; the eleventh always is a zero.
    pub fn geohash(&self) -> String {
        const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::of(self, LATITUDE_STANDARD, STEP_MAX).bits;
        let letter = |index: u32| char::from(LETTERS[(bits >> (52 - (index + 1) * 5)) as usize & 0x1f]);
        (0..10).map(letter).chain(['0']).collect()
    }

    /// Metres along a great circle.
    pub fn distance(&self, other: &Place) -> f64 {
        let (lon1, lon2) = (self.longitude * DEGREE, other.longitude * DEGREE);
        let v = ((lon2 - lon1) / 2.0).sin();
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let (lat1, lat2) = (self.latitude * DEGREE, other.latitude * DEGREE);
        let u = ((lat2 - lat1) / 2.0).sin();
        let a = u * u + lat1.cos() * lat2.cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }
}

/// The bits that a score says. What no place has as its score wraps round as it does in the reference.
fn bits(score: f64) -> u64 {
    const TOP: f64 = (1u64 << 63) as f64;
    if score < TOP {
        score as i64 as u64
    } else if score < TOP * 2.0 {
        score as u64
    } else {
        0
    }
}

fn latitude_distance(lat1: f64, lat2: f64) -> f64 {
    EARTH_RADIUS_M * (lat2 * DEGREE - lat1 * DEGREE).abs()
}

/// What is looked for around a place; lengths in metres per `unit`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extent {
    Radius(f64),
    Box { width: f64, height: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    pub center: Place,
    pub extent: Extent,
    /// Metres of the unit of lengths.
    pub unit: f64,
}

impl Shape {
    /// The distance from the center in metres, if a place is within.
    pub fn distance(&self, place: &Place) -> Option<f64> {
        match self.extent {
            Extent::Radius(radius) => {
                let distance = self.center.distance(place);
                (distance <= radius * self.unit).then_some(distance)
            }
            Extent::Box { width, height } => {
                let (width, height) = (width * self.unit, height * self.unit);
                if latitude_distance(place.latitude, self.center.latitude) > height / 2.0 {
                    return None;
                }
                let beside = Place { longitude: self.center.longitude, latitude: place.latitude };
                let within = place.distance(&beside) <= width / 2.0;
                within.then(|| self.center.distance(place))
            }
        }
    }

    /// West, south, east and north of what it may reach.
    fn bounds(&self) -> [f64; 4] {
        let Place { longitude, latitude } = self.center;
        let (width, height) = match self.extent {
            Extent::Radius(radius) => (radius, radius),
            Extent::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let (width, height) = (self.unit * width, self.unit * height);
        let up = height / EARTH_RADIUS_M / DEGREE;
        let aside = |latitude: f64| width / EARTH_RADIUS_M / (latitude * DEGREE).cos() / DEGREE;
        // A degree of longitude is shortest towards the nearer pole.
        let aside = if latitude < 0.0 { aside(latitude - up) } else { aside(latitude + up) };
        [longitude - aside, latitude - up, longitude + aside, latitude + up]
    }

    /// The ranges of scores that may hold what it covers: each from the first to the one before the second.
    pub fn ranges(&self) -> Vec<(f64, f64)> {
        let mut ranges = Vec::with_capacity(9);
        let mut last: Option<Cell> = None;
        for (index, cell) in self.cells().into_iter().enumerate() {
            let Some(cell) = cell else { continue };
            // Neighbours are the same where cells are huge. (The first cell is not compared with, as in Redis.)
            if last == Some(cell) {
                continue;
            }
            let shift = 2 * (STEP_MAX - cell.step);
            ranges.push(((cell.bits << shift) as f64, ((cell.bits + 1) << shift) as f64));
            last = (index > 0).then_some(cell);
        }
        ranges
    }

    /// The cell of the center and its eight neighbours, in the order in which they are searched, without those that
    /// can't hold anything.
    fn cells(&self) -> [Option<Cell>; 9] {
        const DIRECTIONS: [(i8, i8); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let [west, south, east, north] = self.bounds();
        let reach = match self.extent {
            Extent::Radius(radius) => radius,
            Extent::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        let mut step = steps(reach * self.unit, self.center.latitude);
        let mut cell = Cell::of(&self.center, LATITUDE, step);
        let too_small = cell.moved(0, 1).area().1.1 < north
            || cell.moved(0, -1).area().1.0 > south
            || cell.moved(1, 0).area().0.1 < east
            || cell.moved(-1, 0).area().0.0 > west;
        if step > 1 && too_small {
            step -= 1;
            cell = Cell::of(&self.center, LATITUDE, step);
        }
        let (longitudes, latitudes) = cell.area();
        DIRECTIONS.map(|(x, y)| {
            let useless = step >= 2
                && ((y < 0 && latitudes.0 < south)
                    || (y > 0 && latitudes.1 > north)
                    || (x < 0 && longitudes.0 < west)
                    || (x > 0 && longitudes.1 > east));
            (!useless).then(|| cell.moved(x, y))
        })
    }
}

/// Bits for each coordinate with which a cell is about as large as a distance.
fn steps(mut metres: f64, latitude: f64) -> u32 {
    if metres == 0.0 {
        return STEP_MAX;
    }
    let mut step = 1i32;
    while metres < MERCATOR_MAX {
        metres *= 2.0;
        step += 1;
    }
    step -= 2;
    // Cells are narrow near the poles.
    if latitude.abs() > 66.0 {
        step -= 1;
        if latitude.abs() > 80.0 {
            step -= 1;
        }
    }
    step.clamp(1, STEP_MAX as i32) as u32
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    bits: u64,
    step: u32,
}

impl Cell {
    fn of(place: &Place, latitudes: (f64, f64), step: u32) -> Self {
        let share = |at: f64, (min, max): (f64, f64)| {
            ((at - min) / (max - min) * (1u64 << step) as f64) as u64 as u32
        };
        let (y, x) = (share(place.latitude, latitudes), share(place.longitude, LONGITUDE));
        Self { bits: spread(y) | spread(x) << 1, step }
    }

    /// The longitudes and latitudes between which it lies.
    fn area(&self) -> ((f64, f64), (f64, f64)) {
        let count = (1u64 << self.step) as f64;
        let between = |index: u32, (min, max): (f64, f64)| {
            let edge = |index: f64| min + (index / count) * (max - min);
            (edge(f64::from(index)), edge(f64::from(index.wrapping_add(1))))
        };
        (between(gather(self.bits >> 1), LONGITUDE), between(gather(self.bits), LATITUDE))
    }

    /// The cell so many to the east and to the north, round the edges.
    fn moved(&self, x: i8, y: i8) -> Self {
        let shift = 64 - self.step * 2;
        let step = |bits: u64, own: u64, other: u64, by: i8| {
            let fill = other >> shift;
            let moved = match by {
                0 => return bits & own,
                1.. => (bits & own).wrapping_add(fill + 1),
                _ => (bits & own | fill).wrapping_sub(fill + 1),
            };
            moved & (own >> shift)
        };
        let bits = step(self.bits, LONGITUDE_BITS, LATITUDE_BITS, x)
            | step(self.bits, LATITUDE_BITS, LONGITUDE_BITS, y);
        Self { bits, step: self.step }
    }
}

/// Put a zero bit before each bit.
fn spread(bits: u32) -> u64 {
    let mut bits = u64::from(bits);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, LATITUDE_BITS),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Every second bit, from the lowest on.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & LATITUDE_BITS;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_reference() {
        let palermo = Place { longitude: 13.361_389, latitude: 38.115_556 };
        let catania = Place { longitude: 15.087_269, latitude: 37.502_669 };
        assert_eq!(palermo.score(), 3_479_099_956_230_698.0);
        assert_eq!(catania.score(), 3_479_447_370_796_909.0);
        let (palermo, catania) = (Place::of_score(palermo.score()), Place::of_score(catania.score()));
        assert_eq!(palermo.geohash(), "sqc8b49rny0");
        assert_eq!(format!("{:.17}", palermo.longitude), "13.36138933897018433");
        assert_eq!(format!("{:.4}", palermo.distance(&catania)), "166274.1516");
    }

    #[test]
    fn bits_are_spread_and_gathered() {
        for bits in [0, 1, 0xffff_ffff, 0x1234_5678, 1 << 31] {
            assert_eq!(gather(spread(bits)), bits);
        }
    }
}
