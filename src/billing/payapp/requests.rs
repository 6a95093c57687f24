//! Requests to pay and registrations: opened, withdrawn, paid back.

use jiff::ToSpan;
use reqwest::Url;

use super::client::{Accepted, Pages, PayApp};
use super::period::{LAST_DAYS, seoul};
use crate::billing::error::{Error, ErrorClass};
use crate::billing::form::Form;
use crate::billing::money::KRW;
use crate::billing::provider::{Billing, Extent, NewCheckout, NewRefund, OpenCheckout};
use crate::billing::truth::Interval;

/// The smallest price, in won.
const SMALLEST: i64 = 1000;
/// PayApp needs a number to send a message to; with this one it sends none.
const NO_PHONE: &str = "01000000000";
/// What PayApp takes for the last day of a month.
const LAST_DAY: i8 = 90;
/// A registration has to end some day.
const YEARS: i64 = 10;
/// So many days after it was paid a payment is cancelled only by request.
const CANCEL_WITHIN_DAYS: i64 = 5;

impl PayApp {
    pub(super) async fn open(&self, new: &NewCheckout) -> Result<OpenCheckout, Error> {
        match new.billing {
            Billing::Once => self.request(new).await,
            Billing::Every(Interval::Month) => self.register(new).await,
            Billing::Every(Interval::Year) => {
                let cause = "PayApp has no yearly payments; use a Plan that is due each month";
                Err(Error::new("payapp.rebillRegist", ErrorClass::Refused, cause))
            }
        }
    }

    async fn request(&self, new: &NewCheckout) -> Result<OpenCheckout, Error> {
        const OPERATION: &str = "payapp.payrequest";
        let form = self.common(OPERATION, new)?.with("price", new.price.minor.to_string());
        let accepted = self.command(OPERATION, "payrequest", form).await?;
        let id = number(OPERATION, &accepted, "mul_no")?;
        Ok(OpenCheckout {
            id,
            url: Some(self.page(OPERATION, &accepted)?),
            expires_at: None,
            subscription: None,
        })
    }

    async fn register(&self, new: &NewCheckout) -> Result<OpenCheckout, Error> {
        const OPERATION: &str = "payapp.rebillRegist";
        let begins = seoul(new.created_at);
        let ends = begins.date().checked_add(YEARS.years());
        let ends =
            ends.map_err(|_| Error::new(OPERATION, ErrorClass::Refused, "a time that can't be one"))?;
        let day = if begins.day() >= LAST_DAYS { LAST_DAY } else { begins.day() };
        let form = self
            .common(OPERATION, new)?
            .with("goodprice", new.price.minor.to_string())
            .with("rebillCycleType", "Month")
            .with("rebillCycleMonth", day.to_string())
            .with("rebillExpire", ends.to_string())
            .with("failurl", &self.options.notice_url);
        let accepted = self.command(OPERATION, "rebillRegist", form).await?;
        let id = number(OPERATION, &accepted, "rebill_no")?;
        let url = Some(self.page(OPERATION, &accepted)?);
        Ok(OpenCheckout { id: id.clone(), url, expires_at: None, subscription: Some(id) })
    }

    fn common(&self, operation: &'static str, new: &NewCheckout) -> Result<Form, Error> {
        if new.price.currency != KRW || new.price.minor < SMALLEST {
            let cause = format!("PayApp takes won, and at least {SMALLEST}; the price is {}", new.price);
            return Err(Error::new(operation, ErrorClass::Refused, cause));
        }
        let phone = new.buyer.phone.as_deref();
        Ok(Form::default()
            .with("shopname", &self.options.shop)
            .with("goodname", &new.title)
            .with("recvphone", phone.unwrap_or(NO_PHONE))
            .with("smsuse", if phone.is_some() { "y" } else { "n" })
            .with("feedbackurl", &self.options.notice_url)
            .with("checkretry", "y")
            .with("returnurl", &new.success_url)
            .with("var1", &new.order)
            .with("var2", new.attempt.mark()))
    }

    /// Where to pay. It was accepted, so an address that isn't PayApp's leaves the outcome open.
    fn page(&self, operation: &'static str, accepted: &Accepted) -> Result<String, Error> {
        let url = accepted.get("payurl").filter(|url| self.is_page(url));
        let cause = "PayApp accepted it, and answered no address of its own to pay at";
        url.map(str::to_owned).ok_or_else(|| Error::new(operation, ErrorClass::Unknown, cause))
    }

    fn is_page(&self, text: &str) -> bool {
        match &self.options.pages {
            Pages::StandIn(start) => text.starts_with(start.as_str()),
            Pages::PayApp => Url::parse(text).is_ok_and(|url| {
                let host = url.host_str().unwrap_or_default();
                let is_theirs = host == "payapp.kr" || host.ends_with(".payapp.kr");
                url.scheme() == "https" && url.username().is_empty() && is_theirs
            }),
        }
    }

    /// Nobody can pay any more.
    pub(super) async fn close(&self, checkout: &OpenCheckout) -> Result<(), Error> {
        if let Some(subscription) = &checkout.subscription {
            return self.registration("payapp.rebillCancel", "rebillCancel", subscription).await;
        }
        let form = Form::default()
            .with("mul_no", &checkout.id)
            .with("cancelmode", "ready")
            .with("cancelmemo", "closed before it was paid");
        self.command("payapp.paycancel", "paycancel", form).await.map(drop)
    }

    /// A change to a registration, after which it is so whether it was before or not.
    pub(super) async fn registration(
        &self,
        operation: &'static str,
        command: &'static str,
        subscription: &str,
    ) -> Result<(), Error> {
        let form = Form::default().with("rebill_no", subscription);
        self.command(operation, command, form).await.map(drop)
    }

    pub(super) async fn pay_back(&self, refund: &NewRefund) -> Result<(), Error> {
        let form = Form::default().with("mul_no", &refund.payment).with("cancelmemo", &refund.reason);
        let form = match refund.extent {
            Extent::Full => form,
            Extent::Part => form.with("partcancel", "1").with("cancelprice", refund.amount.minor.to_string()),
        };
        let days = seoul(refund.asked_at).date() - seoul(refund.paid_at).date();
        if i64::from(days.get_days()) > CANCEL_WITHIN_DAYS {
            return self.command("payapp.paycancelreq", "paycancelreq", form).await.map(drop);
        }
        self.command("payapp.paycancel", "paycancel", form).await.map(drop)
    }
}

/// A number that was answered. It was accepted, so without one the outcome is open.
fn number(operation: &'static str, accepted: &Accepted, name: &str) -> Result<String, Error> {
    let number =
        accepted.get(name).filter(|text| text.len() <= 32 && text.bytes().all(|b| b.is_ascii_digit()));
    let cause = "PayApp accepted it, and answered no number";
    number.map(str::to_owned).ok_or_else(|| Error::new(operation, ErrorClass::Unknown, cause))
}
