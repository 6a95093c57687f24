//! How each program is started: its flags and files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::{Audit, ControlPlaneOptions};
use crate::certs::{self, Authority, Pair};
use crate::kubeconfig::{self, Credential};
use crate::ports::free_port;
use crate::process::Process;

pub(super) const AUDIT_LOG: &str = "audit.log";

/// What ends namespaces, collects garbage and fills in quotas: without these, deletion isn't real.
const CONTROLLERS: &str = "namespace-controller,garbage-collector-controller,serviceaccount-controller,\
    resourcequota-controller,clusterrole-aggregation-controller,validatingadmissionpolicy-status-controller";

/// Where programs are found and where they put their things.
pub(super) struct Layout<'a> {
    pub(super) binaries: &'a Path,
    pub(super) dir: &'a Path,
}

impl Layout<'_> {
    pub(super) fn write_credentials(&self, authority: &Authority) -> Result<()> {
        fs::write(self.file("ca.crt"), &authority.certificate)?;
        let Pair { certificate, key } = authority.server()?;
        fs::write(self.file("server.crt"), certificate)?;
        fs::write(self.file("server.key"), key)?;
        let (private, public) = certs::service_account_keys()?;
        fs::write(self.file("service-account.key"), private)?;
        fs::write(self.file("service-account.pub"), public)?;
        Ok(())
    }

    pub(super) fn start_etcd(&self) -> Result<(Process, String)> {
        let url = format!("http://127.0.0.1:{}", free_port()?);
        let peer = format!("http://127.0.0.1:{}", free_port()?);
        let mut command = self.program("etcd");
        command
            .arg(format!("--data-dir={}", self.file("etcd").display()))
            .arg(format!("--listen-client-urls={url}"))
            .arg(format!("--advertise-client-urls={url}"))
            .arg(format!("--listen-peer-urls={peer}"))
            // Its data dies with it, so it need not survive a power cut.
            .args(["--unsafe-no-fsync", "--log-level=warn"]);
        Ok((self.spawn("etcd", &mut command)?, url))
    }

    pub(super) fn start_api_server(
        &self,
        etcd_url: &str,
        options: &ControlPlaneOptions,
    ) -> Result<(Process, String)> {
        let port = free_port()?;
        let mut command = self.program("kube-apiserver");
        command
            .arg(format!("--etcd-servers={etcd_url}"))
            .arg(format!("--secure-port={port}"))
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
            .args(["--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24"])
            .args(["--endpoint-reconciler-type=none", "--etcd-compaction-interval=0", "--profiling=false"])
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(self.flag("tls-cert-file", "server.crt"))
            .arg(self.flag("tls-private-key-file", "server.key"))
            .arg(self.flag("client-ca-file", "ca.crt"))
            .arg(self.flag("cert-dir", "certs"))
            .arg(self.flag("service-account-signing-key-file", "service-account.key"))
            .arg(self.flag("service-account-key-file", "service-account.pub"))
            .args(self.audit_flags(options.audit)?)
            .args(&options.api_server_flags);
        Ok((self.spawn("kube-apiserver", &mut command)?, format!("https://127.0.0.1:{port}")))
    }

    pub(super) fn start_controller_manager(&self, url: &str, authority: &Authority) -> Result<Process> {
        let pair = authority.client("system:kube-controller-manager", None)?;
        let config = self.file("controller-manager.kubeconfig");
        let credential = Credential::Certificate { pair, impersonate: None };
        fs::write(&config, kubeconfig::render(url, &authority.certificate, credential)?)?;
        let mut command = self.program("kube-controller-manager");
        command
            .arg(format!("--kubeconfig={}", config.display()))
            .arg(format!("--controllers={CONTROLLERS}"))
            .arg(self.flag("service-account-private-key-file", "service-account.key"))
            .args(["--secure-port=0", "--leader-elect=false", "--use-service-account-credentials=true"])
            // Its usual 20 requests a second would make a namespace with many objects end slowly.
            .args(["--kube-api-qps=300", "--kube-api-burst=600"]);
        self.spawn("kube-controller-manager", &mut command)
    }

    fn audit_flags(&self, audit: Audit) -> Result<Vec<String>> {
        let level = match audit {
            Audit::Off => return Ok(Vec::new()),
            Audit::Requests => "Metadata",
            Audit::Bodies => "RequestResponse",
        };
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [{"level": level}],
        });
        fs::write(self.file("audit-policy.yaml"), serde_json::to_vec(&policy)?)?;
        Ok(vec![self.flag("audit-policy-file", "audit-policy.yaml"), self.flag("audit-log-path", AUDIT_LOG)])
    }

    fn program(&self, name: &str) -> Command {
        Command::new(self.binaries.join(name))
    }

    fn spawn(&self, name: &str, command: &mut Command) -> Result<Process> {
        Process::spawn(name, command, &self.file(&format!("{name}.log")))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn flag(&self, flag: &str, file: &str) -> String {
        format!("--{flag}={}", self.file(file).display())
    }
}
