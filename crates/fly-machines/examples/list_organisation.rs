//! Lists the Machines of an organisation, page by page.
//!
//! ```sh
//! FLY_API_TOKEN=$(fly tokens create org) cargo run -p fly-machines --example list_organisation -- my-org
//! ```
//! `FLY_FLAPS_BASE_URL` names another server, such as a simulator.
#![allow(clippy::print_stdout, reason = "it is a program that prints")]

use fly_machines::types::OrgQuery;
use fly_machines::{Client, DEFAULT_BASE_URL, TokenSource};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let org = std::env::args().nth(1).ok_or("usage: list_organisation ORG")?;
    let token = std::env::var("FLY_API_TOKEN").map_err(|_| "FLY_API_TOKEN isn't set")?;
    let base = std::env::var("FLY_FLAPS_BASE_URL").unwrap_or_else(|_| DEFAULT_BASE_URL.to_owned());
    let client = Client::builder(TokenSource::fixed(token)).base_url(base).build()?;

    let mut query = OrgQuery::default();
    loop {
        let page = client.org(&org).machines(&query).await?;
        for machine in &page.machines {
            println!("{:<16} {:<32} {:<10} {}", machine.id, machine.app_name, machine.state, machine.region);
        }
        if !page.error_regions.is_empty() {
            println!("not read: {}", page.error_regions.join(", "));
        }
        if page.next_cursor.is_empty() {
            return Ok(());
        }
        query.cursor = Some(page.next_cursor);
    }
}
