//! Actors: objects that one isolate runs at a time, whoever calls them. Half of `runtime-js/actor/`.
//!
//! | module | what it has |
//! |---|---|
//! | [`directory`] | the engine of actors, what it decides, and the mail between isolates |
//! | [`mailbox`] | the ops that send and receive mail |
//! | [`running`] | the actors of one isolate |
//! | [`sockets`] | sockets between clients, isolates and actors; [`socket_ops`]: their ops |
//! | [`storage`] | the ops of an actor's storage; [`alarms`]: those of earlier processes |
//! | [`ids`] | ids, which hold a check of their class |

mod alarms;
mod directory;
mod ids;
mod mailbox;
mod running;
mod socket_ops;
mod sockets;
mod storage;

pub(crate) use directory::{ActorOptions, Actors};
pub(crate) use ids::{op_actor_id_of_name, op_actor_id_of_text, op_actor_id_unique};
pub(crate) use mailbox::{
    op_actor_call, op_actor_durable, op_actor_post, op_actor_post_owner, op_actor_reply, op_actor_take,
};
pub(crate) use running::{
    Running, op_actor_again, op_actor_close_gate, op_actor_delete_facet, op_actor_enqueue, op_actor_finished,
    op_actor_hold, op_actor_is_open, op_actor_isolate, op_actor_open_gate, op_actor_reset,
    op_actor_start_facet, op_actor_start_failed, op_actor_started, op_actor_stopped,
};
pub(crate) use socket_ops::{
    op_actor_answered, op_actor_attachment, op_actor_automatic, op_actor_end_accept, op_actor_end_again,
    op_actor_end_attach, op_actor_end_bytes, op_actor_end_close, op_actor_end_text, op_actor_pipe,
    op_actor_set_attachment, op_actor_set_automatic, op_actor_sockets, op_actor_tags, op_answer_socket_end,
};
pub(in crate::ext) use sockets::{End, exchange_of};
pub(crate) use storage::{
    op_actor_alarm_begin, op_actor_alarm_delete, op_actor_alarm_end, op_actor_alarm_get, op_actor_alarm_set,
    op_actor_bookmark, op_actor_database_size, op_actor_delete_all, op_actor_kv_delete, op_actor_kv_get,
    op_actor_kv_get_many, op_actor_kv_list, op_actor_kv_put, op_actor_name, op_actor_restore,
    op_actor_savepoint, op_actor_savepoint_end, op_actor_sql,
};
