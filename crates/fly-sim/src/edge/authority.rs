//! The edge's own certificate authority. It lives in the state folder.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use rustls::{
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};
use sha2::{Digest as _, Sha256};

use crate::clock::Millis;

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca-key.pem";
const NAME: &str = "fly-sim edge";

/// Signs certificates that clients accept which trust `ca.pem`.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    path: PathBuf,
}

/// A certificate as it was issued in the place of Let's Encrypt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// The app that it is for.
    pub app: String,
    /// The name on it; may start with `*.`.
    pub name: String,
    /// From when it holds.
    pub not_before: Millis,
    /// Until when it holds.
    pub not_after: Millis,
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

    /// Makes a certificate for a name, good for as long as anybody can wait.
    pub(super) fn make(&self, name: &str) -> io::Result<Arc<CertifiedKey>> {
        self.sign(CertificateParams::new([name.to_owned()]).map_err(io::Error::other)?)
    }

    /// Makes a certificate as it was issued; made again after a restart, it has its serial number again.
    pub(super) fn issue(&self, leaf: &Leaf) -> io::Result<Arc<CertifiedKey>> {
        let mut params = CertificateParams::new([leaf.name.clone()]).map_err(io::Error::other)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, &leaf.name);
        let at =
            |ms| date_time_ymd(1970, 1, 1) + Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        params.not_before = at(leaf.not_before);
        params.not_after = at(leaf.not_after);
        params.serial_number = Some(serial(leaf));
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> io::Result<Arc<CertifiedKey>> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = rustls::crypto::ring::sign::any_supported_type(&key).map_err(io::Error::other)?;
        Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing)))
    }
}

fn serial(leaf: &Leaf) -> SerialNumber {
    let text = format!("{}\n{}\n{}", leaf.app, leaf.name, leaf.not_before);
    let mut bytes: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    // A serial number is positive, and has no empty octet at its beginning.
    bytes[0] = bytes[0] & 0x3f | 0x40;
    SerialNumber::from_slice(&bytes[..16])
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
