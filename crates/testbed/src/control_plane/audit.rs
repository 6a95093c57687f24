//! The API server's audit log: who asked for what, and what the answer was.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

/// One answered request.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// Who asked; the impersonated user if one was.
    pub user: String,
    /// The user agent that the client named.
    pub user_agent: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural resource, such as `configmaps`; empty for paths that are not of objects.
    pub resource: String,
    /// `status`, `token` and so on; empty for the object itself.
    pub subresource: String,
    /// The object's namespace; empty for cluster-scoped ones.
    pub namespace: String,
    /// The object's name; empty where the request had none.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// The event as logged, with annotations and, if asked for, bodies.
    pub raw: Value,
}

impl AuditEvent {
    /// Whether it changed something, as far as the verb tells, and was let through.
    pub fn is_write(&self) -> bool {
        let changes = ["create", "update", "patch", "delete", "deletecollection"];
        changes.contains(&self.verb.as_str()) && (200..300).contains(&self.code)
    }

    /// Whether RBAC said no. Admission says no with the same code, but was authorized before.
    pub fn is_refused_right(&self) -> bool {
        self.raw.pointer("/annotations/authorization.k8s.io~1decision").and_then(Value::as_str)
            == Some("forbid")
    }
}

/// Reads whole lines only: the last one may still be in the making.
pub(super) fn read(path: &Path) -> Result<Vec<AuditEvent>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(parse).collect()
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Line {
    verb: String,
    user: User,
    impersonated_user: Option<User>,
    user_agent: String,
    object_ref: ObjectRef,
    response_status: Response,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct User {
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Response {
    code: u16,
}

fn parse(line: &str) -> Result<AuditEvent> {
    let raw: Value = serde_json::from_str(line)?;
    let Line { verb, user, impersonated_user, user_agent, object_ref, response_status } =
        Line::deserialize(&raw)?;
    Ok(AuditEvent {
        verb,
        user: impersonated_user.unwrap_or(user).username,
        user_agent,
        group: object_ref.api_group,
        resource: object_ref.resource,
        subresource: object_ref.subresource,
        namespace: object_ref.namespace,
        name: object_ref.name,
        code: response_status.code,
        raw,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"verb":"patch","user":{"username":"admin"},"impersonatedUser":{"username":"ann"},
        "objectRef":{"resource":"runtimes","apiGroup":"moorage.dev","subresource":"status","name":"ops"},
        "responseStatus":{"code":200},"annotations":{"authorization.k8s.io/decision":"allow"}}"#;

    #[test]
    fn the_impersonated_user_is_who_asked() {
        let event = parse(&LINE.replace('\n', "")).unwrap();
        assert_eq!(event.user, "ann");
        assert_eq!((event.group.as_str(), event.subresource.as_str()), ("moorage.dev", "status"));
        assert!(event.is_write() && !event.is_refused_right());
    }

    #[test]
    fn a_line_in_the_making_is_left_for_the_next_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{}\n{{\"verb\":\"ge", LINE.replace('\n', ""))).unwrap();
        assert_eq!(read(file.path()).unwrap().len(), 1);
    }
}
