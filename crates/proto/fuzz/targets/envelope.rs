//! Decoding any text returns an envelope or an error, with or without a number in front.

use liveline_proto::{Incoming, Numbered};

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    decode(text);
    match Numbered::read(text) {
        Ok(Numbered::Frame(number, envelope)) => {
            let again = format!("{number} {envelope}");
            assert_eq!(Numbered::read(&again), Ok(Numbered::Frame(number, envelope)));
            decode(envelope);
        }
        Ok(Numbered::Ack(number)) => {
            assert_eq!(Numbered::read(&liveline_proto::ack(number)), Ok(Numbered::Ack(number)));
        }
        Err(_) => {}
    }
}

fn decode(text: &str) {
    let Ok(Incoming::Message { kind, payload, ports, .. }) = liveline_proto::decode(text) else { return };
    assert!(ports <= 16, "a message brings few ports");
    assert!(payload.is_none_or(|payload| text.contains(payload.get())), "a payload stays as it was");
    if let Some((request, port, inner)) = liveline_proto::reply_address(&kind) {
        assert!(kind.starts_with(request) && kind.ends_with(inner));
        assert!(!inner.contains(':') && port.to_string().len() <= kind.len());
    }
}
