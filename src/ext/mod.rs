//! The ops that JavaScript calls, and the host state behind them. A file or folder with ops has a counterpart
//! of the same name in `runtime-js/`.
//!
//! | type | what it is |
//! |---|---|
//! | [`Exchanges`] | the exchanges of one isolate, by the numbers that JavaScript uses for them |
//! | [`Site`] | the routes, static files and pages of the served folder, as ops use them |
//! | [`Bodies`] | the number of request-body bytes that the process holds |
//! | [`Shared`] | named values that isolates share |
//! | [`Memory`] | the memory limit and account of one isolate |
//! | [`Diagnostic`] | an error formatted for people |
//!
//! **Invariant:** an op converts its arguments, calls the engine or the hub, and converts the result. The
//! engine makes the decisions.

mod actor;
pub(crate) mod aiwebengine;
mod answer;
mod blobs;
mod bodies;
mod channel;
mod cookies;
mod crypto;
mod dispatch;
mod environment;
mod errors;
mod exception;
mod exchange;
#[cfg(feature = "node")]
pub(crate) mod fastify;
mod files;
mod form;
mod larc;
mod log;
mod memory;
#[cfg(feature = "node")]
pub(crate) mod node;
pub(crate) mod packages;
mod page;
mod password;
mod permissions;
mod port;
mod request;
mod session;
mod shared;
mod sql;
mod timers;
mod topic;
mod wasm;
mod websocket;
mod workers;

pub(crate) use actor::{ActorOptions, Actors, Running};
pub(crate) use answer::Streams;
pub(crate) use bodies::{Bodies, BodyLimits, Held};
pub(crate) use dispatch::{FileAnswer, Route, Site};
pub(crate) use environment::{Environment, EnvironmentFiles, Variables};
pub(crate) use errors::OpError;
pub(crate) use exception::{from_exception, from_js_error, place_of_frame};
pub(crate) use exchange::{Begun, Call, Ended, Exchanges, Mode, Services, Unanswered};
pub(crate) use log::current_exchange;
pub(crate) use memory::Memory;
pub(crate) use page::{PageSource, Show, Shown};
pub(crate) use permissions::{Access, GrantError, Grants, OwnFiles};
pub(crate) use session::Sessions;
pub(crate) use shared::Shared;
pub(crate) use timers::expect_packages;
pub(crate) use topic::carry as topic_carry;
pub(crate) use workers::{Background, Stores};

use deno_core::{ExtensionFileSource, ascii_str_include};

use liveline_store::Databases;

