//! What end-to-end tests and simulations share: the judgement of what clients were told.

pub mod history;
