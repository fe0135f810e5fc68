//! Every figure by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use super::exposition::{Exposition, Format};
use super::meter::BOUNDS;
use super::observer::Moment;
use super::output::{self, Stream};
use super::process;
use crate::lines::Hub;
use liveline_proto::{CloseCode, Stats};

/// How many channels are named. Names are what users make them, so there may be any number.
const CHANNELS: usize = 10;

/// All figures as text.
pub(super) fn write(moment: &Moment, hub: &Hub, format: Format) -> String {
    let mut out = Exposition::new(format);
    out.info("liveline_build", "What runs here.")
        .sample(&[("version", &env!("CARGO_PKG_VERSION")), ("engine", &moment.engine)], 1);
    lines(&mut out, &hub.engine().stats());
    channels(&mut out, hub);
    requests(&mut out, moment);
    isolates(&mut out, moment);
    budgets(&mut out, moment);
    this_process(&mut out, moment);
    out.end()
}

fn lines(out: &mut Exposition, stats: &Stats) {
    out.gauge("liveline_lines", "Live lines by state.")
        .sample(&[("state", &"joining")], stats.joining)
        .sample(&[("state", &"open")], stats.open)
        .sample(&[("state", &"away")], stats.away);
    out.counter("liveline_lines_opened", "Lines offered to clients.").sample(&[], stats.opened);
    out.counter("liveline_lines_resumed", "Lines that a client came back to.").sample(&[], stats.resumed);
    let mut closed = out.counter("liveline_lines_closed", "Lines that ended, by close code.");
    for (code, count) in by_known_code(&stats.closed) {
        closed.sample(&[("code", &code)], count);
    }
    out.gauge("liveline_queued_bytes", "Bytes that wait to be written to lines.")
        .sample(&[], stats.queued_bytes);
    out.gauge(
        "liveline_channel_queued_bytes",
        "Bytes that members of channels wait for; shared bytes count once.",
    )
    .sample(&[], stats.channel_queued_bytes);
    out.counter("liveline_frames", "Frames on lines, by direction as seen from here.")
        .sample(&[("direction", &"in")], stats.frames_in)
        .sample(&[("direction", &"out")], stats.frames_out);
    out.counter("liveline_frame_bytes", "Bytes of these frames.")
        .sample(&[("direction", &"in")], stats.bytes_in)
        .sample(&[("direction", &"out")], stats.bytes_out);
    out.counter("liveline_frames_dropped", "Frames that a full queue did not take.")
        .sample(&[], stats.dropped);
    out.counter("liveline_frames_coalesced", "Frames that a newer state made needless.")
        .sample(&[], stats.coalesced);
    out.counter("liveline_pings", "Pings sent to clients that said nothing for a while.")
        .sample(&[], stats.pings);
    out.gauge("liveline_channels", "Channels with somebody in them.").sample(&[], stats.channels);
    out.gauge("liveline_members", "Members of all channels.").sample(&[], stats.members);
}

/// A client may close with any number, and each would be a series of its own.
fn by_known_code(closed: &BTreeMap<u16, u64>) -> BTreeMap<String, u64> {
    let mut by_code = BTreeMap::new();
    for (&code, count) in closed {
        let known = code == 1002 || !matches!(CloseCode::from(code), CloseCode::Other(_));
        let name = if known { code.to_string() } else { "other".into() };
        *by_code.entry(name).or_default() += count;
    }
    by_code
}

fn channels(out: &mut Exposition, hub: &Hub) {
    let mut members = out.gauge("liveline_channel_members", "Members of the largest channels.");
    for (channel, count) in hub.engine().largest_channels(CHANNELS) {
        members.sample(&[("channel", &channel.as_str())], count);
    }
}

fn requests(out: &mut Exposition, moment: &Moment) {
    let answers = &moment.answers;
    let mut classes = out.counter("liveline_http_requests", "Answered requests by class of status.");
    for (class, count) in (1..).zip(answers.classes) {
        classes.sample(&[("class", &format_args!("{class}xx"))], count);
    }
    out.histogram(
        "liveline_http_answer_seconds",
        "Time from a request's head to its answer's.",
        &BOUNDS,
        &answers.times,
        answers.nanoseconds as f64 / 1e9,
    );
}

fn isolates(out: &mut Exposition, moment: &Moment) {
    out.counter("liveline_reloads", "Times that the handlers were loaded again.")
        .sample(&[("result", &"ok")], moment.reloaded)
        .sample(&[("result", &"failed")], moment.failed);
    out.counter("liveline_isolates_lost", "Isolates whose code could not be stopped.")
        .sample(&[], moment.lost);
    let generations: BTreeSet<_> = moment.workers.iter().map(|worker| worker.place.generation).collect();
    out.gauge("liveline_generations", "Generations of the handlers' code that serve or finish.")
        .sample(&[], generations.len());
    let mut each = |name, help, value: fn(&super::meter::Figures) -> f64| {
        let mut family = out.gauge(name, help);
        for worker in &moment.workers {
            let place = worker.place;
            family.sample(&[("worker", &place.worker), ("generation", &place.generation)], value(worker));
        }
    };
    each("liveline_isolate_heap_used_bytes", "JavaScript heap in use.", |it| it.heap().used as f64);
    each(
        "liveline_isolate_heap_limit_bytes",
        "What the heap and all that JavaScript keeps outside of it may grow to.",
        |it| it.heap().limit as f64,
    );
    each("liveline_isolate_external_bytes", "What JavaScript keeps outside of its heap.", |it| {
        it.heap().external as f64
    });
    each("liveline_event_loop_lag_seconds", "The worst delay of an isolate's event loop lately.", |it| {
        it.lag().as_secs_f64()
    });
}

fn budgets(out: &mut Exposition, moment: &Moment) {
    let Moment { bodies, results, .. } = moment;
    out.gauge("liveline_body_bytes", "Bytes of requests' bodies that are being received.")
        .sample(&[], bodies.held);
    out.gauge("liveline_body_limit_bytes", "What requests' bodies may take together.")
        .sample(&[], bodies.limit);
    out.gauge("liveline_result_bytes", "Bytes of queries' results outside of JavaScript.")
        .sample(&[], results.held);
    out.gauge("liveline_result_limit_bytes", "What queries' results may take together.")
        .sample(&[], results.limit);
}

fn this_process(out: &mut Exposition, moment: &Moment) {
    if let Some(bytes) = process::resident_bytes() {
        out.gauge("process_resident_memory_bytes", "Memory that the process holds.").sample(&[], bytes);
    }
    if let Some(count) = process::open_fds() {
        out.gauge("process_open_fds", "Open files and sockets.").sample(&[], count);
    }
    let mut lines =
        out.counter("liveline_printed_lines_dropped", "Lines that nobody read, or the system did not take.");
    for stream in [Stream::Output, Stream::Error] {
        lines.sample(&[("stream", &stream.name())], output::dropped(stream));
    }
    let began = moment.began.duration_since(UNIX_EPOCH).unwrap_or_default();
    out.gauge("process_start_time_seconds", "When the process started, in Unix time.")
        .sample(&[], format_args!("{:.3}", began.as_secs_f64()));
}
