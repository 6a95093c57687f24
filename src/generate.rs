//! What is generated from code: the CustomResourceDefinitions.

use std::path::Path;

use crate::api::crd;

/// The definitions with the names of their files.
///
/// # Errors
/// If one can't be written as YAML, which is a fault of the program.
pub fn crds() -> Result<Vec<(String, String)>, serde_saphyr::ser::Error> {
    crd::all()
        .iter()
        .map(|crd| {
            let file = format!("{}.yaml", crd.metadata.name.clone().unwrap_or_default());
            Ok((file, serde_saphyr::to_string(crd)?))
        })
        .collect()
}

/// Writes the definitions into a folder.
///
/// # Errors
/// If the folder can't be written.
pub fn write_crds(dir: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    std::fs::create_dir_all(dir)?;
    for (file, text) in crds()? {
        std::fs::write(dir.join(file), text)?;
    }
    Ok(())
}
