//! Notices: what the merchant is told, and again until it says `SUCCESS`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::state::{Sim, State};
use crate::stripe::deliver::Delivery;

/// How often a notice is sent at most, and how long after each other in real milliseconds.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(150);

/// The state of a request that is being made.
const REQUESTED: u32 = 1;

/// Whether a notice is repeated until it is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// It is sent once.
    #[default]
    Once,
    /// Up to ten times.
    UntilTaken,
}

/// What the notice of a request that is being made says of a registration. Public sources disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestNotice {
    /// Both numbers.
    #[default]
    WithRegistration,
    /// `mul_no` alone: its `rebill_no` is answered, and told with its first payment.
    RequestAlone,
}

/// One notice.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// Where it goes.
    pub url: String,
    /// Where notices of failed payments go.
    #[serde(skip)]
    pub fail_url: String,
    /// Whether it is repeated.
    pub urgency: Urgency,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
}

impl State {
    /// Whether the answer that came is lost.
    fn loses_answer(&mut self) -> bool {
        let left = self.payapp.lost_answers;
        self.payapp.lost_answers = left.saturating_sub(1);
        left > 0
    }

    /// The notice that tells of a request's state.
    pub fn notice(&self, number: &str, pay_state: u32) -> Option<Notice> {
        let request = self.payapp.request(number)?;
        let mut fields: BTreeMap<String, String> = [
            ("userid", self.payapp.userid.as_str()),
            ("linkkey", &self.payapp.linkkey),
            ("linkval", &self.payapp.linkval),
            ("goodname", &request.title),
            ("recvphone", &request.feedback.phone),
            ("var1", &request.feedback.var1),
            ("var2", &request.feedback.var2),
            ("mul_no", &request.number),
            ("memo", ""),
            ("feedbacktype", "0"),
            ("pay_type", "1"),
            ("card_name", "SIM"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        fields.insert("price".into(), request.price.to_string());
        fields.insert("pay_state".into(), pay_state.to_string());
        fields.insert("reqdate".into(), seoul(self.now()));
        if let Some(paid) = request.paid_at {
            fields.insert("pay_date".into(), seoul(paid));
        }
        let is_told = pay_state != REQUESTED || self.payapp.request_notice == RequestNotice::WithRegistration;
        if let Some(rebill) = request.rebill.as_ref().filter(|_| is_told) {
            fields.insert("rebill_no".into(), rebill.clone());
        }
        let feedback = &request.feedback;
        let (url, fail_url) = (feedback.url.clone(), feedback.fail_url.clone());
        Some(Notice { url, fail_url, urgency: feedback.urgency, fields })
    }
}

/// A time as it is written in Seoul.
fn seoul(seconds: i64) -> String {
    let zone = TimeZone::fixed(Offset::constant(9));
    let at = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(zone);
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Sends what waits, in its order, unless notices are held.
pub fn flush(sim: &Arc<Sim>) {
    let notices = {
        let mut state = sim.enter();
        let held = state.payapp.delivery == Delivery::Held;
        if held { Vec::new() } else { std::mem::take(&mut state.payapp.waiting) }
    };
    for notice in notices {
        let sim = Arc::clone(sim);
        tokio::spawn(async move { insist(&sim, &notice).await });
    }
}

async fn insist(sim: &Sim, notice: &Notice) {
    let tries = if notice.urgency == Urgency::UntilTaken { TRIES } else { 1 };
    for _ in 0..tries {
        if send(sim, notice).await {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sends a notice once; whether it was taken.
pub async fn send(sim: &Sim, notice: &Notice) -> bool {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&notice.fields).finish();
    let request = sim.http.post(&notice.url).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body).send().await;
    let (status, said) = match answer {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    };
    let was_taken = status == 200 && said == "SUCCESS" && !sim.enter().loses_answer();
    let field = |name: &str| notice.fields.get(name).cloned().unwrap_or_default();
    let detail = json!({"payState": field("pay_state"), "status": status, "taken": was_taken});
    sim.enter().effect("payapp", "notice.sent", &field("mul_no"), detail);
    was_taken
}
