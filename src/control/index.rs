//! Which objects are in which namespace, so that nothing has to go through all of them to find a few.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::{Blueprint, BlueprintSpec};

/// Names of one kind's objects, by namespace. The objects themselves are in the kind's cache.
#[derive(Debug, Default)]
pub struct Names {
    by_namespace: Mutex<HashMap<String, BTreeSet<String>>>,
}

impl Names {
    /// Notes an object.
    pub fn add(&self, namespace: &str, name: &str) {
        let mut all = self.lock();
        match all.get_mut(namespace) {
            Some(names) => {
                if !names.contains(name) {
                    names.insert(name.to_owned());
                }
            }
            None => {
                all.insert(namespace.to_owned(), BTreeSet::from([name.to_owned()]));
            }
        }
    }

    /// Forgets an object.
    pub fn remove(&self, namespace: &str, name: &str) {
        let mut all = self.lock();
        if let Some(names) = all.get_mut(namespace) {
            names.remove(name);
            if names.is_empty() {
                all.remove(namespace);
            }
        }
    }

    /// Forgets what a new list no longer holds.
    pub fn retain(&self, is_there: impl Fn(&str, &str) -> bool) {
        self.lock().retain(|namespace, names| {
            names.retain(|name| is_there(namespace, name));
            !names.is_empty()
        });
    }

    /// The names in a namespace, sorted.
    pub fn in_namespace(&self, namespace: &str) -> Vec<String> {
        self.lock().get(namespace).map(|names| names.iter().cloned().collect()).unwrap_or_default()
    }

    /// How many there are in a namespace.
    pub fn count(&self, namespace: &str) -> usize {
        self.lock().get(namespace).map_or(0, BTreeSet::len)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, BTreeSet<String>>> {
        self.by_namespace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The specs of Blueprints, to be shared: every step of every visit looks at one.
#[derive(Debug, Default)]
pub struct Specs {
    by_name: Mutex<HashMap<String, Copied>>,
}

/// A Blueprint as the cache had it, and its spec.
type Copied = (Arc<Blueprint>, Arc<BlueprintSpec>);

impl Specs {
    /// The spec of a Blueprint as the cache has it: copied once, and again when the Blueprint is another.
    pub fn of(&self, name: &str, blueprint: &Arc<Blueprint>) -> Arc<BlueprintSpec> {
        let mut all = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, spec)) = all.get(name).filter(|(from, _)| Arc::ptr_eq(from, blueprint)) {
            return Arc::clone(spec);
        }
        let spec = Arc::new(blueprint.spec.clone());
        all.insert(name.to_owned(), (Arc::clone(blueprint), Arc::clone(&spec)));
        spec
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn names_are_kept_apart_by_namespace_and_sorted() {
        let names = Names::default();
        for (namespace, name) in [("a", "two"), ("a", "one"), ("b", "one"), ("a", "one")] {
            names.add(namespace, name);
        }
        assert_eq!(names.in_namespace("a"), ["one", "two"]);
        assert_eq!((names.count("a"), names.count("b"), names.count("c")), (2, 1, 0));
    }

    #[test]
    fn what_goes_or_is_not_listed_any_more_is_forgotten() {
        let names = Names::default();
        for name in ["one", "two", "three"] {
            names.add("a", name);
        }
        names.remove("a", "two");
        names.retain(|_, name| name == "one");
        assert_eq!(names.in_namespace("a"), ["one"]);
        names.remove("a", "one");
        assert_eq!(names.count("a"), 0);
    }
}
