//! Reads the metrics of another process over HTTP.

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
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is read.
const MAX_BYTES: usize = 4 << 20;

/// The address of another process's metrics.
pub(super) struct Source {
    uri: Uri,
    authority: String,
}

/// Metrics as they were at one moment.
#[derive(Debug, Default)]
pub(super) struct ScrapedMetrics(Vec<Sample>);

/// One value, with the labels that distinguish it from others of its name.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    /// The name of the metric, with its suffix.
    pub name: String,
    /// Names and values of labels.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// Why metrics could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScrapeError {
    #[error("`{0}` is not an address: give one such as http://127.0.0.1:3000")]
    Address(String),
    #[error("metrics are read over plain HTTP only, not as `{0}`")]
    Scheme(String),
    #[error(
        "nothing listens on {0}: start `liveline dev`, or `liveline serve` with --metrics, and give its \
         address"
    )]
    Refused(String),
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, std::io::Error),
    #[error(
        "{0} did not answer within {ANSWER_TIMEOUT:?}; does the site answer at /metrics itself? Then give --metrics"
    )]
    Late(String),
    #[error("{0} sent an answer that is not HTTP or too large: {1}")]
    Broken(String, Box<dyn std::error::Error + Send + Sync>),
    #[error(
        "{0} has no metrics (it answered {1}): `liveline serve` serves them at the address given \
         with --metrics, and `liveline dev` where its site has nothing else at /metrics"
    )]
    None(Uri, u16),
}

impl Source {
    /// Reads an address as people write it: with or without `http://` and the path.
    pub(super) fn new(text: &str) -> Result<Source, ScrapeError> {
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let wrong = || ScrapeError::Address(text.to_owned());
        let uri: Uri = full.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        if uri.scheme_str() != Some("http") {
            return Err(ScrapeError::Scheme(text.to_owned()));
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

    /// Requests the metrics.
    pub(super) async fn read(&self) -> Result<ScrapedMetrics, ScrapeError> {
        let late = |_| ScrapeError::Late(self.authority.clone());
        timeout(ANSWER_TIMEOUT, self.ask()).await.map_err(late)?
    }

    async fn ask(&self) -> Result<ScrapedMetrics, ScrapeError> {
        let authority = || self.authority.clone();
        let stream = TcpStream::connect(&self.authority).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::ConnectionRefused => ScrapeError::Refused(authority()),
            _ => ScrapeError::Unreachable(authority(), error),
        })?;
        let broken = |error: hyper::Error| ScrapeError::Broken(authority(), error.into());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::get(self.uri.path())
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/openmetrics-text")
            .body(Empty::<Bytes>::new())
            .expect("the address was read as one");
        let response = sender.send_request(request).await.map_err(broken)?;
        let (status, is_text) = (response.status().as_u16(), has_metrics(&response));
        if !is_text {
            return Err(ScrapeError::None(self.uri.clone(), status));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| ScrapeError::Broken(authority(), error))?.to_bytes();
        Ok(ScrapedMetrics::parse(&String::from_utf8_lossy(&body)))
    }
}

/// Whether an answer has metrics, rather than what a site serves at the same path.
fn has_metrics<B>(response: &hyper::Response<B>) -> bool {
    let kind = response.headers().get(hyper::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    response.status().is_success()
        && kind.is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
}

impl ScrapedMetrics {
    /// Reads samples. Lines that are not samples are ignored.
    pub(super) fn parse(text: &str) -> ScrapedMetrics {
        ScrapedMetrics(text.lines().filter(|line| !line.starts_with('#')).filter_map(Sample::parse).collect())
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
        let metrics = ScrapedMetrics::parse(
            "# TYPE a counter\na_total 3\nb{x=\"1\",y=\"say \\\"hi\\\" \\\\ \\n}\"} 0.5\n\
             b{x=\"2\"} 1\nbroken{x=\"\n# EOF\n",
        );
        assert_eq!((metrics.sum("a_total"), metrics.sum("b"), metrics.sum("c")), (3.0, 1.5, 0.0));
        assert_eq!(metrics.with("b", "x", "2"), 1.0);
        assert_eq!(metrics.all("b").next().unwrap().label("y"), "say \"hi\" \\ \n}");
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for text in ["127.0.0.1:3000", "http://127.0.0.1:3000", "http://127.0.0.1:3000/metrics"] {
            assert_eq!(Source::new(text).unwrap().uri().to_string(), "http://127.0.0.1:3000/metrics");
        }
        assert_eq!(Source::new("localhost").unwrap().uri().to_string(), "http://localhost:80/metrics");
        assert!(matches!(Source::new("https://a.example"), Err(ScrapeError::Scheme(_))));
        for text in ["", "http://", "a b"] {
            assert!(matches!(Source::new(text), Err(ScrapeError::Address(_))), "{text}");
        }
    }
}
