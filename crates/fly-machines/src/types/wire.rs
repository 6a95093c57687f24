//! Reading what the API really sends: nulls where a map, array or string may be, times in several spellings.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};

/// Reads `null` as the type's default.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a map that may be `null`, and whose values may be.
pub(crate) fn nullable_map<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    let map = Option::<BTreeMap<String, Option<V>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(map.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// Reads what is nice to have: of another shape than expected, it is absent and fails nothing.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<Box<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(if value.is_object() { T::deserialize(value).ok().map(Box::new) } else { None })
}

/// Reads a string (or `null`, as the empty string) into a type that takes any text.
pub(crate) fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> From<&'a str>,
{
    struct Text<T>(PhantomData<T>);
    impl<T: for<'a> From<&'a str>> Visitor<'_> for Text<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or null")
        }
        fn visit_str<E>(self, text: &str) -> Result<T, E> {
            Ok(T::from(text))
        }
        fn visit_unit<E>(self) -> Result<T, E> {
            Ok(T::from(""))
        }
    }
    deserializer.deserialize_any(Text(PhantomData))
}

/// A time as RFC 3339 text, epoch seconds or epoch milliseconds; anything else reads as absent.
///
/// A time is never worth failing a whole answer for.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Spelling {
        Number(i64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Spelling>::deserialize(deserializer)? {
        Some(Spelling::Number(number)) => epoch(number),
        Some(Spelling::Text(text)) => text.parse().ok(),
        Some(Spelling::Other(_)) | None => None,
    })
}

/// Seconds and milliseconds since the epoch differ by their size: 10^11 s is the year 5138.
fn epoch(number: i64) -> Option<Timestamp> {
    if number.abs() < 100_000_000_000 {
        Timestamp::from_second(number).ok()
    } else {
        Timestamp::from_millisecond(number).ok()
    }
}

/// Reads an unsigned number given as a number, a string of digits or null.
pub(crate) fn loose_u64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Spelling {
        Number(u64),
        Text(String),
    }
    match Option::<Spelling>::deserialize(deserializer)? {
        Some(Spelling::Number(number)) => Ok(number),
        Some(Spelling::Text(text)) => text.parse().map_err(D::Error::custom),
        None => Ok(0),
    }
}

/// Whether a value equals its type's default, to leave it out of a request.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Row {
        #[serde(default, deserialize_with = "time")]
        at: Option<Timestamp>,
    }

    fn at(json: &str) -> Option<String> {
        serde_json::from_str::<Row>(json).unwrap().at.map(|at| at.to_string())
    }

    #[test]
    fn times_are_read_in_each_spelling() {
        assert_eq!(at(r#"{"at":"2023-11-08T01:52:30Z"}"#).unwrap(), "2023-11-08T01:52:30Z");
        assert_eq!(at(r#"{"at":1708569778}"#).unwrap(), "2024-02-22T02:42:58Z");
        assert_eq!(at(r#"{"at":1708631799000}"#).unwrap(), "2024-02-22T19:56:39Z");
    }

    #[test]
    fn a_bad_time_is_absent_and_fails_nothing() {
        for json in [r"{}", r#"{"at":null}"#, r#"{"at":""}"#, r#"{"at":"soon"}"#, r#"{"at":{"x":1}}"#] {
            assert_eq!(at(json), None, "{json}");
        }
    }
}
