//! Answers as the API's documentation shows them, and as they were seen.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

const CREATED: &str = r#"{"id":"1857156b526dd8","name":"aged-thunder-7371","state":"created","region":"ord",
 "image_ref":{"registry":"registry-1.docker.io","repository":"library/ubuntu","tag":"latest","digest":"sha256:c9cf959f25368",
   "labels":{"org.opencontainers.image.ref.name":"ubuntu","org.opencontainers.image.version":"22.04"}},
 "instance_id":"01HEPA330HZ37A78TK080NAK1M","private_ip":"fdaa:ff:ff:a7b:195:e229:8038:2",
 "created_at":"2023-11-08T01:52:30Z","updated_at":"2023-11-08T01:52:30Z",
 "config":{"init":{"exec":["/bin/sleep","inf"]},"image":"registry-1.docker.io/library/ubuntu:latest","auto_destroy":true,
   "restart":{"policy":"always"},"guest":{"cpu_kind":"shared","cpus":1,"memory_mb":256},"dns":{}},
 "events":[{"type":"launch","status":"created","source":"user","timestamp":1699408350300}]}"#;

#[test]
fn a_machine_that_was_created() {
    let machine: Machine = read(CREATED);
    assert_eq!((machine.id.as_str(), &machine.state), ("1857156b526dd8", &MachineState::Created));
    assert_eq!(machine.version(), "01HEPA330HZ37A78TK080NAK1M");
    assert_eq!(machine.image_digest(), Some("sha256:c9cf959f25368"));
    assert_eq!(machine.events[0].kind, "launch");
    let config = machine.config.unwrap();
    assert_eq!(config.guest, Some(Guest::shared(1, 256)));
    assert_eq!(config.restart.unwrap().policy, Some(RestartPolicy::Always));
    assert_eq!(config.init.unwrap().exec, ["/bin/sleep", "inf"]);
}

#[test]
fn events_are_read_newest_first_with_their_exits() {
    let events: Vec<MachineEvent> = read(
        r#"[{"type":"exit","status":"stopped","source":"flyd","timestamp":1698719726615,"request":{"exit_event":
            {"exit_code":78,"guest_exit_code":0,"guest_signal":-1,"oom_killed":false,"requested_stop":true,"exited_at":"x"}}},
           {"type":"exit","status":"stopped","request":{"MonitorEvent":{"exit_event":{"guest_exit_code":137,"oom_killed":true}},"restart_count":3}},
           {"type":"start","status":"started","source":"flyd","timestamp":1698719726615,"request":null},
           {"type":"launch","status":"created","source":"user","timestamp":1698719723203,"request":["odd"]}]"#,
    );
    assert_eq!(events[0].exit().unwrap().code(), Some(78));
    assert!(events[0].exit().unwrap().requested_stop);
    assert_eq!(events[1].exit().unwrap().code(), Some(137));
    assert!(events[1].exit().unwrap().oom_killed);
    assert_eq!(events[1].request.as_ref().unwrap().restart_count, Some(3));
    assert!(events[2].exit().is_none() && events[3].exit().is_none());
}

