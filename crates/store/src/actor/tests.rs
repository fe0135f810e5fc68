//! The storage of actors, on real files.
