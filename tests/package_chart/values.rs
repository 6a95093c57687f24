//! Values that can't be meant are refused before anything is installed.

use crate::helm::render;

#[test]
fn what_the_schema_does_not_know_is_refused() {
    for (value, named) in [
        ("nonsense=1", "nonsense"),
        ("image.tagg=1", "tagg"),
        ("config.clusterId=x", "clusterId"),
        ("config.fly.orgnization=x", "orgnization"),
        ("config.timing.tombstone=1", "tombstone"),
        ("networkPolicy.enable=true", "enable"),
        ("stripeKeys.secret=x", "secret"),
        ("webhooks.ingress.hosts=x", "hosts"),
        ("challenges.ingress.host=x", "host"),
    ] {
        let error = render(&["--set", value]).unwrap_err();
        assert!(error.contains(named), "{value}: {error}");
    }
}

#[test]
fn what_the_chart_sets_itself_is_not_for_the_values() {
    for field in [
        "config.namespace",
        "config.address",
        "config.fly.tokenFile",
        "config.billing.webhookAddress",
        "config.customDomains.acme.http01.listen",
        "config.billing.stripe.secretKeyFile",
        "config.billing.payapp.linkKeyFile",
    ] {
        let error = render(&["--set", &format!("{field}=x")]).unwrap_err();
        assert!(error.contains("not allowed"), "{field}: {error}");
    }
}

#[test]
fn values_of_the_wrong_type_or_size_are_refused() {
    for value in [
        "replicas=many",
        "replicas=9",
        "terminationGracePeriodSeconds=5",
        "platform.users=paula",
        "platform.groups[0]=",
        "image.digest=sha256:abc",
        "config.mode=Sometimes",
        "config.concurrency=-1",
        "service.port=0",
    ] {
        render(&["--set", value]).unwrap_err();
    }
}

#[test]
fn a_provider_without_keys_is_refused_and_keys_make_a_provider() {
    for (value, named) in [
        ("config.billing.stripe.pollSeconds=60", "stripeKeys.secretName"),
        ("config.billing.payapp.userID=acme,config.billing.payapp.shopName=Acme", "payappKeys.secretName"),
    ] {
        let error = render(&["--set", value]).unwrap_err();
        assert!(error.contains(named), "{value}: {error}");
    }
    let payapp = "config.billing.payapp.userID=acme,config.billing.payapp.shopName=Acme";
    let mixed = ["--set", &format!("stripeKeys.secretName=stripe,{payapp}")];
    assert!(render(&mixed).unwrap_err().contains("payappKeys.secretName"));
    let ingress = ["--set", "stripeKeys.secretName=stripe,webhooks.ingress.enabled=true"];
    assert!(render(&ingress).unwrap_err().contains("webhooks.ingress.host"));
    let plain = render(&[]).unwrap();
    assert!(!plain.contains("moorage-webhooks"), "without a provider there is no address");
    assert!(!plain.contains("moorage-challenges"), "nor without challenges");
}
