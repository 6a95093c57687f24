//! Requests to pay and registrations, and what becomes of them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::notices::{Notice, Urgency};
use crate::state::State;
use crate::stripe::time::period_end;

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nobody has paid.
    Open,
    /// An account was given to pay to.
    Waiting,
    /// Paid.
    Paid,
    /// A part went back.
    PartlyRefunded,
    /// All went back.
    Refunded,
    /// Withdrawn before it was paid.
    Cancelled,
}

/// A request to pay.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// Its `mul_no`.
    pub number: String,
    /// What is bought.
    pub title: String,
    /// Won.
    pub price: i64,
    /// What of it went back.
    pub refunded: i64,
    /// How it stands.
    pub standing: Standing,
    /// When it was paid, in seconds.
    pub paid_at: Option<i64>,
    /// Where the browser goes afterwards.
    pub return_url: String,
    /// The registration that it belongs to.
    pub rebill: Option<String>,
    /// Where notices go, and how urgently.
    #[serde(skip)]
    pub feedback: Feedback,
}

/// Where notices go, and what is echoed in them.
#[derive(Clone, Debug, Default)]
pub struct Feedback {
    /// `feedbackurl`.
    pub url: String,
    /// `failurl`.
    pub fail_url: String,
    /// `checkretry`.
    pub urgency: Urgency,
    /// `var1`.
    pub var1: String,
    /// `var2`.
    pub var2: String,
    /// `recvphone`.
    pub phone: String,
}

/// How a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RebillStanding {
    /// Its first payment isn't in.
    Pending,
    /// It is paid each month.
    Active,
    /// Held.
    Stopped,
    /// Over.
    Cancelled,
}

/// A registration to be paid each month.
#[derive(Clone, Debug, Serialize)]
pub struct Rebill {
    /// Its `rebill_no`.
    pub number: String,
    /// How it stands.
    pub standing: RebillStanding,
    /// When it is due next, in seconds.
    pub next_at: Option<i64>,
    /// Whether the card is good.
    pub card: Card,
    /// Its first request, which later ones are like.
    pub first: String,
    /// When it began, in seconds.
    pub began_at: i64,
}

/// A customer's card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    /// It pays.
    #[default]
    Good,
    /// It is declined.
    Declined,
}

/// What a customer does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Customer {
    /// Pays.
    Pay,
    /// Takes an account to pay to.
    Wait,
}

impl Request {
    /// Whether it can be paid.
    pub fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Open | Standing::Waiting)
    }
}

impl State {
    /// A customer does something with a request.
    ///
    /// # Errors
    /// If it is closed, or there is none.
    pub fn payapp_visit(&mut self, number: &str, what: Customer) -> Result<(), &'static str> {
        let now = self.now();
        let request = self.payapp.requests.get_mut(number).filter(|request| request.is_open());
        let request = request.ok_or("there is no such open request")?;
        match what {
            Customer::Wait => {
                request.standing = Standing::Waiting;
                self.notify(number, 10);
            }
            Customer::Pay => {
                request.standing = Standing::Paid;
                request.paid_at = Some(now);
                let rebill = request.rebill.clone();
                self.charged(number);
                self.notify(number, 4);
                if let Some(rebill) = rebill.and_then(|rebill| self.payapp.rebills.get_mut(&rebill)) {
                    rebill.standing = RebillStanding::Active;
                    rebill.next_at = Some(period_end(rebill.began_at, "month", now));
                }
            }
        }
        Ok(())
    }

    /// The one place where money comes in.
    fn charged(&mut self, number: &str) {
        let Some(request) = self.payapp.requests.get(number).cloned() else { return };
        let detail = json!({"amount": request.price, "currency": "krw", "order": request.feedback.var1});
        self.effect("payapp", "charge", number, detail);
    }

    /// Queues a notice about a request.
    pub fn notify(&mut self, number: &str, pay_state: u32) {
        let Some(notice) = self.notice(number, pay_state) else { return };
        self.payapp.waiting.push(notice);
    }

    /// Money goes back; `amount` is a part, or all.
    ///
    /// # Errors
    /// If there is not as much of it.
    pub fn payapp_refund(
        &mut self,
        number: &str,
        amount: Option<i64>,
        states: [u32; 2],
    ) -> Result<(), &'static str> {
        let request = self.payapp.requests.get_mut(number).ok_or("there is no such request")?;
        if !matches!(request.standing, Standing::Paid | Standing::PartlyRefunded) {
            return Err("it isn't paid");
        }
        let left = request.price - request.refunded;
        let amount = amount.unwrap_or(left);
        if !(1..=left).contains(&amount) {
            return Err("there is not as much left of it");
        }
        request.refunded += amount;
        let is_all = request.refunded == request.price;
        request.standing = if is_all { Standing::Refunded } else { Standing::PartlyRefunded };
        self.effect("payapp", "refund", number, json!({"amount": amount, "currency": "krw"}));
        self.notify(number, states[usize::from(!is_all)]);
        Ok(())
    }

    /// Charges what is due of registrations.
    pub fn payapp_catch_up(&mut self) {
        let now = self.now();
        for _ in 0..1000 {
            let due = self.payapp.rebills.values().find(|rebill| {
                rebill.standing == RebillStanding::Active && rebill.next_at.is_some_and(|at| at <= now)
            });
            let Some(rebill) = due.cloned() else { return };
            self.charge_again(&rebill);
        }
    }

    fn charge_again(&mut self, rebill: &Rebill) {
        let at = rebill.next_at.unwrap_or_default();
        if let Some(kept) = self.payapp.rebills.get_mut(&rebill.number) {
            kept.next_at = Some(period_end(rebill.began_at, "month", at));
        }
        let Some(first) = self.payapp.requests.get(&rebill.first).cloned() else { return };
        let number = self.payapp.number();
        let good = rebill.card == Card::Good;
        let next = Request {
            number: number.clone(),
            refunded: 0,
            standing: if good { Standing::Paid } else { Standing::Cancelled },
            paid_at: good.then_some(at),
            ..first
        };
        self.payapp.requests.insert(number.clone(), next);
        if good {
            self.charged(&number);
            return self.notify(&number, 4);
        }
        let Some(notice) = self.notice(&number, 99) else { return };
        let url = notice.fail_url.clone();
        if !url.is_empty() {
            self.payapp.waiting.push(Notice { url, ..notice });
        }
    }

    /// A registration's card is good, or is declined from now on.
    ///
    /// # Errors
    /// If there is no such registration.
    pub fn set_payapp_card(&mut self, rebill: &str, card: Card) -> Result<(), &'static str> {
        self.payapp.rebills.get_mut(rebill).ok_or("there is no such registration")?.card = card;
        Ok(())
    }
}
