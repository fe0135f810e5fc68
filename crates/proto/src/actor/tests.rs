//! Actors step by step.
