//! Every metric by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use super::exposition::{Exposition, Format};
use super::meter::BOUNDS;
use super::output::{self, Stream};
use super::process;
use super::registry::{ActorCounts, Snapshot, TopicCounts};
use crate::lines::Hub;
use liveline_proto::{CloseCode, Stats};

/// How many channels have a sample of their own. Applications choose the names of channels, so there may be any number.
const CHANNELS: usize = 10;

/// All metrics as text.
pub(super) fn write(snapshot: &Snapshot, hub: &Hub, format: Format) -> String {
    let mut out = Exposition::new(format);
    out.info("liveline_build", "Version of liveline and JavaScript engine.")
        .sample(&[("version", &env!("CARGO_PKG_VERSION")), ("engine", &snapshot.engine)], 1);
    lines(&mut out, &hub.engine().stats());
    channels(&mut out, hub);
    actors(&mut out, &snapshot.actors);
    topics(&mut out, &snapshot.topics);
    requests(&mut out, snapshot);
    isolates(&mut out, snapshot);
    budgets(&mut out, snapshot);
    this_process(&mut out, snapshot);
    out.end()
}

fn lines(out: &mut Exposition, stats: &Stats) {
    out.gauge("liveline_lines", "Live lines by state.")
        .sample(&[("state", &"joining")], stats.joining)
        .sample(&[("state", &"open")], stats.open)
        .sample(&[("state", &"away")], stats.away);
    out.counter("liveline_lines_opened", "Lines that were opened, also those that no client joined.")
        .sample(&[], stats.opened);
    out.counter("liveline_lines_resumed", "Times that a client resumed a line.").sample(&[], stats.resumed);
    let mut closed = out.counter("liveline_lines_closed", "Closed lines by close code.");
    for (code, count) in by_known_code(&stats.closed) {
        closed.sample(&[("code", &code)], count);
    }
    out.gauge("liveline_queued_bytes", "Bytes in the queues of lines.").sample(&[], stats.queued_bytes);
    out.gauge(
        "liveline_channel_queued_bytes",
        "Bytes of channels' messages in the queues of members; a message that several members wait for counts once.",
    )
    .sample(&[], stats.channel_queued_bytes);
    out.counter("liveline_frames", "Frames on lines: in from clients, out to clients.")
        .sample(&[("direction", &"in")], stats.frames_in)
        .sample(&[("direction", &"out")], stats.frames_out);
    out.counter("liveline_frame_bytes", "Bytes of these frames.")
        .sample(&[("direction", &"in")], stats.bytes_in)
        .sample(&[("direction", &"out")], stats.bytes_out);
    out.counter("liveline_frames_dropped", "Frames that were dropped because the queue of a line was full.")
        .sample(&[], stats.dropped);
    out.counter("liveline_frames_coalesced", "Frames that were replaced in the queue by a newer state.")
        .sample(&[], stats.coalesced);
    out.counter("liveline_pings", "Pings sent to clients that had sent nothing for a while.")
        .sample(&[], stats.pings);
    out.gauge("liveline_channels", "Channels that have members.").sample(&[], stats.channels);
    out.gauge("liveline_members", "Members of all channels.").sample(&[], stats.members);
}

/// The counts of known close codes, and of all others together: a client may send any number, and each would be a time
/// series of its own.
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
    let largest = hub.engine().largest_channels(CHANNELS);
    for (channel, count) in largest {
        members.sample(&[("channel", &channel.as_str())], count);
    }
}

fn actors(out: &mut Exposition, counts: &ActorCounts) {
    out.gauge("liveline_actors", "Actors: alive in an isolate, or hibernating with open sockets.")
        .sample(&[("state", &"alive")], counts.alive)
        .sample(&[("state", &"hibernating")], counts.hibernating);
    out.gauge("liveline_actor_events_waiting", "Events that wait in the mailboxes of actors.")
        .sample(&[], counts.waiting);
    out.gauge("liveline_actor_alarms", "Alarms of actors: set for later, or due and not handled yet.")
        .sample(&[("state", &"set")], counts.alarms)
        .sample(&[("state", &"due")], counts.alarms_due);
}

