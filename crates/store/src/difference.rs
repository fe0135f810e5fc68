//! The difference between two results of a live query, for readers that hold each row as an object.

use std::collections::HashMap;
use std::sync::Arc;

use super::live_query::ResultSet;
use super::{Row, Value};

/// How to make one result out of the one before: first set the fields of rows that stay, then put rows into their new
/// places, then cut or extend the list to its new length.
#[derive(Debug)]
pub struct Change {
    /// The result that the change leads to.
    pub to: Arc<ResultSet>,
    /// Rows that are still there with other fields: the row's old index, its new one, and which columns.
    pub fields: Vec<(usize, usize, Vec<usize>)>,
    /// Places whose row is another now: the index, and the row's old index unless it is new.
    pub places: Vec<(usize, Option<usize>)>,
    /// Whether the number of rows is another.
    pub is_resized: bool,
}

/// The change between two results, unless there is none.
pub(crate) fn difference(from: &ResultSet, to: &Arc<ResultSet>) -> Option<Change> {
    let origins = origins(from, to);
    let mut change = Change {
        to: to.clone(),
        fields: Vec::new(),
        places: Vec::new(),
        is_resized: from.rows.len() != to.rows.len(),
    };
    for (index, origin) in origins.into_iter().enumerate() {
        if let Some(origin) = origin {
            let (old, new) = (&from.rows[origin], &to.rows[index]);
            let columns: Vec<_> = (0..new.len()).filter(|column| old[*column] != new[*column]).collect();
            if !columns.is_empty() {
                change.fields.push((origin, index, columns));
            }
        }
        if origin != Some(index) {
            change.places.push((index, origin));
        }
    }
    let is_nothing = change.fields.is_empty() && change.places.is_empty() && !change.is_resized;
    (!is_nothing).then_some(change)
}

/// For each new row the index of the old row that it continues: the row of the same key where the result has a key,
/// else an equal row, else the row of the same place if that is left over.
fn origins(from: &ResultSet, to: &ResultSet) -> Vec<Option<usize>> {
    if from.columns != to.columns {
        return vec![None; to.rows.len()];
    }
    let key = &to.key;
    let mut places: HashMap<Identity<'_>, Vec<usize>> = HashMap::with_capacity(from.rows.len());
    for (index, row) in from.rows.iter().enumerate().rev() {
        places.entry(identity(row, key)).or_default().push(index);
    }
    let mut is_taken = vec![false; from.rows.len()];
    let mut found: Vec<_> = to
        .rows
        .iter()
        .map(|row| {
            let index = places.get_mut(&identity(row, key))?.pop()?;
            is_taken[index] = true;
            Some(index)
        })
        .collect();
    if key.is_empty() {
        for (index, origin) in found.iter_mut().enumerate().take(is_taken.len()) {
            if origin.is_none() && !is_taken[index] {
                *origin = Some(index);
            }
        }
    }
    found
}

/// What is compared to find a row in the other result.
#[derive(PartialEq, Eq, Hash)]
enum Identity<'r> {
    One(&'r Value),
    Many(Vec<&'r Value>),
    Whole(&'r Row),
}

fn identity<'r>(row: &'r Row, key: &[usize]) -> Identity<'r> {
    match key {
        [] => Identity::Whole(row),
        [column] => Identity::One(&row[*column]),
        columns => Identity::Many(columns.iter().map(|column| &row[*column]).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(key: &[usize], rows: &[(i64, &str)]) -> Arc<ResultSet> {
        let row = |(id, text): &(i64, &str)| -> Row {
            Box::new([Value::Integer(*id), Value::Text((*text).to_owned())])
        };
        let columns = vec!["id".to_owned(), "text".to_owned()];
        Arc::new(ResultSet {
            columns,
            key: key.to_vec(),
            rows: rows.iter().map(row).collect(),
            held: super::super::ResultBudget::default().begin(),
        })
    }

    #[test]
    fn nothing_is_no_change() {
        let rows = [(1, "a"), (2, "b")];
        assert!(difference(&result(&[0], &rows), &result(&[0], &rows)).is_none());
    }

    #[test]
    fn an_appended_row_is_one_place() {
        let change = difference(&result(&[0], &[(1, "a")]), &result(&[0], &[(1, "a"), (2, "b")]));

        let change = change.expect("a change");
        assert_eq!((&*change.fields, &*change.places, change.is_resized), (&[][..], &[(1, None)][..], true));
    }

    #[test]
    fn a_removed_row_moves_those_behind_it() {
        let from = result(&[0], &[(1, "a"), (2, "b"), (3, "c")]);
        let change = difference(&from, &result(&[0], &[(1, "a"), (3, "c")])).expect("a change");

        assert_eq!((&*change.places, change.is_resized), (&[(1, Some(2))][..], true));
    }

    #[test]
    fn another_field_of_a_row_with_a_key_is_a_field() {
        let change = difference(&result(&[0], &[(1, "a")]), &result(&[0], &[(1, "b")])).expect("a change");

        assert_eq!((&*change.fields, &*change.places), (&[(0, 0, vec![1])][..], &[][..]));
    }

    #[test]
    fn rows_without_a_key_are_known_by_value_and_by_place() {
        let from = result(&[], &[(1, "a"), (1, "a"), (2, "b")]);
        let change = difference(&from, &result(&[], &[(1, "a"), (3, "a"), (2, "b")])).expect("a change");

        assert_eq!((&*change.fields, &*change.places), (&[(1, 1, vec![0])][..], &[][..]));
    }
}
