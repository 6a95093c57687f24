//! Payments by Stripe: Checkout Sessions, subscriptions, and what became of them.
//!
//! A plain client of the calls that are needed, for one pinned version of the API. Each thing is read from Stripe
//! itself; a webhook only says that something has changed.

mod client;
mod key;
mod objects;
mod payments;
mod read;
mod sessions;
mod subscriptions;
mod translate;
pub mod webhook;

use super::provider::{
    Call, ChangeSubscription, Changed, EndSubscription, KnownOrder, LostCheckout, NewCheckout, NewPortal,
    NewRefund, OpenCheckout, PaymentProvider, Repetition,
};
use super::truth::ProviderTruth;

pub use client::{API_VERSION, DEFAULT_URL, Stripe, StripeOptions};
pub use key::{Mode, mode_of};

impl PaymentProvider for Stripe {
    fn repetition(&self) -> Repetition {
        Repetition::SameKey
    }

    fn open_checkout<'c>(&'c self, checkout: &'c NewCheckout) -> Call<'c, OpenCheckout> {
        Box::pin(self.create_session(checkout))
    }

    fn find_checkout<'c>(&'c self, lost: &'c LostCheckout) -> Call<'c, Option<OpenCheckout>> {
        Box::pin(self.find_session(lost))
    }

    fn read<'c>(&'c self, order: &'c KnownOrder) -> Call<'c, ProviderTruth> {
        Box::pin(self.read_order(order))
    }

    fn close_checkout<'c>(&'c self, checkout: &'c OpenCheckout) -> Call<'c, ()> {
        Box::pin(self.expire_session(&checkout.id))
    }

    fn end_subscription<'c>(&'c self, ending: &'c EndSubscription) -> Call<'c, ()> {
        Box::pin(self.end(ending))
    }

    fn change_subscription<'c>(&'c self, change: &'c ChangeSubscription) -> Call<'c, Changed> {
        Box::pin(async move { self.change(change).await.map(|()| Changed::Done) })
    }

    fn refund<'c>(&'c self, refund: &'c NewRefund) -> Call<'c, ()> {
        Box::pin(self.create_refund(refund))
    }

    fn open_portal<'c>(&'c self, portal: &'c NewPortal) -> Call<'c, Option<String>> {
        Box::pin(async move { self.create_portal(portal).await.map(Some) })
    }
}
