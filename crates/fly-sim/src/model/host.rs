//! Regions and the hosts in them.

use serde::Serialize;

/// A region.
#[derive(Clone, Debug, Serialize)]
pub struct Region {
    /// Its code.
    pub code: &'static str,
    /// The city.
    pub name: &'static str,
    /// Whether new things may no longer be made there.
    pub deprecated: bool,
    /// Whether `WireGuard` peers may connect there.
    pub gateway_available: bool,
    /// Whether a paid plan is needed.
    pub requires_paid_plan: bool,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// The part of the world.
    pub geo_region: &'static str,
}

const fn region(
    code: &'static str,
    name: &'static str,
    (latitude, longitude): (f64, f64),
    geo_region: &'static str,
) -> Region {
    Region {
        code,
        name,
        deprecated: false,
        gateway_available: true,
        requires_paid_plan: false,
        latitude,
        longitude,
        geo_region,
    }
}

const EUROPE: &str = "europe";
const NORTH: &str = "north_america";
const SOUTH: &str = "south_america";
const ASIA: &str = "asia_pacific";
const AFRICA: &str = "africa";

/// All regions.
pub const REGIONS: &[Region] = &[
    region("ams", "Amsterdam, Netherlands", (52.37, 4.9), EUROPE),
    region("arn", "Stockholm, Sweden", (59.64, 17.92), EUROPE),
    region("bom", "Mumbai, India", (19.09, 72.87), ASIA),
    region("cdg", "Paris, France", (48.86, 2.34), EUROPE),
    region("dfw", "Dallas, Texas (US)", (32.78, -96.8), NORTH),
    region("ewr", "Secaucus, NJ (US)", (40.79, -74.06), NORTH),
    region("fra", "Frankfurt, Germany", (50.17, 8.68), EUROPE),
    region("gru", "Sao Paulo, Brazil", (-23.55, -46.63), SOUTH),
    region("iad", "Ashburn, Virginia (US)", (39.04, -77.49), NORTH),
    region("jnb", "Johannesburg, South Africa", (-26.14, 28.25), AFRICA),
    region("lax", "Los Angeles, California (US)", (34.05, -118.24), NORTH),
    region("lhr", "London, United Kingdom", (51.48, -0.45), EUROPE),
    region("nrt", "Tokyo, Japan", (35.62, 139.78), ASIA),
    region("ord", "Chicago, Illinois (US)", (41.89, -87.64), NORTH),
    region("sin", "Singapore, Singapore", (1.36, 103.99), ASIA),
    region("sjc", "San Jose, California (US)", (37.36, -121.93), NORTH),
    region("syd", "Sydney, Australia", (-33.87, 151.21), ASIA),
    region("yyz", "Toronto, Canada", (43.65, -79.38), NORTH),
];

/// How many hosts each region has.
pub const HOSTS_PER_REGION: usize = 8;

/// The regions that one code, a comma list, or an alias such as `eu` stands for, in order.
pub fn expand(asked: &str) -> Vec<&'static str> {
    asked.split(',').map(str::trim).filter(|part| !part.is_empty()).flat_map(expand_one).collect()
}

fn expand_one(part: &str) -> Vec<&'static str> {
    let within = |names: &[&str]| {
        REGIONS.iter().filter(|r| names.contains(&r.geo_region)).map(|r| r.code).collect::<Vec<_>>()
    };
    match part {
        "any" => REGIONS.iter().map(|r| r.code).collect(),
        "eu" => within(&[EUROPE]),
        "na" => within(&[NORTH]),
        "sa" => within(&[SOUTH]),
        "apac" => within(&[ASIA]),
        "us" => vec!["iad", "ord", "dfw", "ewr", "lax", "sjc"],
        code => REGIONS.iter().filter(|r| r.code == code).map(|r| r.code).collect(),
    }
}

/// Whether this is the code of a region.
pub fn is_region(code: &str) -> bool {
    REGIONS.iter().any(|r| r.code == code)
}

/// The id of a host: region and number, such as `fra-3`.
pub fn host(region: &str, number: usize) -> String {
    format!("{region}-{number}")
}

/// The zone that the API shows for a host: four hexadecimal digits.
pub fn zone(host: &str) -> String {
    crate::ids::sha256_hex(host.as_bytes())[..4].to_owned()
}
