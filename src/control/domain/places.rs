//! How many looks at customers' name servers are under way at once. Each holds a worker for as long as those servers like:
//! nobody's are to hold all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Places for looks, shared by all namespaces.
#[derive(Debug)]
pub struct Places {
    most: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// A place, as long as it lives.
#[derive(Debug)]
pub struct Place<'p> {
    places: &'p Places,
    namespace: String,
}

impl Places {
    /// Places beside which a quarter of so many workers is left for everything else.
    pub fn among(workers: u16) -> Self {
        let workers = usize::from(workers);
        Self { most: (workers - workers / 4).max(1), taken: Mutex::default() }
    }

    /// A place for a look of this namespace, if it may have one more. It may have as many as are left beside: so whoever has
    /// none comes first, and one namespace alone has no more than half.
    pub fn take(&self, namespace: &str) -> Option<Place<'_>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.most.saturating_sub(taken.values().sum());
        let own = taken.get(namespace).copied().unwrap_or_default();
        if own >= left {
            return None;
        }
        taken.insert(namespace.to_owned(), own + 1);
        Some(Place { places: self, namespace: namespace.to_owned() })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.namespace) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.namespace)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<'p>(places: &'p Places, namespace: &str) -> Vec<Place<'p>> {
        std::iter::from_fn(|| places.take(namespace)).collect()
    }

    #[test]
    fn one_namespace_has_half_however_many_it_asks_for() {
        let places = Places::among(32);
        let taken = all(&places, "hostile");
        assert_eq!(taken.len(), 12);
        let other = all(&places, "honest");
        assert_eq!(other.len(), 6);
        drop(taken);
        assert_eq!(all(&places, "honest").len(), 6, "no more than are left beside");
        drop(other);
        assert_eq!(all(&places, "hostile").len(), 12);
        assert!(places.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn who_has_none_comes_first_and_workers_are_left_for_the_rest() {
        let places = Places::among(32);
        let mut taken: Vec<Vec<Place<'_>>> =
            (0..24).map(|it| all(&places, &format!("hostile-{it}"))).collect();
        assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 24, "eight workers are left");
        assert!(places.take("honest").is_none());
        taken[0].pop();
        assert!(places.take("hostile-0").is_none() && places.take("hostile-1").is_none());
        assert!(places.take("honest").is_some());
    }

    #[test]
    fn a_single_worker_looks_as_well() {
        let places = Places::among(1);
        let one = places.take("one");
        assert!(one.is_some() && places.take("two").is_none());
        drop(one);
        assert!(places.take("two").is_some());
    }
}
