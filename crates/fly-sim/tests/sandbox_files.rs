//! Files, the volume and the root filesystem of a sandboxed Machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod sandbox_support;

use std::fs;

use fly_sim::sandbox::{RootfsStrategy, Sandbox, SandboxError};
use sandbox_support::{Fixture, file, names_in};

#[tokio::test]
async fn seeded_files_are_there_with_their_mode_and_never_on_the_volume() {
    for strategy in [RootfsStrategy::Overlay, RootfsStrategy::Copy] {
        let fixture = Fixture::new();
        let mut spec = fixture.shell(
            "set -e
             test \"$(cat /opt/moorage/a.txt)\" = alpha
             test \"$(stat -c %a /opt/moorage/a.txt)\" = 444
             test \"$(cat /etc/ssl/private-seed.txt)\" = nested
             test \"$(cat /etc/hostname)\" = replaced
             test ! -e /data/hidden.txt
             echo kept > /data/mine.txt",
        );
        spec.rootfs = strategy;
        spec.files = vec![
            file("/opt/moorage/a.txt", "alpha", 0o444),
            file("/etc/ssl/private-seed.txt", "nested", 0o644),
            file("/etc/hostname", "replaced", 0o644),
            file("/data/hidden.txt", "under the mount", 0o644),
        ];
        fixture.run_well(spec).await;
        assert_eq!(names_in(&fixture.path("volume")), ["mine.txt"], "{strategy:?}");
        assert!(!std::path::Path::new("/etc/ssl/private-seed.txt").exists(), "the host is untouched");
    }
}

#[tokio::test]
async fn the_volume_survives_a_boot_and_the_root_filesystem_does_not() {
    for strategy in [RootfsStrategy::Overlay, RootfsStrategy::Copy] {
        let fixture = Fixture::new();
        let script = "set -e
             test ! -e /app/made && test ! -e /usr/made-too && test ! -e /tmp/made
             echo x > /app/made; echo x > /tmp/made; mkdir /fresh; rm /app/guest
             echo boot >> /data/boots";
        for _ in 0..2 {
            let mut spec = fixture.shell(script);
            spec.rootfs = strategy;
            fixture.run_well(spec).await;
        }
        assert_eq!(fs::read_to_string(fixture.path("volume/boots")).unwrap(), "boot\nboot\n");
        assert_eq!(names_in(&fixture.path("image/rootfs")), ["app"], "the image is untouched");
        assert_eq!(names_in(&fixture.path("image/rootfs/app")), ["guest"]);
        assert_eq!(names_in(&fixture.path("scratch")), Vec::<String>::new());
    }
}

#[tokio::test]
async fn borrowed_host_folders_can_be_written_without_reaching_the_host() {
    let fixture = Fixture::new();
    let mut spec = fixture.shell("set -e; echo x > /usr/made-in-a-machine; echo x > /etc/made-in-a-machine");
    spec.rootfs = RootfsStrategy::Overlay;
    fixture.run_well(spec).await;
    assert!(!std::path::Path::new("/usr/made-in-a-machine").exists());
    assert!(!std::path::Path::new("/etc/made-in-a-machine").exists());
}

#[tokio::test]
async fn what_the_image_brings_lies_over_what_it_borrows() {
    for strategy in [RootfsStrategy::Overlay, RootfsStrategy::Copy] {
        let fixture = Fixture::new();
        fs::create_dir_all(fixture.path("image/rootfs/etc")).unwrap();
        fs::write(fixture.path("image/rootfs/etc/os-release"), "the image's own").unwrap();
        let mut spec =
            fixture.shell("test \"$(cat /etc/os-release)\" = \"the image's own\" && test -e /etc/passwd");
        spec.rootfs = strategy;
        fixture.run_well(spec).await;
    }
}

#[tokio::test]
async fn the_machine_sees_its_own_host_name_devices_and_processes() {
    let fixture = Fixture::new();
    let spec = fixture.shell(
        "set -e
         test \"$(cat /proc/sys/kernel/hostname)\" = 148e21ea7e4678
         grep -q '172.19.0.2.148e21ea7e4678' /etc/hosts
         grep -q nameserver /etc/resolv.conf
         head -c 4 /dev/urandom > /dev/null
         test \"$(ls -d /proc/[0-9]* | wc -l)\" -lt 10
         test ! -e /.host && test ! -e /root/.cargo
         test \"$PWD\" = /app && test \"$GREETING\" = hello
         test \"$(id -u)\" = 0",
    );
    fixture.run_well(spec).await;
}

#[tokio::test]
async fn a_boot_that_fails_says_why() {
    let fixture = Fixture::new();
    let mut no_volume = fixture.shell("true");
    no_volume.volume.as_mut().unwrap().host_dir = fixture.path("nowhere");
    let error = Sandbox::spawn(no_volume).await.unwrap_err();
    assert!(matches!(error, SandboxError::Boot(_)) && error.to_string().contains("nowhere"), "{error}");

    let mut no_image = fixture.shell("true");
    no_image.image = fixture.path("volume");
    let error = Sandbox::spawn(no_image).await.unwrap_err();
    assert!(matches!(error, SandboxError::Image { .. }), "{error}");

    let mut nothing = fixture.shell("true");
    nothing.argv.clear();
    let error = Sandbox::spawn(nothing).await.unwrap_err();
    assert!(error.to_string().contains("no command"), "{error}");
}
