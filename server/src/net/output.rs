//! What a connection has to send: encoded replies in order, and up to where they may leave.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;
use std::task::Poll;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::replication::gate::{Gate, Pass, Term};
use crate::resp::{Reply, encode};
use crate::session::{LEASE_ONLY, Offset, Out};

/// From this size on a bulk string is sent from where it is, without a copy.
const SHARED_BYTES_MIN: usize = 16 * 1024;

/// A buffer that grew beyond this is not kept for reuse.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// The most slices of one write.
const SLICES_MAX: usize = 16;

/// Bytes from `begin` on wait until the gate lets `after` leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub term: Term,
    pub after: Offset,
    begin: u64,
}

/// What the replies of a batch wait for, but for those that are free up to `free`.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    pub term: Term,
    pub after: Offset,
    pub free: Offset,
}

/// What waits must never be sent: whether what it says ever came to be is unknown, and unknown is not failed (trap 16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Void;

/// What the gate is asked for: [`LEASE_ONLY`] waits for no commit.
pub fn offset(after: Offset) -> Offset {
    if after == LEASE_ONLY { 0 } else { after }
}

/// Positions count all bytes of the connection since it began.
#[derive(Debug, Default)]
pub struct Output {
    /// Finished chunks, sent before `tail`.
    chunks: VecDeque<Bytes>,
    /// What replies are encoded into; reused.
    tail: Vec<u8>,
    /// Bytes of the first chunk (or of the tail) that are sent already.
    offset: usize,
    sent: u64,
    end: u64,
    holds: VecDeque<Hold>,
    /// Bytes that wait, as the gate was told.
    counted: u64,
}

impl Output {
    /// Add the replies of a batch that ran in `term`; those that may not leave yet wait.
    pub fn settle(&mut self, outs: &mut Vec<Out>, term: Term, gate: &Gate) -> Result<(), Void> {
        let after = outs.iter().map(|out| out.after).max().unwrap_or(0);
        let pass = if after == 0 { Pass::Leave } else { gate.pass(term, offset(after)) };
        let wait = match pass {
            Pass::Leave => None,
            Pass::Wait => {
                let leads = gate.pass(term, 0) == Pass::Leave;
                let free = if leads { gate.committed().max(LEASE_ONLY) } else { 0 };
                Some(Wait { term, after, free })
            }
            Pass::Void => return Err(Void),
        };
        self.add(outs, wait);
        Ok(())
    }

