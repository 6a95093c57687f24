//! A stand-in for PayApp, a client, and a shop that takes its notices.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use billing_sim::cli::Serve;
use billing_sim::ledger::{Kind, Query};
use billing_sim::payapp::requests::Customer;
use billing_sim::serve::Server;
use bytes::Bytes;
use http::StatusCode;
use moorage::billing::payapp::{
    Expected, Fit, Judgement, Merchant, NOT_TAKEN, Notice, Pages, PayApp, PayAppOptions, TAKEN, judge,
};
use moorage::billing::{
    Attempt, Billing, Buyer, KnownCheckout, KnownOrder, Money, NewCheckout, OpenCheckout, PaymentProvider,
    ProviderTruth, Receipt, ReceiptEvent, http_client,
};
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::stripe_bench::{monthly, now};

pub const CANARY: &str = "canary4711";

pub struct Bench {
    pub server: Server,
    pub payapp: PayApp,
    pub shop: Arc<Shop>,
}

/// What an order has stored, and what it takes.
pub struct Shop {
    merchant: Merchant,
    pub expected: Mutex<Expected>,
    pub receipts: Mutex<Vec<(Receipt, Fit)>>,
    pub refused: Mutex<Vec<String>>,
    /// Notices that are answered 500 before any is taken.
    pub failures: Mutex<u32>,
}

impl Bench {
    pub async fn start(billing: Billing) -> Self {
        let options = Serve {
            payapp_linkkey: format!("{CANARY}-key+/="),
            payapp_linkval: format!("{CANARY}-val"),
            ..Serve::default()
        };
        let server = Server::start(&options).await.unwrap();
        let merchant = Merchant {
            userid: options.payapp_userid.clone(),
            linkkey: SecretString::from(options.payapp_linkkey.clone()),
            linkval: SecretString::from(options.payapp_linkval.clone()),
        };
        let new = checkout(billing);
        let shop = Arc::new(Shop::new(merchant.clone(), &new));
        let notices = listen(&shop).await;
        let payapp = PayApp::new(
            http_client().unwrap(),
            PayAppOptions {
                url: format!("{}/oapi/apiLoad.html", server.url()),
                pages: Pages::StandIn(server.url().to_owned()),
                deadline: Duration::from_secs(2),
                ..PayAppOptions::new(notices, "Moorage")
            },
            merchant,
        );
        Self { server, payapp, shop }
    }

    /// The same client with other options.
    pub fn client(&self, change: impl FnOnce(&mut PayAppOptions)) -> PayApp {
        let mut options = PayAppOptions {
            url: format!("{}/oapi/apiLoad.html", self.server.url()),
            pages: Pages::StandIn(self.server.url().to_owned()),
            deadline: Duration::from_secs(2),
            ..PayAppOptions::new("http://127.0.0.1:9/", "Moorage")
        };
        change(&mut options);
        PayApp::new(http_client().unwrap(), options, self.shop.merchant.clone())
    }

    pub async fn open(&self, billing: Billing) -> OpenCheckout {
        self.payapp.open_checkout(&checkout(billing)).await.unwrap()
    }

    /// A customer does something with the first request, or the one of this number.
    pub fn visit(&self, number: &str, what: Customer) {
        self.server.sim.enter().payapp_visit(number, what).unwrap();
    }

    pub async fn truth(&self, billing: Billing, opened: &OpenCheckout) -> ProviderTruth {
        let new = checkout(billing);
        let known = KnownCheckout {
            attempt: new.attempt,
            created_at: new.created_at,
            opened: opened.clone(),
            price: new.price,
            billing: new.billing,
        };
        let receipts =
            self.shop.receipts.lock().unwrap().iter().map(|(receipt, _)| receipt.clone()).collect();
        let order = KnownOrder { checkouts: vec![known], receipts, ..KnownOrder::default() };
        self.payapp.read(&order).await.unwrap()
    }

    pub async fn receipts(&self, count: usize) -> Vec<(Receipt, Fit)> {
        for _ in 0..200 {
            let receipts = self.shop.receipts.lock().unwrap().clone();
            if receipts.len() >= count {
                return receipts;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{count} receipts didn't come: {:?}", self.shop.receipts.lock().unwrap());
    }

    pub fn fault(&self, rule: Value) {
        self.server.sim.enter().faults.add_rule(serde_json::from_value(rule).unwrap());
    }

    pub fn effects(&self, name: &str) -> usize {
        let query = Query { kind: Some(Kind::Effect), ..Query::default() };
        let entries = self.server.sim.enter().ledger.query(&query);
        entries.iter().filter(|entry| entry.effect == name).count()
    }
}

impl Shop {
    fn new(merchant: Merchant, new: &NewCheckout) -> Self {
        let expected = Expected {
            mark: new.attempt.mark(),
            price: new.price,
            billing: new.billing,
            payment: None,
            subscription: None,
        };
        Self {
            merchant,
            expected: Mutex::new(expected),
            receipts: Mutex::default(),
            refused: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    fn take(&self, body: &[u8]) -> Result<(), String> {
        let notice = self.merchant.check(body).map_err(|rejection| rejection.to_string())?;
        let mut expected = self.expected.lock().unwrap();
        match judge(&notice, &expected) {
            Judgement::Record { payment, subscription } => {
                expected.payment = Some(payment);
                expected.subscription = subscription;
            }
            Judgement::Store(event, fit) => self.store(receipt(&notice, event), fit),
            Judgement::Learn { subscription, fit } => {
                expected.subscription = Some(subscription);
                self.store(receipt(&notice, ReceiptEvent::Paid), fit);
            }
            Judgement::Ignore => {}
            Judgement::Stranger => return Err("a stranger".to_owned()),
        }
        Ok(())
    }

    fn store(&self, receipt: Receipt, fit: Fit) {
        let mut receipts = self.receipts.lock().unwrap();
        let is_new =
            !receipts.iter().any(|(it, _)| it.payment == receipt.payment && it.event == receipt.event);
        receipts.extend(is_new.then_some((receipt, fit)));
    }
}

fn receipt(notice: &Notice, event: ReceiptEvent) -> Receipt {
    Receipt {
        payment: notice.payment.clone(),
        subscription: notice.subscription.clone(),
        attempt: Some(1),
        event,
        amount: notice.amount.unwrap(),
        at: notice.paid_at.unwrap_or_else(now),
        period: None,
    }
}

async fn listen(shop: &Arc<Shop>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/payapp", post(notices)).with_state(Arc::clone(shop));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/payapp")
}

async fn notices(State(shop): State<Arc<Shop>>, body: Bytes) -> (StatusCode, &'static str) {
    {
        let mut failures = shop.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return (StatusCode::INTERNAL_SERVER_ERROR, NOT_TAKEN);
        }
    }
    match shop.take(&body) {
        Ok(()) => (StatusCode::OK, TAKEN),
        Err(cause) => {
            shop.refused.lock().unwrap().push(cause);
            (StatusCode::OK, NOT_TAKEN)
        }
    }
}

pub fn checkout(billing: Billing) -> NewCheckout {
    NewCheckout {
        order: "uid-1".to_owned(),
        attempt: Attempt { number: 1, nonce: "n0nce".to_owned() },
        price: Money::of(19_900, "KRW").unwrap(),
        billing,
        title: "오픈클로 & more".to_owned(),
        buyer: Buyer { email: None, phone: Some("01012345678".to_owned()) },
        ..crate::stripe_bench::checkout(monthly())
    }
}
