//! The fuzz targets over the inputs that are kept in tests/fuzz/corpus/, and over some that are made up.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "fuzz/targets/engine.rs"]
mod engine;
#[path = "fuzz/targets/envelope.rs"]
mod envelope;
#[path = "fuzz/targets/frame_decoder.rs"]
mod frame_decoder;

fn over_corpus(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
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

proptest! {
    #[test]
    fn engine_holds_over_anything(data in prop::collection::vec(any::<u8>(), 0..600)) {
        engine::check(&data);
    }
}
