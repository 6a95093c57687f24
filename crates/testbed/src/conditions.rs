//! The contract of status conditions, checked on any object.
//!
//! The rules are those that Flux's own checker holds its controllers to, and the operator's own on top:
//! `Ready=False` always says why it isn't moving or what it waits for, reasons are identifiers, and
//! messages hold nothing that changes from one look to the next.

use serde_json::Value;

/// When the object was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The operator has had its say about the newest generation.
    AtRest,
    /// Any moment: somebody may have edited the spec just now.
    InFlight,
}

/// What is wrong with the conditions of `object`; empty if nothing is.
///
/// Kinds without a status are not for this.
pub fn check_conditions(object: &Value, moment: Moment) -> Vec<String> {
    let mut problems = Vec::new();
    let subject = Subject::of(object);
    if moment == Moment::InFlight && subject.is_unvisited() {
        return problems;
    }
    subject.check_presence(&mut problems);
    subject.check_pairs(&mut problems);
    subject.check_generations(moment, &mut problems);
    for condition in &subject.conditions {
        check_shape(condition, &mut problems);
    }
    problems
}

#[derive(Debug, Clone, Copy)]
struct Condition<'a> {
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
    changed: &'a str,
    observed: Option<i64>,
}

struct Subject<'a> {
    generation: i64,
    observed: Option<i64>,
    conditions: Vec<Condition<'a>>,
}