#[test]
fn small_answers() {
    let started: Started = read(r#"{"previous_state":"stopped","migrated":false,"new_host":""}"#);
    assert_eq!(started.previous_state, MachineState::Stopped);
    let waited: Waited = read(r#"{"ok":true}"#);
    assert_eq!(waited.state, MachineState::default());
    let exec: ExecAnswer = read(r#"{"stdout":"hi\n"}"#);
    assert!(exec.succeeded() && exec.stdout == "hi\n");
    let exec: ExecAnswer = read(r#"{"exit_code":1,"exit_signal":null,"stdout":null}"#);
    assert!(!exec.succeeded());
}

#[test]
fn apps() {
    let created: CreatedApp = read(r#"{"id":"z4k69dxd8r31p5mx","created_at":1708631799000}"#);
    assert_eq!(created.created_at.unwrap().to_string(), "2024-02-22T19:56:39Z");
    let app: App = read(
        r#"{"id":"jlyv9r5d56v18xrg","name":"my-app-name","status":"pending","organization":{"name":"My Org","slug":"personal"}}"#,
    );
    assert!(app.belongs_to("personal") && !app.belongs_to("My Org"));
    let page: AppsPage = read(
        r#"{"total_apps":4,"apps":[{"id":"682kqp6pdno9d543","name":"my-app-1","machine_count":3,"volume_count":2,"network":"default"}]}"#,
    );
    assert_eq!(page.apps[0].machine_count, Some(3));
    assert!(read::<AppsPage>(r#"{"apps":null}"#).apps.is_empty());
}

#[test]
fn volumes() {
    let volume: Volume = read(
        r#"{"id":"vol_340088w293z35lp4","name":"new_1028_vol","state":"created","size_gb":10,"region":"ord","zone":"84d3","encrypted":true,"attached_machine_id":null,"attached_alloc_id":null,"created_at":"2023-11-27T21:47:06.837Z","blocks":0,"block_size":0,"blocks_free":0,"blocks_avail":0,"fstype":"","snapshot_retention":5,"auto_backup_enabled":true,"host_dedication_key":""}"#,
    );
    assert_eq!((volume.size_gb, volume.attached_to()), (10, None));
    assert!(volume.state.is_mountable() && !volume.state.is_gone());
    assert!(read::<Volume>(r#"{"state":"pending_destroy"}"#).state.is_gone());
    let grown: ExtendedVolume = read(r#"{"volume":{"id":"vol_1","size_gb":20},"needs_restart":true}"#);
    assert!(grown.needs_restart && grown.volume.size_gb == 20);
}

#[test]
fn leases_in_an_envelope_or_flat() {
    let envelope = r#"{"status":"success","data":{"nonce":"5c35f65c9f95","expires_at":1708569778,"owner":"hello@fly.io","description":"","version":"01HQ73A7BFFDF1B6WMGHFZZ4E7"}}"#;
    let flat =
        r#"{"nonce":"5c35f65c9f95","expires_at":1708569778,"owner":"hello@fly.io","description":null}"#;
    for json in [envelope, flat] {
        let lease: Lease = read::<LeaseAnswer>(json).into();
        assert_eq!(lease.nonce.as_ref().unwrap().expose(), "5c35f65c9f95", "{json}");
        assert_eq!(lease.expires_at.unwrap().as_second(), 1_708_569_778);
        assert!(!format!("{lease:?}").contains("5c35f65c9f95"));
    }
}

#[test]
fn secret_versions_in_each_spelling() {
    for json in [r#"{"version":7}"#, r#"{"Version":7}"#, r#"{"version":7,"Version":7}"#, r#"{"version":"7"}"#]
    {
        assert_eq!(SetSecret::from(read::<SecretsWire>(json)).version, 7, "{json}");
    }
    let answer: SecretsAnswer = read::<SecretsWire>(
        r#"{"version":3,"Version":null,"secrets":[{"name":"KEY","digest":"d1","value":"canary"},{"name":"B","value":null}]}"#,
    )
    .into();
    assert_eq!((answer.version, answer.secrets.len()), (3, 2));
    assert!(!format!("{answer:?}").contains("canary"));
}

#[test]
fn platform_answers_with_and_without_capitals() {
    let live: Regions = read(
        r#"{"Nearest":"fra","Regions":[{"code":"fra","name":"Frankfurt","deprecated":false,"latitude":50.1,"requires_paid_plan":null}]}"#,
    );
    let described: Regions = read(r#"{"nearest":"fra","regions":[{"Code":"fra"}]}"#);
    assert_eq!((live.nearest.as_str(), live.regions[0].code.as_str()), ("fra", "fra"));
    assert_eq!((described.nearest.as_str(), described.regions[0].code.as_str()), ("fra", "fra"));
    for json in [
        r#"{"Regions":[{"Region":"fra","Count":4,"Concurrency":2}]}"#,
        r#"{"regions":[{"region":"fra","count":4}]}"#,
    ] {
        let room: PlacementsAnswer = read(json);
        assert_eq!((room.regions[0].region.as_str(), room.regions[0].count), ("fra", 4));
    }
}

#[test]
fn an_issued_certificate_is_told_from_a_configured_one() {
    let pending: CertificateDetail = read(
        r#"{"hostname":"example.com","configured":true,"acme_requested":true,"status":"pending_validation","dns_provider":"enom",
 "rate_limited_until":null,"certificates":[],
 "validation":{"dns_configured":false,"alpn_configured":false,"http_configured":false,"ownership_txt_configured":false},
 "dns_requirements":{"a":["137.66.1.1"],"aaaa":["2a09:8280:1::1"],"cname":"my-app-name.fly.dev",
   "acme_challenge":{"name":"_acme-challenge.example.com","target":"example.com.XXXXX.flydns.net"},
   "ownership":{"name":"_fly-ownership.example.com","app_value":"app-XXXXXXXXXX","org_value":"org-XXXXXXXXXX"}},
 "validation_errors":[{"code":null,"message":"m"}]}"#,
    );
    assert_eq!(pending.active_until(), None);
    assert_eq!(pending.dns_requirements.ownership.unwrap().app_value, "app-XXXXXXXXXX");
    let issued: CertificateDetail = read(
        r#"{"hostname":"example.com","certificates":[{"source":"fly","status":"active","expires_at":"2026-01-01T00:00:00Z","issuer":null,
          "issued":[{"type":"ecdsa","certificate_authority":"lets_encrypt"}]}],"validation":null,"dns_requirements":null}"#,
    );
    assert_eq!(issued.active_until().unwrap().to_string(), "2026-01-01T00:00:00Z");
}

#[test]
fn autostop_is_read_as_a_boolean_or_a_word_and_written_as_a_word() {
    for (json, expected) in [
        ("false", Autostop::Off),
        ("true", Autostop::Stop),
        ("\"suspend\"", Autostop::Suspend),
        ("\"off\"", Autostop::Off),
        ("\"later\"", Autostop::Other("later".into())),
    ] {
        assert_eq!(read::<Autostop>(json), expected);
    }
    assert_eq!(serde_json::to_value(Autostop::Off).unwrap(), json!("off"));
    assert_eq!(serde_json::to_value(Autostop::Other("later".into())).unwrap(), json!("later"));
}

#[test]
fn nulls_count_as_absent_wherever_they_may_be() {
    let machine: Machine = read(
        r#"{"id":"1","name":null,"state":null,"region":null,"image_ref":{"labels":null,"tag":null},"instance_id":null,"private_ip":null,
          "created_at":null,"events":null,"checks":null,"host_status":null,"nonce":null,
          "config":{"env":null,"metadata":{"a":null,"b":"c"},"init":{"exec":null,"tty":null},"restart":{"policy":""},"services":null,
                    "mounts":null,"checks":null,"files":null,"guest":null,"stop_config":{"timeout":null}}}"#,
    );
    assert_eq!(machine.state, MachineState::default());
    assert_eq!(machine.metadata("b"), Some("c"));
    assert_eq!(machine.metadata("a"), None);
    for json in [r#"{"machines":null,"error_regions":null}"#, "{}"] {
        assert!(read::<OrgMachinesPage>(json).machines.is_empty());
    }
}

#[test]
fn values_of_tomorrow_are_kept() {
    let machine: Machine =
        read(r#"{"id":"1","state":"levitating","host_status":"dreaming","brand_new":{"a":[1]}}"#);
    assert_eq!(machine.state.as_str(), "levitating");
    assert_eq!(serde_json::to_value(&machine.state).unwrap(), json!("levitating"));
}

#[test]
fn a_machine_whose_host_does_not_answer() {
    let machine: Machine = read(
        r#"{"id":"1","state":"started","host_status":"unreachable","config":null,"incomplete_config":{"image":"i","metadata":{"k":"v"}}}"#,
    );
    assert!(machine.host_is_unreachable() && machine.config.is_none());
    assert_eq!(machine.metadata("k"), Some("v"));
}

/// What a configuration holds beyond the typed fields has to survive a read and an update.
#[test]
fn a_configuration_survives_being_read_and_written() {
    let given = json!({
        "image": "i", "env": {"A": "1"}, "metadata": {"k": "v"}, "auto_destroy": false, "schedule": "daily",
        "dns": {"skip_registration": true}, "standbys": ["1"], "rootfs": {"persist": "always", "size_gb": 4},
        "containers": [{"name": "side", "image": "j"}], "statics": [{"guest_path": "/a", "url_prefix": "/b"}],
        "init": {"cmd": ["x"], "tty": true, "swap_size_mb": 512},
        "guest": {"cpu_kind": "performance", "cpus": 2, "memory_mb": 4096, "kernel_args": ["a"], "gpus": 0},
        "restart": {"policy": "on-failure", "max_retries": 3, "gpu_bid_price": 0.5},
        "stop_config": {"timeout": "300s", "signal": "SIGTERM", "new": 1},
        "mounts": [{"volume": "vol_1", "path": "/data", "name": "data", "size_gb": 3, "encrypted": true, "add_size_gb": 1}],
        "files": [{"guest_path": "/f", "raw_value": "aGk=", "mode": 384, "new": 1}, {"guest_path": "/g", "secret_name": "S"}],
        "checks": {"alive": {"type": "http", "port": 3000, "path": "/healthz", "interval": "15s", "timeout": "10s",
                             "tls_server_name": "x", "kind": "readiness", "headers": [{"name": "a", "values": ["b"]}]}},
        "services": [{"protocol": "tcp", "internal_port": 3000, "autostop": "suspend", "autostart": true,
            "min_machines_running": 0, "force_instance_key": null,
            "concurrency": {"type": "requests", "soft_limit": 20, "hard_limit": 25},
            "checks": [{"type": "tcp", "interval": "2s", "new": [1]}],
            "ports": [{"port": 443, "handlers": ["tls", "http", "quic"], "tls_options": {"alpn": ["h2"]}},
                      {"start_port": 1, "end_port": 9, "force_https": false}]}]
    });
    let config: MachineConfig = serde_json::from_value(given.clone()).unwrap();
    assert_eq!(config.checks["alive"].interval, Some(WireDuration(Duration::from_secs(15))));
    assert_eq!(serde_json::to_value(&config).unwrap(), given);
    let request = serde_json::to_value(UpdateMachine::new(config).if_version("01A")).unwrap();
    assert_eq!(request["config"], given);
    assert_eq!(request["current_version"], "01A");
}

#[test]
fn an_empty_configuration_adds_nothing() {
    let given = json!({"image": "i", "init": {}, "restart": {}, "guest": {}, "stop_config": {}, "dns": {}});
    let config: MachineConfig = serde_json::from_value(given.clone()).unwrap();
    assert_eq!(serde_json::to_value(config).unwrap(), given);
}

#[test]
fn requests_say_only_what_was_asked_for() {
    let body = |value: &dyn erased::Body| value.to_json();
    assert_eq!(body(&CreateApp::new("a", "o")), json!({"name": "a", "org_slug": "o"}));
    assert_eq!(body(&StopMachine::default()), json!({}));
    assert_eq!(body(&AssignIp::new(IpKind::SharedV4)), json!({"type": "shared_v4"}));
    assert_eq!(
        body(&CreateVolume::fork("data", "vol_1")),
        json!({"name": "data", "source_volume_id": "vol_1"})
    );
    let config = MachineConfig { image: "i".into(), ..MachineConfig::default() };
    let machine =
        CreateMachine { launch: Launch::Skip, ..CreateMachine::new(config).name("m").region("fra,eu") };
    assert_eq!(
        body(&machine),
        json!({"config": {"image": "i"}, "name": "m", "region": "fra,eu", "skip_launch": true})
    );
}

/// Lets one table hold requests of different types.
mod erased {
    pub(super) trait Body {
        fn to_json(&self) -> super::Value;
    }

    impl<T: serde::Serialize> Body for T {
        fn to_json(&self) -> super::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

#[test]
fn printing_shows_no_values_that_may_be_secret() {
    let config = MachineConfig {
        env: [("KEY".to_owned(), "canary".to_owned())].into(),
        files: vec![File::raw("/f", "canary")],
        ..MachineConfig::default()
    };
    let exec = Exec { stdin: Some("canary".into()), ..Exec::new(["sh", "-c", "canary"]) };
    let answer = ExecAnswer { stdout: "canary".into(), ..ExecAnswer::default() };
    let shown = format!("{config:?} {exec:?} {answer:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("KEY") && shown.contains("/f"));
}

#[test]
fn kinds_of_addresses() {
    for (json, kind) in [
        (r#"{"ip":"2a09:8280:1::1","shared":false}"#, IpKind::V6),
        (r#"{"ip":"66.241.1.1","shared":true}"#, IpKind::SharedV4),
        (r#"{"ip":"66.241.1.1","shared":null}"#, IpKind::V4),
        (r#"{"ip":"fdaa:0:1::2","network":{"name":"n","org_slug":"o"}}"#, IpKind::PrivateV6),
        (r#"{"ip":"1.2.3.4","egress":true}"#, IpKind::EgressV4),
    ] {
        assert_eq!(read::<IpAssignment>(json).kind(), kind, "{json}");
    }
}

#[test]
fn what_a_token_may_do() {
    let answer: TokensAnswer = read(
        r#"{"tokens":[{"token_id":"1","org_slug":"acme","apps":null,"user":null,"restricted_to_machine":null},
                      {"org_slug":"other","apps":["one"]}]}"#,
    );
    assert!(answer.covers_org("acme") && !answer.covers_org("other"));
}
