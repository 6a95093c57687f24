//! A server whose certificate comes from an authority of one's own.

use std::sync::Arc;

use fly_machines::{ErrorClass, Outcome};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::server::builder;

#[tokio::test]
async fn an_authority_that_was_added_is_trusted_and_others_are_not() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let base = serve(tokio_rustls::TlsAcceptor::from(Arc::new(config))).await;

    let client = builder(&base).add_root_pem(made.cert.pem()).build().unwrap();
    assert_eq!(client.apps().get("one").await.unwrap().name, "one");

    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let client = builder(&base).add_root_pem(stranger.cert.pem()).build().unwrap();
    let error = client.apps().get("one").await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Unreachable, Outcome::NotSent));
}

async fn serve(acceptor: tokio_rustls::TlsAcceptor) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = vec![0; 65536];
            let _ = stream.read(&mut buffer).await;
            let body = r#"{"name":"one"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    base
}
