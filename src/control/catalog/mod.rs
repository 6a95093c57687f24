//! What is on offer: Plans, Blueprints and WorkspacePolicies. Nothing is done for them; their status says whether
//! they are usable.
//!
//! `decide` judges, `record` writes, and `visit` is the same for the three kinds.

pub mod decide;
pub mod record;
pub mod visit;
