//! `liveline top`: shows the metrics of a running server.

use std::io::{IsTerminal, Write as _, stdout};
use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use futures_util::Stream;
use tokio::sync::mpsc;

use super::args::Top;
use super::scrape::{ScrapeError, ScrapedMetrics, Source};
use super::signals::listen_for_stop;
use super::view::{Reading, Row, heading, sections};
use super::{CliError, print};

/// How often the metrics are requested.
const INTERVAL: Duration = Duration::from_secs(1);

/// The width of a section in columns, and how many stand side by side at most.
const SECTION: usize = 40;
const SIDE_BY_SIDE: usize = 3;

/// Runs the command.
pub(super) async fn run(args: Top) -> Result<(), CliError> {
    let source = Source::new(&args.url)?;
    let first = source.read().await?;
    if args.once || !stdout().is_terminal() {
        print(&table(&source, &first));
        return Ok(());
    }
    Ok(watch(source, first).await?)
}

/// All metrics as a plain table.
fn table(source: &Source, metrics: &ScrapedMetrics) -> String {
    let reading = Reading { now: metrics, before: None };
    let mut text = format!("{}\n", heading(source.uri(), metrics));
    for section in sections(&reading) {
        for Row { name, value, .. } in section.rows {
            text += &format!("{:10}  {name:14}  {value}\n", section.title);
        }
    }
    text.trim_end().to_owned()
}

/// Shows the metrics until the user leaves.
async fn watch(source: Source, first: ScrapedMetrics) -> std::io::Result<()> {
    let mut stop = listen_for_stop()?;
    let mut screen = Screen::enter(source.uri().to_string(), first)?;
    let mut keys = EventStream::new();
    let (sender, mut readings) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut interval = tokio::time::interval_at((Instant::now() + INTERVAL).into(), INTERVAL);
        loop {
            interval.tick().await;
            if sender.send(source.read().await).await.is_err() {
                return;
            }
        }
    });
    loop {
        screen.draw()?;
        tokio::select! {
            Some(reading) = readings.recv() => screen.take(reading),
            event = std::future::poll_fn(|cx| Pin::new(&mut keys).poll_next(cx)) => match event {
                Some(Ok(event)) if !leaves(&event) => {}
                _ => return Ok(()),
            },
            _ = stop.next() => return Ok(()),
        }
    }
}

/// Whether a key ends the command.
fn leaves(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let ends = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
    key.kind == KeyEventKind::Press && (ends || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}

/// The terminal while it shows metrics. Dropping this restores it.
struct Screen {
    address: String,
    now: (Instant, ScrapedMetrics),
    before: Option<(Instant, ScrapedMetrics)>,
    /// Why the last request failed.
    failure: Option<String>,
}

impl Screen {
    fn enter(address: String, first: ScrapedMetrics) -> std::io::Result<Screen> {
        enable_raw_mode()?;
        let screen = Screen { address, now: (Instant::now(), first), before: None, failure: None };
        execute!(stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    fn take(&mut self, reading: Result<ScrapedMetrics, ScrapeError>) {
        match reading {
            Ok(metrics) => {
                self.before = Some(std::mem::replace(&mut self.now, (Instant::now(), metrics)));
                self.failure = None;
            }
            Err(error) => self.failure = Some(error.to_string()),
        }
    }

    fn draw(&self) -> std::io::Result<()> {
        let (width, height) = crossterm::terminal::size()?;
        let (width, height) = (usize::from(width), usize::from(height));
        let mut lines = vec![Line::new(width).put(Tone::Title, &heading(&self.address, &self.now.1))];
        lines.push(match &self.failure {
            Some(failure) => Line::new(width).put(Tone::Alarm, failure),
            None => Line::new(width),
        });
        let (taken, now) = &self.now;
        let before = self.before.as_ref().map(|(at, metrics)| (metrics, taken.duration_since(*at)));
        let columns = (width / SECTION).clamp(1, SIDE_BY_SIDE);
        let sections = sections(&Reading { now, before });
        for pair in sections.chunks(columns) {
            let rows = pair.iter().map(|section| section.rows.len()).max().unwrap_or_default();
            for at in 0..=rows {
                let mut line = Line::new(width);
                for (column, section) in pair.iter().enumerate() {
                    line = line.fill_to(column * SECTION);
                    line = match (at.checked_sub(1), section.rows.get(at.wrapping_sub(1))) {
                        (None, _) => line.put(Tone::Title, section.title),
                        (_, Some(row)) => line.row(row),
                        (_, None) => line,
                    };
                }
                lines.push(line);
            }
            lines.push(Line::new(width));
        }
        lines.truncate(height.saturating_sub(1));
        lines.push(Line::new(width).put(Tone::Quiet, "q leaves"));
        let mut out = stdout().lock();
        queue!(out, BeginSynchronizedUpdate)?;
        for (at, line) in (0..).zip(lines) {
            queue!(out, cursor::MoveTo(0, at))?;
            line.write(&mut out)?;
            queue!(out, Clear(ClearType::UntilNewLine))?;
        }
        queue!(out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is no terminal left to report an error to.
        let _ = execute!(stdout(), cursor::Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// One line of the screen, cut to its width.
struct Line {
    pieces: Vec<(Tone, String)>,
    used: usize,
    width: usize,
}

#[derive(Debug, Clone, Copy)]
enum Tone {
    Plain,
    Title,
    Quiet,
    Alarm,
}

impl Line {
    fn new(width: usize) -> Line {
        Line { pieces: Vec::new(), used: 0, width }
    }

    fn put(mut self, tone: Tone, text: &str) -> Line {
        let text: String = text.chars().take(self.width - self.used).collect();
        self.used += text.chars().count();
        self.pieces.push((tone, text));
        self
    }

    fn fill_to(self, column: usize) -> Line {
        let missing = column.saturating_sub(self.used);
        self.put(Tone::Plain, &" ".repeat(missing))
    }

    fn row(self, row: &Row) -> Line {
        let tone = if row.alarming { Tone::Alarm } else { Tone::Plain };
        // A long name takes the room of the rate, which it has none of.
        let line = self.put(Tone::Quiet, &format!("  {:12}", row.name));
        let line = line.put(tone, &format!("{:>11}", row.value));
        match &row.rate {
            Some(rate) => line.put(Tone::Quiet, &format!("{rate:>14}")),
            None => line,
        }
    }

    fn write(self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        for (tone, text) in self.pieces {
            match tone {
                Tone::Plain => {}
                Tone::Title => queue!(out, SetAttribute(Attribute::Bold))?,
                Tone::Quiet => queue!(out, SetAttribute(Attribute::Dim))?,
                Tone::Alarm => queue!(out, SetForegroundColor(Color::Red))?,
            }
            queue!(out, Print(text), SetAttribute(Attribute::Reset), ResetColor)?;
        }
        Ok(())
    }
}