deno_core::extension!(
    liveline,
    deps = [deno_webidl, deno_web, deno_fetch],
    ops = [
        actor::op_actor_again,
        actor::op_actor_alarm_begin,
        actor::op_actor_alarm_delete,
        actor::op_actor_alarm_end,
        actor::op_actor_alarm_get,
        actor::op_actor_alarm_set,
        actor::op_actor_answered,
        actor::op_actor_attachment,
        actor::op_actor_automatic,
        actor::op_actor_bookmark,
        actor::op_actor_call,
        actor::op_actor_close_gate,
        actor::op_actor_database_size,
        actor::op_actor_delete_all,
        actor::op_actor_delete_facet,
        actor::op_actor_durable,
        actor::op_actor_end_accept,
        actor::op_actor_end_again,
        actor::op_actor_end_attach,
        actor::op_actor_end_bytes,
        actor::op_actor_end_close,
        actor::op_actor_end_text,
        actor::op_actor_enqueue,
        actor::op_actor_finished,
        actor::op_actor_hold,
        actor::op_actor_id_of_name,
        actor::op_actor_id_of_text,
        actor::op_actor_id_unique,
        actor::op_actor_is_open,
        actor::op_actor_isolate,
        actor::op_actor_kv_delete,
        actor::op_actor_kv_get,
        actor::op_actor_kv_get_many,
        actor::op_actor_kv_list,
        actor::op_actor_kv_put,
        actor::op_actor_name,
        actor::op_actor_open_gate,
        actor::op_actor_pipe,
        actor::op_actor_post,
        actor::op_actor_post_owner,
        actor::op_actor_reply,
        actor::op_actor_reset,
        actor::op_actor_restore,
        actor::op_actor_savepoint,
        actor::op_actor_savepoint_end,
        actor::op_actor_set_attachment,
        actor::op_actor_set_automatic,
        actor::op_actor_sockets,
        actor::op_actor_sql,
        actor::op_actor_start_facet,
        actor::op_actor_start_failed,
        actor::op_actor_started,
        actor::op_actor_stopped,
        actor::op_actor_tags,
        actor::op_actor_take,
        actor::op_answer_socket_end,
        aiwebengine::op_fetch_blocking,
        aiwebengine::op_schedule_claim,
        aiwebengine::op_schedule_clear,
        aiwebengine::op_schedule_keep,
        aiwebengine::op_schedule_set,
        aiwebengine::op_script_clear,
        aiwebengine::op_script_get,
        aiwebengine::op_script_remove,
        aiwebengine::op_script_set,
        answer::op_answer,
        answer::op_answer_bytes,
        answer::op_answer_data,
        answer::op_answer_file,
        answer::op_answer_plain,
        answer::op_answer_stream,
        answer::op_answer_whole,
        answer::op_stream_end,
        answer::op_stream_gone,
        answer::op_stream_write,
        channel::op_channel_enter,
        channel::op_channel_heard,
        channel::op_channel_leave,
        channel::op_channel_listen,
        channel::op_channel_members,
        channel::op_channel_post,
        channel::op_channel_relay,
        channel::op_channel_relay_each,
        channel::op_channel_size,
        cookies::op_cookie_set,
        cookies::op_cookies,
        crypto::op_crypto_random,
        crypto::op_crypto_uuid,
        dispatch::op_file_before,
        dispatch::op_handler_parameters,
        dispatch::op_route,
        environment::op_environment,
        environment::op_environment_delete,
        environment::op_environment_get,
        environment::op_environment_set,
        errors::op_log_error,
        exchange::op_exchange_attach,
        exchange::op_exchange_fail,
        exchange::op_exchange_follow,
        exchange::op_exchange_input,
        exchange::op_exchange_lost,
        exchange::op_exchange_navigated,
        exchange::op_exchange_phase,
        exchange::op_exchange_plain,
        files::op_file_open,
        files::op_file_read,
        form::op_form_multipart,
        form::op_form_urlencoded,
        form::op_request_ill_body,
        log::op_console,
        log::op_console_has_colors,
        page::op_answer_page,
        page::op_page_source,
        password::op_password_hash,
        password::op_password_verify,
        port::early::op_early_find,
        port::early::op_early_keep,
        port::early::op_early_listen,
        port::early::op_early_repeat,
        port::early::op_early_take,
        port::early::op_early_type,
        port::op_port_close,
        port::op_port_delta,
        port::op_port_frame,
        port::op_port_message,
        port::op_port_refresh,
        port::op_port_state,
        request::op_request_collect,
        request::op_request_has_body,
        request::op_request_header,
        request::op_request_headers,
        request::op_request_is_own,
        request::op_request_path,
        request::op_request_peer,
        request::op_request_read,
        request::op_request_url,
        request::op_request_whole,
        session::op_session_change,
        session::op_session_delete,
        session::op_session_entries,
        session::op_session_get,
        session::op_session_id,
        session::op_session_renew,
        session::op_session_set,
        session::op_session_unwatch,
        session::op_session_watch,
        shared::op_shared_close,
        shared::op_shared_lead,
        shared::op_shared_next,
        shared::op_shared_open,
        shared::op_shared_put,
        sql::op_sql_begin,
        sql::op_sql_close,
        sql::op_sql_commit,
        sql::op_sql_exec,
        sql::op_sql_follow,
        sql::op_sql_next,
        sql::op_sql_open,
        sql::op_sql_query,
        timers::op_timer_has_packages,
        timers::op_timer_of_package,
        larc::op_larc_answer,
        larc::op_larc_begin,
        larc::op_larc_end,
        larc::op_larc_next,
        topic::op_topic_alive,
        topic::op_topic_answer,
        topic::op_topic_configure,
        topic::op_topic_content,
        topic::op_topic_create,
        topic::op_topic_delete,
        topic::op_topic_ended,
        topic::op_topic_enter,
        topic::op_topic_forward,
        topic::op_topic_forward_stop,
        topic::op_topic_is_by_line,
        topic::op_topic_latest,
        topic::op_topic_leave,
        topic::op_topic_members,
        topic::op_topic_next,
        topic::op_topic_publish,
        topic::op_topic_publish_bytes,
        topic::op_topic_stored,
        topic::op_topic_subscribe,
        topic::op_topic_unsubscribe,
        wasm::op_wasm_gone,
        wasm::op_wasm_grow,
        websocket::client::op_socket_close,
        websocket::client::op_socket_dial,
        websocket::client::op_socket_next,
        websocket::client::op_socket_send,
        websocket::client::op_socket_send_bytes,
        websocket::client::op_socket_unsent,
        websocket::pair::op_answer_socket,
        websocket::pair::op_websocket_accept,
        websocket::pair::op_websocket_bytes,
        websocket::pair::op_websocket_close,
        websocket::pair::op_websocket_text,
        websocket::pair::op_websocket_room,
        websocket::pair::op_websocket_unsent,
        websocket::served::op_served_again,
        websocket::served::op_served_bytes,
        websocket::served::op_served_control,
        websocket::served::op_served_drop,
        websocket::served::op_served_follow_pings,
        websocket::served::op_served_forget,
        websocket::served::op_served_open,
        websocket::served::op_served_text,
        workers::op_background,
        workers::op_cron_next,
        workers::op_d1_dump,
        workers::op_d1_exec,
        workers::op_d1_query,
        workers::op_kv_delete,
        workers::op_kv_get,
        workers::op_kv_list,
        workers::op_kv_put,
        workers::op_queue_send,
        workers::op_queue_settle,
        workers::op_queue_take,
        workers::op_trigger_begin,
        workers::op_trigger_claim,
    ],
    esm_entry_point = "ext:liveline/main.js",
    options = { exchanges: Exchanges, databases: Databases, memory: Memory },
    middleware = blobs::in_place_of_denos,
    state = |state, options| {
        state.put(options.exchanges.running());
        state.put(options.exchanges);
        state.put(options.databases);
        state.put(options.memory);
        state.put(answer::Streams::default());
        state.put(websocket::client::Sockets::default());
        state.put(Background::default());
        state.put(websocket::served::LastText::default());
    },
    // The macro would store the paths of the files; the binary has to contain the sources.
    customizer = |extension: &mut deno_core::Extension| {
        extension.esm_files = SOURCES.into();
    },
);

