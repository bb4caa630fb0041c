//! Comma-separated values (RFC 4180, lines ending in LF): one row a finding under a header row.

use std::io;

use super::shape::{PlaceShape, Shaper};
use crate::model::{Class, FileReport};

/// The header row.
const COLUMNS: &str = "path,line,column,start,end,start_char,end_char,rule,category,class,\
                       sensitivity,likelihood,band,row,column_name,json_path,chain,evidence,\
                       masked,fingerprint";

pub(super) fn begin(out: &mut impl io::Write) -> io::Result<()> {
    writeln!(out, "{COLUMNS}")
}

/// One row for each shown finding.
pub(super) fn file(
    out: &mut impl io::Write,
    shaper: &Shaper,
    report: &FileReport,
) -> io::Result<()> {
    let path = cell(&shaper.path(&report.path));
    let chain = cell(&report.chain.join(";"));
    for finding in report.findings.iter().filter(|finding| shaper.filter.shows(finding)) {
        let finding = shaper.finding(finding, None, &report.chain);
        let (row, column_name, json_path) = match &finding.at {
            Some(PlaceShape::Cell { row, column }) => {
                (row.to_string(), cell(column), String::new())
            }
            Some(PlaceShape::Json { json_path }) => (String::new(), String::new(), cell(json_path)),
            None => Default::default(),
        };
        writeln!(
            out,
            "{path},{},{},{},{},{},{},{},{},{},{},{},{},{row},{column_name},{json_path},{chain},\
             {},{},{}",
            finding.line,
            finding.column,
            finding.start,
            finding.end,
            number(finding.start_char),
            number(finding.end_char),
            cell(finding.rule),
            cell(finding.category),
            finding.class.map_or("", Class::as_str),
            finding.sensitivity.as_str(),
            finding.likelihood,
            finding.band.as_str(),
            cell(&finding.evidence.join(";")),
            cell(&finding.masked),
            finding.fingerprint.as_deref().unwrap_or_default(),
        )?;
    }
    Ok(())
}

fn number(value: Option<u64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text field: quoted where its characters need it, and with a `'` before what a spreadsheet
/// would take for a formula.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    let needs_quotes = text.contains([',', '"', '\n', '\r', ';', '\t', '\''])
        || text.starts_with(' ')
        || text.ends_with(' ');
    if needs_quotes || !guard.is_empty() {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_guarded() {
        assert_eq!(cell("plain.txt"), "plain.txt");
        assert_eq!(cell("a,b \"c\"\n"), "\"a,b \"\"c\"\"\n\"");
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        for formula in ["+1", "-1", "@sum", "\tx", "\rx"] {
            assert_eq!(cell(formula), format!("\"'{formula}\""));
        }
    }
}
