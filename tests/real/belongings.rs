//! What a customer leaves on the volume.

use anyhow::Result;

use crate::machine::Host;

/// A key of the customer's own, and a file.
pub async fn customer_writes(host: &Host) -> Result<()> {
    let script = "const fs = require('fs'), path = '/data/openclaw.json'; \
                  const config = JSON.parse(fs.readFileSync(path, 'utf8')); \
                  config.skills = {entries: {weather: {enabled: false}}}; \
                  fs.writeFileSync(path, JSON.stringify(config)); \
                  fs.writeFileSync('/data/workspace/NOTES.md', 'mine');";
    host.exec(&["node", "-e", script]).await.map(drop)
}

/// Both are as they were.
pub async fn the_customer_s_is_kept(host: &Host) -> Result<()> {
    assert_eq!(host.config().await?["skills"]["entries"]["weather"]["enabled"], false);
    assert_eq!(host.read("/data/workspace/NOTES.md").await?, "mine");
    Ok(())
}
