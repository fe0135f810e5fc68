//! wrangler's configuration as a tree of values that know their place in the file, whichever syntax it is written in.

use std::fs;
use std::path::{Path, PathBuf};

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;
use liveline_compiler::{Diagnostic, line_and_column};
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a configuration, for the places of its values.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub file: PathBuf,
    text: String,
}

/// A value, with the offset of its first byte.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub at: usize,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file.
    Table(Vec<(Key, Node)>),
}

/// The name of a value in a table, with the offset of its first byte.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub at: usize,
    pub name: String,
}

impl Source {
    /// Reads and parses a file: TOML by its extension, else JSON with comments.
    pub(super) fn read(file: &Path) -> Result<(Source, Node), Diagnostic> {
        let unreadable = |error| Diagnostic::new(format!("cannot read {}: {error}", file.display()));
        let source = Source { file: file.to_owned(), text: fs::read_to_string(file).map_err(unreadable)? };
        let is_toml = file.extension().is_some_and(|extension| extension == "toml");
        let root = if is_toml { source.toml()? } else { source.json()? };
        Ok((source, root))
    }

    /// An error at an offset.
    pub(super) fn error(&self, message: impl Into<String>, at: usize) -> Diagnostic {
        let (line, column) = line_and_column(&self.text, at);
        Diagnostic::at(message, &self.file, line, column)
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        line_and_column(&self.text, at).0
    }

    fn toml(&self) -> Result<Node, Diagnostic> {
        let table = DeTable::parse(&self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.error(format!("this is no TOML: {}", error.message()), at)
        })?;
        Ok(Node { at: table.span().start, value: of_table(table.get_ref()) })
    }

    fn json(&self) -> Result<Node, Diagnostic> {
        let parsed = jsonc_parser::parse_to_ast(&self.text, &Default::default(), &Default::default());
        let parsed = parsed.map_err(|error| {
            self.error(format!("this is no JSON with comments: {}", error.kind()), error.range().start)
        })?;
        let empty = || Node { at: 0, value: Value::Table(Vec::new()) };
        Ok(parsed.value.map_or_else(empty, |value| of_json(&value)))
    }
}

fn of_table(table: &DeTable<'_>) -> Value {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        (Key { at: key.span().start, name: key.get_ref().to_string() }, of_toml(value))
    };
    let mut entries: Vec<_> = table.iter().map(entry).collect();
    entries.sort_by_key(|(key, _)| key.at);
    Value::Table(entries)
}

fn of_toml(value: &Spanned<DeValue<'_>>) -> Node {
    let number = |text: &str| text.replace('_', "").parse().unwrap_or_else(|_| 0.into());
    let found = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(&number.as_str().replace('_', ""), number.radix());
            Value::Number(parsed.unwrap_or_default().into())
        }
        DeValue::Float(float) => Value::Number(number(float.as_str())),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(of_toml).collect()),
        DeValue::Table(table) => of_table(table),
    };
    Node { at: value.span().start, value: found }
}

fn of_json(value: &ast::Value<'_>) -> Node {
    let found = match value {
        ast::Value::StringLit(text) => Value::Text(text.value.to_string()),
        ast::Value::NumberLit(number) => Value::Number(number.value.parse().unwrap_or_else(|_| 0.into())),
        ast::Value::BooleanLit(boolean) => Value::Boolean(boolean.value),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::Array(list) => Value::List(list.elements.iter().map(of_json).collect()),
        ast::Value::Object(object) => {
            let entry = |property: &ast::ObjectProp<'_>| {
                let key = Key { at: property.range.start, name: property.name.as_str().to_owned() };
                (key, of_json(&property.value))
            };
            Value::Table(object.properties.iter().map(entry).collect())
        }
    };
    Node { at: value.start(), value: found }
}

impl Node {
    /// The value of a name, if this is a table; `null` counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        let (_, node) = self.entries().iter().find(|(key, _)| key.name == name)?;
        Some(node).filter(|node| !matches!(node.value, Value::Null))
    }

    /// The entries of a table; none of any other value.
    pub(super) fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list; none of any other value.
    pub(super) fn elements(&self) -> &[Node] {
        match &self.value {
            Value::List(elements) => elements,
            _ => &[],
        }
    }

    /// The text, if this is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value, if it is true or false.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            Value::Boolean(boolean) => Some(boolean),
            _ => None,
        }
    }

    /// The text of a name.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    /// The number of a name, if it is an integer from 0.
    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        match &self.get(name)?.value {
            Value::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The texts in the list of a name.
    pub(super) fn texts_of(&self, name: &str) -> Vec<String> {
        let elements = self.get(name).map(Node::elements).unwrap_or_default();
        elements.iter().filter_map(|element| element.text().map(str::to_owned)).collect()
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Boolean(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Boolean(boolean) => (*boolean).into(),
            Value::Number(number) => number.clone().into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(elements) => elements.iter().map(Node::json).collect(),
            Value::Table(entries) => {
                entries.iter().map(|(key, node)| (key.name.clone(), node.json())).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<(Source, Node), Diagnostic> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        fs::write(&file, text).unwrap();
        Source::read(&file)
    }

    #[test]
    fn both_syntaxes_have_the_same_values() {
        let toml = "name = \"a\"\ncount = 1_000\n[[kv]]\nid = \"x\"\n[vars]\nON = true\nRATE = 0.5\n";
        let json = "{\n // a comment\n \"name\": \"a\", \"count\": 1000,\n \"kv\": [{ \"id\": \"x\" },],\n
            \"vars\": { \"ON\": true, \"RATE\": 0.5 } }";
        let [toml, json] = [read("w.toml", toml), read("w.jsonc", json)].map(|read| read.unwrap().1.json());
        assert_eq!(toml, json);
    }

    #[test]
    fn places_are_those_of_values() {
        let (source, root) = read("w.toml", "name = 'a'\n\n[vars]\n  A = 'b'\n").unwrap();
        let at = root.get("vars").unwrap().entries()[0].0.at;
        assert_eq!(source.line(at), 4);
        assert_eq!(source.error("x", at).place.unwrap().column, 3);
    }

    #[test]
    fn syntax_errors_have_their_place() {
        for (name, text, line) in [("w.toml", "a = 1\nb = = 2", 2), ("w.json", "{\n\"a\": 1,\n\"b\" 2 }", 3)]
        {
            let error = read(name, text).unwrap_err();
            assert_eq!(error.place.as_ref().map(|place| place.line), Some(line), "{error}");
        }
    }
}
