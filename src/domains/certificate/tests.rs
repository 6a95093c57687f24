use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PKCS_RSA_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm, date_time_ymd,
};

use super::*;

fn params(names: &[&str]) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 4, 1);
    params
}

fn made(names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    (params(names).self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An authority with a root, an intermediate, and what the latter signed.
struct Signed {
    root: String,
    intermediate: String,
    leaf: String,
    key: String,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(&[]);
    params.not_after = date_time_ymd(2026, 2, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn signed() -> Signed {
    let (root, between) = (authority("root"), authority("R99"));
    let root_key = KeyPair::generate().unwrap();
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let root = Issuer::new(root, root_key);
    let between_key = KeyPair::generate().unwrap();
    let intermediate = between.signed_by(&between_key, &root).unwrap().pem();
    let between = Issuer::new(between, between_key);
    let key = KeyPair::generate().unwrap();
    let mut leaf = params(&["a.example.dev"]);
    leaf.serial_number = Some(SerialNumber::from_slice(&[0x9a, 0x0b, 0xff]));
    let leaf = leaf.signed_by(&key, &between).unwrap().pem();
    Signed { root: root_pem, intermediate, leaf, key: key.serialize_pem() }
}

fn read(chain: &str, key: &str) -> Result<Certificate, CertificateError> {
    Certificate::read(chain, key.into())
}

#[test]
fn a_certificate_tells_its_names_and_when_it_is_to_be_renewed() {
    let (chain, key) = made(&["*.example.dev", "example.dev"]);
    let certificate = Certificate::read(&chain, key.into()).unwrap();
    let wanted = ["*.example.dev".to_owned(), "example.dev".to_owned()];
    certificate.check(at("2026-03-31T00:00:00Z"), &wanted).unwrap();
    assert_eq!(certificate.check(at("2026-04-01T00:00:00Z"), &wanted), Err(CertificateError::Expired));
    let early = certificate.check(at("2025-12-31T23:59:59Z"), &wanted);
    assert_eq!(early, Err(CertificateError::NotYetValid));
    let other = ["*.example.com".to_owned()];
    let error = certificate.check(at("2026-02-01T00:00:00Z"), &other).unwrap_err();
    assert_eq!(error, CertificateError::Name("*.example.com".into()));
    assert_eq!(certificate.renewal(), at("2026-03-02T00:00:00Z"));
    assert!(!certificate.is_overdue(at("2026-03-16T23:59:59Z")));
    assert!(certificate.is_overdue(at("2026-03-17T00:00:00Z")));
    assert_eq!(certificate.fingerprint.len(), 20);
}

#[test]
fn a_star_stands_for_one_label() {
    let (chain, key) = made(&["*.Example.dev", "www.example.org"]);
    let certificate = read(&chain, &key).unwrap();
    assert_eq!(certificate.names(), ["*.example.dev", "www.example.org"]);
    for (host, is_covered) in [
        ("a.example.dev", true),
        ("A.EXAMPLE.dev.", true),
        ("*.example.dev", true),
        ("a.b.example.dev", false),
        ("example.dev", false),
        (".example.dev", false),
        ("notexample.dev", false),
        ("www.example.org", true),
        ("*.example.org", false),
        ("*.www.example.org", false),
        ("", false),
        ("dev", false),
    ] {
        assert_eq!(certificate.covers(host), is_covered, "{host}");
    }
}

#[test]
fn a_certificate_tells_its_serial_number_and_who_signed_it() {
    let signed = signed();
    let certificate = read(&signed.leaf, &signed.key).unwrap();
    assert_eq!((certificate.serial.as_str(), certificate.issuer.as_str()), ("9a0bff", "R99"));
    let (chain, key) = made(&["a.example.dev"]);
    assert!(!read(&chain, &key).unwrap().issuer.is_empty(), "{chain}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let ((chain, _), (_, key)) = (made(&["a.example.dev"]), made(&["a.example.dev"]));
    assert_eq!(read(&chain, &key).unwrap_err(), CertificateError::Mismatch);
    assert_eq!(read(&chain, "no key").unwrap_err(), CertificateError::Key);
    assert_eq!(read("no chain", "no key").unwrap_err(), CertificateError::Chain);
    assert_eq!(read(&chain.repeat(LONGEST + 1), &key).unwrap_err(), CertificateError::Chain);
}

#[test]
fn what_is_too_large_is_refused_with_its_limit() {
    let (chain, key) = made(&["a.example.dev"]);
    let too_large = |part, most| CertificateError::TooLarge { part, most };
    let blanks = |most: usize| "\n".repeat(most + 1);
    let refused = read(&(chain.clone() + &blanks(LARGEST_CHAIN)), &key).unwrap_err();
    assert_eq!(refused, too_large(Part::Chain, LARGEST_CHAIN));
    let refused = read(&(blanks(LARGEST_LEAF) + &chain), &key).unwrap_err();
    assert_eq!(refused, too_large(Part::Leaf, LARGEST_LEAF));
    assert!(refused.to_string().contains("more than 36500 bytes"), "{refused}");
    let refused = read(&chain, &(key.clone() + &blanks(LARGEST_KEY))).unwrap_err();
    assert_eq!(refused, too_large(Part::Key, LARGEST_KEY));
    read(&(chain + &blanks(LARGEST_CHAIN / 2)), &key).unwrap();
}

#[test]
fn a_chain_leads_from_each_certificate_to_the_one_that_signed_it() {
    let Signed { root, intermediate, leaf, key } = signed();
    let check = |chain: &str, now: &str| read(chain, &key).unwrap().check_chain(at(now));
    let now = "2026-01-15T00:00:00Z";
    check(&leaf, now).unwrap();
    check(&format!("{leaf}{intermediate}"), now).unwrap();
    check(&format!("{leaf}{intermediate}{root}"), now).unwrap();
    assert_eq!(check(&format!("{leaf}{root}"), now), Err(CertificateError::Order(1)));
    assert_eq!(check(&format!("{leaf}{root}{intermediate}"), now), Err(CertificateError::Order(1)));
    assert_eq!(check(&format!("{leaf}{intermediate}{leaf}"), now), Err(CertificateError::Order(2)));
    let late = check(&format!("{leaf}{intermediate}{root}"), "2026-02-01T00:00:00Z");
    assert_eq!(late, Err(CertificateError::Intermediate(2)));
    assert_eq!(check(&leaf, "2026-02-01T00:00:00Z"), Ok(()), "its own life is looked at elsewhere");
}

#[test]
fn an_issuer_of_the_same_name_with_another_key_is_no_issuer() {
    let (one, other) = (signed(), signed());
    let chain = format!("{}{}", one.leaf, other.intermediate);
    let checked = read(&chain, &one.key).unwrap().check_chain(at("2026-01-15T00:00:00Z"));
    assert_eq!(checked, Err(CertificateError::Order(1)));
}

#[test]
fn keys_that_fly_does_not_take_are_named() {
    for (algorithm, expected, is_taken) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, KeyType::P256, true),
        (&PKCS_ECDSA_P384_SHA384, KeyType::P384, true),
        (&PKCS_ED25519, KeyType::Other, false),
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let chain = params(&["a.example.dev"]).self_signed(&key).unwrap().pem();
        let certificate = read(&chain, &key.serialize_pem()).unwrap();
        assert_eq!(certificate.key_type, expected);
        assert_eq!(certificate.key_type.check().is_ok(), is_taken, "{expected}");
    }
    assert!(KeyType::Rsa(2047).check().is_err() && KeyType::Rsa(2048).check().is_ok());
    let refused = KeyType::Rsa(1024).check().unwrap_err().to_string();
    assert_eq!(refused, "its key is RSA with 1024 bits; take RSA with 2048 to 4096 bits, P-256 or P-384");
}

/// The public half of an RSA key of this size.
struct Rsa(Vec<u8>);

impl Rsa {
    fn new(bits: usize) -> Self {
        let length =
            |bytes: usize| [0x82, u8::try_from(bytes >> 8).unwrap(), u8::try_from(bytes & 0xff).unwrap()];
        let modulus = bits / 8 + 1;
        let mut der = vec![0x30];
        der.extend(length(4 + modulus + 5));
        der.push(0x02);
        der.extend(length(modulus));
        der.push(0);
        der.extend(std::iter::repeat_n(0xd5, modulus - 1));
        der.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
        Self(der)
    }
}

impl PublicKeyData for Rsa {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

#[test]
fn rsa_keys_are_told_by_their_size() {
    let issuer = Issuer::new(authority("R99"), KeyPair::generate().unwrap());
    for (bits, is_taken) in [(1024, false), (2048, true), (4096, true)] {
        let chain = params(&["a.example.dev"]).signed_by(&Rsa::new(bits), &issuer).unwrap();
        let (_, leaf) = X509Certificate::from_der(chain.der()).unwrap();
        assert_eq!(KeyType::of(&leaf), KeyType::Rsa(bits));
        assert_eq!(KeyType::of(&leaf).check().is_ok(), is_taken, "{bits}");
    }
}

#[test]
fn its_key_is_told_to_nobody() {
    let (chain, key) = made(&["a.example.dev"]);
    let shown = format!("{:?}", Certificate::read(&chain, key.clone().into()).unwrap());
    assert!(!shown.contains(key.lines().nth(1).unwrap()));
}
