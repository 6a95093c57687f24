//! What a person sees while something slow is made: a bar on a terminal, else a line now and then.

use std::io::{BufRead, BufReader, IsTerminal, Write, stderr};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::janitor;

const REDRAW: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(20);
const BAR_WIDTH: usize = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Bar,
    Lines,
    Quiet,
}

/// Where progress is shown. Everything goes to standard error, so that standard output stays data.
#[derive(Debug, Clone, Copy)]
pub struct Progress(Style);

impl Progress {
    /// A bar if standard error is a terminal, else lines.
    pub fn stderr() -> Self {
        Self(if stderr().is_terminal() { Style::Bar } else { Style::Lines })
    }

    /// Says nothing.
    pub fn quiet() -> Self {
        Self(Style::Quiet)
    }

    /// One line of news.
    pub fn note(self, line: &str) {
        if self.0 != Style::Quiet {
            let _ = writeln!(stderr(), "{line}");
        }
    }

    /// Runs `command` to its end under the title of `step`; each line that it writes to standard error
    /// counts as one unit done. Fails with its last lines when it does.
    pub fn run(self, step: &Step, command: &mut Command) -> Result<()> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        janitor::watch(child.id())?;
        let stream = child.stderr.take().context("the program has no standard error")?;
        let lines = follow(stream);
        let mut meter = Meter::new(self.0, step);
        let mut tail: Vec<String> = Vec::new();
        loop {
            match lines.recv_timeout(REDRAW) {
                Ok(line) => {
                    meter.done += 1;
                    tail.push(line);
                    tail.drain(..tail.len().saturating_sub(30));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            meter.draw();
        }
        let status = child.wait()?;
        janitor::forget(child.id())?;
        meter.finish();
        if !status.success() {
            bail!("{} failed ({status}):\n{}", step.title, tail.join("\n"));
        }
        Ok(())
    }
}

/// One slow piece of work.
#[derive(Debug)]
pub struct Step {
    /// What is being made.
    pub title: String,
    /// How many lines the program will print at most, if that is known.
    pub units: Option<usize>,
    /// How long it takes on a small machine.
    pub usual: Duration,
}

fn follow(stream: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(1024);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

struct Meter<'a> {
    style: Style,
    step: &'a Step,
    done: usize,
    started: Instant,
    drawn: Option<Instant>,
}

impl<'a> Meter<'a> {
    fn new(style: Style, step: &'a Step) -> Self {
        Self { style, step, done: 0, started: Instant::now(), drawn: None }
    }

    fn draw(&mut self) {
        let every = if self.style == Style::Bar { REDRAW } else { LINE_EVERY };
        if self.style == Style::Quiet || self.drawn.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        self.drawn = Some(Instant::now());
        let elapsed = self.started.elapsed();
        let line = match self.style {
            Style::Bar => format!("\r\x1b[K{} {}", bar(self.fraction(elapsed)), self.text(elapsed)),
            _ => format!("{}\n", self.text(elapsed)),
        };
        let _ = stderr().write_all(line.as_bytes());
    }

    /// By units where they are known. They say little about linking, which comes last, so never quite 1.
    fn fraction(&self, elapsed: Duration) -> f64 {
        let by_time = elapsed.as_secs_f64() / self.step.usual.as_secs_f64().max(1.0);
        let by_units = self.step.units.map(|all| ratio(self.done, all) * 0.9);
        by_units.unwrap_or(by_time).clamp(0.0, 0.99)
    }

    fn text(&self, elapsed: Duration) -> String {
        let counted = self.step.units.map(|all| format!(" {} of {all},", self.done.min(all)));
        format!(
            "{}:{} {} s (usually about {} s)",
            self.step.title,
            counted.unwrap_or_default(),
            elapsed.as_secs(),
            self.step.usual.as_secs()
        )
    }

    fn finish(&self) {
        let text = format!("{}: done in {} s\n", self.step.title, self.started.elapsed().as_secs());
        let _ = match self.style {
            Style::Bar => stderr().write_all(format!("\r\x1b[K{text}").as_bytes()),
            Style::Lines => stderr().write_all(text.as_bytes()),
            Style::Quiet => Ok(()),
        };
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand units, shown as a bar")]
fn ratio(done: usize, all: usize) -> f64 {
    done as f64 / all.max(1) as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a width between 0 and 30")]
fn bar(fraction: f64) -> String {
    let full = (fraction * 30.0) as usize;
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR_WIDTH.saturating_sub(full)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step() -> Step {
        Step { title: "Testing".to_owned(), units: Some(4), usual: Duration::from_secs(1) }
    }

    #[test]
    fn a_failed_program_is_told_with_its_last_lines() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo the disk is full >&2; exit 3"]);
        let error = Progress::quiet().run(&step(), &mut command).unwrap_err().to_string();
        assert!(error.contains("the disk is full") && error.contains("Testing failed"), "{error}");
    }

    #[test]
    fn a_bar_fills_from_left_to_right() {
        assert_eq!(bar(0.0), format!("[{}]", ".".repeat(30)));
        assert_eq!(bar(0.5), format!("[{}{}]", "#".repeat(15), ".".repeat(15)));
    }
}
