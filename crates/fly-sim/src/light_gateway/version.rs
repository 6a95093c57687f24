//! Gateway versions, `year.month.patch` with an optional build suffix.

use std::str::FromStr;

/// A gateway's version. A build suffix such as `-2` doesn't count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The year.
    pub year: u16,
    /// The month or later counter within the year.
    pub minor: u16,
    /// The patch.
    pub patch: u16,
}

impl Version {
    /// The first with `/startupz` and proxy attribution.
    pub const ATTRIBUTION: Self = Self { year: 2026, minor: 8, patch: 1 };

    /// The version in an image reference's tag, such as `ghcr.io/openclaw/openclaw:2026.9.6-slim`.
    pub fn of_image(reference: &str) -> Option<Self> {
        let name = reference.split('@').next()?;
        let (_, tag) = name.rsplit_once(':')?;
        tag.parse().ok()
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.year, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || NotAVersion(text.to_owned());
        let core = text.split('-').next().unwrap_or(text);
        let parts: Vec<u16> =
            core.split('.').map(|part| part.parse().map_err(|_| fault())).collect::<Result<_, _>>()?;
        match parts[..] {
            [year, minor, patch] => Ok(Self { year, minor, patch }),
            _ => Err(fault()),
        }
    }
}

/// A text that names no gateway version.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no gateway version; it looks like 2026.9.6")]
pub struct NotAVersion(String);
