//! Forms and queries as both providers take them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The fields of a request, in their order. Names may be nested, as in `metadata[order]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a form or a query.
    pub fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// A field that isn't empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// All values of a field that may be given several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first parts of all names, such as `metadata`.
    pub fn tops(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.split('[').next().unwrap_or_default())
    }

    /// The fields directly within `name`, as an object of texts.
    pub fn within(&self, name: &str) -> Value {
        let inner = |key: &str| {
            let key = key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            (!key.contains('[')).then(|| key.to_owned())
        };
        let fields =
            self.0.iter().filter_map(|(key, value)| Some((inner(key)?, Value::from(value.as_str()))));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// The fields as a map; of several with one name the last.
    pub fn map(&self) -> BTreeMap<String, String> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_names_are_found() {
        let params = Params::parse(b"metadata%5Border%5D=1&metadata[x][y]=2&expand[]=a&expand[]=b&empty=");
        assert_eq!(params.within("metadata"), serde_json::json!({"order": "1"}));
        assert_eq!(params.all("expand[]").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(params.get("empty"), None);
    }
}
