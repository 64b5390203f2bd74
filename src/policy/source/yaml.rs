//! A policy written as YAML 1.2, in the part of it that every reader reads alike.
//!
//! Plain scalars are resolved by the core schema (YAML 1.2.2 §10.3.2) and quoted ones are strings.
//! Left out are anchors, aliases, merge keys, tags, several documents and keys that are no
//! strings. They make a policy say what its reviewer does not see, and readers differ on them.

mod scalar;

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};
use serde_json::{Map, Value};

use super::positions::Positions;
use super::{LIMITS, empty};
use crate::policy::problem::{Path, Place, Problem, quoted};

/// Reads one YAML document within [`LIMITS`].
///
/// # Errors
///
/// What is wrong with the text, with its place.
pub fn parse(text: &str) -> Result<(Value, Positions), Problem> {
    if text.len() > LIMITS.bytes {
        return Err(Problem::new(format!("longer than {} bytes", LIMITS.bytes)));
    }
    let mut reader =
        Reader { text, parser: Parser::new_from_str(text), items: LIMITS.items, broken: false };
    reader.document().map_err(|problem| match reader.broken {
        true => problem.at(Path::root()),
        false => problem,
    })
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// How many values may still come.
    items: usize,
    /// Whether the parser gave up, so that a path says nothing.
    broken: bool,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<(Value, Positions), Problem> {
        let mut document = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return document.ok_or_else(empty),
                (Event::DocumentStart(_), place) if document.is_some() => {
                    return Err(at(place, "a second document, expected one policy in a file"));
                }
                (Event::DocumentStart(_), _) => {
                    let (event, place) = self.next()?;
                    if is_nothing(&event) {
                        return Err(empty());
                    }
                    document = Some(self.node(event, place, LIMITS.depth)?);
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Place), Problem> {
        match self.parser.next_event() {
            Some(Ok((event, Span { start, .. }))) => Ok((event, place(start))),
            Some(Err(error)) => {
                self.broken = true;
                Err(self.syntax(&error))
            }
            None => Ok((Event::StreamEnd, Place { line: 1, column: 1 })),
        }
    }

    fn node(
        &mut self,
        event: Event<'t>,
        place: Place,
        depth: usize,
    ) -> Result<(Value, Positions), Problem> {
        self.items = self.items.checked_sub(1).ok_or_else(|| at(place, "too many values"))?;
        plain(&event, place)?;
        match event {
            Event::Scalar(text, style, _, _) => {
                let value = match style {
                    ScalarStyle::Plain => scalar::resolve(&text),
                    _ => Ok(Value::String(text.into_owned())),
                };
                let value = value.map_err(|problem| problem.placed(Some(place)))?;
                Ok((value, Positions::leaf(place)))
            }
            Event::SequenceStart(..) => self.list(place, enter(depth, place)?),
            Event::MappingStart(..) => self.map(place, enter(depth, place)?),
            _ => Err(at(place, "expected a value")),
        }
    }

    fn list(&mut self, place: Place, depth: usize) -> Result<(Value, Positions), Problem> {
        let mut values = Vec::new();
        let mut positions = Vec::new();
        loop {
            let (event, element_place) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok((Value::Array(values), Positions::list(place, positions)));
            }
            let (value, position) = self
                .node(event, element_place, depth)
                .map_err(|problem| problem.under(values.len()))?;
            values.push(value);
            positions.push(position);
        }
    }

    fn map(&mut self, place: Place, depth: usize) -> Result<(Value, Positions), Problem> {
        let mut values = Map::new();
        let mut positions: BTreeMap<String, (Place, Positions)> = BTreeMap::new();
        loop {
            let (event, key_place) = self.next()?;
            if event == Event::MappingEnd {
                let positions =
                    positions.into_iter().map(|(key, (at, inside))| (key, inside.keyed(at)));
                return Ok((Value::Object(values), Positions::map(place, positions.collect())));
            }
            let key = key(event, key_place)?;
            if let Some((first, _)) = positions.get(&key) {
                let message = format!("key {} is there twice, first on {first}", quoted(&key));
                return Err(at(key_place, message));
            }
            let (event, value_place) = self.next()?;
            let (value, position) = self
                .node(event, value_place, depth)
                .map_err(|problem| problem.under(key.as_str()))?;
            values.insert(key.clone(), value);
            positions.insert(key, (key_place, position));
        }
    }

    fn syntax(&self, error: &ScanError) -> Problem {
        let here = place(*error.marker());
        if let Some(tab) = self.tab(here.line) {
            return at(tab, "a tab in the indentation").help("YAML indents with spaces only");
        }
        match error.info() {
            info if info.contains("anchor") => at(here, ALIAS).help(WRITE_OUT),
            info => at(here, format!("not YAML: {info}")),
        }
    }

    /// A tab that indents `line` or the next: a word that goes on there is reported where it began.
    fn tab(&self, line: usize) -> Option<Place> {
        let lines = self.text.lines().zip(1..).skip(line.saturating_sub(1)).take(2);
        lines.into_iter().find_map(|(text, line)| {
            let indent = text.chars().zip(1..).take_while(|(c, _)| c.is_whitespace());
            let (_, column) = indent.into_iter().find(|(c, _)| *c == '\t')?;
            Some(Place { line, column })
        })
    }
}

const ALIAS: &str = "anchors and aliases (`&`, `*`) are not read";
const WRITE_OUT: &str = "write the value out, or put it in quotes if it is a string";

/// Refuses what stands before a value and changes its meaning.
fn plain(event: &Event<'_>, place: Place) -> Result<(), Problem> {
    let (anchor, tag) = match event {
        Event::Alias(_) => (true, false),
        Event::Scalar(_, _, anchor, tag)
        | Event::SequenceStart(anchor, tag)
        | Event::MappingStart(anchor, tag) => (*anchor != 0, tag.is_some()),
        _ => (false, false),
    };
    if anchor {
        return Err(at(place, ALIAS).help(WRITE_OUT));
    }
    if tag {
        return Err(at(place, "tags (`!`) are not read").help(WRITE_OUT));
    }
    Ok(())
}

/// A document with its marks and nothing in it.
fn is_nothing(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, 0, None) if text.is_empty())
}

fn key(event: Event<'_>, place: Place) -> Result<String, Problem> {
    plain(&event, place)?;
    let Event::Scalar(text, style, _, _) = event else {
        return Err(at(place, "expected a string as key, found a list or a map"));
    };
    if style != ScalarStyle::Plain {
        return Ok(text.into_owned());
    }
    // RFC 7518 §6 calls members of a key so, and readers take these for booleans as values only.
    if matches!(&*text, "n" | "y") {
        return Ok(text.into_owned());
    }
    if text == "<<" {
        return Err(at(place, "merge keys (`<<`) are not read").help("write the members out"));
    }
    match scalar::resolve(&text).map_err(|problem| problem.placed(Some(place)))? {
        Value::String(key) => Ok(key),
        _ => Err(at(place, format!("expected a string as key, found {}", quoted(&text)))
            .help("put it in quotes")),
    }
}

fn enter(depth: usize, place: Place) -> Result<usize, Problem> {
    depth.checked_sub(1).ok_or_else(|| at(place, "nested too deeply"))
}

fn at(place: Place, message: impl Into<String>) -> Problem {
    Problem::new(message).placed(Some(place))
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line(), column: marker.col().saturating_add(1) }
}
