//! Which image a reference means.

use http::StatusCode;

use super::State;
use crate::error::{ApiError, ApiResult};
use crate::faults::environment::ImageFailure;
use crate::model::machine::ImageRef;

impl State {
    /// What an image reference means now; 400 when there is no such image.
    pub fn resolve_image(&self, image: &str) -> ApiResult<ImageRef> {
        let missing = self.faults.environments.image_failure(image) == Some(ImageFailure::ManifestUnknown);
        let digest = self.tags.get(image).cloned().or_else(|| self.driver.resolve(image));
        match digest.filter(|_| !missing) {
            Some(digest) => Ok(parse(image, &digest)),
            None => Err(manifest_unknown(image)),
        }
    }
}

fn manifest_unknown(image: &str) -> ApiError {
    let text = format!(
        "invalid_argument: failed to get manifest {image}: MANIFEST_UNKNOWN: manifest unknown; \
         check that the image and tag exist"
    );
    ApiError::new(StatusCode::BAD_REQUEST, text)
}

/// Splits a reference as registries do.
fn parse(image: &str, digest: &str) -> ImageRef {
    let named = image.split_once('@').map_or(image, |(name, _)| name);
    let (path, tag) = match named.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (named, None),
    };
    let (registry, repository) = match path.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
        Some(_) => ("registry-1.docker.io", path.to_owned()),
        None => ("registry-1.docker.io", format!("library/{path}")),
    };
    let by_digest = image.contains('@');
    ImageRef {
        registry: registry.to_owned(),
        repository,
        tag: tag.map(str::to_owned).or_else(|| (!by_digest).then(|| "latest".to_owned())),
        digest: format!("sha256:{}", digest.trim_start_matches("sha256:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_split_as_registries_do() {
        let split = |image| {
            let parsed = parse(image, "00");
            (parsed.registry, parsed.repository, parsed.tag)
        };
        let of = |a: &str, b: &str, c: Option<&str>| (a.to_owned(), b.to_owned(), c.map(str::to_owned));
        assert_eq!(split("ubuntu"), of("registry-1.docker.io", "library/ubuntu", Some("latest")));
        assert_eq!(split("flyio/hello:v1"), of("registry-1.docker.io", "flyio/hello", Some("v1")));
        assert_eq!(split("ghcr.io/a/b:2026.9.6"), of("ghcr.io", "a/b", Some("2026.9.6")));
        assert_eq!(split("ghcr.io/a/b@sha256:ab"), of("ghcr.io", "a/b", None));
    }
}
