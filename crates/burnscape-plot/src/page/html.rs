//! The text of a page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::themed_svg::ThemedColors;
use super::{Content, Panel, Report, assets, bars, check, data, style};
use crate::{Drawing, Figure, PlotError};

/// Nothing from elsewhere, and nothing that the page does not bring.
const POLICY: &str =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

const NEEDS_SCRIPTS: &str = "This figure is drawn by a script, and scripts are switched off.";

pub(super) fn page(report: &Report) -> Result<String, PlotError> {
    check::check(report)?;
    let mut colors = ThemedColors::default();
    let panels = report
        .panels
        .iter()
        .enumerate()
        .map(|(index, it)| panel(index, it, &mut colors))
        .collect::<Result<Vec<Markup>, PlotError>>()?;
    let island = data::island(report)?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(style::variables())) (PreEscaped(assets::compact(assets::STYLE))) (PreEscaped(colors.style())) }
                script { (PreEscaped(assets::compact(assets::ERRORS))) }
            }
            body {
                a.skip href="#main" { "Skip to the figures" }
                (headline(report))
                main #main {
                    @for panel in panels { (panel) }
                    (details(report))
                }
                (footer())
                script #data type="application/json" { (PreEscaped(island)) }
                script {
                    (PreEscaped("/*!\n")) (PreEscaped(assets::UPLOT_LICENSE)) (PreEscaped("\n*/\n"))
                    (PreEscaped(assets::UPLOT))
                }
                script { (PreEscaped(assets::compact(assets::SCRIPT))) }
            }
        }
    };
    Ok(page.into_string())
}

fn headline(report: &Report) -> Markup {
    html! {
        header.headline {
            h1.clamp dir="auto" title=(report.title) { (report.title) }
            div.summary {
                @if !report.sentences.is_empty() {
                    div.sentences {
                        @for sentence in &report.sentences { p dir="auto" { (sentence) } }
                    }
                }
                @if !report.lines.is_empty() {
                    ul.facts aria-label="About this page" {
                        @for line in &report.lines { li dir="auto" { (line) } }
                    }
                }
            }
            @if report.panels.len() > 1 { (contents(report)) }
        }
    }
}

fn contents(report: &Report) -> Markup {
    html! {
        nav.contents aria-label="Figures" {
            ol {
                @for (index, panel) in report.panels.iter().enumerate() {
                    li {
                        a.cut href={ "#panel-" (index + 1) } title=(panel.title) dir="auto" {
                            span.number { (index + 1) } (panel.title)
                        }
                    }
                }
                @if has_details(report) { li { a href="#details" { "Details" } } }
            }
        }
    }
}

fn panel(index: usize, panel: &Panel, colors: &mut ThemedColors) -> Result<Markup, PlotError> {
    let number = index + 1;
    let heading = format!("panel-{number}-title");
    let content = content(&panel.content, colors)?;
    Ok(html! {
        section.panel id={ "panel-" (number) } data-kind=(kind(&panel.content)) aria-labelledby=(heading) {
            div.words {
                h2.clamp #(heading) dir="auto" title=(panel.title) {
                    span.number aria-hidden="true" { (number) } (panel.title)
                }
                @if !panel.caption.is_empty() { p.caption dir="auto" { (panel.caption) } }
            }
            div.content { (content) }
            @if !panel.cannot_tell.is_empty() {
                div.cannot role="note" {
                    h3 { "What this cannot tell you" }
                    p dir="auto" { (panel.cannot_tell) }
                }
            }
        }
    })
}

fn kind(content: &Content) -> &'static str {
    match content {
        Content::Landscapes(_) => "landscapes",
        Content::Curves(_) => "curves",
        Content::Trust(_) => "trust",
        Content::Figure(..) => "figure",
        Content::Topology(_) => "topology",
        Content::Bars(_) => "bars",
        Content::Table { .. } => "table",
    }
}

fn content(content: &Content, colors: &mut ThemedColors) -> Result<Markup, PlotError> {
    Ok(match content {
        Content::Landscapes(_) | Content::Curves(_) | Content::Topology(_) => html! {
            noscript { p.failure { (NEEDS_SCRIPTS) } }
        },
        Content::Trust(rows) => html! {
            dl.trust {
                @for (question, answer) in rows {
                    div { dt dir="auto" { (question) } dd dir="auto" { (answer) } }
                }
            }
        },
        Content::Figure(figure, alt) => drawing(figure, alt, colors)?,
        Content::Bars(rows) => bars::table(rows),
        Content::Table { header, rows } => table(header, rows),
    })
}

