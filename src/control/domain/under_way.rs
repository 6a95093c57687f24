//! The orders that this process has under way, of the account that counts now. One of another account, or of another key, is
//! let go: it is taken up again by its address, under the account that counts.

use std::collections::HashMap;

use crate::domains::acme::{Account, Mark, Order};

/// The account that counts, and its orders, by the key of their hostname's claim.
#[derive(Default)]
pub struct UnderWay {
    of: Option<Mark>,
    orders: HashMap<String, Order>,
}

impl UnderWay {
    /// This account counts from now on, or none.
    pub fn belongs_to(&mut self, account: Option<&Account>) {
        let of = account.map(Account::mark);
        if self.of != of {
            self.orders.clear();
        }
        self.of = of;
    }

    /// Whether the account with this mark counts.
    pub fn counts(&self, mark: &Mark) -> bool {
        self.of.as_ref() == Some(mark)
    }

    /// Takes an order out, to be put back.
    pub fn take(&mut self, key: &str) -> Option<Order> {
        self.orders.remove(key)
    }

    /// Keeps an order, if its account counts.
    pub fn put(&mut self, key: &str, order: Order) {
        if self.counts(order.mark()) {
            self.orders.insert(key.to_owned(), order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::acme::canned_account;

    #[tokio::test]
    async fn an_order_of_an_account_that_does_not_count_any_more_is_let_go() {
        let (old, new) = (canned_account(), canned_account());
        let [kept, taken] = [(); 2].map(|()| old.order(&[], None));
        let (kept, taken) = (kept.await.unwrap(), taken.await.unwrap());
        let mut under_way = UnderWay::default();
        under_way.put("early", old.order(&[], None).await.unwrap());
        assert!(under_way.take("early").is_none(), "no account counts yet");
        under_way.belongs_to(Some(&old));
        under_way.put("kept", kept);
        under_way.belongs_to(Some(&old.clone()));
        assert!(under_way.take("kept").is_some_and(|order| under_way.counts(order.mark())));
        // A visit had it when another account came, and puts it back.
        under_way.belongs_to(Some(&new));
        assert!(!under_way.counts(taken.mark()));
        under_way.put("taken", taken);
        assert!(under_way.take("taken").is_none());
        under_way.put("new", new.order(&[], None).await.unwrap());
        under_way.belongs_to(None);
        assert!(under_way.take("new").is_none());
    }
}
