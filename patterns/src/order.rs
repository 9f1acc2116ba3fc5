//! `Order`: numbers in the order in which they were added, each once.

/// A queue of small numbers, from which any number can be removed. Every operation takes the same time, whatever the length.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// By number; `None` for a number that is not in the queue.
    links: Vec<Option<Link>>,
    ends: Option<(usize, usize)>,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    before: Option<usize>,
    behind: Option<usize>,
}

impl Order {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn front(&self) -> Option<usize> {
        self.ends.map(|(front, _)| front)
    }

    /// Puts a number at the end. If it is in the queue already, it is moved.
    pub(crate) fn push_back(&mut self, number: usize) {
        self.remove(number);
        if self.links.len() <= number {
            self.links.resize(number + 1, None);
        }
        let last = self.ends.map(|(_, last)| last);
        if let Some(last) = last.and_then(|last| self.links[last].as_mut()) {
            last.behind = Some(number);
        }
        self.links[number] = Some(Link { before: last, behind: None });
        self.ends = Some((self.front().unwrap_or(number), number));
        self.len += 1;
    }

    /// Removes a number, if it is in the queue.
    pub(crate) fn remove(&mut self, number: usize) {
        let Some(Link { before, behind }) = self.links.get_mut(number).and_then(Option::take) else { return };
        self.len -= 1;
        if let Some(link) = before.and_then(|before| self.links[before].as_mut()) {
            link.behind = behind;
        }
        if let Some(link) = behind.and_then(|behind| self.links[behind].as_mut()) {
            link.before = before;
        }
        if let Some((front, last)) = self.ends {
            let front = if front == number { behind } else { Some(front) };
            let last = if last == number { before } else { Some(last) };
            self.ends = front.zip(last);
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<usize> {
        let front = self.front()?;
        self.remove(front);
        Some(front)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Remove(usize),
        Pop,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..8_usize).prop_map(Step::Push),
            2 => (0..10_usize).prop_map(Step::Remove),
            1 => Just(Step::Pop),
        ]
    }

    proptest! {
        #[test]
        fn order_does_what_a_list_does(steps in prop::collection::vec(step(), 0..100)) {
            let (mut order, mut list) = (Order::default(), VecDeque::new());
            for step in steps {
                match step {
                    Step::Push(number) => {
                        list.retain(|other| *other != number);
                        list.push_back(number);
                        order.push_back(number);
                    }
                    Step::Remove(number) => {
                        list.retain(|other| *other != number);
                        order.remove(number);
                    }
                    Step::Pop => prop_assert_eq!(order.pop_front(), list.pop_front()),
                }
                prop_assert_eq!((order.front(), order.len()), (list.front().copied(), list.len()));
            }
            while let Some(number) = list.pop_front() {
                prop_assert_eq!(order.pop_front(), Some(number));
            }
            prop_assert_eq!(order.front(), None);
        }
    }
}
