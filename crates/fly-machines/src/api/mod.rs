//! The calls, one module for each part of the API.

pub(crate) mod addresses;
pub(crate) mod apps;
pub(crate) mod certificates;
pub(crate) mod leases;
pub(crate) mod machines;
pub(crate) mod metadata;
pub(crate) mod org;
pub(crate) mod platform;
pub(crate) mod secrets;
pub(crate) mod tokens;
pub(crate) mod volumes;

use crate::error::{Error, Outcome};

/// The most pages that one list is read through.
const MOST_PAGES: usize = 1000;

/// A list that never ends would be read for ever; one that was cut short must not look whole.
fn too_many_pages(operation: &'static str) -> Error {
    Error::useless_answer(operation, Outcome::Refused, "the list has more than 1000 pages")
}
