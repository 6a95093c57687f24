use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Hostname {
    Hostname::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> NameError {
    Hostname::parse(text).err().unwrap_or_else(|| panic!("{text} is taken"))
}

#[test]
fn a_name_has_one_spelling() {
    for (written, stands) in [
        ("www.example.com", "www.example.com"),
        ("WWW.Example.COM.", "www.example.com"),
        ("*.Example.com", "*.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--Bcher-KVA.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("ｗｗｗ.example.com", "www.example.com"),
        ("exa\u{ad}mple.com", "example.com"),
        ("1.example.com", "1.example.com"),
        ("1-2-3.example.com", "1-2-3.example.com"),
    ] {
        assert_eq!(parsed(written).as_str(), stands, "{written}");
    }
    assert_eq!(parsed("b\u{fc}cher.example").unicode().unwrap(), "bücher.example");
    assert_eq!(parsed("*.xn--bcher-kva.example").unicode().unwrap(), "*.bücher.example");
    assert_eq!(parsed("www.example.com").unicode(), None);
    assert_eq!(parsed("*.Example.com").to_string(), "*.example.com");
}

#[test]
fn a_name_tells_its_parts() {
    let host = parsed("a.b.example.co.uk");
    assert_eq!(host.registered_domain(), "example.co.uk");
    assert_eq!(host.ancestors().collect::<Vec<_>>(), ["b.example.co.uk", "example.co.uk"]);
    assert!(!host.is_wildcard() && !host.is_registered_domain());
    for zone in ["a.b.example.co.uk", "example.co.uk", "co.uk", "uk"] {
        assert!(host.is_within(zone), "{zone}");
    }
    for zone in ["x.a.b.example.co.uk", "ample.co.uk", "b.example.co", "com"] {
        assert!(!host.is_within(zone), "{zone}");
    }

    let wild = parsed("*.example.com");
    assert_eq!((wild.as_str(), wild.bare()), ("*.example.com", "example.com"));
    assert!(wild.is_wildcard() && wild.is_registered_domain());
    assert_eq!(wild.ancestors().count(), 0);

    // The owner of a private suffix keeps the zone, but not the names in it.
    let page = parsed("www.someone.github.io");
    assert_eq!(page.registered_domain(), "someone.github.io");
    assert_eq!(page.ancestors().collect::<Vec<_>>(), ["someone.github.io"]);
    assert!(parsed("someone.github.io").is_registered_domain());
}

#[test]
fn registries_are_told_from_owners_of_zones() {
    for registry in ["com", "co.uk", "example", "xn--p1ai", "xn--55qx5d.cn", "foo.ck"] {
        assert!(is_registry(registry), "{registry}");
    }
    for owned in ["github.io", "fly.dev", "example.com", "www.ck", "a.co.uk"] {
        assert!(!is_registry(owned), "{owned}");
    }
}

#[test]
fn what_is_no_hostname_is_refused_with_its_remedy() {
    for (text, expected) in [
        ("", NameError::Empty),
        (".", NameError::Empty),
        ("..", NameError::EmptyLabel),
        ("*..", NameError::Empty),
        ("*", NameError::Star),
        ("*.", NameError::Star),
        ("localhost", NameError::SingleLabel("localhost".into())),
        ("*.localhost", NameError::SingleLabel("localhost".into())),
        ("192.0.2.1", NameError::Address("192.0.2.1".into())),
        ("192.0.2.1.", NameError::Address("192.0.2.1".into())),
        ("１９２.0.2.1", NameError::Address("192.0.2.1".into())),
        ("192.0.2.0/24", NameError::Address("192.0.2.0/24".into())),
        ("1.2.3", NameError::Address("1.2.3".into())),
        ("example.0x7f", NameError::Address("example.0x7f".into())),
        ("2001:db8::1", NameError::Address("2001:db8::1".into())),
        ("[2001:db8::1]", NameError::Address("[2001:db8::1]".into())),
        ("fe80::1%eth0", NameError::Address("fe80::1%eth0".into())),
        ("com", NameError::SingleLabel("com".into())),
        ("co.uk", NameError::PublicSuffix("co.uk".into())),
        ("*.co.uk", NameError::PublicSuffix("co.uk".into())),
        ("github.io", NameError::PublicSuffix("github.io".into())),
        ("*.fly.dev", NameError::PublicSuffix("fly.dev".into())),
        ("公司.cn", NameError::PublicSuffix("xn--55qx5d.cn".into())),
        ("*.*.example.com", NameError::Star),
        ("www.*.example.com", NameError::Star),
        ("w*.example.com", NameError::Star),
        ("*example.com", NameError::Star),
        ("＊.example.com", NameError::Star),
        ("a_b.example.com", NameError::Underscore("a_b".into())),
        ("_acme-challenge.example.com", NameError::Underscore("_acme-challenge".into())),
        ("a..example.com", NameError::EmptyLabel),
        (".example.com", NameError::EmptyLabel),
        ("*..example.com", NameError::EmptyLabel),
        ("example.com..", NameError::EmptyLabel),
        ("example.com。", NameError::EmptyLabel),
        (" example.com", NameError::Malformed("\\u{20}example".into())),
        ("exam ple.com", NameError::Malformed("exam\\u{20}ple".into())),
        ("https://example.com", NameError::Malformed("https://example".into())),
        ("example.com:443", NameError::Malformed("com:443".into())),
        ("-a.example.com", NameError::Malformed("-a".into())),
        ("a-.example.com", NameError::Malformed("a-".into())),
        ("ab--c.example.com", NameError::Malformed("ab--c".into())),
        ("xn--a.example.com", NameError::Malformed("xn--a".into())),
        ("a\u{202e}b.example.com", NameError::Malformed("a\\u{202e}b".into())),
        ("a\u{200d}b.example.com", NameError::Malformed("a\\u{200d}b".into())),
        ("a\0.example.com", NameError::Malformed("a\\u{0}".into())),
    ] {
        let error = refused(text);
        assert_eq!(error, expected, "{text}");
        assert!(error.to_string().ends_with('.'), "{error}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let label = "a".repeat(63);
    assert_eq!(parsed(&format!("{label}.com")).bare().len(), 67);
    assert_eq!(refused(&format!("{label}a.com")), NameError::LabelTooLong(format!("{label}a")));
    let longest = format!("{label}.{label}.{label}.{}.com", "b".repeat(LONGEST - 3 * 64 - 4));
    assert_eq!(longest.len(), LONGEST);
    assert_eq!(parsed(&longest).as_str(), longest);
    assert_eq!(parsed(&format!("*.{longest}.")).bare(), longest);
    assert!(format!("_moorage-challenge.{longest}").len() <= 253);
    assert_eq!(refused(&format!("b{longest}")), NameError::LabelTooLong(format!("b{label}")));
    let longer = longest.replace(".com", "b.com");
    assert_eq!(refused(&longer), NameError::TooLong(LONGEST + 1));
    assert_eq!(refused(&"a.".repeat(4000)), NameError::TooLong(8000));
    // It is what stands in DNS that has to fit.
    assert!(matches!(refused(&format!("{}.example", "ü".repeat(60))), NameError::LabelTooLong(_)));
}

#[test]
fn a_name_in_one_script_is_taken() {
    for name in [
        "bücher.com",
        "bæredygtig.dk",
        "þing.is",
        "œuvre.fr",
        "l·l.cat",
        "δοκιμή.com",
        "שלום.com",
        "пример.com",
        "пример.рф",
        "аррӏе.рф",
        "例え.jp",
        "abcサービス.jp",
        "한국어.kr",
        "क्\u{200d}ष.com",
        "नमस्ते.भारत",
        "ตัวอย่าง.ไทย",
    ] {
        parsed(name);
    }
}

#[test]
fn a_name_that_deceives_is_refused() {
    let confusable = |label: &str, passes_for: &str| NameError::Confusable {
        label: label.into(),
        passes_for: passes_for.into(),
    };
    for (text, expected) in [
        ("аррӏе.com", confusable("аррӏе", "apple")),
        ("xn--80ak6aa92e.com", confusable("аррӏе", "apple")),
        ("www.аррӏе.com", confusable("аррӏе", "apple")),
        ("аррӏе.example.com", confusable("аррӏе", "apple")),
        ("*.аррӏе.com", confusable("аррӏе", "apple")),
        ("wıkıpedıa.org", confusable("wıkıpedıa", "wikipedia")),
        ("comノlogin.jp", confusable("comノlogin", "corn/login")),
        ("paуpal.com", NameError::MixedScripts("paуpal".into())),
        ("paуpal.рф", NameError::MixedScripts("paуpal".into())),
        ("bücherи.com", NameError::MixedScripts("bücherи".into())),
        ("aأ.com", NameError::Malformed("aأ".into())),
        ("💩.la", NameError::Characters("\\u{1f4a9}".into())),
        ("i♥ny.com", NameError::Characters("i\\u{2665}ny".into())),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

/// What any name that is taken has to be.
fn check(name: &Hostname) {
    let bare = name.bare();
    assert!((1..=LONGEST).contains(&bare.len()), "{name}");
    assert!(bare.split('.').count() >= 2, "{name}");
    for label in bare.split('.') {
        assert!(
            (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-'),
            "{name}"
        );
        assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
    }
    assert_eq!(name.as_str().strip_prefix(if name.is_wildcard() { "*." } else { "" }), Some(bare));
    hickory_proto::rr::Name::from_ascii(name.as_str()).unwrap();
    assert!(name.is_within(name.registered_domain()));
    assert!(name.ancestors().all(|parent| name.is_within(parent)));
    assert_eq!(name.ancestors().last().unwrap_or(bare), name.registered_domain());
    assert_eq!(Hostname::parse(name.as_str()).as_ref(), Ok(name), "read again");
    if let Some(unicode) = name.unicode() {
        assert_eq!(Hostname::parse(&unicode).as_ref(), Ok(name), "as people read it");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        match Hostname::parse(&text) {
            Ok(name) => check(&name),
            Err(error) => assert!(error.to_string().len() < 2000),
        }
    }

    #[test]
    fn whatever_looks_like_a_name_is_read_or_refused(
        text in "(\\*\\.|xn--)?[a-zA-Z0-9ßüıаероæスﾊ＊_*-]{0,9}[.。．]{1,2}([a-z0-9ñдß-]{1,70}[.]){0,5}(com|co.uk|github.io|рф|example)?[.]?"
    ) {
        if let Ok(name) = Hostname::parse(&text) {
            check(&name);
        }
    }

    #[test]
    fn plain_names_are_taken_as_they_are(labels in proptest::collection::vec("[a-z]([a-z0-9]{0,5}[a-z0-9])?", 1..6)) {
        let text = format!("{}.example.com", labels.join("."));
        let name = Hostname::parse(&text).unwrap();
        check(&name);
        assert_eq!(name.as_str(), text);
        assert_eq!(name.ancestors().count(), labels.len());
    }
}
