//! `curl` as documents show it: the options that they use, sent by the suite's own client.
//!
//! A header or a line of output may hold `...`: a word that ends so stands for any word.

use std::collections::BTreeMap;

use crate::support::{Answer, Host};

/// Cookies as a `-c` option keeps them.
pub type Jar = BTreeMap<String, String>;

#[derive(Default)]
pub struct Curl {
    method: Option<String>,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// `-i`: the head is printed, too.
    head: bool,
    /// `-b`: cookies are sent.
    sends_cookies: bool,
    /// `-c`: cookies are kept.
    keeps_cookies: bool,
    /// `-L`: what it prints is where a redirect leads.
    follows: bool,
}

/// What a command printed.
pub struct Printed {
    answer: Answer,
    head: bool,
}

impl Curl {
    /// Reads a command line.
    pub fn parse(command: &str) -> Result<Curl, String> {
        let mut curl = Curl::default();
        let mut words = words(command).into_iter().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "-i" => curl.head = true,
                // How curl itself prints.
                "-N" | "-s" => {}
                // What it takes brackets in a URL for.
                "-g" => {}
                "-L" => curl.follows = true,
                "-X" => curl.method = Some(value()?),
                "-d" => curl.body = Some(value()?),
                "-H" => {
                    let header = value()?;
                    let (name, value) = header.split_once(": ").ok_or("a header is `Name: value`")?;
                    curl.headers.push((name.into(), value.into()));
                }
                "-b" => {
                    value()?;
                    curl.sends_cookies = true;
                }
                "-c" => {
                    value()?;
                    curl.keeps_cookies = true;
                }
                option if option.starts_with('-') => return Err(format!("the tests know no {option}")),
                url => {
                    let (_, path) =
                        url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).ok_or(url)?;
                    curl.path = format!("/{path}");
                }
            }
        }
        Ok(curl)
    }

    /// Sends it to the host, whatever host it names.
    #[track_caller]
    pub fn send(self, host: &Host, jar: &mut Jar) -> Printed {
        let default = if self.body.is_some() { "POST" } else { "GET" };
        let mut request = host.request(self.method.as_deref().unwrap_or(default), &self.path).plain();
        if self.body.is_some()
            && !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if self.sends_cookies && !jar.is_empty() {
            let cookies: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", &cookies.join("; "));
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let answer = request.send();
        if self.keeps_cookies {
            for cookie in answer.all("set-cookie") {
                let (name, rest) = cookie.split_once('=').unwrap_or((cookie, ""));
                let value = rest.split(';').next().unwrap_or_default();
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        if self.follows
            && let Some(location) = answer.header("location")
        {
            let (sends_cookies, keeps_cookies) = (self.sends_cookies, self.keeps_cookies);
            let next = Curl { path: location.to_owned(), sends_cookies, keeps_cookies, ..Curl::default() };
            return next.send(host, jar);
        }
        Printed { answer, head: self.head }
    }
}

impl Printed {
    #[track_caller]
    pub fn expect_printed(&self, shown: &str, place: &str) {
        let Printed { answer, head } = self;
        let body = if *head { self.expect_head(shown, place) } else { Some(shown) };
        let Some(body) = body else { return };
        let told = answer.text().trim();
        assert!(is_like(told, body), "{place} shows\n{body}\nbut it prints\n{told}");
    }

    /// Headers that are not shown do not matter. Returns what stands below the head, if that is shown.
    #[track_caller]
    fn expect_head<'s>(&self, shown: &'s str, place: &str) -> Option<&'s str> {
        let Printed { answer, .. } = self;
        let (head, body) = shown.split_once("\n\n").map_or((shown, None), |(head, body)| (head, Some(body)));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        assert_eq!(answer.status.to_string(), status, "{place} answers\n{answer:?}");
        for line in lines {
            let (name, value) =
                line.split_once(": ").unwrap_or_else(|| panic!("{place}: {line} is no header"));
            let values = answer.all(name);
            assert!(
                values.iter().any(|told| is_like(told, value)),
                "{place} shows {line}, but it answers\n{answer:?}"
            );
        }
        body
    }
}

/// Whether a text is what is shown, where `ab...` stands for any word.
fn is_like(told: &str, shown: &str) -> bool {
    let Some((before, after)) = shown.split_once("...") else { return told == shown };
    let is_of_word = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    let fixed = before.trim_end_matches(is_of_word);
    told.strip_prefix(fixed).is_some_and(|rest| is_like(rest.trim_start_matches(is_of_word), after))
}

/// The arguments of a command line: quotes keep spaces.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in command.chars().chain([' ']) {
        match (quote, character) {
            (Some(open), it) if it == open => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ' ') => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            (_, it) => word.push(it),
        }
    }
    words
}
