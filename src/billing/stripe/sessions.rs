//! Checkout Sessions: opened, found again, read, expired.

use serde::de::IgnoredAny;

use super::client::Stripe;
use super::objects::{List, Session, SessionStatus, time};
use crate::billing::error::{Error, ErrorClass};
use crate::billing::form::Form;
use crate::billing::money::Money;
use crate::billing::provider::{Billing, LostCheckout, NewCheckout, OpenCheckout};
use crate::billing::truth::Interval;

/// The metadata under which our objects are known at Stripe: the order's UID, the attempt's nonce, the Plan.
pub(super) const ORDER: &str = "order";
pub(super) const ATTEMPT: &str = "attempt";
pub(super) const PLAN: &str = "plan";
/// How many sessions a page has, and how many pages are looked through for a lost one.
const PAGE: usize = 100;
const PAGES: usize = 20;
/// Between our clock and Stripe's, in seconds.
const CLOCK_SKEW: i64 = 300;

impl Stripe {
    pub(super) async fn create_session(&self, new: &NewCheckout) -> Result<OpenCheckout, Error> {
        const OPERATION: &str = "checkout.create";
        let form = session_form(new);
        let session: Session =
            self.post(OPERATION, &["checkout", "sessions"], &form, Some(&new.idempotency_key)).await?;
        self.same_mode(OPERATION, session.mode)?;
        Ok(opened(&session))
    }

    /// A session with what it led to.
    pub(super) async fn session(&self, id: &str) -> Result<Session, Error> {
        const OPERATION: &str = "checkout.get";
        let query = expand(Form::default(), &["payment_intent", "subscription"]);
        let session: Session = self.get(OPERATION, &["checkout", "sessions", id], &query).await?;
        self.same_mode(OPERATION, session.mode)?;
        Ok(session)
    }

    /// The session of an attempt. Stripe can't be asked for it by our own ids, so all since then are looked through.
    pub(super) async fn find_session(&self, lost: &LostCheckout) -> Result<Option<OpenCheckout>, Error> {
        const OPERATION: &str = "checkout.list";
        let since = lost.since.as_second() - CLOCK_SKEW;
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let query =
                Form::default().with("created[gte]", since.to_string()).with("limit", PAGE.to_string());
            let query = query.with_some("starting_after", after.as_deref());
            let page: List<Session> = self.get(OPERATION, &["checkout", "sessions"], &query).await?;
            if let Some(session) = page.data.iter().find(|session| is_of(session, lost)) {
                return Ok(Some(opened(session)));
            }
            after = page.data.last().map(|session| session.id.clone());
            if !page.has_more || after.is_none() {
                return Ok(None);
            }
        }
        Err(Error::new(
            OPERATION,
            ErrorClass::Unavailable,
            "more checkouts were made since than are looked through",
        ))
    }

    /// Nobody can pay the session any more; good if that is so already.
    pub(super) async fn expire_session(&self, id: &str) -> Result<(), Error> {
        const OPERATION: &str = "checkout.expire";
        let path = ["checkout", "sessions", id, "expire"];
        let sent: Result<IgnoredAny, Error> = self.post(OPERATION, &path, &Form::default(), None).await;
        let Err(error) = sent else { return Ok(()) };
        if error.class() != ErrorClass::Refused {
            return Err(error);
        }
        // It is refused unless the session is open; which of the other states it is in decides.
        match self.session(id).await?.status {
            Some(SessionStatus::Expired) => Ok(()),
            Some(SessionStatus::Complete) => {
                Err(Error::new(OPERATION, ErrorClass::WrongState, "the checkout was completed meanwhile"))
            }
            _ => Err(error),
        }
    }
}

/// Asks for objects in the place of their ids.
pub(super) fn expand(form: Form, fields: &[&str]) -> Form {
    fields.iter().fold(form, |form, field| form.with("expand[]", *field))
}

fn is_of(session: &Session, lost: &LostCheckout) -> bool {
    let nonce = session.metadata.as_ref().and_then(|metadata| metadata.get(ATTEMPT));
    session.client_reference_id.as_ref() == Some(&lost.order) && nonce == Some(&lost.attempt.mark())
}

fn opened(session: &Session) -> OpenCheckout {
    OpenCheckout {
        id: session.id.clone(),
        url: session.url.clone(),
        expires_at: session.expires_at.and_then(time),
        subscription: session.subscription.as_ref().map(|subscription| subscription.id().to_owned()),
    }
}

fn session_form(new: &NewCheckout) -> Form {
    let form = Form::default()
        .with("client_reference_id", &new.order)
        .with("success_url", &new.success_url)
        .with("cancel_url", &new.cancel_url)
        .with("expires_at", new.expires_at.as_second().to_string())
        .with_some("customer_email", new.buyer.email.as_deref());
    // A session's metadata isn't handed on to what it leads to: each place has its own.
    let form = metadata(form, "", new);
    match new.billing {
        Billing::Once => {
            let form = form.with("mode", "payment").with("customer_creation", "always");
            line_item(metadata(form, "payment_intent_data", new), new)
        }
        Billing::Every(interval) => {
            let form = line_item(metadata(form.with("mode", "subscription"), "subscription_data", new), new);
            form.with("line_items[0][price_data][recurring][interval]", word(interval))
        }
    }
}

fn metadata(form: Form, within: &str, new: &NewCheckout) -> Form {
    let name = |key: &str| match within {
        "" => format!("metadata[{key}]"),
        within => format!("{within}[metadata][{key}]"),
    };
    form.with(name(ORDER), &new.order).with(name(ATTEMPT), new.attempt.mark()).with(name(PLAN), &new.plan)
}

fn line_item(form: Form, new: &NewCheckout) -> Form {
    let Money { minor, currency } = new.price;
    form.with("line_items[0][quantity]", "1")
        .with("line_items[0][price_data][currency]", currency.code().to_ascii_lowercase())
        .with("line_items[0][price_data][unit_amount]", minor.to_string())
        .with("line_items[0][price_data][product_data][name]", &new.title)
}

pub(super) fn word(interval: Interval) -> &'static str {
    match interval {
        Interval::Month => "month",
        Interval::Year => "year",
    }
}
