//! A sequence of slots that knows ranks: a B+ tree whose nodes count what is below them.
//!
//! Contract: putting in, taking out, and finding by rank or by a predicate that holds for a prefix take logarithmic
//! time. Deliberately absent: what the slots mean, and so what their order is; the caller says it by ranks.

const LEAF_MAX: usize = 128;
const INNER_MAX: usize = 64;

#[derive(Debug, Clone)]
pub struct Order {
    root: Node,
    len: usize,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(Vec<u32>),
    Inner(Vec<Child>),
}

#[derive(Debug, Clone)]
struct Child {
    /// Its first slot.
    low: u32,
    /// How many slots it has.
    count: u32,
    node: Box<Node>,
}

impl Default for Order {
    fn default() -> Self {
        Self { root: Node::Leaf(Vec::new()), len: 0 }
    }
}

impl Order {
    pub fn len(&self) -> usize {
        self.len
    }

    /// Put a slot before the one at a rank, or at the end.
    pub fn insert(&mut self, rank: usize, slot: u32) {
        if let Some(right) = self.root.insert(rank, slot, true) {
            let left = std::mem::replace(&mut self.root, Node::Inner(Vec::new()));
            self.root = Node::Inner(vec![Child::new(left), Child::new(right)]);
        }
        self.len += 1;
    }

    /// Take the slot at a rank, which there is, out.
    pub fn remove(&mut self, rank: usize) -> u32 {
        let slot = self.root.remove(rank);
        self.len -= 1;
        while let Node::Inner(children) = &mut self.root
            && children.len() <= 1
        {
            self.root = children.pop().map_or(Node::Leaf(Vec::new()), |child| *child.node);
        }
        slot
    }

    /// How many slots there are before the first for which `holds` does not hold.
    pub fn partition(&self, mut holds: impl FnMut(u32) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(slots) => return rank + slots.partition_point(|slot| holds(*slot)),
                Node::Inner(children) => {
                    let index = children[1..].partition_point(|child| holds(child.low));
                    rank += children[..index].iter().map(|child| child.count as usize).sum::<usize>();
                    node = &children[index].node;
                }
            }
        }
    }

    /// The slots of the leaf that holds a rank, and the place of the rank among them; nothing if there is no such
    /// rank.
    pub fn leaf(&self, mut rank: usize) -> (&[u32], usize) {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(slots) => return (slots, rank),
                Node::Inner(children) => {
                    let mut found = None;
                    for child in children {
                        if rank < child.count as usize {
                            found = Some(child);
                            break;
                        }
                        rank -= child.count as usize;
                    }
                    let Some(child) = found else { return (&[], 0) };
                    node = &child.node;
                }
            }
        }
    }

    /// Bytes that are allocated.
    pub fn allocated(&self) -> usize {
        self.root.allocated()
    }
}

impl Child {
    fn new(node: Node) -> Self {
        Self { low: node.low(), count: node.count() as u32, node: Box::new(node) }
    }
}

impl Node {
    fn low(&self) -> u32 {
        match self {
            Node::Leaf(slots) => slots.first().copied().unwrap_or(0),
            Node::Inner(children) => children.first().map_or(0, |child| child.low),
        }
    }

    fn count(&self) -> usize {
        match self {
            Node::Leaf(slots) => slots.len(),
            Node::Inner(children) => children.iter().map(|child| child.count as usize).sum(),
        }
    }

    /// How full it is, and how full it may be.
    fn fill(&self) -> (usize, usize) {
        match self {
            Node::Leaf(slots) => (slots.len(), LEAF_MAX),
            Node::Inner(children) => (children.len(), INNER_MAX),
        }
    }

