#![no_main]

#[path = "../targets/frame_decoder.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::check(data));
