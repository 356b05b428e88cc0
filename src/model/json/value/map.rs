//! The members of an object, in the order in which they came.
//!
//! Copies share what they hold until one of them is changed, so a document and the next one have
//! all in common but what lies on the way to the change, and whether two are the same is mostly
//! told by a pointer. Objects have a handful of members as a rule: those are looked through
//! one by one, and only of many is it noted where each stands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Value;

/// The members of an object. Two are equal if they have the same members, in whatever order. A
/// clone costs nothing.
#[derive(Clone)]
pub struct Map<K, V>(Arc<SharedMembers<K, V>>);

#[derive(Clone)]
struct SharedMembers<K, V> {
    entries: Vec<(K, V)>,
    /// Where each stands, if there are many.
    places: Option<Box<Places<K>>>,
}

/// In a box, for most objects have none and shall not be larger for it.
#[derive(Clone)]
struct Places<K>(BTreeMap<K, usize>);

type NamedValue = (String, Value);
/// Goes through names and values.
pub type Iter<'a> =
    std::iter::Map<std::slice::Iter<'a, NamedValue>, fn(&'a NamedValue) -> (&'a String, &'a Value)>;

impl Map<String, Value> {
    /// An object without members.
    pub fn new() -> Self {
        Self(Arc::new(SharedMembers {
            entries: Vec::new(),
            places: None,
        }))
    }

    /// Gives back the room that was meant for more.
    pub(in crate::model::json) fn shrink_to_fit(&mut self) {
        self.own().entries.shrink_to_fit();
    }

    /// Adds a member of a name that is not there.
    pub(in crate::model::json) fn push(&mut self, name: String, value: Value) {
        let members = self.own();
        if let Some(places) = &mut members.places {
            places.0.insert(name.clone(), members.entries.len());
        }
        members.entries.push((name, value));
        if members.entries.len() == FEW + 1 {
            members.places = places_of(&members.entries);
        }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.place(name).map(|place| &self.0.entries[place].1)
    }

    /// The member of this name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let place = self.0.place(name)?;
        Some(&mut self.own().entries[place].1)
    }

    /// The member of this name, to be changed; where there is none, `null` is added.
    pub(crate) fn get_or_null(&mut self, name: &str) -> &mut Value {
        if !self.contains_key(name) {
            self.insert(name.to_owned(), Value::Null);
        }
        self.get_mut(name).expect("it is there now")
    }

    /// Whether there is a member of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.0.place(name).is_some()
    }

    /// Puts a value in the place of the member of this name, which is given back, or adds it as the
    /// last.
    pub fn insert(&mut self, name: String, value: Value) -> Option<Value> {
        match self.get_mut(&name) {
            Some(member) => Some(std::mem::replace(member, value)),
            None => {
                self.push(name, value);
                None
            }
        }
    }

    /// Takes a member out; those behind it move up.
    pub fn shift_remove(&mut self, name: &str) -> Option<Value> {
        let place = self.0.place(name)?;
        let members = self.own();
        let (_, value) = members.entries.remove(place);
        members.places.take_if(|_| members.entries.len() <= FEW);
        if let Some(places) = &mut members.places {
            places.0.remove(name);
            places
                .0
                .values_mut()
                .filter(|other| **other > place)
                .for_each(|other| *other -= 1);
        }
        Some(value)
    }

    /// Takes out all members that `patch` has as `null`, at once: one by one each of those behind
    /// would be moved each time.
    pub(crate) fn remove_nulls(&mut self, patch: &Self) {
        let goes = |name: &str| patch.get(name).is_some_and(Value::is_null);
        if self.keys().any(|name| goes(name)) {
            self.retain(|name, _| !goes(name));
        }
    }

    /// Keeps only the members for which `keeps` is true.
    pub fn retain(&mut self, mut keeps: impl FnMut(&String, &mut Value) -> bool) {
        let members = self.own();
        members
            .entries
            .retain_mut(|(name, value)| keeps(name, value));
        members.places = places_of(&members.entries);
    }

    /// Names and values, in their order.
    pub fn iter(&self) -> Iter<'_> {
        self.0.entries.iter().map(|(name, value)| (name, value))
    }

    /// Names and values, in their order, the values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&String, &mut Value)> {
        self.own()
            .entries
            .iter_mut()
            .map(|(name, value)| (&*name, value))
    }

    /// The names, in their order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &String> + ExactSizeIterator + Clone {
        self.0.entries.iter().map(|(name, _)| name)
    }

    /// The values, in their order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator + Clone {
        self.0.entries.iter().map(|(_, value)| value)
    }

    /// The values, in their order, to be changed.
    pub fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut Value> {
        self.own().entries.iter_mut().map(|(_, value)| value)
    }

    /// Whether both share one allocation, which makes them equal without a comparison.
    pub(in crate::model::json) fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn own(&mut self) -> &mut SharedMembers<String, Value> {
        Arc::make_mut(&mut self.0)
    }
}