    /// Let go of what the gate lets leave; `ask` is asked about what is held, in order.
    pub fn let_go(&mut self, mut ask: impl FnMut(Hold) -> Poll<Pass>) -> Result<(), Void> {
        while let Some(hold) = self.held() {
            match ask(hold) {
                Poll::Ready(Pass::Leave) => self.release(),
                #[cfg(feature = "simulate")]
                Poll::Ready(Pass::Void) if crate::mutant::is_planted(16) => self.deny(),
                Poll::Ready(Pass::Void) => return Err(Void),
                Poll::Ready(Pass::Wait) | Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// The defect of trap 16: an error takes the place of all that is not sent.
    #[cfg(feature = "simulate")]
    fn deny(&mut self) {
        *self = Self { counted: self.counted, ..Self::default() };
        self.add_raw(b"-READONLY You can't write against a read only replica.\r\n");
    }

    /// Add replies; `outs` is left empty. Those from the first on that may not leave yet wait together: they are
    /// committed together.
    pub fn add(&mut self, outs: &mut Vec<Out>, wait: Option<Wait>) {
        let mut wait = wait.filter(|wait| !self.covers(wait));
        for out in outs.drain(..) {
            if let Some(Wait { term, after, .. }) = wait.take_if(|wait| out.after > wait.free) {
                self.holds.push_back(Hold { term, after, begin: self.end });
            }
            match &out.reply {
                Reply::Bulk(bytes) if bytes.len() >= SHARED_BYTES_MIN => self.share(bytes),
                reply => {
                    let before = self.tail.len();
                    encode(reply, out.protocol, &mut self.tail);
                    self.end += (self.tail.len() - before) as u64;
                }
            }
        }
    }

    /// Add a reply that is encoded already.
    pub fn add_raw(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.end += bytes.len() as u64;
    }

    /// Whether what is added now waits long enough behind what waits already.
    fn covers(&self, wait: &Wait) -> bool {
        self.holds.back().is_some_and(|last| last.term == wait.term && last.after >= wait.after)
    }

    /// A big string goes between two chunks.
    fn share(&mut self, bytes: &Bytes) {
        let before = self.tail.len();
        self.tail.push(b'$');
        self.tail.extend_from_slice(itoa::Buffer::new().format(bytes.len()).as_bytes());
        self.tail.extend_from_slice(b"\r\n");
        let header = self.tail.len() - before;
        self.chunks.push_back(mem::take(&mut self.tail).into());
        self.chunks.push_back(bytes.clone());
        self.tail.extend_from_slice(b"\r\n");
        self.end += (header + bytes.len() + 2) as u64;
    }

    /// What is waited for before more may leave.
    pub fn held(&self) -> Option<Hold> {
        self.holds.front().copied()
    }

    /// The first hold is over.
    fn release(&mut self) {
        self.holds.pop_front();
    }

    /// How many bytes may leave now.
    pub fn free(&self) -> u64 {
        self.holds.front().map_or(self.end, |hold| hold.begin) - self.sent
    }

    /// How many bytes wait for the gate.
    pub fn waiting(&self) -> u64 {
        self.unsent() - self.free()
    }

    /// Whether the connection may be asked for more, with what it has waiting; the gate is told of that (trap 24).
    pub fn has_room(&mut self, gate: &Gate) -> bool {
        let waiting = self.waiting();
        gate.count_held(mem::replace(&mut self.counted, waiting), waiting);
        gate.may_ask(waiting)
    }

    /// The connection ends: nothing of it waits any more.
    pub fn end(&mut self, gate: &Gate) {
        gate.count_held(mem::take(&mut self.counted), 0);
    }

    /// Bytes that are not sent yet, held or not.
    pub fn unsent(&self) -> u64 {
        self.end - self.sent
    }

    /// The bytes that may leave now, in a few slices; the first is empty if there are none.
    pub fn slices(&self) -> SmallVec<[IoSlice<'_>; SLICES_MAX]> {
        let mut left = self.free() as usize;
        let mut skip = self.offset;
        let mut slices = SmallVec::new();
        for chunk in self.chunks.iter().map(AsRef::as_ref).chain([self.tail.as_slice()]) {
            let chunk = &chunk[skip..];
            skip = 0;
            if left == 0 || slices.len() == SLICES_MAX {
                break;
            }
            if !chunk.is_empty() {
                slices.push(IoSlice::new(&chunk[..chunk.len().min(left)]));
                left -= chunk.len().min(left);
            }
        }
        slices
    }

    /// So many bytes were sent.
    pub fn advance(&mut self, mut count: usize) {
        self.sent += count as u64;
        while let Some(first) = self.chunks.front() {
            let left = first.len() - self.offset;
            if count < left {
                self.offset += count;
                return;
            }
            count -= left;
            self.offset = 0;
            self.chunks.pop_front();
        }
        self.offset += count;
        if self.offset == self.tail.len() {
            self.offset = 0;
            if self.tail.capacity() > KEPT_BYTES_MAX {
                self.tail = Vec::new();
            } else {
                self.tail.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Protocol;

    fn out(reply: Reply, after: Offset) -> Out {
        Out { reply, after, protocol: Protocol::Resp2 }
    }

    /// All that may leave, sent in steps of at most `step` bytes.
    fn send(output: &mut Output, step: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while output.free() > 0 {
            let some: Vec<u8> = output.slices().iter().flat_map(|slice| slice.to_vec()).take(step).collect();
            output.advance(some.len());
            sent.extend(some);
        }
        sent
    }

    #[test]
    fn replies_leave_in_order_whatever_their_size_and_the_steps() {
        let big = vec![b'x'; SHARED_BYTES_MIN];
        let mut expected = b"+OK\r\n$16384\r\n".to_vec();
        expected.extend_from_slice(&big);
        expected.extend_from_slice(b"\r\n:7\r\n");
        for step in [1, 5, 1000, 1 << 20] {
            let mut output = Output::default();
            let mut outs = vec![out(Reply::OK, 0), out(Reply::bulk(&big), 0), out(Reply::Int(7), 0)];
            output.add(&mut outs, None);
            assert_eq!(output.unsent(), expected.len() as u64);
            assert_eq!(send(&mut output, step), expected);
            assert_eq!(output.unsent(), 0);
            output.add(&mut vec![out(Reply::OK, 0)], None);
            assert_eq!(send(&mut output, step), b"+OK\r\n");
        }
    }

    #[test]
    fn a_hold_keeps_what_follows_but_not_what_came_before() {
        let mut output = Output::default();
        let wait = |after| Some(Wait { term: 1, after, free: 5 });
        let first = [(1, 0), (2, 5), (3, 10), (4, 0)];
        output.add(&mut first.map(|(number, after)| out(Reply::Int(number), after)).to_vec(), wait(10));
        output.add(&mut vec![out(Reply::Int(5), 8)], wait(8));
        output.add(&mut vec![out(Reply::Int(6), 20)], wait(20));
        assert_eq!(send(&mut output, 100), b":1\r\n:2\r\n");
        assert_eq!(output.held().map(|hold| hold.after), Some(10));
        output.release();
        assert_eq!(send(&mut output, 100), b":3\r\n:4\r\n:5\r\n");
        output.release();
        assert_eq!(send(&mut output, 100), b":6\r\n");
        assert_eq!(output.held(), None);
    }
}
