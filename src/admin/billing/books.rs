//! Orders by name, receipts by order, and who asks.

use std::str::FromStr;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt};

use crate::admin::{AdminError, pages};
use crate::api::name_claim::ClaimType;
use crate::api::order_record::OrderRecord;
use crate::api::payment_receipt::ReceiptFlag;
use crate::api::{NameClaim, PaymentReceipt};
use crate::control::order::flagged::unsettled;
use crate::control::order::truth::Receipt;

/// An order, as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderName {
    /// By namespace and name.
    Named {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// By the UID of the first order of its name, as receipts have it.
    Uid(String),
}

impl FromStr for OrderName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self::Named { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            None if text.contains('-') && text.len() == 36 => Ok(Self::Uid(text.to_owned())),
            _ => Err("name an order as NAMESPACE/NAME, or by its UID".to_owned()),
        }
    }
}

/// An order's claim with what it records.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The claim.
    pub claim: NameClaim,
    /// What it records.
    pub record: OrderRecord,
}

/// The claim of an order. Of several of one name the one that wasn't given up.
pub async fn order(client: &Client, name: &OrderName) -> Result<Claimed, AdminError> {
    match name {
        OrderName::Uid(uid) => {
            let claims: Api<NameClaim> = Api::all(client.clone());
            let claim = claims.get_opt(&NameClaim::order_key(uid)).await;
            let claim =
                claim.map_err(AdminError::kubernetes(format!("read the claim of the order {uid}")))?;
            claim.and_then(claimed).ok_or_else(|| {
                AdminError::Refused(format!(
                    "no order with the UID {uid} has a claim; nothing was ever recorded of it"
                ))
            })
        }
        OrderName::Named { namespace, name } => chosen(orders_in(client, namespace).await?, namespace, name),
    }
}

fn chosen(all: Vec<Claimed>, namespace: &str, name: &str) -> Result<Claimed, AdminError> {
    let mut named: Vec<Claimed> = all.into_iter().filter(|one| one.claim.spec.holder.name == name).collect();
    if let Some(live) = named.iter().position(|one| one.claim.spec.tombstone.is_none()) {
        return Ok(named.swap_remove(live));
    }
    let uids: Vec<&str> = named.iter().map(|one| one.record.uid.as_str()).collect();
    Err(AdminError::Refused(match uids.as_slice() {
        [] => format!(
            "nothing is recorded of the order {namespace}/{name}: it doesn't exist, or its checkout hasn't begun; `kubectl describe runtimeorder {name} -n {namespace}` says why"
        ),
        uids => format!(
            "the order {namespace}/{name} was deleted; name it by its UID, which is one of {}",
            uids.join(", ")
        ),
    }))
}

/// Claims of the orders of a namespace, those given up among them, by name and UID.
pub async fn orders_in(client: &Client, namespace: &str) -> Result<Vec<Claimed>, AdminError> {
    let mut all: Vec<Claimed> = claims_in(client, namespace).await?.into_iter().filter_map(claimed).collect();
    all.sort_by(|a, b| {
        (&a.claim.spec.holder.name, &a.record.uid).cmp(&(&b.claim.spec.holder.name, &b.record.uid))
    });
    Ok(all)
}

/// Every claim of a namespace.
pub async fn claims_in(client: &Client, namespace: &str) -> Result<Vec<NameClaim>, AdminError> {
    let params = ListParams::default().fields(&format!("spec.holder.namespace={namespace}"));
    pages(&Api::all(client.clone()), &params, "NameClaims").await
}

/// What a claim says of an order; `None` of another's.
pub fn claimed(claim: NameClaim) -> Option<Claimed> {
    if claim.spec.type_ != ClaimType::Order {
        return None;
    }
    let record = claim.spec.order.as_deref()?.clone();
    Some(Claimed { claim, record })
}

/// The receipts of an order, the oldest first.
pub async fn receipts(client: &Client, order_uid: &str) -> Result<Vec<Receipt>, AdminError> {
    let params = ListParams::default().fields(&format!("spec.orderUID={order_uid}"));
    let all: Vec<PaymentReceipt> = pages(&Api::all(client.clone()), &params, "PaymentReceipts").await?;
    let mut all: Vec<Receipt> = all.into_iter().map(receipt).collect();
    all.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    Ok(all)
}

/// Payments of orders of which nothing is recorded, and that nobody has dealt with, the oldest first.
pub async fn strangers(client: &Client) -> Result<Vec<Receipt>, AdminError> {
    let all: Vec<PaymentReceipt> =
        pages(&Api::all(client.clone()), &ListParams::default(), "PaymentReceipts").await?;
    let all: Vec<Receipt> = all.into_iter().map(receipt).collect();
    let unsettled = unsettled(all.iter().map(|receipt| &receipt.spec));
    let is_strange = |receipt: &&Receipt| {
        receipt.spec.flags.contains(&ReceiptFlag::UnknownOrder)
            && unsettled.iter().any(|spec| **spec == receipt.spec)
    };
    let mut strange: Vec<Receipt> = all.iter().filter(is_strange).cloned().collect();
    strange.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    Ok(strange)
}

fn receipt(object: PaymentReceipt) -> Receipt {
    let created = object.creation_timestamp().map(|time| time.0).unwrap_or_default();
    Receipt { name: object.name_any(), created, spec: object.spec }
}

/// Who asks, as the API server knows them.
pub async fn who(client: &Client) -> Result<String, AdminError> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let answer = answer.map_err(AdminError::kubernetes("ask who this is"))?;
    let name = answer.status.and_then(|status| status.user_info).and_then(|user| user.username);
    Ok(name.unwrap_or_else(|| "somebody unknown".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_named_in_one_of_two_ways() {
        let named = OrderName::Named { namespace: "acme".into(), name: "ops".into() };
        assert_eq!("acme/ops".parse(), Ok(named));
        let uid = "5a0e2c56-0d4e-4d0f-9d0a-0f6f6f3f4b5a";
        assert_eq!(uid.parse(), Ok(OrderName::Uid(uid.into())));
        for wrong in ["ops", "/ops", "acme/", "a/b/c", ""] {
            assert!(wrong.parse::<OrderName>().is_err(), "{wrong}");
        }
    }
}
