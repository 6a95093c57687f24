//! `moorage billing`: what was paid, by whom and for what; and the platform's own word on a payment.
//!
//! Everything is read from claims and receipts. The only thing that is ever written is a PaymentReceipt with provider
//! Manual, which the API server lets through only from the platform and with the verb `resolve`.

mod books;
mod import;
mod lookup;
mod pay_link;
mod resolve;
mod told;

use clap::Subcommand;
use kube::Client;

use super::AdminError;

pub use books::OrderName;
pub use import::{Import, Past, Payment, receipts};
pub use lookup::{Book, Lookup, book};
pub use pay_link::{PayLink, link};
pub use resolve::{Resolution, Resolve, resolution};

/// What is done about money.
#[derive(Debug, Subcommand)]
pub enum Billing {
    /// Shows a tenant's orders and receipts, what was funded and why, and the billing configuration in force.
    Lookup(Lookup),
    /// Vouches for a payment, or for money that went back, by a receipt that says who did, when and why. Without --yes
    /// nothing is written.
    Resolve(Resolve),
    /// Prints where a customer pays an order, from its claim.
    PayLink(PayLink),
    /// Keeps payments from before Moorage, so that `lookup` shows them. They fund nothing.
    Import(Import),
}

/// Does it.
///
/// # Errors
/// If something can't be read, or the API server refuses.
pub async fn run(client: Client, command: &Billing, print: impl Fn(String)) -> Result<(), AdminError> {
    match command {
        Billing::Lookup(lookup) => lookup::run(client, lookup, print).await,
        Billing::Resolve(resolve) => resolve::run(client, resolve, print).await,
        Billing::PayLink(pay_link) => pay_link::run(client, pay_link, print).await,
        Billing::Import(import) => import::run(client, import, print).await,
    }
}