    /// Put a slot in; what then is too much comes back as a node to stand to the right. `last`: nothing stands there
    /// yet, so a run of ascending slots fills the leaves.
    fn insert(&mut self, rank: usize, slot: u32, last: bool) -> Option<Node> {
        match self {
            Node::Leaf(slots) if slots.len() < LEAF_MAX => {
                slots.insert(rank, slot);
                None
            }
            Node::Leaf(slots) if last && rank == slots.len() => Some(Node::Leaf(vec![slot])),
            Node::Leaf(slots) => {
                let mut right = slots.split_off(LEAF_MAX / 2);
                if rank <= LEAF_MAX / 2 {
                    slots.insert(rank, slot);
                } else {
                    right.insert(rank - LEAF_MAX / 2, slot);
                }
                Some(Node::Leaf(right))
            }
            Node::Inner(children) => {
                let (index, rank) = descend(children, rank, false);
                let last = last && index + 1 == children.len();
                let child = &mut children[index];
                let right = child.node.insert(rank, slot, last);
                child.low = child.node.low();
                child.count += 1;
                if let Some(right) = right.map(Child::new) {
                    child.count -= right.count;
                    children.insert(index + 1, right);
                }
                (children.len() > INNER_MAX).then(|| Node::Inner(children.split_off(INNER_MAX / 2)))
            }
        }
    }

    fn remove(&mut self, rank: usize) -> u32 {
        match self {
            Node::Leaf(slots) => slots.remove(rank),
            Node::Inner(children) => {
                let (index, rank) = descend(children, rank, true);
                let child = &mut children[index];
                let slot = child.node.remove(rank);
                child.count -= 1;
                child.low = child.node.low();
                let (fill, most) = child.node.fill();
                if fill == 0 {
                    children.remove(index);
                } else if fill < most / 4 {
                    join(children, index);
                }
                slot
            }
        }
    }

    fn allocated(&self) -> usize {
        match self {
            Node::Leaf(slots) => slots.capacity() * size_of::<u32>(),
            Node::Inner(children) => {
                let below: usize =
                    children.iter().map(|child| size_of::<Node>() + child.node.allocated()).sum();
                children.capacity() * size_of::<Child>() + below
            }
        }
    }
}

/// The child that holds a rank, and the rank within it; the place after the last slot of a child is in it too, unless
/// there must be a slot.
fn descend(children: &[Child], mut rank: usize, there: bool) -> (usize, usize) {
    for (index, child) in children.iter().enumerate() {
        let count = child.count as usize;
        if rank < count + usize::from(!there) {
            return (index, rank);
        }
        rank -= count;
    }
    unreachable!("a rank is not beyond the last slot")
}

/// Make a child one with a neighbour, if they have room in one node.
fn join(children: &mut Vec<Child>, index: usize) {
    let left = if index + 1 < children.len() { index } else { index.saturating_sub(1) };
    let Some(right) = children.get(left + 1) else { return };
    let (fill, most) = right.node.fill();
    if children[left].node.fill().0 + fill > most * 3 / 4 {
        return;
    }
    let right = children.remove(left + 1);
    let child = &mut children[left];
    match (&mut *child.node, *right.node) {
        (Node::Leaf(slots), Node::Leaf(more)) => slots.extend(more),
        (Node::Inner(nodes), Node::Inner(more)) => nodes.extend(more),
        _ => unreachable!("all leaves are at one depth"),
    }
    child.count += right.count;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_behaves_as_a_plain_vector() {
        let (mut order, mut model, mut state) = (Order::default(), Vec::new(), 7u64);
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for step in 0..60_000u32 {
            // It grows, stands still, and shrinks to nothing.
            let grows = random(100) < if step < 30_000 { 75 } else { 22 };
            if grows || model.is_empty() {
                let rank = if step < 10_000 { model.len() } else { random(model.len() + 1) };
                order.insert(rank, step);
                model.insert(rank, step);
            } else {
                let rank = random(model.len());
                assert_eq!(order.remove(rank), model.remove(rank));
            }
            assert_eq!(order.len(), model.len());
            let rank = random(model.len() + 1);
            let (slots, place) = order.leaf(rank);
            assert_eq!(slots.get(place), model.get(rank), "step {step}");
        }
        let all: Vec<u32> = (0..model.len()).map(|rank| order.leaf(rank)).map(|(s, at)| s[at]).collect();
        assert_eq!(all, model);
    }

    #[test]
    fn a_predicate_finds_its_rank() {
        let mut order = Order::default();
        (0..20_000).for_each(|slot| order.insert(slot as usize, slot));
        for bound in [0, 1, 127, 128, 129, 8_191, 8_192, 19_999, 20_000] {
            assert_eq!(order.partition(|slot| slot < bound), bound as usize);
        }
        assert!(order.allocated() < 20_000 * 6, "ascending slots fill leaves: {}", order.allocated());
    }
}
