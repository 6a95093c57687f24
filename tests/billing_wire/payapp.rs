//! Requests to pay and registrations at PayApp, with the notices that come back.

use billing_sim::payapp::notices::RequestNotice;
use billing_sim::payapp::requests::{Card, Customer};
use jiff::SignedDuration;
use moorage::billing::payapp::{Fit, Pages};
use moorage::billing::{
    Billing, CheckoutState, EndSubscription, Ending, ErrorClass, Extent, Interval, Money, NewRefund,
    PaymentProvider, PaymentState, Purpose, ReceiptEvent, SubscriptionState,
};
use serde_json::json;

use crate::payapp_bench::{Bench, CANARY, checkout};
use crate::stripe_bench::{monthly, now};

#[tokio::test]
async fn the_request_is_known_before_it_is_answered_and_paid_at_the_page() {
    let bench = Bench::start(Billing::Once).await;
    let opened = bench.open(Billing::Once).await;
    assert_eq!(bench.shop.expected.lock().unwrap().payment.as_ref(), Some(&opened.id));
    let truth = bench.truth(Billing::Once, &opened).await;
    assert!(matches!(truth.checkouts[0].state, CheckoutState::Open { .. }));

    let url = opened.url.clone().unwrap();
    let page = reqwest::get(&url).await.unwrap().text().await.unwrap();
    assert!(page.contains("오픈클로") && page.contains("19900 KRW"), "{page}");
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    browser.post(format!("{url}/pay")).send().await.unwrap();
    assert_eq!(bench.receipts(1).await[0].1, Fit::Right);
    let truth = bench.truth(Billing::Once, &opened).await;
    assert_eq!(truth.checkouts[0].state, CheckoutState::Complete);
    assert_eq!(truth.payments[0].state(), PaymentState::Paid);
    assert_eq!(bench.shop.refused.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn without_our_success_there_is_no_page_and_nothing_is_open() {
    let bench = Bench::start(Billing::Once).await;
    *bench.shop.failures.lock().unwrap() = 1;
    let error = bench.payapp.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
    assert_eq!((error.class(), error.code()), (ErrorClass::Unavailable, Some("70080")));
    assert!(error.to_string().contains("reachable"), "{error}");
    let nowhere = bench.client(|_| {});
    let error = nowhere.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unavailable);
}

#[tokio::test]
async fn a_lost_reply_is_unknown_and_the_notice_tells_the_number() {
    for action in [
        json!({"kind": "drop_reply"}),
        json!({"kind": "truncate"}),
        json!({"kind": "status", "status": 502, "when": "after"}),
    ] {
        let bench = Bench::start(Billing::Once).await;
        bench.fault(json!({"match": {"ordinal": 1}, "action": action}));
        let error = bench.payapp.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unknown, "{action}");
        assert!(!error.class().is_transient());
        assert!(bench.shop.expected.lock().unwrap().payment.is_some());
        assert_eq!(bench.effects("request.create"), 1, "the client repeats nothing");
    }
}

#[tokio::test]
async fn a_notice_comes_again_until_it_is_taken() {
    let bench = Bench::start(Billing::Once).await;
    let opened = bench.open(Billing::Once).await;
    *bench.shop.failures.lock().unwrap() = 3;
    bench.visit(&opened.id, Customer::Pay);
    assert_eq!(bench.receipts(1).await.len(), 1);
    assert_eq!(bench.effects("notice.sent"), 1 + 4);
}

#[tokio::test]
async fn a_notice_that_is_never_taken_is_lost_and_cant_be_asked_for() {
    let bench = Bench::start(Billing::Once).await;
    let opened = bench.open(Billing::Once).await;
    *bench.shop.failures.lock().unwrap() = 100;
    bench.visit(&opened.id, Customer::Pay);
    for _ in 0..200 {
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        if bench.effects("notice.sent") == 1 + 10 {
            break;
        }
    }
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(bench.effects("notice.sent"), 1 + 10);
    let truth = bench.truth(Billing::Once, &opened).await;
    assert_eq!(truth.payments, [], "only a receipt by hand can tell of it");
}

#[tokio::test]
async fn what_payapp_refuses_is_told_from_what_nobody_knows() {
    let status = |status: u16| json!({"kind": "status", "status": status});
    for (action, class) in [
        (status(429), ErrorClass::Throttled { retry_after: None }),
        (status(403), ErrorClass::Refused),
        (status(408), ErrorClass::Unknown),
        (status(504), ErrorClass::Unknown),
        (json!({"kind": "status", "status": 200, "body": "<html>"}), ErrorClass::Unknown),
        (json!({"kind": "status", "status": 200, "body": "state=0&errno=70040"}), ErrorClass::Refused),
        (json!({"kind": "status", "status": 200, "body": "state=1&mul_no=1"}), ErrorClass::Unknown),
        (json!({"kind": "latency", "ms": 5000, "when": "after"}), ErrorClass::Unknown),
    ] {
        let bench = Bench::start(Billing::Once).await;
        bench.fault(json!({"match": {"ordinal": 1}, "action": action}));
        let error = bench.payapp.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
        assert_eq!(error.class(), class, "{action}");
    }
}

