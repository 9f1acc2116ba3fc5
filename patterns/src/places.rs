//! `Places`: values with numbers.

use std::ops::{Index, IndexMut};

/// Values that keep their number until they are taken out. A free number is used again.
#[derive(Debug)]
pub(crate) struct Places<T> {
    list: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Places<T> {
    pub(crate) fn new() -> Places<T> {
        Places { list: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(&mut self, value: T) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.list[place] = Some(value);
                place
            }
            None => {
                self.list.push(Some(value));
                self.list.len() - 1
            }
        }
    }

    pub(crate) fn take(&mut self, place: usize) -> Option<T> {
        let value = self.list.get_mut(place)?.take()?;
        self.free.push(place);
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len() - self.free.len()
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.list.iter().enumerate().filter_map(|(place, value)| value.as_ref().map(|value| (place, value)))
    }
}

impl<T> Index<usize> for Places<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        self.list[place].as_ref().expect("the place is in use")
    }
}

impl<T> IndexMut<usize> for Places<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        self.list[place].as_mut().expect("the place is in use")
    }
}
