//! The live view: rates come in, one screen comes out.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};

use super::rates::{Counted, Rates, bytes, milliseconds, percent};

/// What is shown.
pub struct Screen {
    socket: String,
    pub rates: Rates,
    /// Flows a second, the newest last.
    pub history: VecDeque<f64>,
    pub paused: bool,
    /// Why there is no new sample.
    pub problem: Option<String>,
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);

impl Screen {
    /// Nothing yet, from this socket.
    pub fn new(socket: String) -> Screen {
        let (rates, history) = (Rates::default(), VecDeque::new());
        Screen { socket, rates, history, paused: false, problem: None }
    }

    /// Draws it, on whatever room there is.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let rows = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(6),
            Constraint::Length(6),
            Constraint::Min(4),
            Constraint::Length(5),
            Constraint::Length(1),
        ]);
        let [head, flows, effects, routes, load, foot] = rows.areas(frame.area());
        frame.render_widget(self.head(), head);
        let [numbers, history] =
            Layout::horizontal([Constraint::Length(36), Constraint::Min(10)]).areas(flows);
        frame.render_widget(self.numbers(), numbers);
        self.history(frame, history);
        frame.render_widget(self.effects(effects.width), effects);
        self.routes(frame, routes);
        frame.render_widget(self.load(), load);
        let keys = Line::styled("q end   p pause   r measure anew", DIM);
        frame.render_widget(keys, foot);
    }

    fn head(&self) -> Line<'_> {
        let mut parts = vec![Span::styled("sluice top  ", BOLD), Span::raw(&self.socket)];
        if self.paused {
            parts.push(Span::styled("  paused", Style::new().fg(Color::Yellow)));
        }
        if let Some(problem) = &self.problem {
            parts.push(Span::styled(format!("  {problem}"), Style::new().fg(Color::Red)));
        }
        Line::from(parts)
    }

    fn numbers(&self) -> Paragraph<'_> {
        let rates = &self.rates;
        let line = |name: &str, text: String| Line::from(format!("{name:<14}{text:>16}"));
        let lines = vec![
            line("flows", format!("{:.1}/s", rates.flows_per_second)).style(BOLD),
            line("requests", format!("{:.1}/s", rates.requests_per_second)),
            line("bytes in", format!("{}/s", bytes(rates.bytes_in_per_second))),
            line("bytes out", format!("{}/s", bytes(rates.bytes_out_per_second))),
        ];
        let title = format!(" over {:.0} s ", rates.seconds);
        Paragraph::new(lines).block(Block::bordered().title(title))
    }

    fn history(&self, frame: &mut Frame<'_>, area: Rect) {
        let most = self.history.iter().copied().fold(0.0, f64::max);
        let block = Block::bordered().title(format!(" flows/s, at most {most:.1} "));
        let room = usize::from(area.width.saturating_sub(2));
        let left_out = self.history.len().saturating_sub(room);
        // Tenths, so that less than one a second is seen.
        let tenths = |flows: &f64| (flows * 10.0) as u64;
        let bars: Vec<u64> = self.history.iter().skip(left_out).map(tenths).collect();
        frame.render_widget(Sparkline::default().data(bars).block(block), area);
    }

    fn effects(&self, width: u16) -> Paragraph<'_> {
        let all: f64 = self.rates.effects.iter().map(|it| it.per_second).sum();
        let room = usize::from(width.saturating_sub(52));
        let line = |it: &Counted| {
            let share = if all > 0.0 { it.per_second / all } else { 0.0 };
            let colour = match it.name.as_str() {
                "allow" => Color::Green,
                "block" => Color::Red,
                _ => Color::Yellow,
            };
            let text = format!(
                "{:<10}{:>11}/s{:>7}{:>12} in all  ",
                it.name,
                format!("{:.1}", it.per_second),
                percent((all > 0.0).then_some(share)),
                it.total
            );
            Line::from(vec![Span::raw(text), Span::styled(bar(share, room), colour)])
        };
        let lines: Vec<Line<'_>> = self.rates.effects.iter().map(line).collect();
        Paragraph::new(lines).block(Block::bordered().title(" effects "))
    }

    fn routes(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.rates.routes.iter().map(|it| {
            Row::new([
                it.route.clone(),
                format!("{:>9.1}/s", it.per_second),
                format!("{:>9}", milliseconds(it.p50_ms)),
                format!("{:>9}", milliseconds(it.p90_ms)),
                format!("{:>9}", milliseconds(it.p99_ms)),
            ])
        });
        let widths = [
            Constraint::Min(20),
            Constraint::Length(11),
            Constraint::Length(9),
            Constraint::Length(9),
            Constraint::Length(9),
        ];
        let head = ["route", "   requests", "      p50", "      p90", "      p99"];
        let table = Table::new(rows, widths)
            .header(Row::new(head).style(DIM))
            .block(Block::bordered().title(" latency "));
        frame.render_widget(table, area);
    }

    fn load(&self) -> Paragraph<'_> {
        let rates = &self.rates;
        let memory = bytes(rates.memory_bytes as f64);
        let now = format!(
            "connections {}   streams {}   queue {}   memory {memory}   cache hits {}",
            rates.connections,
            rates.streams,
            rates.queue,
            percent(rates.cache_hit_rate)
        );
        let ledger = format!(
            "ledger {} (+{:.1}/s)   windows {:.1}/s   reloads {}, {} failed   not told {}",
            rates.ledger_entries,
            rates.entries_per_second,
            rates.windows_per_second,
            rates.reloads,
            rates.reloads_failed,
            rates.path_failures
        );
        let limits: Vec<String> = rates
            .refused
            .iter()
            .map(|it| format!("{} {} ({:.1}/s)", it.name, it.total, it.per_second))
            .collect();
        let refused = match (limits.is_empty(), rates.accept_errors) {
            (true, 0) => "refused nothing".to_owned(),
            (_, 0) => format!("refused {}", limits.join(", ")),
            (_, errors) => format!("refused {}   not accepted {errors}", limits.join(", ")),
        };
        let lines = vec![Line::from(now), Line::from(ledger), Line::from(refused)];
        Paragraph::new(lines).block(Block::bordered().title(" load "))
    }
}

/// A bar of this share of the room.
fn bar(share: f64, room: usize) -> String {
    let cells = (share.clamp(0.0, 1.0) * room as f64).round() as usize;
    "█".repeat(cells.min(room))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::rates::tests::recorded;
    use super::*;

    fn drawn(screen: &Screen, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn screen() -> Screen {
        let (earlier, later) = recorded();
        let mut screen = Screen::new("/run/sluice/sluice.sock".to_owned());
        screen.rates = Rates::between(&earlier, &later, 2.0);
        screen.history = [0.0, 1.5, 3.0, 6.0, 4.5].into();
        screen
    }

    #[test]
    fn a_screen_shows_what_the_daemon_does() {
        insta::assert_snapshot!(drawn(&screen(), 100, 28));
    }

    #[test]
    fn a_screen_says_what_is_wrong() {
        let mut screen = Screen::new("/run/sluice/sluice.sock".to_owned());
        screen.problem = Some("nobody answers".to_owned());
        screen.paused = true;
        insta::assert_snapshot!(drawn(&screen, 80, 24));
    }

    #[test]
    fn any_room_will_do() {
        for (width, height) in [(1, 1), (10, 3), (36, 40), (300, 10)] {
            drawn(&screen(), width, height);
        }
        assert_eq!((bar(0.5, 10), bar(7.0, 3)), ("█".repeat(5), "█".repeat(3)));
    }
}