#[tokio::test]
async fn forged_notices_change_nothing() {
    let bench = Bench::start(Billing::Once).await;
    let opened = bench.open(Billing::Once).await;
    for (name, value) in [
        ("linkkey", "guess"),
        ("linkval", "guess"),
        ("userid", "other"),
        ("var2", "1-guess"),
        ("mul_no", "1"),
        ("rebill_no", "1"),
    ] {
        let mut notice = bench.server.sim.enter().notice(&opened.id, 4).unwrap();
        notice.fields.insert(name.to_owned(), value.to_owned());
        let was_taken = billing_sim::payapp::notices::send(&bench.server.sim, &notice).await;
        assert!(!was_taken, "{name}");
    }
    assert_eq!(bench.shop.receipts.lock().unwrap().len(), 0);
    let mut notice = bench.server.sim.enter().notice(&opened.id, 4).unwrap();
    notice.fields.insert("price".to_owned(), "1000".to_owned());
    assert!(billing_sim::payapp::notices::send(&bench.server.sim, &notice).await);
    assert_eq!(bench.receipts(1).await[0].1, Fit::WrongAmount);
}

#[tokio::test]
async fn an_unpaid_request_is_withdrawn_and_a_paid_one_isnt() {
    let bench = Bench::start(Billing::Once).await;
    let opened = bench.open(Billing::Once).await;
    bench.payapp.close_checkout(&opened).await.unwrap();
    assert_eq!(bench.receipts(1).await[0].0.event, ReceiptEvent::RequestCancelled);
    assert_eq!(bench.truth(Billing::Once, &opened).await.checkouts[0].state, CheckoutState::Expired);

    let bench = Bench::start(Billing::Once).await;
    let opened = bench.open(Billing::Once).await;
    bench.visit(&opened.id, Customer::Pay);
    let error = bench.payapp.close_checkout(&opened).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Refused, "nobody can tell it from another refusal");
}

#[tokio::test]
async fn an_account_to_pay_to_is_confirming() {
    let bench = Bench::start(Billing::Once).await;
    let opened = bench.open(Billing::Once).await;
    bench.visit(&opened.id, Customer::Wait);
    bench.receipts(1).await;
    assert_eq!(bench.truth(Billing::Once, &opened).await.checkouts[0].state, CheckoutState::Confirming);
    bench.visit(&opened.id, Customer::Pay);
    bench.receipts(2).await;
    assert_eq!(bench.truth(Billing::Once, &opened).await.checkouts[0].state, CheckoutState::Complete);
}

#[tokio::test]
async fn money_goes_back_at_once_or_by_request_when_it_is_late() {
    for days in [0, 7] {
        let bench = Bench::start(Billing::Once).await;
        let opened = bench.open(Billing::Once).await;
        bench.visit(&opened.id, Customer::Pay);
        let paid = bench.receipts(1).await.remove(0).0;
        bench.server.sim.enter().advance(days * 86_400_000);
        let refund = NewRefund {
            payment: opened.id.clone(),
            amount: paid.amount,
            extent: Extent::Full,
            paid_at: paid.at,
            asked_at: paid.at + SignedDuration::from_hours(24 * days),
            reason: "asked for".to_owned(),
            idempotency_key: String::new(),
        };
        bench.payapp.refund(&refund).await.unwrap();
        assert_eq!(bench.receipts(2).await[1].0.event, ReceiptEvent::Refunded);
        assert_eq!(bench.truth(Billing::Once, &opened).await.payments[0].state(), PaymentState::Refunded);
        assert_eq!(bench.payapp.refund(&refund).await.unwrap_err().class(), ErrorClass::Refused);
        assert_eq!(bench.effects("refund"), 1);
    }
}

#[tokio::test]
async fn a_part_that_goes_back_is_a_part() {
    let bench = Bench::start(Billing::Once).await;
    let opened = bench.open(Billing::Once).await;
    bench.visit(&opened.id, Customer::Pay);
    bench.receipts(1).await;
    let refund = NewRefund {
        payment: opened.id.clone(),
        amount: Money::of(5000, "KRW").unwrap(),
        extent: Extent::Part,
        paid_at: now(),
        asked_at: now(),
        reason: "asked for".to_owned(),
        idempotency_key: String::new(),
    };
    bench.payapp.refund(&refund).await.unwrap();
    bench.receipts(2).await;
    assert_eq!(bench.truth(Billing::Once, &opened).await.payments[0].state(), PaymentState::PartlyRefunded);
}

