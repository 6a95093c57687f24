//! RuntimeOrders: what is paid for, and the one Runtime that each completed payment funds.
//!
//! The order's claim says what was bought. `truth` puts together what its provider says and what stands in
//! PaymentReceipts, `account` folds that into until when it is paid, and `standing` into what follows. `observe` and
//! `look` gather facts, `decide` names the next step, `act` performs it (`pay` at a provider), `view` says what the
//! status is to be, and `record` writes it. `visit` is the loop through them. A Runtime reads its funding from the
//! order's claim (see `funding`), and never from a status.

pub mod account;
pub mod act;
pub mod afterlife;
pub mod attempts;
pub mod claim;
pub mod conditions;
pub mod decide;
pub mod endings;
pub mod facts;
pub mod flagged;
pub mod funding;
pub mod leftover;
pub mod look;
pub mod memory;
pub mod notices;
pub mod observe;
pub mod outcome;
pub mod pay;
pub mod portal;
pub mod providers;
pub mod reading;
pub mod receipts;
pub mod record;
pub mod runtime;
pub mod standing;
pub mod step;
pub mod steps;
pub mod store;
pub mod trouble;
pub mod truth;
pub mod vanished;
pub mod view;
mod view_money;
pub mod visit;
pub mod wire;
