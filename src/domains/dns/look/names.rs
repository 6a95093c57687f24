//! Names between text and message: lower case, without a final dot.

use hickory_proto::rr::Name;

use super::LookError;

/// The name that a text stands for, if DNS can hold it. Escapes aren't read: they stand for octets that no name of
/// people has.
pub(super) fn dns_name(text: &str) -> Option<Name> {
    if text.is_empty() {
        return Some(Name::root());
    }
    if !text.bytes().all(is_plain) {
        return None;
    }
    Name::from_labels(text.split('.').map(str::as_bytes)).ok()
}

/// The same, or whose fault it is.
///
/// # Errors
/// If DNS can't hold it.
pub(super) fn checked(text: &str) -> Result<Name, LookError> {
    dns_name(text).ok_or_else(|| LookError::Malformed { name: text.to_owned() })
}

/// The text for a name. Octets that text can't hold are escaped; the root is empty.
pub(super) fn plain(name: &Name) -> String {
    let labels: Vec<String> =
        name.iter().map(|label| label.iter().map(|octet| shown(*octet)).collect()).collect();
    labels.join(".")
}

fn shown(octet: u8) -> String {
    if is_plain(octet) && octet != b'.' {
        char::from(octet.to_ascii_lowercase()).to_string()
    } else {
        format!("\\{octet:03}")
    }
}

fn is_plain(octet: u8) -> bool {
    octet.is_ascii_graphic() && octet != b'\\'
}
