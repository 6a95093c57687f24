//! Pins and their updates: whether a Runtime's Blueprint or image has moved on since it was pinned, and which
//! Runtimes are moved to it when.

pub mod board;
pub mod images;
pub mod pick;
pub mod report;
pub mod target;
pub mod tell;
pub mod wire;
pub mod worker;