impl SharedMembers<String, Value> {
    fn place(&self, name: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.0.get(name).copied(),
            None => self.entries.iter().position(|(own, _)| own == name),
        }
    }
}

fn places_of(entries: &[NamedValue]) -> Option<Box<Places<String>>> {
    let places = || {
        let all = entries.iter().enumerate();
        all.map(|(place, (name, _))| (name.clone(), place))
            .collect()
    };
    (entries.len() > FEW).then(|| Box::new(Places(places())))
}

impl Default for Map<String, Value> {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Map<String, Value> {
    fn eq(&self, other: &Self) -> bool {
        // As a rule the members have the same order, and nothing need be looked up.
        let is_there =
            |((name, value), (beside, other_value)): ((&String, &Value), (&String, &Value))| {
                if name == beside {
                    value == other_value
                } else {
                    other.get(name) == Some(value)
                }
            };
        self.ptr_eq(other)
            || (self.len() == other.len() && self.iter().zip(other.iter()).all(is_there))
    }
}

impl Eq for Map<String, Value> {}

impl fmt::Debug for Map<String, Value> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl IntoIterator for Map<String, Value> {
    type Item = NamedValue;
    type IntoIter = std::vec::IntoIter<NamedValue>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map<String, Value> {
    type Item = (&'a String, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Extend<NamedValue> for Map<String, Value> {
    fn extend<I: IntoIterator<Item = NamedValue>>(&mut self, entries: I) {
        entries
            .into_iter()
            .for_each(|(name, value)| _ = self.insert(name, value));
    }
}

impl FromIterator<NamedValue> for Map<String, Value> {
    fn from_iter<I: IntoIterator<Item = NamedValue>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

/// Up to so many members are looked through one by one.
const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: impl Iterator<Item = usize>) -> Map<String, Value> {
        names
            .map(|number| (format!("m{number}"), number.into()))
            .collect()
    }

    #[test]
    fn members_are_found_and_keep_their_order_however_many_there_are() {
        for count in [0, 1, FEW - 1, FEW, FEW + 1, FEW + 2, 1000] {
            let mut map = of(0..count);
            assert_eq!((map.len(), map.is_empty()), (count, count == 0));
            for number in 0..count {
                assert_eq!(
                    map.get(&format!("m{number}")),
                    Some(&number.into()),
                    "{number} of {count}"
                );
            }
            assert_eq!(map.get("m"), None);
            assert_eq!(map.insert("m0".into(), "other".into()).is_some(), count > 0);
            assert_eq!(map.shift_remove("m0"), Some("other".into()));
            assert!(
                (1..count).all(|number| map.get(&format!("m{number}")) == Some(&number.into()))
            );
            let names: Vec<&String> = map.keys().collect();
            assert_eq!(
                names,
                (1..count)
                    .map(|number| format!("m{number}"))
                    .collect::<Vec<_>>()
                    .iter()
                    .collect::<Vec<_>>()
            );
            map.retain(|_, value| value.as_u64().is_some_and(|number| number % 2 == 0));
            assert_eq!(
                map,
                of((1..count).filter(|number| number % 2 == 0)),
                "{count}"
            );
            assert!(
                (1..count)
                    .all(|number| map.contains_key(&format!("m{number}")) == (number % 2 == 0))
            );
        }
    }

    #[test]
    fn the_order_of_members_is_no_difference_and_all_else_is() {
        for count in [2, FEW + 5] {
            let one = of(0..count);
            assert_eq!(one, of((0..count).rev()));
            assert_ne!(one, of(0..count - 1));
            assert_ne!(one, of(1..count + 1));
            let mut other = one.clone();
            other.insert("m1".into(), Value::Null);
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_change_to_a_copy_is_not_one_to_the_other() {
        let one = of(0..3);
        let mut other = one.clone();
        assert!(one.ptr_eq(&other));
        other.values_mut().for_each(|value| *value = Value::Null);
        assert_eq!(one, of(0..3));
        assert!(!one.ptr_eq(&other));
    }
}
