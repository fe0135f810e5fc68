//! Runs the fuzz targets over the inputs in fuzz/corpus/ and over random ones.

#![allow(clippy::disallowed_methods, reason = "a history has to begin at some time")]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../fuzz/targets/engine.rs"]
mod engine;
#[path = "../fuzz/targets/envelope.rs"]
mod envelope;
#[path = "../fuzz/targets/frame_decoder.rs"]
mod frame_decoder;
#[path = "../fuzz/targets/http1.rs"]
mod http1;

fn over_corpus(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let inputs = fs::read_dir(folder).expect("every target has a corpus");
    let count = inputs
        .map(|input| check(&fs::read(input.expect("a readable folder").path()).expect("a file")))
        .count();
    assert!(count > 0, "{target} has no inputs");
}

#[test]
fn frame_decoder_holds_over_its_corpus() {
    over_corpus("frame_decoder", frame_decoder::check);
}

#[test]
fn envelope_holds_over_its_corpus() {
    over_corpus("envelope", envelope::check);
}

#[test]
fn engine_holds_over_its_corpus() {
    over_corpus("engine", engine::check);
}

#[test]
fn http1_holds_over_its_corpus() {
    over_corpus("http1", http1::check);
}

/// Pieces of requests, and bytes that resemble them.
fn request_pieces() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        "(GET|POST) |/[a%.2e\\\\;/]{0,8}| HTTP/1\\.1|\r\n|\n|\r|#|:|Host: |Upgrade: x\r\n",
        "Content-Length: [0-9]{1,2}\r\n|Transfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1\\.1\r\nHost: x\r\n(Content-Length: [0-9]\r\n|Transfer-Encoding: chunked\r\n)?\r\n",
        "[0-9a-f]{1,2}(;[a-c\"= ;]{0,5})?\r\n|1\r\n[a-z]\r\n|3;a\r\n[a-z]{3}\r\n|0\r\n\r\n|[a-z]{0,9}",
        " [a-zA-Z0-9.%:_~\\[\\]-]{0,12} | ([0-9]{1,3}\\.){3,4}[0-9x]{0,4} | xn--[a-z0-9-]{0,6} ",
    ];
    prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn http1_holds_over_pieces(data in request_pieces()) {
        http1::check(&data);
    }

    #[test]
    fn http1_holds_over_anything(data in prop::collection::vec(any::<u8>(), 0..300)) {
        http1::check(&data);
    }

    #[test]
    fn engine_holds_over_anything(data in prop::collection::vec(any::<u8>(), 0..600)) {
        engine::check(&data);
    }
}
