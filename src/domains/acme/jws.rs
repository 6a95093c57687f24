//! Signs what is sent when an account's key is changed, which needs two keys at once; the library signs the rest.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

/// Bytes of one coordinate on P-256.
const COORDINATE: usize = 32;

/// A key that signs (ES256).
pub(super) struct SigningKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl SigningKey {
    /// The key in this PKCS #8; `None` if it isn't one on P-256.
    pub(super) fn new(key: &PrivatePkcs8KeyDer<'_>) -> Option<Self> {
        let random = SystemRandom::new();
        let (algorithm, der) = (&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der());
        Some(Self { pair: EcdsaKeyPair::from_pkcs8(algorithm, der, &random).ok()?, random })
    }

    /// Its public half, as JWK (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        // An uncompressed point: a byte that says so, then both coordinates.
        let point = self.pair.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(COORDINATE.min(point.len()));
        let text = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
    }

    /// The payload, signed with these headers (RFC 7515, flattened); `None` if the system gives no randomness.
    pub(super) fn sign(&self, mut headers: Value, payload: &Value) -> Option<Value> {
        headers["alg"] = json!("ES256");
        let text = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let (protected, payload) = (text(&headers), text(payload));
        let signature = self.pair.sign(&self.random, format!("{protected}.{payload}").as_bytes()).ok()?;
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref());
        Some(json!({"protected": protected, "payload": payload, "signature": signature}))
    }
}

#[cfg(test)]
mod tests {
    use instant_acme::Key;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn what_is_signed_can_be_verified_by_its_jwk() {
        let (_, der) = Key::generate_pkcs8().unwrap();
        let key = SigningKey::new(&der).unwrap();
        let signed = key.sign(json!({"url": "https://ca.example"}), &json!({"a": 1})).unwrap();
        let bytes = |text: &Value| BASE64_URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap();
        let jwk = key.jwk();
        let point = [vec![4], bytes(&jwk["x"]), bytes(&jwk["y"])].concat();
        let message =
            format!("{}.{}", signed["protected"].as_str().unwrap(), signed["payload"].as_str().unwrap());
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(message.as_bytes(), &bytes(&signed["signature"]))
            .unwrap();
        let headers: Value = serde_json::from_slice(&bytes(&signed["protected"])).unwrap();
        assert_eq!(headers, json!({"alg": "ES256", "url": "https://ca.example"}));
        assert!(SigningKey::new(&PrivatePkcs8KeyDer::from(vec![0_u8; 8])).is_none());
    }
}
