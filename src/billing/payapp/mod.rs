//! Payments by PayApp, in Korea.
//!
//! It can't be asked about anything afterwards: what it tells in its notices is checked, stored as receipts, and
//! judged by those. It knows no idempotency keys either: a call whose outcome is unknown is held, never repeated.

mod client;
mod judge;
mod notice;
mod period;
mod requests;

use super::fold::fold;
use super::provider::{
    Call, ChangeSubscription, Changed, EndSubscription, KnownOrder, LostCheckout, NewCheckout, NewPortal,
    NewRefund, OpenCheckout, PaymentProvider, Repetition,
};
use super::truth::ProviderTruth;

pub use client::{DEFAULT_URL, Pages, PayApp, PayAppOptions};
pub use judge::{Expected, Fit, Judgement, judge};
pub use notice::{MAX_NOTICE, Merchant, NOT_TAKEN, Notice, NoticeState, Rejection, TAKEN};
pub use period::{cycle, month_from, months_after};

impl PayApp {
    /// A registration collects nothing until it is resumed.
    ///
    /// # Errors
    /// `Unknown` if it was sent and no answer came; it can be made again.
    pub async fn hold_subscription(&self, id: &str) -> Result<(), super::Error> {
        self.registration("payapp.rebillStop", "rebillStop", id).await
    }

    /// A registration that was held collects again.
    ///
    /// # Errors
    /// `Unknown` if it was sent and no answer came; it can be made again.
    pub async fn resume_subscription(&self, id: &str) -> Result<(), super::Error> {
        self.registration("payapp.rebillStart", "rebillStart", id).await
    }
}

impl PaymentProvider for PayApp {
    fn repetition(&self) -> Repetition {
        Repetition::Never
    }

    fn open_checkout<'c>(&'c self, checkout: &'c NewCheckout) -> Call<'c, OpenCheckout> {
        Box::pin(self.open(checkout))
    }

    fn find_checkout<'c>(&'c self, _lost: &'c LostCheckout) -> Call<'c, Option<OpenCheckout>> {
        Box::pin(async { Ok(None) })
    }

    fn read<'c>(&'c self, order: &'c KnownOrder) -> Call<'c, ProviderTruth> {
        Box::pin(async move { Ok(fold(order)) })
    }

    fn close_checkout<'c>(&'c self, checkout: &'c OpenCheckout) -> Call<'c, ()> {
        Box::pin(self.close(checkout))
    }

    fn end_subscription<'c>(&'c self, ending: &'c EndSubscription) -> Call<'c, ()> {
        // What is paid stays paid: only nothing further is collected, whenever it is said to end.
        Box::pin(self.registration("payapp.rebillCancel", "rebillCancel", &ending.id))
    }

    fn change_subscription<'c>(&'c self, _change: &'c ChangeSubscription) -> Call<'c, Changed> {
        Box::pin(async { Ok(Changed::RegisterAgain) })
    }

    fn refund<'c>(&'c self, refund: &'c NewRefund) -> Call<'c, ()> {
        Box::pin(self.pay_back(refund))
    }

    fn open_portal<'c>(&'c self, _portal: &'c NewPortal) -> Call<'c, Option<String>> {
        Box::pin(async { Ok(None) })
    }
}
