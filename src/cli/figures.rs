//! The figures of another process: asked for over HTTP, and read.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::metrics;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer that is read.
const MAX_BYTES: usize = 4 << 20;

/// Where figures are.
pub(super) struct Source {
    uri: Uri,
    authority: String,
}

/// Figures as they were at one moment.
#[derive(Debug, Default)]
pub(super) struct Figures(Vec<Sample>);

/// One number and what tells it from others of its name.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(super) enum FiguresError {
    #[error("`{0}` is not an address: give one such as http://127.0.0.1:3000")]
    Address(String),
    #[error("figures are read over plain HTTP only; `{0}` asks for more")]
    Scheme(String),
    #[error(
        "nothing listens on {0}: start `liveline dev`, or `liveline serve` with --metrics, and give its \
         address"
    )]
    Refused(String),
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, std::io::Error),
    #[error(
        "{0} did not answer within {PATIENCE:?}; does the site answer at /metrics itself? Then give --metrics"
    )]
    Late(String),
    #[error("{0} did not answer as it should: {1}")]
    Broken(String, Box<dyn std::error::Error + Send + Sync>),
    #[error(
        "{0} has no figures (it answered {1}): `liveline serve` has them at an address of their own, given \
         with --metrics, and `liveline dev` where its site has nothing else at /metrics"
    )]
    None(Uri, u16),
}

impl Source {
    /// Reads an address as people write it: with or without `http://` and the path.
    pub(super) fn new(text: &str) -> Result<Source, FiguresError> {
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let wrong = || FiguresError::Address(text.to_owned());
        let uri: Uri = full.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        if uri.scheme_str() != Some("http") {
            return Err(FiguresError::Scheme(text.to_owned()));
        }
        let authority = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        let path = if uri.path() == "/" { metrics::PATH } else { uri.path() };
        let uri = format!("http://{authority}{path}").parse().map_err(|_| wrong())?;
        Ok(Source { uri, authority })
    }

    /// The address in full.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Asks for the figures.
    pub(super) async fn read(&self) -> Result<Figures, FiguresError> {
        let late = |_| FiguresError::Late(self.authority.clone());
        timeout(PATIENCE, self.ask()).await.map_err(late)?
    }

    async fn ask(&self) -> Result<Figures, FiguresError> {
        let authority = || self.authority.clone();
        let stream = TcpStream::connect(&self.authority).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::ConnectionRefused => FiguresError::Refused(authority()),
            _ => FiguresError::Unreachable(authority(), error),
        })?;
        let broken = |error: hyper::Error| FiguresError::Broken(authority(), error.into());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::get(self.uri.path())
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/openmetrics-text")
            .body(Empty::<Bytes>::new())
            .expect("the address was read as one");
        let response = sender.send_request(request).await.map_err(broken)?;
        let (status, is_text) = (response.status().as_u16(), status_has_figures(&response));
        if !is_text {
            return Err(FiguresError::None(self.uri.clone(), status));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| FiguresError::Broken(authority(), error))?.to_bytes();
        Ok(Figures::parse(&String::from_utf8_lossy(&body)))
    }
}

/// Whether an answer is what was asked for, and not whatever a site has at the path.
fn status_has_figures<B>(response: &hyper::Response<B>) -> bool {
    let kind = response.headers().get(hyper::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    response.status().is_success()
        && kind.is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
}

impl Figures {
    /// Reads samples; what is none is passed over.
    pub(super) fn parse(text: &str) -> Figures {
        Figures(text.lines().filter(|line| !line.starts_with('#')).filter_map(Sample::parse).collect())
    }

    /// The samples of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }

    /// The sum of the samples of a name.
    pub(super) fn sum(&self, name: &str) -> f64 {
        self.all(name).map(|sample| sample.value).sum()
    }

    /// The sum of the samples of a name with this value of a label.
    pub(super) fn with(&self, name: &str, label: &str, value: &str) -> f64 {
        self.all(name).filter(|sample| sample.label(label) == value).map(|sample| sample.value).sum()
    }
}

impl Sample {
    /// The value of a label; empty where there is none.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Reads `name{label="value",...} number`.
    fn parse(line: &str) -> Option<Sample> {
        let (name, mut rest) = line.split_at(line.find(['{', ' '])?);
        let mut labels = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (label, quoted) = rest.trim_start_matches(',').split_once("=\"")?;
                let (value, after) = unescape(quoted)?;
                labels.push((label.to_owned(), value));
                rest = after;
            }
            rest = &rest[1..];
        }
        let value = rest.split_whitespace().next()?.parse().ok()?;
        Some(Sample { name: name.to_owned(), labels, value })
    }
}

/// The text up to the closing quote, and what follows that.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let figures = Figures::parse(
            "# TYPE a counter\na_total 3\nb{x=\"1\",y=\"say \\\"hi\\\" \\\\ \\n}\"} 0.5\n\
             b{x=\"2\"} 1\nbroken{x=\"\n# EOF\n",
        );
        assert_eq!((figures.sum("a_total"), figures.sum("b"), figures.sum("c")), (3.0, 1.5, 0.0));
        assert_eq!(figures.with("b", "x", "2"), 1.0);
        assert_eq!(figures.all("b").next().unwrap().label("y"), "say \"hi\" \\ \n}");
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for text in ["127.0.0.1:3000", "http://127.0.0.1:3000", "http://127.0.0.1:3000/metrics"] {
            assert_eq!(Source::new(text).unwrap().uri().to_string(), "http://127.0.0.1:3000/metrics");
        }
        assert_eq!(Source::new("localhost").unwrap().uri().to_string(), "http://localhost:80/metrics");
        assert!(matches!(Source::new("https://a.example"), Err(FiguresError::Scheme(_))));
        for text in ["", "http://", "a b"] {
            assert!(matches!(Source::new(text), Err(FiguresError::Address(_))), "{text}");
        }
    }
}
