//! The token in use.

use crate::client::Client;
use crate::error::Result;
use crate::path::Path;
use crate::transport::Call;
use crate::types::TokensAnswer;

/// Calls about the token.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    client: &'a Client,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// Tells what the token may do: the cheapest check that it is good.
    ///
    /// # Errors
    /// `Unauthorized` if it isn't.
    pub async fn current(&self) -> Result<TokensAnswer> {
        let call = Call::get("tokens.current", Path::new("tokens").then("current"));
        self.client.transport().json(call).await
    }
}
