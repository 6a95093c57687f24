//! The controllers. Each has the same rooms: observe, decide (pure), act, status.

pub mod base_domain;
pub mod brake;
pub mod catalog;
mod changes;
pub mod claim_table;
pub mod claim_writer;
pub mod claims;
pub mod context;
pub mod domain;
pub mod feed;
pub mod finalizers;
pub mod gauges;
pub mod history;
pub mod hold;
pub mod index;
pub mod memory;
pub mod order;
pub mod orphans;
pub mod own_key;
pub mod policy;
pub mod remains;
pub mod remembered;
pub mod resting;
pub mod rollout;
pub mod rotation;
pub mod rounds;
pub mod run;
pub mod runtime;
pub mod setback;
#[cfg(test)]
mod small_cluster;
pub mod status_writer;
pub mod strays;
pub mod surveys;
pub mod tombstones;
pub mod warm;
pub mod workspace;
