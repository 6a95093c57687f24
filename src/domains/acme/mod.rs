//! Certificates by ACME (RFC 8555), proved by DNS.
