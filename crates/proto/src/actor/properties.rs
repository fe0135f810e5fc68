//! Random histories of actors, checked against rules that always hold.
