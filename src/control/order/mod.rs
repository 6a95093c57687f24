//! RuntimeOrders: what is paid for, and the one Runtime that each completed payment funds.
//!
//! The order's claim and the PaymentReceipts say what was bought and paid; `account` folds them into where the funding
//! stands. `observe` and `look` gather facts, `decide` names the next step, `act` performs it, `view` says what the
//! status is to be, and `record` writes it. `visit` is the loop through them. A Runtime reads its funding from the
//! order's claim (see `funding`), and never from a status.

pub mod account;
pub mod act;
pub mod afterlife;
pub mod claim;
pub mod conditions;
pub mod decide;
pub mod facts;
pub mod funding;
pub mod look;
pub mod memory;
pub mod observe;
pub mod receipts;
pub mod record;
pub mod runtime;
pub mod step;
pub mod steps;
pub mod view;
pub mod visit;
pub mod wire;
