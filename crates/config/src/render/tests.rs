//! The exact look of a complaint.

use super::*;

fn sources(text: &str) -> Sources {
    Sources {
        file: Some(SourceFile::new(
            "mainstay.toml",
            ".",
            text.as_bytes().to_vec(),
        )),
        ..Sources::default()
    }
}

fn rate() -> Problem {
    Problem::new("`rate_limit.per_client` is not a rate")
        .expected("a count per unit, such as `100/s` or `6000/m`")
}

#[test]
fn underlines_the_place() {
    let text = format!("{}per_client = \"100 per sec\"\n", "\n".repeat(13));
    let problems = rate().at("mainstay.toml", 26..39).into();
    assert_eq!(
        render(&problems, &sources(&text), Style::Plain),
        "\
error: `rate_limit.per_client` is not a rate
  ——▶ mainstay.toml:14:14
   │
14 │ per_client = \"100 per sec\"
   │              ^^^^^^^^^^^^^ expected a count per unit, such as `100/s` or `6000/m`
"
    );
}

#[test]
fn shows_what_is_not_in_the_file() {
    let problems = rate().found("--rate x").hint("write `100/s`").into();
    assert_eq!(
        render(&problems, &Sources::default(), Style::Plain),
        "\
error: `rate_limit.per_client` is not a rate
 ——▶ --rate x
  │ expected a count per unit, such as `100/s` or `6000/m`
  │ hint: write `100/s`
"
    );
}

#[test]
fn colours_only_when_asked() {
    let sources = sources("x = 1\n");
    let problems = rate().at("mainstay.toml", 0..1).hint("x").into();
    let coloured = render(&problems, &sources, Style::Coloured);
    let mut plain = coloured.clone();
    for code in ["1;31", "1", "34", "36", "0"] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_ne!(coloured, plain);
    assert_eq!(plain, render(&problems, &sources, Style::Plain));
}

#[test]
fn nothing_of_the_file_reaches_the_terminal_raw() {
    let text = "a = \"\u{1b}[2J\u{202e}\t\u{7}\"";
    let problems = Problem::new("`\u{1b}[2J` is odd")
        .at("mainstay.toml", 4..6)
        .into();
    let shown = render(&problems, &sources(text), Style::Plain);
    assert!(
        !shown.contains(['\u{1b}', '\u{202e}', '\u{7}', '\t']),
        "{shown}"
    );
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let text = format!("a = \"{}bad{}\"", "x".repeat(500), "y".repeat(500));
    let problems = Problem::new("odd").at("mainstay.toml", 505..508).into();
    let shown = render(&problems, &sources(&text), Style::Plain);
    assert!(shown.contains(":1:506\n"), "{shown}");
    assert!(shown.contains("xbady"), "{shown}");
    assert!(
        shown.lines().all(|line| line.chars().count() < 130),
        "{shown}"
    );
    let (line, carets) = (shown.lines().nth(3), shown.lines().nth(4));
    let column = |line: Option<&str>, mark: &str| {
        let line = line.unwrap_or_default();
        line.find(mark).map(|byte| line[..byte].chars().count())
    };
    assert_eq!(column(line, "bad"), column(carets, "^^^"));
}
