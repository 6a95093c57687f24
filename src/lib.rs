//! Moorage.