impl<'a> Subject<'a> {
    fn of(object: &'a Value) -> Self {
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let parse = |value: &'a Value| Condition {
            kind: text(value, "type"),
            status: text(value, "status"),
            reason: text(value, "reason"),
            message: text(value, "message"),
            changed: text(value, "lastTransitionTime"),
            observed: value["observedGeneration"].as_i64(),
        };
        Self {
            generation: object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default(),
            observed: object.pointer("/status/observedGeneration").and_then(Value::as_i64),
            conditions: conditions.map(|all| all.iter().map(parse).collect()).unwrap_or_default(),
        }
    }

    /// As the schema's default leaves it: nothing can look current, and nobody has been there yet.
    fn is_unvisited(&self) -> bool {
        self.observed == Some(-1) && self.conditions.is_empty()
    }

    fn get(&self, kind: &str) -> Option<&Condition<'a>> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    fn check_presence(&self, problems: &mut Vec<String>) {
        if self.get("Ready").is_none() {
            problems.push("Ready must always be present".to_owned());
        }
        for (index, condition) in self.conditions.iter().enumerate() {
            if self.conditions[..index].iter().any(|other| other.kind == condition.kind) {
                problems.push(format!("{} is there twice", condition.kind));
            }
            if ["Reconciling", "Stalled"].contains(&condition.kind) && condition.status != "True" {
                problems.push(format!("{} must only be present while True", condition.kind));
            }
        }
    }

    fn check_pairs(&self, problems: &mut Vec<String>) {
        let (reconciling, stalled) = (self.get("Reconciling").is_some(), self.get("Stalled").is_some());
        let mut must = |holds: bool, rule: &str| {
            if !holds {
                problems.push(rule.to_owned());
            }
        };
        must(!(reconciling && stalled), "Reconciling and Stalled must never be there together");
        match self.get("Ready").map(|ready| ready.status) {
            Some("True") => {
                must(!reconciling && !stalled, "Ready=True must go without Reconciling and Stalled");
            }
            Some("Unknown") => must(reconciling, "Ready=Unknown must go with Reconciling"),
            Some("False") => must(reconciling || stalled, "Ready=False must go with Reconciling or Stalled"),
            _ => {}
        }
        must(
            !stalled || self.get("Ready").is_some_and(|ready| ready.status == "False"),
            "Stalled must go with Ready=False",
        );
    }

    fn check_generations(&self, moment: Moment, problems: &mut Vec<String>) {
        let Some(root) = self.observed else {
            return problems.push("status.observedGeneration must be set".to_owned());
        };
        if root > self.generation {
            problems.push(format!("observedGeneration {root} is ahead of generation {}", self.generation));
        }
        let settled = ["Ready", "Stalled"]
            .iter()
            .any(|kind| self.get(kind).is_some_and(|condition| condition.status == "True"));
        if settled && moment == Moment::AtRest && root != self.generation {
            problems
                .push(format!("settled at generation {}, but observedGeneration is {root}", self.generation));
        }
        let ready = self.get("Ready").is_some_and(|condition| condition.status == "True");
        for Condition { kind, observed, .. } in &self.conditions {
            match observed {
                None => problems.push(format!("{kind} must have an observedGeneration")),
                Some(seen) if *seen > self.generation => {
                    problems.push(format!("{kind} has seen generation {seen} of {}", self.generation));
                }
                Some(seen) if ready && *seen != root => {
                    problems.push(format!("Ready=True, but {kind} has seen generation {seen}, not {root}"));
                }
                Some(_) => {}
            }
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn check_shape(condition: &Condition<'_>, problems: &mut Vec<String>) {
    let Condition { kind, status, reason, message, changed, .. } = condition;
    if !["True", "False", "Unknown"].contains(status) {
        problems.push(format!("{kind} has the status `{status}`"));
    }
    for word in [kind, reason] {
        if !is_camel_case(word) {
            problems.push(format!("{kind}: `{word}` must be CamelCase"));
        }
    }
    if changed.parse::<jiff::Timestamp>().is_err() {
        problems.push(format!("{kind} has the lastTransitionTime `{changed}`"));
    }
    if message.trim() != *message {
        problems.push(format!("{kind}: the message must be trimmed"));
    }
    if message.is_empty() {
        problems.push(format!("{kind}={status} must tell in its message what that means"));
    }
    if let Some(word) = message.split_whitespace().find(|word| changes_by_itself(word)) {
        problems.push(format!("{kind}: the message must be stable, but names `{word}`"));
    }
}

fn is_camel_case(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.chars().all(|letter| letter.is_ascii_alphanumeric())
}

/// A time of day, a date with time, or a request id (ULID, with Fly's region at its end or without).
fn changes_by_itself(word: &str) -> bool {
    let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let is_ulid = |part: &str| {
        part.len() == 26
            && part.starts_with(|first: char| first.is_ascii_digit())
            && part.chars().all(|letter| letter.is_ascii_digit() || letter.is_ascii_uppercase())
    };
    let bytes = word.as_bytes();
    let has_clock = bytes.windows(8).any(|window| {
        window.iter().enumerate().all(|(index, byte)| match index {
            2 | 5 => *byte == b':',
            _ => byte.is_ascii_digit(),
        })
    });
    has_clock || is_ulid(word.split('-').next().unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn condition(kind: &str, status: &str, observed: i64) -> Value {
        json!({"type": kind, "status": status, "reason": "Running", "message": "It serves.",
            "lastTransitionTime": "2026-11-21T08:00:00Z", "observedGeneration": observed})
    }

    fn object(generation: i64, observed: i64, conditions: &[Value]) -> Value {
        json!({"metadata": {"generation": generation},
            "status": {"observedGeneration": observed, "conditions": conditions}})
    }

    fn problems(object: &Value) -> String {
        check_conditions(object, Moment::AtRest).join("; ")
    }

    #[test]
    fn each_row_of_the_table_passes() {
        let rows: [&[(&str, &str)]; 4] = [
            &[("Ready", "True"), ("Available", "False")],
            &[("Ready", "Unknown"), ("Reconciling", "True")],
            &[("Ready", "False"), ("Reconciling", "True")],
            &[("Ready", "False"), ("Stalled", "True")],
        ];
        for row in rows {
            let conditions: Vec<Value> =
                row.iter().map(|(kind, status)| condition(kind, status, 3)).collect();
            assert_eq!(problems(&object(3, 3, &conditions)), "", "{row:?}");
        }
    }

    #[test]
    fn forbidden_pairs_are_found() {
        let rows: [(&[(&str, &str)], &str); 8] = [
            (&[("Available", "True")], "Ready must always be present"),
            (&[("Ready", "True"), ("Reconciling", "True")], "Ready=True must go without"),
            (&[("Ready", "True"), ("Stalled", "True")], "Stalled must go with Ready=False"),
            (&[("Ready", "Unknown")], "Ready=Unknown must go with Reconciling"),
            (&[("Ready", "False")], "Ready=False must go with"),
            (&[("Ready", "False"), ("Stalled", "True"), ("Reconciling", "True")], "never be there together"),
            (&[("Ready", "True"), ("Reconciling", "False")], "only be present while True"),
            (&[("Ready", "True"), ("Ready", "True")], "Ready is there twice"),
        ];
        for (row, expected) in rows {
            let conditions: Vec<Value> =
                row.iter().map(|(kind, status)| condition(kind, status, 3)).collect();
            let found = problems(&object(3, 3, &conditions));
            assert!(found.contains(expected), "{row:?}: {found}");
        }
    }

    #[test]
    fn generations_must_agree_once_ready() {
        let ready = |seen| [condition("Ready", "True", seen), condition("Available", "True", 3)];
        assert!(problems(&object(3, 3, &ready(2))).contains("Ready has seen generation 2"));
        assert!(problems(&object(3, 4, &ready(3))).contains("ahead of generation"));
        assert!(problems(&object(4, 3, &ready(3))).contains("observedGeneration is 3"));
        assert!(check_conditions(&object(4, 3, &ready(3)), Moment::InFlight).is_empty());
        let waiting = [condition("Ready", "Unknown", 2), condition("Reconciling", "True", 3)];
        assert_eq!(problems(&object(3, 2, &waiting)), "");
    }

    #[test]
    fn words_must_be_stable() {
        let with = |key: &str, value: &str| {
            let mut ready = condition("Ready", "True", 1);
            ready[key] = json!(value);
            problems(&object(1, 1, &[ready]))
        };
        assert!(with("reason", "not camel").contains("CamelCase"));
        assert!(with("reason", "").contains("CamelCase"));
        assert!(with("message", "since 2026-11-21T08:00:00Z").contains("must be stable"));
        assert!(with("message", "failed (01JD5YXQ3V2M8K4T6W9ZB1C7EF-fra)").contains("must be stable"));
        assert!(with("message", " padded").contains("trimmed"));
        assert!(with("lastTransitionTime", "yesterday").contains("lastTransitionTime"));
        assert_eq!(with("message", "Machine 17811953c92e18 serves at https://ops.example.dev:443."), "");
        assert!(with("message", "").contains("must tell in its message"));
    }

    #[test]
    fn the_default_status_of_a_new_object_is_not_yet_a_lawful_one() {
        let new = json!({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}});
        assert_eq!(problems(&new), "Ready must always be present");
        assert!(check_conditions(&new, Moment::InFlight).is_empty());
    }
}
