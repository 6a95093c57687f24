//! Runtimes: from a declaration to a live gateway, and away.
//!
//! `observe` and `look` gather facts, `decide` names the next step, `act` performs it, `view` says what the status
//! is to be, and `record` writes it. `visit` is the loop through them.

pub mod act;
pub mod claim;
pub mod conditions;
pub mod config_mark;
pub mod decide;
pub mod desired;
pub mod digests;
pub mod drift;
pub mod env;
pub mod env_marks;
pub mod facts;
pub mod hostname;
pub mod known;
pub mod look;
pub mod machine;
pub mod machine_fact;
pub mod moving;
pub mod names;
pub mod observe;
pub mod operation;
pub mod probe;
pub mod record;
pub mod request;
pub mod resolve;
pub mod sleep;
pub mod step;
pub mod survey;
pub mod token;
pub mod trouble;
pub mod view;
pub mod visit;
pub mod volume_facts;
pub mod warm;