#[tokio::test]
async fn a_registration_is_paid_each_month_under_new_numbers() {
    let bench = Bench::start(monthly()).await;
    let opened = bench.open(monthly()).await;
    let registration = opened.subscription.clone().unwrap();
    let first = bench.shop.expected.lock().unwrap().payment.clone().unwrap();
    assert_eq!(bench.truth(monthly(), &opened).await.subscriptions[0].state, SubscriptionState::Incomplete);
    bench.visit(&first, Customer::Pay);
    bench.receipts(1).await;
    bench.server.sim.enter().advance(32 * 86_400_000);
    bench.receipts(2).await;
    let truth = bench.truth(monthly(), &opened).await;
    assert_eq!(truth.payments.len(), 2);
    assert_ne!(truth.payments[0].id, truth.payments[1].id);
    assert_eq!(truth.payments[1].purpose, Purpose::Renewal);
    assert_eq!(truth.subscriptions[0].state, SubscriptionState::Active);
    assert_eq!(truth.subscriptions[0].id, registration);

    bench.server.sim.enter().set_payapp_card(&registration, Card::Declined).unwrap();
    bench.server.sim.enter().advance(31 * 86_400_000);
    assert_eq!(bench.receipts(3).await[2].0.event, ReceiptEvent::RenewalFailed);

    let ending =
        EndSubscription { id: registration, when: Ending::AtPeriodEnd, idempotency_key: String::new() };
    bench.payapp.end_subscription(&ending).await.unwrap();
    bench.server.sim.enter().advance(93 * 86_400_000);
    assert_eq!(bench.effects("charge"), 2, "nothing is collected any more");
}

#[tokio::test]
async fn a_registration_that_is_told_of_by_its_request_alone_is_learned_when_it_is_paid() {
    let bench = Bench::start(monthly()).await;
    bench.server.sim.enter().payapp.request_notice = RequestNotice::RequestAlone;
    let opened = bench.open(monthly()).await;
    let known = bench.shop.expected.lock().unwrap().clone();
    assert_eq!(known.subscription, None);
    bench.visit(&known.payment.unwrap(), Customer::Pay);
    let paid = bench.receipts(1).await;
    assert_eq!((paid[0].0.event, paid[0].1), (ReceiptEvent::Paid, Fit::Right));
    assert_eq!(bench.shop.expected.lock().unwrap().subscription, opened.subscription);
}

#[tokio::test]
async fn a_registration_that_is_held_collects_nothing_until_it_is_resumed() {
    let bench = Bench::start(monthly()).await;
    let opened = bench.open(monthly()).await;
    let registration = opened.subscription.clone().unwrap();
    let first = bench.shop.expected.lock().unwrap().payment.clone().unwrap();
    bench.visit(&first, Customer::Pay);
    bench.payapp.hold_subscription(&registration).await.unwrap();
    bench.server.sim.enter().advance(40 * 86_400_000);
    assert_eq!(bench.effects("charge"), 1);
    bench.payapp.resume_subscription(&registration).await.unwrap();
    bench.server.sim.enter().advance(1000);
    assert_eq!(bench.effects("charge"), 2);
}

#[tokio::test]
async fn what_payapp_cant_do_is_said_before_anything_is_sent() {
    let bench = Bench::start(Billing::Once).await;
    let mut dollars = checkout(Billing::Once);
    dollars.price = Money::of(19_900, "USD").unwrap();
    let mut small = checkout(Billing::Once);
    small.price = Money::of(999, "KRW").unwrap();
    for new in [dollars, small, checkout(Billing::Every(Interval::Year))] {
        let error = bench.payapp.open_checkout(&new).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Refused, "{error}");
    }
    assert_eq!(bench.effects("request.create"), 0);
}

#[tokio::test]
async fn a_page_that_isnt_payapps_is_never_shown() {
    let bench = Bench::start(Billing::Once).await;
    let url = bench.server.url().to_owned();
    let strict = bench.client(|options| {
        options.pages = Pages::PayApp;
        options.notice_url = String::new();
    });
    let error = strict.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unknown, "it was accepted, so it is held");
    assert!(!error.to_string().contains(&url), "{error}");
}

#[tokio::test]
async fn the_keys_show_nowhere() {
    let bench = Bench::start(Billing::Once).await;
    let hidden = bench.client(|options| options.notice_url = format!("https://x.example/{CANARY}"));
    let mut shown = vec![format!("{:?} {hidden:?}", bench.payapp)];
    // PayApp may repeat what it was sent, in whatever words.
    let key = format!("{CANARY}-key%2B%2F%3D");
    let bodies = [
        format!("state=0&errno=1&errorMessage=linkkey%3D{CANARY}"),
        format!("state=0&errno=1&errorMessage=invalid+key+{key}"),
        format!("state=0&errno={key}&errorMessage=%28{CANARY}-val%29+is+wrong"),
        format!("state=0&errno=1&errorMessage=linkval:+{CANARY}-val,+key%25{key}"),
    ];
    for body in bodies {
        bench.fault(
            json!({"match": {"ordinal": 1}, "action": {"kind": "status", "status": 200, "body": body}}),
        );
        let error = bench.payapp.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
        assert!(error.to_string().contains("[redacted]"), "{error}");
        shown.push(format!("{error} {error:?}"));
    }
    assert!(!shown.concat().contains(CANARY), "{shown:?}");
}
