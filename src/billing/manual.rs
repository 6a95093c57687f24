//! Payments that a person of the platform vouches for: there is nobody to call, and receipts are all there is.

use super::error::{Error, ErrorClass};
use super::fold::fold;
use super::provider::{
    Call, ChangeSubscription, Changed, EndSubscription, KnownOrder, LostCheckout, NewCheckout, NewPortal,
    NewRefund, OpenCheckout, PaymentProvider, Repetition,
};
use super::truth::ProviderTruth;

/// The provider of orders that are paid by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manual;

impl PaymentProvider for Manual {
    fn repetition(&self) -> Repetition {
        Repetition::SameKey
    }

    /// There is no page to pay at; the attempt is named after the order.
    fn open_checkout<'c>(&'c self, checkout: &'c NewCheckout) -> Call<'c, OpenCheckout> {
        let id = checkout.order.clone();
        Box::pin(async move { Ok(OpenCheckout { id, url: None, expires_at: None, subscription: None }) })
    }

    fn find_checkout<'c>(&'c self, _lost: &'c LostCheckout) -> Call<'c, Option<OpenCheckout>> {
        Box::pin(async { Ok(None) })
    }

    fn read<'c>(&'c self, order: &'c KnownOrder) -> Call<'c, ProviderTruth> {
        Box::pin(async move { Ok(fold(order)) })
    }

    fn close_checkout<'c>(&'c self, _checkout: &'c OpenCheckout) -> Call<'c, ()> {
        Box::pin(async { Ok(()) })
    }

    fn end_subscription<'c>(&'c self, _ending: &'c EndSubscription) -> Call<'c, ()> {
        Box::pin(async { Ok(()) })
    }

    fn change_subscription<'c>(&'c self, _change: &'c ChangeSubscription) -> Call<'c, Changed> {
        Box::pin(async { Ok(Changed::RegisterAgain) })
    }

    fn refund<'c>(&'c self, _refund: &'c NewRefund) -> Call<'c, ()> {
        let cause = "it was paid by hand: pay it back by hand, and write a receipt of type Refund";
        Box::pin(async move { Err(Error::new("manual.refund", ErrorClass::Refused, cause)) })
    }

    fn open_portal<'c>(&'c self, _portal: &'c NewPortal) -> Call<'c, Option<String>> {
        Box::pin(async { Ok(None) })
    }
}
