//! The one label space that slugs and subdomains share: both become the first label of a hostname.

/// Labels that nobody may take, since the platform's own hosts and mail use them.
pub const RESERVED: &[&str] = &[
    "account",
    "accounts",
    "admin",
    "api",
    "app",
    "auth",
    "billing",
    "blog",
    "cdn",
    "console",
    "dashboard",
    "dev",
    "dns",
    "docs",
    "dom",
    "edge",
    "fly",
    "ftp",
    "help",
    "imap",
    "internal",
    "localhost",
    "login",
    "mail",
    "metrics",
    "moorage",
    "ns1",
    "ns2",
    "openclaw",
    "pay",
    "pop",
    "portal",
    "postmaster",
    "proxy",
    "root",
    "security",
    "smtp",
    "staging",
    "static",
    "status",
    "support",
    "system",
    "test",
    "webhook",
    "webhooks",
    "wildcard",
    "www",
];

/// Longest slug or subdomain, in characters. With prefix and identity an app's name stays below Fly's 63.
pub const MAX_LENGTH: usize = 40;

/// The CEL list literal of [`RESERVED`], for the rules of the kinds that carry a label.
pub fn reserved_as_cel() -> String {
    let quoted: Vec<String> = RESERVED.iter().map(|word| format!("'{word}'")).collect();
    format!("[{}]", quoted.join(","))
}

/// The CEL rule that refuses a reserved label, and one that browsers show as other letters; `self` is the string.
pub fn not_reserved_rule() -> String {
    format!("!(self in {}) && !self.startsWith('xn--')", reserved_as_cel())
}
