//! CustomDomains: hostnames of customers', each shown to be its tenant's by DNS, led to a Runtime's app, and given a
//! certificate.
//!
//! A name's claim says who has proved it and what stands under it; it is made only once it was proved. `observe` and
//! `look` gather facts, `decide` names the next step, `act` performs it, `view` says what the status is to be, and
//! `record` writes it. `visit` is the loop through them. Whose a name is, is read from DNS and from the claim, never
//! from a status.

pub mod account;
pub mod act;
pub mod answers;
pub mod authority;
pub mod certificate;
pub mod conditions;
pub mod copy;
mod counting;
pub mod decide;
pub mod edge;
pub mod facts;
mod failing;
#[cfg(test)]
mod hostnames;
pub mod index;
pub mod key;
pub mod leftover;
pub mod look;
pub mod memory;
pub mod observe;
pub mod ordered;
pub mod ordering;
pub mod overdue;
pub mod ownership;
pub mod places;
pub mod record;
pub mod records;
pub mod rotation;
pub mod schedule;
pub mod sighting;
pub mod step;
pub mod store;
pub mod trouble;
mod under_way;
pub mod verdict;
pub mod view;
pub mod visit;
pub mod wire;
