//! A certificate authority that is as large as one hostname needs, and its certificates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use moorage::domains::acme::Cause;
use moorage::domains::certificate::Certificate;

use crate::world::at;

/// Life of a certificate in seconds.
pub const LIFE: i64 = 90 * 86_400;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    Pending,
    Answered,
    Ready,
    Valid,
    Failed,
}

/// Every order, by its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ca {
    pub orders: BTreeMap<u32, Order>,
    pub certificates: u32,
    /// Whether validations succeed.
    pub believes: bool,
    /// Whether it gives up orders that were answered, by a fault of its own.
    pub breaks: bool,
    /// No order is placed, for this reason.
    pub away: Option<Cause>,
    /// The certificate of this number is to be renewed by now.
    pub recalls: Option<u32>,
}

impl Ca {
    pub fn order(&mut self) -> u32 {
        let number = self.orders.len() as u32 + 1;
        self.orders.insert(number, Order::Pending);
        number
    }

    /// The authority goes on with an order that was answered.
    pub fn go_on(&mut self, number: u32, text_stands: bool) {
        if self.orders.get(&number) == Some(&Order::Answered) {
            let fine = self.believes && text_stands && !self.breaks;
            self.orders.insert(number, if fine { Order::Ready } else { Order::Failed });
        }
    }

    pub fn finalize(&mut self, number: u32) {
        if self.orders.get(&number) == Some(&Order::Ready) {
            self.certificates += 1;
            self.orders.insert(number, Order::Valid);
        }
    }
}

static MADE: Mutex<BTreeMap<(String, i64), Arc<Certificate>>> = Mutex::new(BTreeMap::new());

/// A certificate for a name that begins then. Each is made once, since making one takes long.
pub fn certificate(name: &str, begins: i64) -> Arc<Certificate> {
    let mut made = MADE.lock().unwrap();
    let key = (name.to_owned(), begins);
    if let Some(known) = made.get(&key) {
        return Arc::clone(known);
    }
    let pair = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + std::time::Duration::from_secs(begins as u64);
    params.not_after = epoch + std::time::Duration::from_secs((begins + LIFE) as u64);
    let chain = params.self_signed(&pair).unwrap().pem();
    let certificate = Certificate::read(&chain, pair.serialize_pem().into()).unwrap();
    assert_eq!(certificate.not_after, at(begins + LIFE));
    let certificate = Arc::new(certificate);
    made.insert(key, Arc::clone(&certificate));
    certificate
}
