//! Finds the words `live` and `quantum` where they are keywords, before the text is parsed.
//!
//! The text is split into tokens, so that words in comments, strings, templates and regular expressions do not count. A
//! word may be a keyword if a function can begin after it: `live function`, `live x =>`, `live (x) =>`,
//! `live name() {`. `live_functions` decides after parsing.

/// A word that may be a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keyword {
    /// Offset of the word's first byte.
    pub start: usize,
    /// Offset of the byte after the word.
    pub end: usize,
    /// Offset of the function or of the method's name.
    pub function: usize,
    /// Offset of a word `async` before the keyword, with which the function then begins.
    pub asynchronous: Option<usize>,
}

/// The marks of live functions in a text.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub keywords: Vec<Keyword>,
    /// Offset of the first string that may be the directive.
    pub directive: Option<usize>,
}

impl Found {
    /// Whether the text can have live functions.
    pub(crate) fn any(&self) -> bool {
        self.directive.is_some() || !self.keywords.is_empty()
    }
}

const WORDS: [&str; 2] = ["live", "quantum"];

/// The directive that marks a function or, at the beginning of a file, the functions that the file declares.
pub(super) const DIRECTIVE: &str = "use live";

/// Finds keywords and directives. A text without the words is not split into tokens.
pub(crate) fn find(source: &str) -> Found {
    if !WORDS.iter().any(|word| source.contains(word)) {
        return Found::default();
    }
    let tokens = Scanner::new(source).tokens();
    let directive = (0..tokens.len()).find(|index| is_directive(source, &tokens, *index));
    let directive = directive.map(|index| tokens[index].start);
    let keywords = (0..tokens.len()).filter_map(|index| keyword_at(source, &tokens, index)).collect();
    Found { keywords, directive }
}

/// Whether a token is a string at the beginning of a function body or a file, or after another directive.
fn is_directive(source: &str, tokens: &[Token], index: usize) -> bool {
    let Token { kind, start, end, after_newline } = tokens[index];
    let tokens = Tokens { source, tokens };
    let begins = after_newline || matches!(tokens.text_before(index), "" | "{" | ";");
    kind == Kind::String && begins && source.get(start + 1..end - 1) == Some(DIRECTIVE)
}

/// The text with spaces in place of keywords, so that positions stay.
pub(crate) fn blank(source: &str, keywords: &[Keyword]) -> String {
    let mut text = String::with_capacity(source.len());
    let mut from = 0;
    for keyword in keywords {
        text.push_str(&source[from..keyword.start]);
        text.extend(std::iter::repeat_n(' ', keyword.end - keyword.start));
        from = keyword.end;
    }
    text.push_str(&source[from..]);
    text
}

fn keyword_at(source: &str, tokens: &[Token], index: usize) -> Option<Keyword> {
    let tokens = Tokens { source, tokens };
    let word = tokens.get(index)?;
    if word.kind != Kind::Word || !WORDS.contains(&tokens.text(index)) || tokens.text_before(index) == "." {
        return None;
    }
    let next = tokens.get(index + 1)?;
    if next.after_newline || !tokens.begins_function(index + 1) {
        return None;
    }
    let before = index.checked_sub(1).and_then(|before| tokens.get(before));
    let asynchronous =
        before.filter(|token| &source[token.start..token.end] == "async" && !word.after_newline);
    Some(Keyword {
        start: word.start,
        end: word.end,
        function: next.start,
        asynchronous: asynchronous.map(|token| token.start),
    })
}

struct Tokens<'a> {
    source: &'a str,
    tokens: &'a [Token],
}

impl Tokens<'_> {
    fn get(&self, index: usize) -> Option<Token> {
        self.tokens.get(index).copied()
    }

    fn text(&self, index: usize) -> &str {
        self.get(index).map_or("", |token| &self.source[token.start..token.end])
    }

    fn text_before(&self, index: usize) -> &str {
        index.checked_sub(1).map_or("", |before| self.text(before))
    }

    /// Whether a function begins at a token.
    fn begins_function(&self, index: usize) -> bool {
        match self.text(index) {
            "function" => true,
            "(" => self.after_parameters(index).is_some_and(|after| matches!(self.text(after), "=>" | ":")),
            // A generator cannot be live. It is found so that the error can name it.
            "*" => self.begins_method(index + 1),
            _ if self.text(index + 1) == "=>" => self.get(index).is_some_and(|it| it.kind == Kind::Word),
            _ => self.begins_method(index),
        }
    }

    fn begins_method(&self, index: usize) -> bool {
        let Some(name) = self.get(index) else { return false };
        let parameters = match (name.kind, self.text(index)) {
            (_, "[") => self.closing(index).map(|close| close + 1),
            (_, "#") => Some(index + 2),
            (Kind::Word | Kind::String | Kind::Number, _) => Some(index + 1),
            _ => None,
        };
        let Some(after) = parameters.and_then(|parameters| self.after_parameters(parameters)) else {
            return false;
        };
        let brace = self.get(after).is_some_and(|token| !token.after_newline) && self.text(after) == "{";
        brace || self.text(after) == ":"
    }

    /// The index after a list of parameters that begins at `index`.
    fn after_parameters(&self, index: usize) -> Option<usize> {
        (self.text(index) == "(").then(|| self.closing(index)).flatten().map(|close| close + 1)
    }

    fn closing(&self, index: usize) -> Option<usize> {
        let mut depth = 0usize;
        for at in index..self.tokens.len() {
            match self.text(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.checked_sub(1)?,
                _ => continue,
            }
            if depth == 0 {
                return Some(at);
            }
        }
        None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Number,
    String,
    /// A template, or the part of one between two of its expressions.
    Template,
    Regex,
    Punctuation,
}

