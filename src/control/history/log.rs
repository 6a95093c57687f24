//! The log of a task: bounded, the oldest lines go first. Pure.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::api::condition::whole_seconds;

/// Most lines, as the schema has it.
pub const MAX_LINES: usize = 64;
/// Longest line, in characters, as the schema has it.
pub const MAX_LINE: usize = 256;

/// Lines, each with its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    lines: VecDeque<String>,
    last: String,
}

impl Log {
    /// Adds a line, unless the last one says the same: a step that fails again and again is told once.
    pub fn add(&mut self, now: Timestamp, text: &str) {
        let text = text.replace(['\n', '\r'], " ");
        if text == self.last {
            return;
        }
        self.push(&format!("{} {text}", whole_seconds(now)));
        self.last = text;
    }

    /// The lines of an earlier log, followed by these.
    #[must_use]
    pub fn after(self, earlier: Vec<String>) -> Self {
        let mut whole = Self { lines: VecDeque::new(), last: self.last.clone() };
        earlier.into_iter().chain(self.lines).for_each(|line| whole.push(&line));
        whole
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    fn push(&mut self, line: &str) {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.chars().take(MAX_LINE).collect());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_line_has_its_time_and_repeats_are_left_out() {
        let mut log = Log::default();
        for second in 0..5 {
            log.add(at(second), "CreateMachine failed: no room.\nTry another region.");
        }
        log.add(at(9), "CreateMachine");
        assert_eq!(
            log.lines(),
            [
                "1970-01-01T00:00:00Z CreateMachine failed: no room. Try another region.",
                "1970-01-01T00:00:09Z CreateMachine"
            ]
        );
    }

    #[test]
    fn an_earlier_log_comes_first() {
        let mut log = Log::default();
        log.add(at(9), "new");
        assert_eq!(log.after(vec!["old".into()]).lines(), ["old", "1970-01-01T00:00:09Z new"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_never_outgrows_the_schema(texts in prop::collection::vec(".{0,300}", 0..100)) {
            let mut log = Log::default();
            for (second, text) in texts.iter().enumerate() {
                log.add(at(i64::try_from(second).unwrap()), text);
            }
            let lines = log.lines();
            prop_assert!(lines.len() <= MAX_LINES);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= MAX_LINE && !line.contains('\n')));
        }
    }
}
