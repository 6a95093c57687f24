//! The edge's own certificate authority. It lives in the state folder.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca-key.pem";
const NAME: &str = "fly-sim edge";

/// Signs certificates that clients accept which trust `ca.pem`.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    path: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Authority {
    /// The authority of a state folder; made at the first call and kept.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (path, key_path) = (folder.join(CERTIFICATE), folder.join(KEY));
        let key = match fs::read_to_string(&key_path) {
            Ok(pem) => KeyPair::from_pem(&pem).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => new_key(&key_path)?,
            Err(error) => return Err(error),
        };
        let params = params();
        if !path.exists() {
            let certificate = params.self_signed(&key).map_err(io::Error::other)?;
            fs::write(&path, certificate.pem())?;
        }
        Ok(Self { issuer: Issuer::new(params, key), path })
    }

    /// The certificate that clients must trust, PEM.
    pub fn certificate_path(&self) -> &Path {
        &self.path
    }

    /// Makes a certificate for these DNS names.
    pub(super) fn issue(&self, names: Vec<String>) -> io::Result<Arc<CertifiedKey>> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = rustls::crypto::ring::sign::any_supported_type(&key).map_err(io::Error::other)?;
        Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing)))
    }
}

/// The same at each start, so that the name in issued certificates fits the kept `ca.pem`.
fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn new_key(path: &Path) -> io::Result<KeyPair> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, key.serialize_pem().as_bytes())?;
    Ok(key)
}