#[derive(Debug, Clone, Copy)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
    after_newline: bool,
}

/// Words after which an expression begins, so that a slash there begins a regular expression.
const BEFORE_EXPRESSION: [&str; 14] = [
    "await",
    "case",
    "delete",
    "do",
    "else",
    "in",
    "instanceof",
    "new",
    "of",
    "return",
    "throw",
    "typeof",
    "void",
    "yield",
];

/// What an open bracket encloses.
#[derive(Clone, Copy, PartialEq)]
enum Bracket {
    /// An expression, a list or an object. A slash after it is a division.
    Value,
    /// The head of a statement, or a block. A slash after it begins a regular expression.
    Statement,
    /// An expression inside a template, which continues after it.
    Template,
}

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    tokens: Vec<Token>,
    brackets: Vec<Bracket>,
    /// Whether a value may begin here, and with it a regular expression.
    expects_value: bool,
    after_newline: bool,
}

impl<'a> Scanner<'a> {
    fn new(source: &'a str) -> Scanner<'a> {
        let (tokens, brackets) = Default::default();
        Scanner { source, at: 0, tokens, brackets, expects_value: true, after_newline: false }
    }

    fn tokens(mut self) -> Vec<Token> {
        if self.source.starts_with("#!") {
            self.skip_line();
        }
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\n' | '\r' | '\u{2028}' | '\u{2029}' => {
                    self.after_newline = true;
                    self.at += c.len_utf8();
                }
                c if c.is_whitespace() || c == '\u{feff}' => self.at += c.len_utf8(),
                '/' if self.rest().starts_with("//") => self.skip_line(),
                '/' if self.rest().starts_with("/*") => self.skip_comment(),
                '/' if self.expects_value => self.regex(),
                '"' | '\'' => self.string(c),
                '`' => self.template(),
                c if is_word(c) => self.word(),
                _ => self.punctuation(c),
            }
        }
        self.tokens
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
    }

    fn skip_comment(&mut self) {
        let length = self.rest().find("*/").map_or(self.rest().len(), |end| end + 2);
        self.after_newline |= self.rest()[..length].contains('\n');
        self.at += length;
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let (start, end) = (self.at, self.at + length);
        self.tokens.push(Token { kind, start, end, after_newline: self.after_newline });
        self.after_newline = false;
        self.expects_value = false;
        self.at = end;
    }

    fn word(&mut self) {
        let length = self.rest().find(|c| !is_word(c)).unwrap_or(self.rest().len());
        let word = &self.rest()[..length];
        let kind = if word.starts_with(|c: char| c.is_ascii_digit()) { Kind::Number } else { Kind::Word };
        let is_property = self.last() == ".";
        self.push(kind, length);
        self.expects_value = !is_property && BEFORE_EXPRESSION.contains(&word);
    }

    /// A string. A quote without another on its line is no string, such as an apostrophe in JSX.
    fn string(&mut self, quote: char) {
        let mut escaped = false;
        for (index, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' | '\r' if !escaped => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if c == quote => return self.push(Kind::String, index + 1),
                _ => {}
            }
        }
        self.push(Kind::Punctuation, 1);
    }

    fn regex(&mut self) {
        let (mut escaped, mut in_class) = (false, false);
        for (index, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' | '\r' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => return self.push(Kind::Regex, index + 1),
                _ => {}
            }
        }
        self.push(Kind::Punctuation, 1);
        self.expects_value = true;
    }

    /// A template from its beginning, or from the end of an expression in it, to its end or to the next expression.
    fn template(&mut self) {
        let mut escaped = false;
        let mut previous = ' ';
        for (index, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '`' => return self.push(Kind::Template, index + 1),
                '{' if previous == '$' => {
                    self.push(Kind::Template, index + 1);
                    self.brackets.push(Bracket::Template);
                    self.expects_value = true;
                    return;
                }
                _ => {}
            }
            previous = if escaped { ' ' } else { c };
        }
        self.push(Kind::Template, self.rest().len());
    }

    fn punctuation(&mut self, c: char) {
        match c {
            '(' => {
                let heads_statement = matches!(self.last(), "if" | "while" | "for" | "with");
                self.open(if heads_statement { Bracket::Statement } else { Bracket::Value });
            }
            '[' => self.open(Bracket::Value),
            '{' => {
                let is_value = match self.last() {
                    ")" | ";" | "{" | "}" | "=>" | "" => false,
                    "return" | "typeof" | "yield" | "await" | "in" | "of" | "case" | "default" => true,
                    // The body of a class, of `do`, `else`, `try` or `finally`.
                    last if last.starts_with(is_word) => false,
                    _ => true,
                };
                self.open(if is_value { Bracket::Value } else { Bracket::Statement });
            }
            ')' | ']' | '}' => match self.brackets.pop() {
                Some(Bracket::Template) if c == '}' => self.template(),
                closed => {
                    self.push(Kind::Punctuation, 1);
                    self.expects_value = closed == Some(Bracket::Statement);
                }
            },
            _ => {
                let whole = ["=>", "++", "--"].into_iter().find(|whole| self.rest().starts_with(whole));
                self.push(Kind::Punctuation, whole.map_or(c.len_utf8(), str::len));
                // After `x++` a slash divides.
                self.expects_value = !matches!(whole, Some("++" | "--"));
            }
        }
    }

    fn open(&mut self, bracket: Bracket) {
        self.push(Kind::Punctuation, 1);
        self.brackets.push(bracket);
        self.expects_value = true;
    }

    fn last(&self) -> &'a str {
        self.tokens.last().map_or("", |token| &self.source[token.start..token.end])
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::{blank, find};

    /// The text with its keywords blanked, and where each function begins.
    fn blanked(source: &str) -> (String, Vec<&str>) {
        let found = find(source);
        let functions = found.keywords.iter().map(|keyword| &source[keyword.function..]).collect();
        (blank(source, &found.keywords), functions)
    }

    #[test]
    fn keywords_before_functions_become_spaces() {
        for (source, expected) in [
            ("export default async live function(event) {}", "export default async      function(event) {}"),
            ("quantum function f() {}", "        function f() {}"),
            ("const f = live () => 1;", "const f =      () => 1;"),
            ("const f = async live x => x;", "const f = async      x => x;"),
            ("const f = live (a = ')', { b }) => 1;", "const f =      (a = ')', { b }) => 1;"),
            (
                "const o = { live m() {}, async live n() {} };",
                "const o = {      m() {}, async      n() {} };",
            ),
            (
                "class A { static live m() {} live [k]() {} live #p() {} live 'q'() {} }",
                "class A { static      m() {}      [k]() {}      #p() {}      'q'() {} }",
            ),
            ("live function* g() {}", "     function* g() {}"),
            ("const f = live (x: number): number => x;", "const f =      (x: number): number => x;"),
        ] {
            assert_eq!(blanked(source).0, expected);
        }
    }

    #[test]
    fn the_words_are_identifiers_everywhere_else() {
        for source in [
            "const live = 1, quantum = live + 1;",
            "live(x); live.function; a.live; live[x](y)\n{ z }",
            "live\nfunction f() {}",
            "for (const live of (xs)) {}",
            "if (live in (x)) {}",
            "live => live",
            "({ live, quantum: live, live() {} })",
            "class A { live() {} static live = 1; get live() {} }",
            "`live function ${'live function'} live () => 1`",
            "// live function\n/* live () => 1 */ 'live function f() {}'",
            "/live function f() {}/.test(x)",
            "if (x) /live () =>/.test(x)",
            "import { live } from './live.js'",
        ] {
            assert_eq!(blanked(source).0, source);
        }
    }

    #[test]
    fn keywords_are_found_after_what_hides_others() {
        for before in
            ["a / b;", "`${`}`}`;", "/[/`]/;", "'\\'';", "x++ / 2;", "const it = {} / 1;", "if (a) {} /`/;"]
        {
            let source = format!("{before} live function f() {{}}");
            assert_eq!(blanked(&source).1, ["function f() {}"], "{source}");
        }
    }

    #[test]
    fn a_keyword_knows_an_async_before_it() {
        let source = "export default async live (x) => x";
        let keyword = find(source).keywords[0];
        assert_eq!(keyword.asynchronous.map(|at| &source[at..at + 5]), Some("async"));
    }

    #[test]
    fn directives_are_noticed() {
        assert!(find("function f() { \"use live\"; }").directive.is_some());
        assert!(find("'use live'").directive.is_some());
        assert!(find("// use live\nconst text = `use live`;").directive.is_none());
    }
}
