//! How results are shown: tables of at most [`WIDTH`] columns, or JSON.

use std::fmt::Write;

use clap::ValueEnum;
use serde::Serialize;

use super::AdminError;

/// Columns of a terminal that everything fits into, words that are longer left aside.
pub const WIDTH: usize = 100;
/// Widest first cell beside which the rest of its row stands; a wider one has a line of its own.
const FIRST: usize = 48;
/// Columns between two cells.
const GAP: usize = 2;

/// How results are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Rows of cells under a header.
#[derive(Debug)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|&cell| cell.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    /// Its lines: the header first, then each row.
    pub fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.header.len()).map(|column| self.width(column)).collect();
        let all = std::iter::once(&self.header).chain(&self.rows);
        all.flat_map(|cells| line(cells, &widths)).collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = std::iter::once(&self.header).chain(&self.rows).filter_map(|row| row.get(column));
        let widths = cells.map(|cell| cell.chars().count());
        if column == 0 {
            widths.filter(|width| *width <= FIRST).max().unwrap_or_default()
        } else {
            widths.max().unwrap_or_default()
        }
    }
}

/// One row; its last cell is wrapped under itself.
fn line(cells: &[String], widths: &[usize]) -> Vec<String> {
    let Some((last, before)) = cells.split_last() else { return Vec::new() };
    let (mut lines, mut text) = (Vec::new(), String::new());
    for (index, (cell, width)) in before.iter().zip(widths).enumerate() {
        let is_wide = index == 0 && cell.chars().count() > *width;
        if is_wide {
            lines.push(cell.clone());
        }
        let cell = if is_wide { "" } else { cell };
        // Writing to a String can't fail.
        let _ = write!(text, "{cell:<width$}{:GAP$}", "");
    }
    let indent = text.chars().count();
    for (index, part) in parts(last, WIDTH.saturating_sub(indent)).into_iter().enumerate() {
        let start = if index == 0 { text.clone() } else { " ".repeat(indent) };
        lines.push(format!("{start}{part}").trim_end().to_owned());
    }
    lines
}

/// A paragraph in lines, each behind an indent.
pub fn wrapped(indent: usize, text: &str) -> Vec<String> {
    let parts = parts(&plain(text), WIDTH.saturating_sub(indent));
    parts.into_iter().map(|part| format!("{:indent$}{part}", "")).collect()
}

/// The text in parts of at most so many columns, broken between words.
fn parts(text: &str, width: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for word in text.split_whitespace() {
        let fits = parts.last().is_some_and(|part| {
            part.is_empty() || part.chars().count() + 1 + word.chars().count() <= width.max(1)
        });
        if !fits {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            if !part.is_empty() {
                part.push(' ');
            }
            part.push_str(word);
        }
    }
    parts
}

/// Without anything that steers a terminal: a status may be its tenant's forgery.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// As JSON, for programs.
///
/// # Errors
/// If it can't be written as JSON, which is a fault of the program.
pub fn json(value: &impl Serialize) -> Result<String, AdminError> {
    serde_json::to_string_pretty(value).map_err(|error| AdminError::Refused(format!("as JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 3]]) -> Vec<String> {
        let mut table = Table::new(&["NAME", "STATE", "MESSAGE"]);
        for row in rows {
            table.row(row.map(str::to_owned));
        }
        table.lines()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let lines = table(&[["acme/ops", "running", "well"], ["b/a", "error", ""]]);
        assert_eq!(
            lines,
            ["NAME      STATE    MESSAGE", "acme/ops  running  well", "b/a       error"].map(str::to_owned)
        );
    }

    #[test]
    fn nothing_is_wider_than_a_terminal_and_no_name_is_cut() {
        let long = "n".repeat(60);
        let lines = table(&[["a/b", "error", &"word ".repeat(80)], [&long, "running", "well"]]);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:#?}");
        assert!(lines.contains(&long), "{lines:#?}");
        assert_eq!(lines.iter().map(|line| line.matches("word").count()).sum::<usize>(), 80);
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let lines = table(&[["a/\u{1b}[2J", "error", "one\ntwo\u{7}"]]);
        assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
        assert_eq!(wrapped(2, "\u{1b}[31mred"), ["  [31mred"]);
    }
}