/// One entry of [`embed!`]: an ES module of the extension.
macro_rules! module {
    ($file:literal, $path:expr) => {
        ExtensionFileSource::new(concat!("ext:liveline/", $file), ascii_str_include!($path))
    };
}

static SOURCES: &[ExtensionFileSource] = embed!(
    module,
    "runtime-js",
    [
        "actor/actors.js",
        "actor/bodies.js",
        "actor/classes.js",
        "actor/context.js",
        "actor/errors.js",
        "actor/facets.js",
        "actor/http.js",
        "actor/instance.js",
        "actor/mail.js",
        "actor/namespace.js",
        "actor/sockets.js",
        "actor/sql_storage.js",
        "actor/state.js",
        "actor/storage.js",
        "actor/stub.js",
        "actor/values.js",
        "answer/answer.js",
        "answer/chunks.js",
        "answer/discard.js",
        "answer/encoding.js",
        "answer/losses.js",
        "answer/ranges.js",
        "answer/response_heads.js",
        "answer/values.js",
        "async_map.js",
        "channel.js",
        "cookies/cookies.js",
        "cookies/rules.js",
        "crypto.js",
        "dispatch/aiwebengine.js",
        "dispatch/dialects.js",
        "dispatch/dispatch.js",
        "dispatch/fastify.js",
        "dispatch/routing.js",
        "dispatch/steps.js",
        "dispatch/throwers.js",
        "dispatch/webflo.js",
        "environment.js",
        "errors/absent.js",
        "errors/errors.js",
        "errors/exceptions.js",
        "errors/options.js",
        "event/base.js",
        "event/event.js",
        "event/url.js",
        "event/wait.js",
        "event/waiting.js",
        "exchange.js",
        "fetch/body_headers.js",
        "fetch/dial.js",
        "fetch/fetch_plus.js",
        "fetch/redirects.js",
        "few.js",
        "files.js",
        "form/form_data.js",
        "form/nested_keys.js",
        "globals.js",
        "keyval.js",
        "larc/larc.js",
        "listeners.js",
        "live/blocks.js",
        "live/live.js",
        "live_response/frame.js",
        "live_response/live_response.js",
        "live_response/publish.js",
        "live_response/states.js",
        "log.js",
        "main.js",
        "observer/delivery.js",
        "observer/objects.js",
        "observer/observer.js",
        "observer/operations.js",
        "observer/reactive.js",
        "page/binding.js",
        "page/binding_problems.js",
        "page/document.js",
        "page/expressions.js",
        "page/imports.js",
        "page/page.js",
        "password.js",
        "port/client_port.js",
        "port/deltas.js",
        "port/dialogs.js",
        "port/frames.js",
        "port/port.js",
        "port/relay.js",
        "port/remote_port.js",
        "primordials.js",
        "request.js",
        "session/session.js",
        "session/thread.js",
        "session/user.js",
        "shared/shared.js",
        "shared/upload.js",
        "sql.js",
        "timers.js",
        "topic/answer.js",
        "topic/topic.js",
        "wasm.js",
        "websocket/client.js",
        "websocket/pair.js",
        "websocket/upgrade.js",
        "workers/actors.js",
        "workers/assets.js",
        "workers/context.js",
        "workers/crypto.js",
        "workers/d1.js",
        "workers/entrypoints.js",
        "workers/environment.js",
        "workers/event_source.js",
        "workers/functions.js",
        "workers/globals.js",
        "workers/headers.js",
        "workers/heads.js",
        "workers/kv.js",
        "workers/modules.js",
        "workers/queue.js",
        "workers/requests.js",
        "workers/scheduled.js",
        "workers/service_worker.js",
        "workers/sockets.js",
        "workers/streams.js",
        "workers/url.js",
        "workers/workers.js",
    ]
);
