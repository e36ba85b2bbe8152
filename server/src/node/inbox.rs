//! The thread of the protocol: takes what comes in, one thing at a time, and has the driver see to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::driver::{Driver, TICK};
use crate::replication::protocol::{Event, HandoverEnd, Loss};

/// Events that are taken before time and the log are looked at again.
const EVENTS_PER_TURN: usize = 64;

/// What the rest of the node asks of the protocol.
pub(super) enum Message {
    Event(Event),
    /// The log is held further.
    Held,
    /// Hand over; the answer says how it ended.
    Handover(Event, oneshot::Sender<HandoverEnd>),
    /// Lead by order of an operator; the answer says what that costs, or why it can't be.
    ForceLead(oneshot::Sender<Result<Loss, String>>),
    /// End: give everything up, and say so.
    Stop(oneshot::Sender<()>),
}

/// The log's hook raises this at each group of writes; one message is enough until it was taken.
#[derive(Clone)]
pub(super) struct HeldSignal {
    raised: Arc<AtomicBool>,
    messages: mpsc::UnboundedSender<Message>,
}

impl HeldSignal {
    pub fn new(messages: mpsc::UnboundedSender<Message>) -> Self {
        Self { raised: Arc::default(), messages }
    }

    pub fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            // The driver ends with the process.
            let _ = self.messages.send(Message::Held);
        }
    }

    fn lower(&self) {
        self.raised.store(false, Ordering::Release);
    }
}

pub(super) struct Inbox {
    pub driver: Driver,
    pub messages: mpsc::UnboundedReceiver<Message>,
    pub frames: mpsc::Receiver<Event>,
    pub held: HeldSignal,
}

impl Inbox {
    /// Run until told to stop. The thread it runs on is its own.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                _ = tick.tick() => self.driver.turn(Event::Tick),
                message = self.messages.recv() => match message {
                    Some(Message::Stop(done)) => {
                        self.driver.stop();
                        let _ = done.send(());
                        return;
                    }
                    Some(message) => {
                        self.message(message);
                        // Writes that never end must not keep their own acks waiting.
                        self.frames();
                    }
                    None => return,
                },
                event = self.frames.recv() => {
                    let Some(event) = event else { return };
                    self.driver.turn(event);
                    self.frames();
                }
            }
        }
    }

    /// Takes what frames are there.
    fn frames(&mut self) {
        let mut any = false;
        for _ in 0..EVENTS_PER_TURN {
            let Ok(event) = self.frames.try_recv() else { break };
            self.driver.feed(event);
            any = true;
        }
        if any {
            self.driver.settle();
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Event(event) => self.driver.turn(event),
            Message::Held => {
                self.held.lower();
                self.driver.settle();
            }
            Message::Handover(event, answer) => {
                if let Some(before) = self.driver.state.handover.replace(answer) {
                    // Only one at a time: the machine tells the later one that it is so.
                    let _ = self
                        .driver
                        .state
                        .handover
                        .take()
                        .map(|later| later.send(HandoverEnd::AlreadyRunning));
                    self.driver.state.handover = Some(before);
                } else {
                    self.driver.turn(event);
                }
            }
            Message::ForceLead(answer) => {
                self.driver.state.order = Some(answer);
                self.driver.turn(Event::ForceLead);
            }
            Message::Stop(_) => unreachable!("handled where the loop ends"),
        }
    }
}
