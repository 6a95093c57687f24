//! What becomes of a notice, and what its sender is told: the same for every one that isn't taken.

use axum::http::StatusCode;

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// What it asks for is written down.
    Taken,
    /// It was taken before.
    Duplicate,
    /// It is the provider's, and tells nothing that we need.
    Ignored,
    /// It is the provider's, and about no order of ours.
    Unmatched,
    /// The provider didn't make it, or it can't be read.
    Rejected,
    /// It is larger than any of the provider's.
    TooLarge,
    /// It isn't a POST of the provider's type.
    Refused,
    /// It didn't arrive or couldn't be dealt with in time.
    Late,
    /// It couldn't be written down, or there are no keys to check it with.
    Unavailable,
}

impl Outcome {
    /// A short name, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Unmatched => "unmatched",
            Self::Rejected => "rejected",
            Self::TooLarge => "too_large",
            Self::Refused => "refused",
            Self::Late => "late",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether its provider is done with it.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Taken | Self::Duplicate | Self::Ignored)
    }

    /// The answer's status, where `unmatched` is for what is about no order of ours.
    pub const fn status(self, unmatched: StatusCode) -> StatusCode {
        match self {
            Self::Taken | Self::Duplicate | Self::Ignored => StatusCode::OK,
            Self::Unmatched => unmatched,
            Self::Rejected | Self::Refused => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Late | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