fn topics(out: &mut Exposition, TopicCounts { topics, pages }: &TopicCounts) {
    out.gauge("liveline_topics", "Topics.").sample(&[], topics.topics);
    out.gauge("liveline_topic_subscribers", "Subscribers of all topics.").sample(&[], topics.subscribers);
    out.gauge("liveline_topic_bytes", "Bytes of the messages that topics keep.").sample(&[], topics.bytes);
    out.counter("liveline_topic_messages", "Messages that were published to topics.")
        .sample(&[], topics.published);
    out.counter("liveline_topic_deliveries", "Messages of topics that subscribers have received.")
        .sample(&[], topics.delivered);
    out.counter("liveline_topic_messages_missed", "Messages of topics that slow subscribers have missed.")
        .sample(&[], topics.missed);
    out.gauge("liveline_hub_pages", "Pages that are connected to the hub by a WebSocket.")
        .sample(&[], *pages);
}

fn requests(out: &mut Exposition, snapshot: &Snapshot) {
    let answers = &snapshot.answers;
    let mut classes = out.counter("liveline_http_requests", "Answered requests by class of status.");
    for (class, count) in (1..).zip(answers.classes) {
        classes.sample(&[("class", &format_args!("{class}xx"))], count);
    }
    out.histogram(
        "liveline_http_answer_seconds",
        "Time from a request's head to its answer's head.",
        &BOUNDS,
        &answers.times,
        answers.nanoseconds as f64 / 1e9,
    );
}

fn isolates(out: &mut Exposition, snapshot: &Snapshot) {
    out.counter("liveline_reloads", "Reloads of the handlers.")
        .sample(&[("result", &"ok")], snapshot.reloaded)
        .sample(&[("result", &"failed")], snapshot.failed);
    out.counter("liveline_isolates_lost", "Isolates that were lost because their code could not be stopped.")
        .sample(&[], snapshot.lost);
    let generations: BTreeSet<_> = snapshot.workers.iter().map(|worker| worker.id.generation).collect();
    out.gauge("liveline_generations", "Generations of the handlers' code that still run.")
        .sample(&[], generations.len());
    let mut each = |name, help, value: fn(&super::meter::WorkerMetrics) -> f64| {
        let mut family = out.gauge(name, help);
        for worker in &snapshot.workers {
            let id = worker.id;
            family.sample(&[("worker", &id.worker), ("generation", &id.generation)], value(worker));
        }
    };
    each("liveline_isolate_heap_used_bytes", "JavaScript heap in use.", |it| it.heap().used as f64);
    each(
        "liveline_isolate_heap_limit_bytes",
        "Limit of the heap and of what JavaScript holds outside of it, together.",
        |it| it.heap().limit as f64,
    );
    each("liveline_isolate_external_bytes", "Memory that JavaScript holds outside of its heap.", |it| {
        it.heap().external as f64
    });
    each(
        "liveline_event_loop_lag_seconds",
        "Worst delay of an isolate's event loop in the last five to ten seconds.",
        |it| it.lag().as_secs_f64(),
    );
}

fn budgets(out: &mut Exposition, snapshot: &Snapshot) {
    let Snapshot { bodies, results, .. } = snapshot;
    out.gauge("liveline_body_bytes", "Bytes of requests' bodies that are being received.")
        .sample(&[], bodies.held);
    out.gauge("liveline_body_limit_bytes", "Limit of the bodies of all requests together.")
        .sample(&[], bodies.limit);
    out.gauge("liveline_result_bytes", "Bytes of queries' results outside of JavaScript.")
        .sample(&[], results.held);
    out.gauge("liveline_result_limit_bytes", "Limit of the results of all queries together.")
        .sample(&[], results.limit);
}

fn this_process(out: &mut Exposition, snapshot: &Snapshot) {
    if let Some(bytes) = process::resident_bytes() {
        out.gauge("process_resident_memory_bytes", "Resident memory of the process.").sample(&[], bytes);
    }
    if let Some(count) = process::open_fds() {
        out.gauge("process_open_fds", "Open files and sockets.").sample(&[], count);
    }
    let mut lines = out.counter(
        "liveline_printed_lines_dropped",
        "Lines of output that were dropped because they were not read or could not be written.",
    );
    for stream in [Stream::Output, Stream::Error] {
        lines.sample(&[("stream", &stream.name())], output::dropped(stream));
    }
    let began = snapshot.began.duration_since(UNIX_EPOCH).unwrap_or_default();
    out.gauge("process_start_time_seconds", "When the process started, in Unix time.")
        .sample(&[], format_args!("{:.3}", began.as_secs_f64()));
}
