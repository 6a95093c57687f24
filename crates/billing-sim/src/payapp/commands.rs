//! The commands that a merchant sends, each a form with `cmd`.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::notices::{Urgency, send};
use super::requests::{Feedback, Rebill, RebillStanding, Request, Standing};
use crate::params::Params;
use crate::state::{Sim, State};

/// The smallest amount, in won.
const SMALLEST: i64 = 1000;
/// After so long a payment isn't cancelled at once any more.
const CANCEL_WITHIN: i64 = 5 * 24 * 60 * 60;

type Fields = Vec<(&'static str, String)>;
type Outcome = Result<Fields, (u32, &'static str)>;

/// Takes a command.
pub async fn command(Shared(sim): Shared<Arc<Sim>>, body: Bytes) -> Response {
    let params = Params::parse(&body);
    let outcome = match params.get("cmd") {
        Some("payrequest") => request(&sim, &params, Kind::Once).await,
        Some("rebillRegist") => request(&sim, &params, Kind::Monthly).await,
        _ => sim.enter().payapp_command(&params),
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    match outcome {
        Ok(fields) => form.append_pair("state", "1").extend_pairs(fields),
        Err((errno, message)) => form
            .append_pair("state", "0")
            .append_pair("errno", &errno.to_string())
            .append_pair("errorMessage", message),
    };
    form.finish().into_response()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Once,
    Monthly,
}

/// The merchant is told while it still waits for the answer; unless it takes that, there is no page to pay at.
async fn request(sim: &Sim, params: &Params, kind: Kind) -> Outcome {
    let (number, notice) = {
        let mut state = sim.enter();
        let number = state.open_request(params, kind)?;
        let notice = state.notice(&number, 1);
        (number, notice)
    };
    let notice = notice.filter(|notice| !notice.url.is_empty());
    let was_taken = match &notice {
        Some(notice) => send(sim, notice).await,
        None => true,
    };
    let mut state = sim.enter();
    if !was_taken {
        state.forget(&number);
        return Err((70080, "feedbackurl did not answer"));
    }
    let rebill = state.payapp.request(&number).and_then(|request| request.rebill.clone());
    let url = format!("{}/payapp/{number}", state.url);
    let mut fields: Fields = vec![("payurl", url.clone())];
    match rebill {
        Some(rebill) => fields.push(("rebill_no", rebill)),
        None => fields.extend([("mul_no", number), ("qrurl", url)]),
    }
    Ok(fields)
}

impl State {
    fn trusted(&self, params: &Params) -> Result<(), (u32, &'static str)> {
        if params.get("userid") != Some(&self.payapp.userid) {
            return Err((70010, "no such merchant"));
        }
        if params.get("linkkey") != Some(&self.payapp.linkkey) {
            return Err((70020, "wrong linkkey"));
        }
        Ok(())
    }

    fn open_request(&mut self, params: &Params, kind: Kind) -> Result<String, (u32, &'static str)> {
        self.trusted(params)?;
        let text = |name: &str| params.get(name).unwrap_or_default().to_owned();
        let price = params.number(if kind == Kind::Once { "price" } else { "goodprice" }).unwrap_or(0);
        if price < SMALLEST {
            return Err((70030, "the price is too small"));
        }
        let phone = text("recvphone");
        if !(10..=11).contains(&phone.len()) || !phone.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err((70031, "recvphone is needed"));
        }
        let is_retried = params.get("checkretry") == Some("y");
        let feedback = Feedback {
            url: text("feedbackurl"),
            fail_url: text("failurl"),
            urgency: if is_retried { Urgency::UntilTaken } else { Urgency::Once },
            var1: text("var1"),
            var2: text("var2"),
            phone,
        };
        let number = self.payapp.number();
        let rebill = match kind {
            Kind::Once => None,
            Kind::Monthly => Some(self.register(&number, params)?),
        };
        let request = Request {
            number: number.clone(),
            title: text("goodname"),
            price,
            refunded: 0,
            standing: Standing::Open,
            paid_at: None,
            return_url: text("returnurl"),
            rebill,
            feedback,
        };
        self.effect("payapp", "request.create", &number, json!({"order": request.feedback.var1}));
        self.payapp.requests.insert(number.clone(), request);
        Ok(number)
    }

    fn register(&mut self, first: &str, params: &Params) -> Result<String, (u32, &'static str)> {
        if params.get("rebillCycleType") != Some("Month") || params.get("rebillExpire").is_none() {
            return Err((70032, "rebillCycleType and rebillExpire are needed"));
        }
        let (number, began_at) = (self.payapp.number(), self.now());
        let rebill = Rebill {
            number: number.clone(),
            standing: RebillStanding::Pending,
            next_at: None,
            card: super::requests::Card::Good,
            first: first.to_owned(),
            began_at,
        };
        self.payapp.rebills.insert(number.clone(), rebill);
        Ok(number)
    }

    fn forget(&mut self, number: &str) {
        if let Some(rebill) = self.payapp.requests.remove(number).and_then(|request| request.rebill) {
            self.payapp.rebills.remove(&rebill);
        }
        self.effect("payapp", "request.forget", number, Value::Null);
    }

    fn payapp_command(&mut self, params: &Params) -> Outcome {
        self.trusted(params)?;
        let number = params.get("mul_no").unwrap_or_default().to_owned();
        let part = params.number("cancelprice").filter(|_| params.get("partcancel") == Some("1"));
        let refused = |cause| (70050, cause);
        match params.get("cmd").unwrap_or_default() {
            "paycancel" if params.get("cancelmode") == Some("ready") => self.withdraw(&number)?,
            "paycancel" => {
                let paid_at = self.payapp.request(&number).and_then(|request| request.paid_at);
                if paid_at.is_some_and(|at| self.now() - at > CANCEL_WITHIN) {
                    return Err((70051, "too late: paycancelreq"));
                }
                self.payapp_refund(&number, part, [9, 70]).map_err(refused)?;
            }
            "paycancelreq" => self.payapp_refund(&number, part, [64, 71]).map_err(refused)?,
            "rebillCancel" => self.stand(params, RebillStanding::Cancelled)?,
            "rebillStop" => self.stand(params, RebillStanding::Stopped)?,
            "rebillStart" => self.stand(params, RebillStanding::Active)?,
            _ => return Err((70040, "unknown cmd")),
        }
        Ok(Vec::new())
    }

    fn withdraw(&mut self, number: &str) -> Result<(), (u32, &'static str)> {
        let request = self.payapp.requests.get_mut(number).filter(|request| request.is_open());
        request.ok_or((70052, "it isn't open"))?.standing = Standing::Cancelled;
        self.effect("payapp", "request.cancel", number, Value::Null);
        self.notify(number, 8);
        Ok(())
    }

    fn stand(&mut self, params: &Params, standing: RebillStanding) -> Result<(), (u32, &'static str)> {
        let number = params.get("rebill_no").unwrap_or_default().to_owned();
        let rebill = self.payapp.rebills.get_mut(&number).ok_or((70060, "no such rebill_no"))?;
        if rebill.standing == RebillStanding::Cancelled {
            return Err((70061, "it is over"));
        }
        rebill.standing = standing;
        self.effect("payapp", "rebill.change", &number, json!({"to": standing}));
        Ok(())
    }
}