/// A drawing for wide windows and paper, and one for telephones.
fn drawing(figure: &Figure, alt: &str, colors: &mut ThemedColors) -> Result<Markup, PlotError> {
    let (wide, narrow) = match figure {
        Figure::Bars(bars) => {
            let rows = u32::try_from(bars.len()).unwrap_or(u32::MAX);
            let height = rows.saturating_mul(34).saturating_add(60).clamp(200, 1600);
            ([860, height], [380, height])
        }
        Figure::Contour(_) | Figure::Surface(_) | Figure::HeatMap(_) => ([720, 560], [380, 340]),
        _ => ([860, 400], [380, 320]),
    };
    let mut draw = |[width, height]: [u32; 2]| {
        let drawing = Drawing::new(width, height).with_alt(alt);
        let light = figure.to_svg(&drawing)?;
        let dark = figure.to_svg(&drawing.with_dark(true))?;
        Ok::<String, PlotError>(colors.merge(&light, &dark))
    };
    let (wide, narrow) = (draw(wide)?, draw(narrow)?);
    Ok(html! {
        div.drawing.wide { (PreEscaped(wide)) }
        div.drawing.narrow { (PreEscaped(narrow)) }
    })
}

fn table(header: &[String], rows: &[Vec<String>]) -> Markup {
    let is_number = |text: &str| {
        let text = text.trim_start_matches(['−', '-', '+', '≈', '<', '>', ' ']);
        text.is_empty() || text == "∞" || text.starts_with(|first: char| first.is_ascii_digit())
    };
    let is_numeric = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        column > 0 && cells.all(|cell| is_number(cell))
    };
    let numeric: Vec<bool> = (0..header.len()).map(is_numeric).collect();
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table" {
            table.plain {
                thead {
                    tr {
                        @for (cell, is_numeric) in header.iter().zip(&numeric) {
                            th.numeric[*is_numeric] scope="col" dir="auto" { (cell) }
                        }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (column, (cell, is_numeric)) in row.iter().zip(&numeric).enumerate() {
                                @if column == 0 {
                                    th scope="row" dir="auto" { (cell) }
                                } @else {
                                    td.numeric[*is_numeric] dir="auto" { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn has_details(report: &Report) -> bool {
    !report.details.is_empty() || !report.csv.is_empty()
}

fn details(report: &Report) -> Markup {
    html! {
        @if has_details(report) {
            section.panel.details #details aria-labelledby="details-title" {
                div.words {
                    h2 #details-title { "Details" }
                    p.caption { "The settings and the numbers behind the figures." }
                }
                @for (name, json) in &report.details {
                    details {
                        summary { span.cut dir="auto" title=(name) { (name) } }
                        div.tools {
                            button.copy type="button" { "Copy" }
                            a.save href="#details" download={ (file_name(name, "json")) } { "Save as JSON" }
                        }
                        pre tabindex="0" { (format!("{json:#}")) }
                    }
                }
                @if !report.csv.is_empty() {
                    ul.files {
                        @for (index, (name, text)) in report.csv.iter().enumerate() {
                            li {
                                a.cut href="#details" download=(file_name(name, "csv")) data-csv=(index) title=(name) dir="auto" {
                                    (name)
                                }
                                span { (lines(text)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn lines(text: &str) -> String {
    match text.lines().count().saturating_sub(1) {
        1 => "CSV, 1 row".to_owned(),
        count => format!("CSV, {count} rows"),
    }
}

/// A name that file systems accept.
fn file_name(name: &str, extension: &str) -> String {
    let stem = name.strip_suffix(&format!(".{extension}")).unwrap_or(name);
    let safe: String = stem
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || "-_ .".contains(c) {
                c
            } else {
                '-'
            }
        })
        .take(80)
        .collect();
    let safe = safe.trim_matches(['.', ' ']);
    format!(
        "{}.{extension}",
        if safe.is_empty() { "data" } else { safe }
    )
}

fn footer() -> Markup {
    html! {
        footer {
            p {
                "Drawn by burnscape-plot " (env!("CARGO_PKG_VERSION")) ", with uPlot 1.6.32 (MIT license, © 2022 Leon Sorokin) and "
                "the color map viridis. This page makes no network requests."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn files_have_harmless_names() {
        assert_eq!(file_name("surface of SGD", "csv"), "surface of SGD.csv");
        assert_eq!(file_name("spectrum.csv", "csv"), "spectrum.csv");
        assert_eq!(file_name("../../etc/passwd", "csv"), "-..-etc-passwd.csv");
        assert_eq!(file_name("\u{202e}..", "json"), "-.json");
        assert_eq!(file_name("", "json"), "data.json");
        assert!(file_name(&"a".repeat(10_000), "csv").len() < 100);
    }
}
