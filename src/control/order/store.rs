//! Stores what a payment provider says as receipts.

use kube::api::PostParams;
use kube::{Api, ResourceExt};

use crate::api::{FIELD_MANAGER, PaymentReceipt, PaymentReceiptSpec};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::engine::watch::Change;

/// Stores a receipt. Its name says what it is of, so that it is stored once, whoever does.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn store(ctx: &Context, spec: &PaymentReceiptSpec) -> Result<(), Failure> {
    let Some(receipt) = PaymentReceipt::of(spec.clone()) else { return Ok(()) };
    let api: Api<PaymentReceipt> = Api::all(ctx.kube.clone());
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let standing = match api.create(&params, &receipt).await {
        Ok(created) => created,
        Err(kube::Error::Api(status)) if status.is_already_exists() => api.get(&receipt.name_any()).await?,
        Err(error) => return Err(error.into()),
    };
    ctx.receipts.changed(&Change::Applied(&standing));
    Ok(())
}
